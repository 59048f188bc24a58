"""The program's table of kinds."""

import functools
import re
import subprocess


@functools.lru_cache
def resources(program):
    """What the API calls them: pairs of API group and resource."""
    table = subprocess.run([program, "--kinds-table"], capture_output=True, text=True, check=True)
    rows = re.findall(r"^\| `[A-Za-z]+` \| `([a-z.]+)` \| `[a-z0-9]+` \| `([a-z]+)` \|", table.stdout,
                      re.MULTILINE)
    assert len(rows) == table.stdout.count("\n") - 2
    return set(rows)
