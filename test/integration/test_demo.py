"""make demo: shows what it promises and leaves nothing behind."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from harness import sidecar

DEMO = Path(__file__).resolve().parents[1] / "demo" / "demo"


@pytest.fixture
def demo(request, directory):
    """demo(NAME=value, ...) starts it; its files are in `directory`."""
    if request.config.getoption("--server") != "mariadb":
        pytest.skip("the demo brings a MariaDB of its own")

    def start(**settings):
        environment = {**os.environ, "SHIPPER": " ".join(sidecar.command()),
                       "TMPDIR": str(directory), **settings}
        return subprocess.Popen([DEMO], env=environment, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True,
                                preexec_fn=sidecar.heed_signals)

    return start


def test_demo_shows_the_tables(demo, directory):
    process = demo(DEMO_SECONDS="0")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "1692/1692 events" in output
    assert re.search(r"^NAMESPACE +NAME +KIND +STATUS +REPLICAS +GPUS", output, re.M)
    assert re.search(r"^\S+ +\S+ +TFJob +Succeeded +\S+ .* no$", output, re.M)
    assert "There are more than these 25" in output
    assert re.search(r"^Why \S+ \S+ failed: its pods", output, re.M)
    assert re.search(r"^ +13  jobs are gone from the API server", output, re.M)
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize("sig, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_demo_interrupted_leaves_nothing_behind(demo, directory, sig, status):
    process = demo(DEMO_SECONDS="600")
    for text in process.stdout:
        if "go in:" in text:
            break
    process.send_signal(sig)
    process.communicate(timeout=60)
    assert process.returncode == status
    assert list(directory.iterdir()) == []


def test_demo_keep_says_how_to_look_further_and_how_to_stop(demo, directory):
    process = demo(DEMO_SECONDS="0", DEMO_KEEP="1")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    client = re.search(r"^ +(mariadb --.*)$", output, re.M).group(1)
    answer = subprocess.run([*client.split(), "-Ne", "SELECT COUNT(*) FROM job_info"],
                            stdout=subprocess.PIPE, check=True, text=True)
    assert answer.stdout.strip() == "36"
    stop = re.search(r"^ +(kill \d+ && rm -rf .*)$", output, re.M).group(1)
    subprocess.run(stop, shell=True, check=True)
    assert list(directory.iterdir()) == []
