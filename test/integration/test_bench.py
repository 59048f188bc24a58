"""make bench works: a short run of it, of small sizes. What it measures is not judged."""

import json
import os
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parents[1] / "bench"


def test_a_short_run_has_all_figures(request, tmp_path):
    subprocess.run(
        [sys.executable, BENCH / "bench.py", tmp_path], check=True, timeout=300,
        env={**os.environ, "BENCH_QUICK": "1", "BENCH_DB": request.config.getoption("--server")})

    figures = json.loads((tmp_path / "figures.json").read_text())["figures"]
    assert {name.split()[0] for name in figures} == {"decode", "footprint", "latency", "catch-up",
                                                     "distinct"}
    for way in ("shipper", "python", "kubedl"):
        assert figures[f"catch-up {way} events/s"][0] > 0
    for way in ("shipper", "load_data", "kubedl"):
        for size in (0, 1000):
            assert figures[f"distinct {way} {size} updates/s"][0] > 0
    report = (tmp_path / "report.txt").read_text()
    assert "p99.9" in report and "| - | - | - |" not in report
