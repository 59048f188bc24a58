"""instructions: what decoding costs in instructions per event, which does not depend on how busy the
machine is.

    instructions.py PROGRAM          compares with test/bench/baseline; fails if a stage has grown
    instructions.py PROGRAM write    writes the baseline

PROGRAM is build/release/test/bench/decode. The figures are of gcc 12 on x86-64; another compiler or
processor has others: write a baseline of your own there before a change, and compare after it.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

BENCH = Path(__file__).resolve().parent
sys.path.insert(0, str(BENCH.parent / "integration"))

from harness import stream  # noqa: E402

STAGES = ("cjson", "frame", "parse", "decode", "outbox")
EVENTS = 3000  # of the middle of stream-c: all kinds, all states
TOLERANCE = 0.03
BASELINE = BENCH / "baseline"


def measure(program, events=EVENTS):
    """{stage: instructions per event}"""
    lines = stream.lines("stream-c")
    begin = len(lines) // 3
    chosen = lines[begin:begin + events]
    result = {}
    with tempfile.TemporaryDirectory() as directory:
        recorded = Path(directory) / "stream"
        recorded.write_bytes(b"".join(chosen))
        for stage in STAGES:
            done = subprocess.run(
                ["valgrind", "--tool=callgrind", f"--callgrind-out-file={directory}/out",
                 f"--toggle-collect=stage_{stage}", str(program), str(recorded), "1", stage],
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True)
            total = re.search(r"Collected : (\d+)", done.stderr).group(1)
            result[stage] = round(int(total) / len(chosen))
    return result


def read_baseline():
    lines = (line.split() for line in BASELINE.read_text().splitlines() if line)
    return {stage: int(value) for stage, value in lines}


def main():
    found = measure(sys.argv[1])
    if sys.argv[2:] == ["write"]:
        BASELINE.write_text("".join(f"{stage} {value}\n" for stage, value in found.items()))
        return 0
    grown = False
    for stage, before in read_baseline().items():
        change = found[stage] / before - 1
        grown = grown or change > TOLERANCE
        print(f"{stage:8} {before:8} -> {found[stage]:8} instructions per event {change:+7.1%}")
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
