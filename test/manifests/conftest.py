"""The manifests' test cases are their combinations: KubeDL's Deployment with the base and some of the
components."""

import os
import shutil

import combinations
import pytest


def pytest_generate_tests(metafunc):
    if "components" in metafunc.fixturenames:
        chosen = combinations.all_combinations()
        metafunc.parametrize("components", chosen, ids=["+".join(("base", *one)) for one in chosen])


@pytest.fixture
def pod(components):
    """KubeDL's pod as the combination makes it."""
    return combinations.Pod(combinations.rendered(components))


@pytest.fixture(scope="session")
def program():
    """The program under test."""
    path = os.environ.get("SHIPPER", str(combinations.ROOT / "build" / "kubedl-shipper"))
    if not shutil.which(path):
        pytest.exit(f"{path} is not there: run make first", returncode=2)
    return path
