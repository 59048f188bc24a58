"""What docs/install.md says about the manifests is true."""

import os
import re
import subprocess

import combinations
import discovery
import pytest
import ways
import yaml
from test_render import by_kubectl

EACH = pytest.mark.parametrize(
    "title, kustomization",
    [pytest.param(*way, id=f"{number}-{way[0]}") for number, way in enumerate(ways.kustomizations())])


def test_lists_each_component_with_what_it_goes_with():
    rows = re.findall(r"^\| `([a-z-]+)` \| (base|standalone|both) \|", ways.section("Components"), re.MULTILINE)
    goes_with = {form: {name for choice in choices for names in choice for name in names}
                 for form, choices in combinations.CHOICES.items()}
    # The combinations leave out what is said to be independent of the pod.
    goes_with["base"].add("runbook-url")
    assert dict(rows) == {
        name: "both" if all(name in names for names in goes_with.values())
        else next(form for form, names in goes_with.items() if name in names)
        for name in (path.name for path in (combinations.MANIFESTS / "components").iterdir())}


def test_there_are_five_steps_for_each():
    for title in {title for title, _ in ways.kustomizations()}:
        assert re.findall(r"^([0-9])\. ", ways.section(title), re.MULTILINE) == list("12345")


@EACH
def test_kubectl_renders_it_and_the_settings_arrive(kubectl, tmp_path, title, kustomization):
    """kubectl puts a hash behind the name of a ConfigMap, and into what refers to it."""
    ways.write(tmp_path, title, kustomization, hashes=True)
    resources = by_kubectl(kubectl, tmp_path)
    pod = combinations.Pod(resources)
    (source,) = pod.sidecar["envFrom"]
    maps = {one["metadata"]["name"]: one for one in pod.of_kind("ConfigMap")}
    chosen = maps[source["configMapRef"]["name"]]
    assert chosen["data"] == {"CLUSTER_ID": "prod-1"}
    assert chosen["metadata"]["namespace"] == pod.deployment["metadata"]["namespace"]


@pytest.mark.parametrize("title, kustomization", ways.kustomizations()[::2])
def test_the_image_of_a_registry_gets_into_the_pod(kubectl, tmp_path, title, kustomization):
    """As a native sidecar, which kustomize has to find among the init containers, and by itself."""
    (block,) = re.findall(r"^```yaml\n(images:.*?)^```", ways.TEXT, re.MULTILINE | re.DOTALL)
    ways.write(tmp_path, title, {**kustomization, **yaml.safe_load(block)}, hashes=True)
    image = combinations.Pod(by_kubectl(kubectl, tmp_path)).sidecar["image"]
    assert re.fullmatch(r"registry\.example\.com/kubedl-shipper:[0-9.]+", image)


@EACH
def test_is_rendered_as_by_kubectl(kubectl, tmp_path, title, kustomization):
    assert ways.rendered(tmp_path, title, kustomization) == by_kubectl(kubectl, tmp_path)


@EACH
def test_kubectl_would_apply_it(kubectl, tmp_path, title, kustomization):
    """As far as kubectl tells without a cluster: it knows each kind, and whether that is in a namespace.
    test_schema.py holds the fields against Kubernetes' types."""
    resources = ways.rendered(tmp_path, title, kustomization)
    with discovery.served() as url:
        result = subprocess.run(
            [kubectl, "apply", "-k", tmp_path, "--dry-run=client", "--validate=false", "--server", url,
             "--cache-dir", tmp_path / "cache"], capture_output=True, text=True,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)})
    assert result.returncode == 0, result.stderr
    created = re.findall(r"^([a-z]+)[a-z.0-9]*/(\S+) created \(dry run\)$", result.stdout, re.MULTILINE)
    assert sorted(created) == sorted((kind.lower(), name) for kind, _, name in resources)
