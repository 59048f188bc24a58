"""bench: what the sidecar does to events, rows and the machine, beside other ways to do the same.

    bench.py DIRECTORY      the figures into DIRECTORY (report.txt, figures.json, distinct.svg), and a
                            summary into docs/benchmark.md

BENCH_DB=mysql measures with Oracle MySQL. BENCH_QUICK=1 makes a short run of small sizes, which only
shows that all of it works: docs/benchmark.md is left alone.

Each figure is the median of several rounds, with the least and the greatest one. All rounds of all ways
share one private server, which flushes its log to the operating system at each commit, as in the tests.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import instructions
import report
import ways
from harness import stream
from harness.server import SERVERS

QUICK = os.environ.get("BENCH_QUICK", "") not in ("", "0")


class Sizes:
    rounds = 1 if QUICK else 3
    decode_rounds = 1 if QUICK else 7
    catch_up_events = 2000 if QUICK else None  # None: all of them
    distinct = 1000 if QUICK else 100_000
    tables = (0, 1000) if QUICK else (0, 100_000, 1_000_000)
    rates = ((500, 0.5), (2000, 0.5)) if QUICK else ((500, 20), (5000, 10))  # events/s, seconds
    pending = (1000,) if QUICK else (10_000, 100_000)
    kubedl_seconds = 0.1 if QUICK else 10


class Figures:
    """Names and the values of their rounds; each is shown as it comes, since a run takes minutes."""

    def __init__(self):
        self.values = {}

    def add(self, name, value):
        self.values.setdefault(name, []).append(value)
        print(f"{name}: {value:.2f}", file=sys.stderr)

    def median(self, name):
        return statistics.median(self.values[name])


def measure_decoding(figures, lines, directory):
    recorded = Path(directory) / "stream"
    recorded.write_bytes(b"".join(lines))
    program = os.environ["DECODE"]
    done = subprocess.run([program, str(recorded), str(Sizes.decode_rounds)],
                          stdout=subprocess.PIPE, text=True, check=True)
    for line in done.stdout.splitlines():
        stage, ns = line.split()
        figures.add(f"decode {stage} ns", float(ns))
    if not QUICK:
        for stage, count in instructions.measure(program).items():
            figures.add(f"instructions {stage}", count)


def measure_catch_up(figures, server, lines, directory):
    data = b"".join(lines)
    for _ in range(Sizes.rounds):
        for way in (ways.Shipper, ways.PlainWriter):
            result = way(server, directory).catch_up(data)
            for name, value in result.items():
                figures.add(f"catch-up {way.name} {name}", value)
        figures.add("catch-up load_data rows/s",
                    ways.LoadData(server, directory).final_rows_of(lines))
    figures.add("catch-up kubedl events/s",
                ways.KubeDL(server).catch_up(lines, Sizes.kubedl_seconds))


def measure_distinct(figures, server, directory):
    for size in Sizes.tables:
        for _ in range(Sizes.rounds):
            for way in (ways.Shipper(server, directory), ways.LoadData(server, directory)):
                inserts, updates = way.distinct(size, Sizes.distinct)
                figures.add(f"distinct {way.name} {size} inserts/s", inserts)
                figures.add(f"distinct {way.name} {size} updates/s", updates)
        inserts, updates = ways.KubeDL(server).distinct(size, Sizes.kubedl_seconds)
        figures.add(f"distinct kubedl {size} inserts/s", inserts)
        figures.add(f"distinct kubedl {size} updates/s", updates)


def measure_latency(figures, server, directory):
    for rate, seconds in Sizes.rates:
        for _ in range(Sizes.rounds):
            result = ways.Shipper(server, directory).latency(rate, seconds)
            for name, value in result.items():
                figures.add(f"latency {rate} {name}", value)


def measure_footprint(figures, server, directory):
    for _ in range(Sizes.rounds):
        figures.add("footprint idle MiB", ways.Shipper(server, directory).idle_mib())
        for pending in Sizes.pending:
            figures.add(f"footprint {pending} MiB",
                        ways.Shipper(server, directory).pending_mib(pending))
    figures.add("footprint binary KiB", ways.stripped_kib(directory))
    if not QUICK:
        figures.add("footprint image MiB", ways.image_mib(directory))


def main():
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    lines = stream.lines("stream-c")[:Sizes.catch_up_events]
    figures = Figures()
    load_before = os.getloadavg()[0]
    server = ways.with_room(SERVERS[os.environ.get("BENCH_DB") or "mariadb"]).new()
    directory = tempfile.mkdtemp(prefix="kubedl-b-")
    try:
        measure_decoding(figures, lines, directory)
        server.install()
        server.start()
        server.query("SET GLOBAL local_infile = 1")
        measure_footprint(figures, server, directory)
        measure_latency(figures, server, directory)
        measure_catch_up(figures, server, lines, directory)
        measure_distinct(figures, server, directory)
        machine = report.machine(server.query("SELECT VERSION() AS v")[0]["v"], load_before)
    finally:
        server.close()
        shutil.rmtree(directory, ignore_errors=True)

    text = report.text(figures, machine, Sizes)
    (out / "figures.json").write_text(json.dumps(
        {"machine": machine, "figures": figures.values}, indent=1))
    (out / "report.txt").write_text(text)
    report.plot(figures, Sizes, out)
    print(text)
    if not QUICK:
        report.into_document(text)


if __name__ == "__main__":
    main()
