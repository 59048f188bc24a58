"""render.py renders as kubectl does, and refuses what it does not know."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import combinations
import pytest
import render
import yaml


def by_kubectl(kubectl, directory):
    result = subprocess.run([kubectl, "kustomize", directory], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return {render.identity(resource): resource
            for resource in yaml.load_all(result.stdout, render.LOADER)}


def test_renders_combinations_as_kubectl_does(kubectl, tmp_path):
    """kubectl takes its time: all of them with EVERY=1, else some in which any two components meet."""
    every = os.environ.get("EVERY") == "1"

    def compare(components):
        directory = tmp_path / "+".join(components)
        directory.mkdir()
        combinations.write(directory, components)
        assert combinations.rendered(components) == by_kubectl(kubectl, directory), components

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(compare, combinations.all_combinations() if every
                          else combinations.covering()):
            pass


@pytest.mark.parametrize("components", [("base",), ("base", "chart-names"), ("standalone", "monitoring")],
                         ids="+".join)
def test_renders_in_another_namespace_as_kubectl_does(kubectl, components, tmp_path):
    combinations.write(tmp_path, components, namespace="ml")
    assert render.render(tmp_path) == by_kubectl(kubectl, tmp_path)


def example_folders():
    return sorted((combinations.MANIFESTS / "examples").iterdir())


@pytest.mark.parametrize("directory", example_folders(), ids=lambda path: path.name)
def test_renders_each_example_as_kubectl_does(kubectl, directory):
    assert render.render(directory) == by_kubectl(kubectl, directory)


def refused(directory, **kustomization):
    (directory / "kustomization.yaml").write_text(yaml.safe_dump({
        "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
        "resources": [], **kustomization}))
    with pytest.raises(render.RenderError) as raised:
        render.render(directory)
    return str(raised.value)


def test_refuses_what_it_does_not_cover(tmp_path):
    assert "namePrefix is not covered" in refused(tmp_path, namePrefix="x-")


def test_refuses_a_patch_of_what_is_not_there(tmp_path):
    (tmp_path / "patch.yaml").write_text(yaml.safe_dump(
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "absent"}}))
    assert "nothing that it patches" in refused(tmp_path, patches=[{"path": "patch.yaml"}])


def test_refuses_a_json_patch_of_another_container(tmp_path):
    """Named behind a component that puts a container in front, plain-container finds that one."""
    (deployment,) = combinations.original()
    deployment["spec"]["template"]["spec"]["initContainers"] = [{"name": "other", "image": "other"}]
    resource = tmp_path / "deployment.yaml"
    resource.write_text(yaml.safe_dump(deployment))
    plain = combinations.MANIFESTS / "components" / "plain-container"
    assert "is other, not kubedl-shipper" in refused(
        tmp_path, resources=["deployment.yaml"], components=[os.path.relpath(plain, tmp_path)])
