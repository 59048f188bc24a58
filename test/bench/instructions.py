"""instructions: what decoding costs in instructions and allocations per event, which do not depend on
how busy the machine is.

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

ALLOCATIONS = "allocations"  # a row is one; what is not recorded needs none
STAGES = ("cjson", "frame", "parse", "decode", "outbox")
EVENTS = 3000  # of the middle of stream-c: all kinds, all states
TOLERANCE = 0.03
BASELINE = BENCH / "baseline"


def valgrind(tool, what, *command):
    """Runs the command under a tool; the number that the tool says last of what it has counted."""
    done = subprocess.run(["valgrind", f"--tool={tool[0]}", *tool[1:], *map(str, command)],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True)
    return int(re.search(what + r" ([\d,]+)", done.stderr).group(1).replace(",", ""))


def allocations(program, recorded, stage):
    """Of one round: those of two without those of one."""
    once, twice = (valgrind(["memcheck", "--leak-check=no"], "total heap usage:",
                            program, recorded, rounds, stage) for rounds in (1, 2))
    return twice - once


def measure(program, events=EVENTS):
    """{stage: instructions per event}, and of decoding the allocations per event."""
    lines = stream.lines("stream-c")
    begin = len(lines) // 3
    chosen = lines[begin:begin + events]
    result = {}
    with tempfile.TemporaryDirectory() as directory:
        recorded = Path(directory) / "stream"
        recorded.write_bytes(b"".join(chosen))
        for stage in STAGES:
            total = valgrind(["callgrind", f"--callgrind-out-file={directory}/out",
                              f"--toggle-collect=stage_{stage}"], "Collected :",
                             program, recorded, 1, stage)
            result[stage] = round(total / len(chosen))
        result[ALLOCATIONS] = round(allocations(program, recorded, "decode") / len(chosen), 2)
    return result


def read_baseline():
    lines = (line.split() for line in BASELINE.read_text().splitlines() if line)
    return {stage: float(value) for stage, value in lines}


def main():
    found = measure(sys.argv[1])
    if sys.argv[2:] == ["write"]:
        BASELINE.write_text("".join(f"{stage} {value}\n" for stage, value in found.items()))
        return 0
    grown = False
    for stage, before in read_baseline().items():
        change = found[stage] / before - 1
        grown = grown or change > TOLERANCE
        print(f"{stage:12} {before:8g} -> {found[stage]:8g} per event {change:+7.1%}")
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
