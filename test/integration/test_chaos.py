"""A few of chaos' rounds for each source; `make chaos` has as many as one likes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHAOS = Path(__file__).resolve().parents[1] / "chaos" / "chaos.py"
ROUNDS = 15


@pytest.mark.parametrize("source", ["socket", "watchlist", "pages", "both"])
def test_tables_are_true_after_rounds_of_trouble(source, request):
    """The server is the driver's own: it is killed."""
    result = subprocess.run(
        [sys.executable, CHAOS, "--rounds", str(ROUNDS), "--source", source,
         "--seed", os.environ["SEED"], "--server", request.config.getoption("--server")],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert result.returncode == 0, result.stdout
