"""The names of the program's metrics."""

import functools
import re
import subprocess

SUFFIXES = {"histogram": ("_bucket", "_sum", "_count")}


@functools.lru_cache
def exposed(program):
    """The names of all series: a histogram has three."""
    table = subprocess.run([program, "--metrics-table"], capture_output=True, text=True, check=True)
    rows = re.findall(r"^\| `([a-z_]+)` \| ([a-z]+) \|", table.stdout, re.MULTILINE)
    assert len(rows) > 20
    return {name + suffix for name, type in rows for suffix in SUFFIXES.get(type, ("",))}


def named(expression):
    """Those that an expression names."""
    return set(re.findall(r"\b(?:kubedl_shipper|process)_[a-z_]+", expression))
