"""report: the figures of a run as tables, as a plot, and in docs/benchmark.md."""

import os
import platform
import shutil
import statistics
import subprocess
from pathlib import Path

REPORT = Path(__file__).resolve().parents[2] / "docs" / "benchmark.md"
BEGIN = "<!-- bench: made by `make bench` -->\n"
END = "<!-- bench: end -->\n"


def machine(server, load_before):
    """What was measured on, in a sentence."""
    model = "processor not known"
    for entry in Path("/proc/cpuinfo").read_text().splitlines():
        if entry.startswith("model name"):
            model = entry.split(":")[1].strip()
            break
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    kernel = platform.release().split("-")[0]
    return (f"{os.cpu_count()} processors ({model}, {platform.machine()}), {memory:.0f} GiB, Linux"
            f" {kernel}, server {server} on the same machine; load average"
            f" {load_before:.1f} before the run, {os.getloadavg()[0]:.1f} at its end")


def number(value):
    if value >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def cell(figures, name):
    """The median, and the least and the greatest value where they differ from it."""
    values = figures.values.get(name)
    if not values:
        return "-"
    middle = number(statistics.median(values))
    low, high = number(min(values)), number(max(values))
    return middle if low == high else f"{middle} ({low} .. {high})"


def ratio(figures, one, other):
    if one not in figures.values or other not in figures.values:
        return "-"
    return number(figures.median(one) / figures.median(other))


def table(head, rows):
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def catch_up(figures):
    names = ("events/s", "CPU us/event", "peak MiB")
    rows = [[label, *(cell(figures, f"catch-up {way} {name}") for name in names)]
            for way, label in (("shipper", "kubedl-shipper"), ("python", "Python, PyMySQL"),
                               ("kubedl", "as KubeDL writes"))]
    load = "catch-up load_data rows/s"
    return (table(["a recorded stream, 4.2 KB an event", "events/s", "CPU, µs/event", "peak, MiB"],
                  rows)
            + f"\nLOAD DATA REPLACE writes the rows that it ends in at {cell(figures, load)} rows/s. The"
              " events taken in are\n"
              f"{ratio(figures, 'catch-up shipper events/s', load)} of that, the rows committed on the"
              f" way {ratio(figures, 'catch-up shipper rows/s', load)}: what a newer event replaces"
              " while it waits is not written.\n")


def distinct(figures, sizes):
    rows = []
    for size in sizes.tables:
        for what in ("inserts/s", "updates/s"):
            name = f"distinct {{}} {size} {what}"
            rows.append([
                f"{number(size) if size else 'empty'}, {what[:-2]}",
                *(cell(figures, name.format(way)) for way in ("shipper", "load_data", "kubedl")),
                ratio(figures, name.format("shipper"), name.format("load_data"))])
    return table([f"{number(sizes.distinct)} pods, table of ... rows", "kubedl-shipper, rows/s",
                  "LOAD DATA REPLACE", "as KubeDL writes", "of LOAD DATA"], rows)


def latency(figures, sizes):
    names = ("p50 ms", "p99 ms", "p99.9 ms", "CPU %")
    return table(["from socket to table", "p50, ms", "p99, ms", "p99.9, ms", "CPU, %"],
                 [[f"{rate} events/s", *(cell(figures, f"latency {rate} {name}") for name in names)]
                  for rate, _ in sizes.rates])


def decoding(figures):
    rows = []
    for stage, label in (("frame", "split into lines"), ("parse", "and parse"),
                         ("decode", "and convert to a row"), ("outbox", "through the outbox"),
                         ("cjson", "cJSON_Parse and _Delete of the whole text, for comparison")):
        rows.append([label, cell(figures, f"decode {stage} ns"),
                     cell(figures, f"instructions {stage}")])
    return (table(["decoding alone, for an event", "ns", "instructions"], rows)
            + f"\nDecoding takes {ratio(figures, 'decode decode ns', 'decode cjson ns')} of the time"
              f" of cJSON's parser, and {cell(figures, 'instructions allocations')} allocations.\n")


def footprint(figures, sizes):
    parts = [f"{cell(figures, 'footprint idle MiB')} MiB idle"]
    parts += [f"{cell(figures, f'footprint {pending} MiB')} MiB with {number(pending)} pods pending"
              for pending in sizes.pending]
    return (f"Memory: {', '.join(parts)}.\n"
            f"The program, stripped: {cell(figures, 'footprint binary KiB')} KiB; all files of the"
            f" image: {cell(figures, 'footprint image MiB')} MiB.\n")


def text(figures, about, sizes):
    rounds = sizes.rounds
    return "\n".join((
        f"Medians of {rounds} rounds (least .. greatest), {about}.\n",
        catch_up(figures), distinct(figures, sizes), latency(figures, sizes), decoding(figures),
        footprint(figures, sizes)))


def plot(figures, sizes, out):
    """Rows/s by size of the table, one curve for each way; nothing where there is no gnuplot."""
    ways = ("shipper", "load_data", "kubedl")
    data = "".join(
        " ".join([str(max(size, 1000)),
                  *(str(figures.median(f"distinct {way} {size} updates/s")) for way in ways)]) + "\n"
        for size in sizes.tables)
    (out / "distinct.dat").write_text(data)
    if not shutil.which("gnuplot"):
        return
    curves = ", ".join(
        f"'{out / 'distinct.dat'}' using 1:{n + 2} with linespoints linewidth 2 title '{title}'"
        for n, title in enumerate(("kubedl-shipper", "LOAD DATA REPLACE", "as KubeDL writes")))
    subprocess.run(["gnuplot"], text=True, check=True, input=(
        f"set terminal svg size 720,420 font 'sans,13'\nset output '{out / 'distinct.svg'}'\n"
        "set logscale xy\nset grid\nset key center left\nset format y '10^{%L}'\n"
        "set xlabel 'rows in the table (an empty one at 1000)'\nset ylabel 'updates/s'\n"
        f"set yrange [0.5:200000]\nplot {curves}\n"))


def into_document(block):
    before, begins, rest = REPORT.read_text().partition(BEGIN)
    _, ends, after = rest.partition(END)
    assert begins and ends, f"{REPORT}: the lines {BEGIN.strip()} and {END.strip()} are not there"
    REPORT.write_text(before + BEGIN + block + END + after)
