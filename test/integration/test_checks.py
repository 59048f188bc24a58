"""The programs in check/, which try the database modules from the inside, against the server."""

import os
import subprocess
from pathlib import Path

import pytest

from harness import sidecar

SOURCES = Path(__file__).parent / "check"
PROGRAMS = Path(os.environ.get(
    "CHECKS", sidecar.ROOT / "build/release/test/integration/check"))


@pytest.mark.parametrize("name", sorted(path.stem for path in SOURCES.glob("*_check.c")))
def test_check(name, database, server, pytestconfig):
    settings = {**database.environment(), "ADMIN_SOCKET": str(server.socket),
                "SEED": str(pytestconfig.seed)}
    result = subprocess.run([PROGRAMS / name], env=sidecar.environment(settings), timeout=300,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert result.returncode == 0, result.stdout
