"""The examples have all that they need."""

import json

import pytest
import render
import settings
from combinations import MANIFESTS, Pod


@pytest.fixture(params=sorted((MANIFESTS / "examples").iterdir()), ids=lambda path: path.name)
def resources(request):
    return render.render(request.param)


def named(resources, kind):
    return {name: resource for (of, _, name), resource in resources.items() if of == kind}


def test_what_is_named_is_there(resources):
    secrets, maps = named(resources, "Secret"), named(resources, "ConfigMap")
    for deployment in named(resources, "Deployment").values():
        spec = deployment["spec"]["template"]["spec"]
        for container in spec["containers"] + spec.get("initContainers", []):
            assert container["image"]
            for variable in container.get("env", []):
                if "valueFrom" in variable:
                    reference = variable["valueFrom"]["secretKeyRef"]
                    assert reference["key"] in secrets[reference["name"]]["stringData"]
            for source in container.get("envFrom", []):
                assert source["configMapRef"]["name"] in maps
        for volume in spec["volumes"]:
            assert volume.get("configMap", {}).get("name") in {None, *maps}


def test_the_settings_are_settings(resources, program):
    assert set(named(resources, "ConfigMap")["kubedl-shipper"]["data"]) <= settings.names(program)


def test_the_database_is_reached_by_its_service(resources):
    secret = named(resources, "Secret")["kubedl-mysql-config"]["stringData"]
    service = named(resources, "Service")[secret["host"]]["spec"]
    assert service["ports"][0]["port"] == int(secret["port"])
    labels = {name: deployment["spec"]["template"]["metadata"]["labels"]
              for name, deployment in named(resources, "Deployment").items()}
    assert [name for name, has in labels.items() if has == service["selector"]] == [secret["host"]]


def test_the_stand_in_writes_to_the_sidecars_socket(resources):
    """And nothing else is a source: a list in which the job is not would close its row."""
    pod = Pod(resources)
    assert "," not in pod.env["EVENT_SOURCE"]["value"]
    path = pod.env["EVENT_SOURCE"]["value"].removeprefix("unix-listen:")
    assert f"UNIX-CONNECT:{path}\n" in pod.controller["command"][-1]


def test_the_events_are_one_document_a_line(resources):
    for line in named(resources, "ConfigMap")["kubedl-events"]["data"]["events.ndjson"].splitlines():
        assert json.loads(line)["object"]["metadata"]["uid"]
