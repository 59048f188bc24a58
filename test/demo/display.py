"""display: the tables as `kubectl get` would lay them out."""

import json
from decimal import Decimal

GAP = "  "
COLOURS = {"Succeeded": 32, "Failed": 31, "Running": 36, "Stopped": 33}
MULTIPLES = {"k": 10**3, "M": 10**6, "m": Decimal("0.001")}


def shorten(text, width):
    return text if len(text) <= width else text[: width - 1] + "…"


def duration(seconds):
    """As kubectl prints an age: 45s, 2m10s, 3h5m, 4d."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes_rest = divmod(minutes, 60)
    if seconds < 120:
        return f"{int(seconds)}s"
    if hours == 0:
        return f"{minutes}m{rest}s"
    return f"{hours}h{minutes_rest}m" if hours < 48 else f"{hours // 24}d"


def lay_out(head, rows, right=(), colour=False):
    """Lines of a table with aligned columns. right: numbers of the columns with figures."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = []
    for row in [head, *rows]:
        cells = [cell.rjust(width) if i in right else cell.ljust(width)
                 for i, (cell, width) in enumerate(zip(row, widths))]
        cells[-1] = cells[-1] if len(head) - 1 in right else cells[-1].rstrip()
        if colour:
            cells = [painted(cell) for cell in cells]
        lines.append(GAP.join(cells))
    return lines


def painted(cell):
    number = COLOURS.get(cell.strip())
    return cell if number is None else f"\033[{number}m{cell}\033[0m"


def replicas(resources):
    return ", ".join(f"{one['replicas']} {name}" for name, one in sorted(resources.items()))


def total_replicas(resources):
    return str(sum(one["replicas"] for one in resources.values()))


def gpus(resources):
    """All replicas together."""
    total = 0
    for one in resources.values():
        asked = one["resources"]
        text = {**asked.get("requests", {}), **asked.get("limits", {})}.get("nvidia.com/gpu", "0")
        number, suffix = (text[:-1], text[-1]) if text[-1] in MULTIPLES else (text, None)
        total += one["replicas"] * Decimal(number) * MULTIPLES.get(suffix, 1)
    return f"{total.normalize():f}" if total else "-"


def age_at_finish(row, finished):
    return "-" if finished is None else duration((finished - row["gmt_created"]).total_seconds())


def order(row):
    return row["namespace"], row["name"], row["gmt_created"]


def jobs(rows, limit, width, colour=False):
    """Lines: the first `limit` jobs. Replicas by type where there is room for that."""
    head = ["NAMESPACE", "NAME", "KIND", "STATUS", "AGE AT FINISH", "REPLICAS", "GPUS",
            "IN CLUSTER"]
    shown = sorted(rows, key=order)[:limit]
    for describe in (replicas, total_replicas):
        cells = [job_cells(row, describe) for row in shown]
        if max(map(len, lay_out(head, cells))) <= width:
            break
    lines = lay_out(head, cells, right={4, 6}, colour=colour)
    if len(rows) > limit:
        lines.append(f"... and {len(rows) - limit} more")
    return lines


def job_cells(row, describe_replicas):
    resources = json.loads(row["resources"])
    return [row["namespace"], shorten(row["name"], 32), row["kind"], row["status"],
            age_at_finish(row, row["gmt_job_finished"]), describe_replicas(resources),
            gpus(resources), "gone" if row["deleted"] else "yes"]


def reason(remark):
    """(reason, exit code, message) of a remark: three lines, of which the message may be long."""
    if remark is None:
        return "", "", ""
    first, second, message = (remark.split("\n", 2) + ["", ""])[:3]
    # Of a traceback the last line is the one that tells.
    lines = [line for line in message.replace("Message: ", "", 1).splitlines() if line.strip()]
    return (first.replace("Reason: ", "", 1), second.replace("ExitCode: ", "", 1),
            lines[-1].strip() if lines else "")


def pods(rows, width, colour=False):
    """Lines: pods of one job and why they failed."""
    head = ["NAME", "STATUS", "AGE AT FINISH", "REASON", "EXIT CODE", "MESSAGE"]
    cells = []
    for row in sorted(rows, key=lambda row: row["name"]):
        why, code, message = reason(row["remark"])
        cells.append([shorten(row["name"], 40), row["status"],
                      age_at_finish(row, row["gmt_finished"]), why or "-", code or "-", message])
    taken = sum(max(len(row[i]) for row in [head, *cells]) + len(GAP) for i in range(5))
    for row in cells:
        row[5] = shorten("".join(c if c.isprintable() else " " for c in row[5]) or "-",
                         max(width - taken, 20))
    return lay_out(head, cells, right={2, 4}, colour=colour)
