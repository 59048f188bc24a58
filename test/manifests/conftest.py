"""Fixtures: the program, which has to be built, and kubectl."""

import json
import os
import shutil
import subprocess

import pytest
from combinations import ROOT


@pytest.fixture(scope="session")
def program():
    """The program under test."""
    path = os.environ.get("SHIPPER", str(ROOT / "build" / "kubedl-shipper"))
    if not shutil.which(path):
        pytest.exit(f"{path} is not there: run make first", returncode=2)
    return path


@pytest.fixture(scope="session")
def kubectl():
    """A kubectl whose kustomize knows components and whose types have native sidecars: from 1.28 on."""
    path = shutil.which("kubectl")
    if path is None:
        pytest.skip("there is no kubectl to compare with")
    version = json.loads(subprocess.run([path, "version", "--client", "-o", "json"], check=True,
                                        capture_output=True).stdout)["clientVersion"]
    if (int(version["major"]), int(version["minor"].rstrip("+"))) < (1, 28):
        pytest.skip("kubectl is older than 1.28")
    return path
