"""Fixtures: the image, and containers of it."""

import os
import shutil

import pytest

from harness.container import Container, Image, make_volumes


def pytest_sessionstart(session):
    if os.geteuid() != 0:
        pytest.exit("containers are made as root: make image-test", returncode=2)


@pytest.fixture(scope="session")
def image(tmp_path_factory):
    """The image that IMAGE_ARCHIVE is."""
    directory = tmp_path_factory.mktemp("image")
    yield Image(os.environ["IMAGE_ARCHIVE"], directory)
    shutil.rmtree(directory)


@pytest.fixture
def volumes(directory):
    """What containers of one test share: `volumes / "socket"` and `volumes / "spool"`."""
    return make_volumes(directory / "volumes")


@pytest.fixture
def new_container(image, directory, volumes):
    """new_container(NAME=value, ..., files={path: text}) makes a Container that is not yet started.
    What still runs at the end is killed."""
    containers = []

    def new(files=None, **settings):
        merged = {"EVENT_SOURCE": "unix-listen:/run/kubedl/events.sock",
                  "SPOOL_DIR": "/var/spool/kubedl-shipper", "LOG_SUMMARY_MS": 50, **settings}
        merged = {name: str(value) for name, value in merged.items() if value is not None}
        containers.append(Container(image, directory, volumes, merged, files or {},
                                    number=len(containers)))
        return containers[-1]

    yield new
    for instance in containers:
        if instance.process is not None:
            instance.kill()
