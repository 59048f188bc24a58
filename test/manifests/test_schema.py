"""What is rendered fits Kubernetes' own types, as far as kubectl tells without a server.

`kubectl apply --dry-run` asks a server even of the client's kind, so these are commands with --local. They
read a resource into its Go type, which forgets fields that there are not, and refuses wrong types."""

import json
import subprocess

import combinations
import pytest
from combinations import MANIFESTS, SIDECAR, Pod


def by_kubectl(kubectl, resource, *command):
    result = subprocess.run([kubectl, *command, "--local", "-f", "-", "-o", "json"],
                            input=json.dumps(resource), capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def lost(ours, theirs, path=""):
    """The fields that are not in theirs, or otherwise. An empty list is as good as none."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [one for field in ours for one in lost(ours[field], theirs.get(field), f"{path}.{field}")]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [one for n, item in enumerate(ours) for one in lost(item, theirs[n], f"{path}[{n}]")]
    return [] if ours == theirs or (ours, theirs) == ([], None) else [f"{path} is {theirs}, not {ours}"]


def lost_of_deployment(kubectl, deployment):
    account = deployment["spec"]["template"]["spec"].get("serviceAccountName", "default")
    return lost(deployment, by_kubectl(kubectl, deployment, "set", "serviceaccount", account))


def lost_of_binding(kubectl, binding):
    """It is asked for with one account more."""
    other = by_kubectl(kubectl, binding, "set", "subject", "--serviceaccount=other:other")
    return lost(binding, {**other, "subjects": other["subjects"][:-1]})


def test_deployments_and_bindings_have_fields_that_there_are(kubectl):
    for components in combinations.covering():
        pod = Pod(combinations.rendered(components))
        assert lost_of_deployment(kubectl, pod.deployment) == []
        for binding in pod.of_kind("ClusterRoleBinding"):
            if binding["metadata"]["name"] == SIDECAR:
                assert lost_of_binding(kubectl, binding) == []


@pytest.mark.parametrize("change", [{"enableServiceLink": False}, {"hostUsers": "no"}])
def test_a_field_that_there_is_not_is_noticed(kubectl, change):
    pod = Pod(combinations.rendered(("standalone",)))
    deployment = {**pod.deployment, "spec": {**pod.deployment["spec"], "template": {
        **pod.template, "spec": {**pod.spec, **change}}}}
    try:
        assert lost_of_deployment(kubectl, deployment)
    except AssertionError as error:
        assert "hostUsers" in str(error)


def test_the_patch_works_without_kustomize(kubectl):
    """With the rights, which base/kustomization.yaml names beside it, that is all that base does."""
    (was,) = combinations.original()
    patched = by_kubectl(kubectl, was, "patch", "--patch-file", MANIFESTS / "base" / "sidecar.yaml")
    assert patched == Pod(combinations.rendered(("base",))).deployment
