"""What is in the texts gets into the columns: any language, quotes, NUL, and more than fits."""

import pytest

from harness import events
from harness.stream import line

TEXTS = {
    "emoji": "boom 😀 👩‍👩‍👧 🇪🇺",
    "languages": "übergrößenträger 日本語 مرحبا Ελληνικά",
    "quotes": "it's \"quoted\" \\ `back` %s %% ; -- # /* */ \\' \\\" \\0",
    "nul": "a\0b\0",
    "control characters": "\x01\x1b[31mred\x1b[0m\r\n\t\x7f",
    "line separators": "a\u2028b\u2029c\u0085d",
    "blanks at the ends": "  a  ",
    "the last code points": "\uffff\U0010ffff",
}
REMARK = "Reason: Error\nExitCode: 1\nMessage: "
CUT = "...[cut]"


@pytest.fixture(params=["utf8mb4", "latin1"])
def charset(request, server, database):
    """What the database's own character set is: the tables have theirs."""
    server.query(f"ALTER DATABASE {database.name} CHARACTER SET {request.param}")


def test_texts_of_all_kinds(charset, ship, database):
    lines = []
    for number, text in enumerate(TEXTS.values()):
        lines.append(line(events.added(events.pod(f"pod-{number}", phase="Failed", message=text))))
        lines.append(line(events.added(events.job(f"job-{number}", name=text, namespace=text))))
    sidecar = ship(lines)
    assert sidecar.accounts()["written"] == len(lines)
    jobs, pods = database.jobs(), database.pods()
    for number, text in enumerate(TEXTS.values()):
        text = text.replace("\0", "\ufffd")  # difference 18
        assert pods[f"pod-{number}"]["remark"] == REMARK + text
        assert (jobs[f"job-{number}"]["name"], jobs[f"job-{number}"]["namespace"]) == (text, text)


def test_more_than_fits_is_cut_with_a_marker_and_said(charset, ship, database):
    pod = events.pod("pod-1", name="😀" * 300, namespace="n" * 200, phase="Failed",
                     message="日" * 40000)
    pod["spec"]["containers"][0]["image"] = "i" * 70000
    sidecar = ship([line(events.added(pod)), line(events.added(events.pod("pod-2")))])
    row = database.pods()["pod-1"]
    assert row["name"] == "😀" * (253 - len(CUT)) + CUT
    assert row["namespace"] == "n" * (128 - len(CUT)) + CUT
    assert row["image"] == "i" * (65535 - len(CUT)) + CUT
    assert row["remark"].startswith(REMARK + "日日日") and row["remark"].endswith("日" + CUT)
    assert 65535 - 3 < len(row["remark"].encode()) <= 65535
    assert "pod-2" in database.pods()
    assert sidecar.records("text cut: it is longer than its column", uid="pod-1")


def test_what_just_fits_is_not_cut(charset, ship, database):
    ship([line(events.added(events.job("u" * 64, name="😀" * 253, namespace="n" * 128,
                                       version="9" * 32)))])
    row = database.jobs()["u" * 64]
    assert (row["name"], row["namespace"]) == ("😀" * 253, "n" * 128)
    assert row["version"] == "9" * 32


def test_bytes_that_are_not_utf8_and_lone_surrogates_become_the_replacement(ship, database):
    text = line(events.added(events.pod("pod-1", phase="Failed", message="HERE")))
    text = text.replace(b"HERE", b"a\xffb \\ud83d c\xe6\x97 d")
    ship([text])
    assert database.pods()["pod-1"]["remark"] == REMARK + "a\ufffdb \ufffd c\ufffd\ufffd d" \
        or database.pods()["pod-1"]["remark"] == REMARK + "a\ufffdb \ufffd c\ufffd d"


def test_names_are_told_apart_by_their_bytes(ship, database):
    """Uids that differ in case or in blanks at the end are two objects."""
    uids = ["abc", "ABC", "Abc"]
    ship([line(events.added(events.job(uid, name=uid))) for uid in uids])
    assert {uid: row["name"] for uid, row in database.jobs().items()} == {u: u for u in uids}


def test_long_versions_are_compared_as_numbers(ship, database):
    ship([line(events.added(events.job("job-1", version="99999999999999999998", name="old"))),
          line(events.modified(events.job("job-1", version="100000000000000000000", name="new"))),
          line(events.modified(events.job("job-1", version="99999999999999999999", name="older")))])
    row = database.jobs()["job-1"]
    assert (row["name"], row["version"]) == ("new", "100000000000000000000")


@pytest.mark.parametrize("time, stored", [
    ("2026-02-28T23:30:00+08:00", "2026-02-28 15:30:00"),
    ("2026-02-28T10:00:00.999999Z", "2026-02-28 10:00:00"),
    ("9999-12-31T23:59:59Z", "9999-12-31 23:59:59"),
    ("1969-12-31T23:59:59Z", "1969-12-31 23:59:59"),
    ("1000-01-01T00:00:00Z", "1000-01-01 00:00:00"),
    ("0001-01-01T00:00:00Z", "None"),
    ("2026-02-30T00:00:00Z", "None"),
    ("yesterday", "None"),
])
def test_times_are_utc_and_truncated(time, stored, ship, database):
    thing = events.job("job-1", conditions=("Created", "Running"))
    thing["status"]["conditions"][1]["lastTransitionTime"] = time
    ship([line(events.added(thing))])
    assert str(database.jobs()["job-1"]["gmt_job_running"]) == stored
