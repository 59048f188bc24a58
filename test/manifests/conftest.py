"""Fixtures: the program, which has to be built."""

import os
import shutil

import pytest
from combinations import ROOT


@pytest.fixture(scope="session")
def program():
    """The program under test."""
    path = os.environ.get("SHIPPER", str(ROOT / "build" / "kubedl-shipper"))
    if not shutil.which(path):
        pytest.exit(f"{path} is not there: run make first", returncode=2)
    return path
