"""The image's archive is taken by what people have, and is found under the name that the manifests say."""

import json
import os
import re
import shutil
import tempfile
from pathlib import Path

import pytest

from harness.runtimes import Containerd, Docker, Programs

ARCHIVE = os.environ["IMAGE_ARCHIVE"]
SIDECAR = Path(__file__).resolve().parents[3] / "manifests" / "base" / "sidecar.yaml"


@pytest.fixture(scope="module")
def programs():
    return Programs()


@pytest.fixture(scope="module")
def name():
    """As it stands in a pod: a kubelet asks for this."""
    written, = re.findall(r"^\s*image: (kubedl-shipper:\S+)$", SIDECAR.read_text(), re.MULTILINE)
    return written


@pytest.fixture
def place():
    """place(): a directory whose name is short enough for a socket in it."""
    made = []

    def new():
        made.append(Path(tempfile.mkdtemp(prefix="kubedl-r-")))
        return made[-1]

    yield new
    for directory in made:
        shutil.rmtree(directory)


@pytest.fixture
def containerd(programs, place):
    with Containerd(programs, place()) as daemon:
        yield daemon


def test_a_kubelet_finds_it_in_containerd(containerd, image, name):
    assert containerd.kubelet_finds(name) == b""
    containerd.ctr("images", "import", "--snapshotter", "native", ARCHIVE)
    assert f"docker.io/library/{name}" in containerd.ctr("images", "list", "--quiet").split()
    found = containerd.kubelet_finds(name)
    assert f"docker.io/library/{name}".encode() in found
    assert image.id.encode() in found


def test_docker_loads_it(containerd, programs, place, image, name):
    with Docker(programs, place(), containerd) as daemon:
        daemon.docker("load", "--input", ARCHIVE)
        found, = json.loads(daemon.docker("image", "inspect", name))
    assert found["Id"] == image.id
    assert found["Config"]["Labels"] == image.labels


def test_podman_loads_it(programs, place, image, name):
    directory = place()
    podman = ("podman", "--root", directory / "root", "--runroot", directory / "run",
              "--tmpdir", directory / "tmp", "--storage-driver=vfs")
    programs.run(*podman, "load", "--input", ARCHIVE)
    found, = json.loads(programs.run(*podman, "image", "inspect", f"docker.io/library/{name}"))
    assert f"sha256:{found['Id']}" == image.id


def test_skopeo_copies_it(programs, place, image):
    copied = f"dir:{place()}"
    programs.run("skopeo", "--insecure-policy", "copy", f"docker-archive:{ARCHIVE}", copied)
    assert json.loads(programs.run("skopeo", "inspect", copied))["Labels"] == image.labels
