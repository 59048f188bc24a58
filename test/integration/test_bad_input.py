"""What is no event of ours, and what is damaged: counted under its reason, logged once if somebody
should know, and without harm to the events before and behind it."""

import json
import random

import pytest

from harness import events
from harness.stream import line

LIMIT = 1 << 20  # MAX_DOCUMENT_BYTES in these tests


def with_metadata(**changes):
    thing = events.job("bad")
    thing["metadata"].update(changes)
    return line(events.added({**thing, "metadata": {
        key: value for key, value in thing["metadata"].items() if value is not ...}}))


def nested(depth):
    thing = events.job("bad")
    text = line(events.added({**thing, "extra": "HERE"}))
    return text.replace(b'"HERE"', b"[" * depth + b"]" * depth)


JUNK = bytes(byte for byte in random.Random(1).randbytes(5000) if byte != 0x0A) + b"\n"
STATUS = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
          "message": "storage is (re)initializing", "reason": "TooManyRequests", "code": 429}
POD_WITHOUT_JOB = events.pod("other", ownerReferences=[
    {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "x", "controller": True}])
TABLE = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": "5"},
         "columnDefinitions": [], "rows": [{"cells": ["train"]}]}
PARTIAL = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
           "metadata": events.pod("bad")["metadata"]}
BOOKMARK = {"type": "BOOKMARK", "object": {
    "kind": "Pod", "apiVersion": "v1", "metadata": {"resourceVersion": "9"},
    "spec": {"containers": None}, "status": {}}}

# name: (line, the reason it is counted under)
INVALID = {
    "words": (b"dial tcp 10.0.0.1:443: connect: connection refused\n", "not_json"),
    "http": (b"HTTP/1.1 200 OK\r\n", "not_json"),
    "half a document": (line(events.added(events.job("bad")))[:-40] + b"\n", "not_json"),
    "two documents": (line(events.added(events.job("bad"))).strip() * 2 + b"\n", "not_json"),
    "text behind the document": (line(events.added(events.job("bad")))[:-1] + b" x\n", "not_json"),
    "binary junk": (JUNK, "not_json"),
    "a NUL byte": (b"\0\n", "not_json"),
    "single quotes": (b"{'type': 'ADDED'}\n", "not_json"),
    "NaN": (b'{"type":"ADDED","object":{"kind":NaN}}\n', "not_json"),
    "a raw control character": (b'{"type":"ADD\x01ED","object":{}}\n', "not_json"),
    "65 levels": (nested(63), "too_deep"),
    "100000 levels": (nested(100000), "too_deep"),
    "100000 open brackets": (b"[" * 100000 + b"\n", "too_deep"),
    "too long": (line(events.added(events.job("bad", annotations={"a": "x" * LIMIT}))), "too_long"),
    "too long and no JSON": (b"x" * (3 * LIMIT) + b"\n", "too_long"),
    "an array": (b"[]\n", "not_event"),
    "a number": (b"42\n", "not_event"),
    "a string": (b'"ADDED"\n', "not_event"),
    "null": (b"null\n", "not_event"),
    "an empty object": (b"{}\n", "not_event"),
    "no object": (b'{"type":"ADDED"}\n', "not_event"),
    "a null object": (b'{"type":"ADDED","object":null}\n', "not_event"),
    "an object that is a list": (b'{"type":"ADDED","object":[]}\n', "not_event"),
    "an unknown type": (line({"type": "EXPLODED", "object": events.job("bad")}), "bad_type"),
    "a type in lower case": (line({"type": "added", "object": events.job("bad")}), "bad_type"),
    "no uid": (with_metadata(uid=...), "bad_uid"),
    "an empty uid": (with_metadata(uid=""), "bad_uid"),
    "a uid that is a number": (with_metadata(uid=7), "bad_uid"),
    "a uid of 65 characters": (with_metadata(uid="u" * 65), "bad_uid"),
    "a uid with a blank": (with_metadata(uid="u 1"), "bad_uid"),
    "a uid that is not ASCII": (with_metadata(uid="ü"), "bad_uid"),
    "a uid with a NUL": (with_metadata(uid="a\0b"), "bad_uid"),
    "a version of letters": (with_metadata(resourceVersion="abc"), "bad_version"),
    "a version of digits and letters": (with_metadata(resourceVersion="12x"), "bad_version"),
    "a negative version": (with_metadata(resourceVersion="-1"), "bad_version"),
    "a version with a zero in front": (with_metadata(resourceVersion="007"), "bad_version"),
    "a version of 33 digits": (with_metadata(resourceVersion="9" * 33), "bad_version"),
    "a version that is a number": (with_metadata(resourceVersion=12), "bad_version"),
}

# name: (line, reason); such things are normal, or somebody else's, and are not logged as trouble.
FILTERED = {
    "a bookmark": (line(BOOKMARK), "bookmark"),
    "a core Event": (line(events.added({"kind": "Event", "apiVersion": "v1", "metadata": {
        "name": "e", "uid": "e", "resourceVersion": "1"}})), "other_kind"),
    "a batch Job": (line(events.added({**events.job("bad", kind="Job"),
                                       "apiVersion": "batch/v1"})), "other_kind"),
    "another group's TFJob": (line(events.added({**events.job("bad"),
                                                 "apiVersion": "example.org/v1"})), "other_kind"),
    "a pod of a ReplicaSet": (line(events.added(POD_WITHOUT_JOB)), "foreign_pod"),
    "a table": (line(events.added(TABLE)), "table"),
    "an object's metadata only": (line(events.added(PARTIAL)), "table"),
    "a list": (line({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [
        events.pod("bad")]}), "list"),
    "a pod without an event": (line(events.pod("bad")), "bare_object"),
    "a job without an event": (line(events.job("bad")), "bare_object"),
}

# name: (line, reason); the API server's way to say that something is wrong.
TROUBLE = {
    "a bare Status": (line(STATUS), "status"),
    "an ERROR event": (line({"type": "ERROR", "object": {**STATUS, "code": 410,
                                                         "reason": "Expired"}}), "error_event"),
}


def of(cases):
    return pytest.mark.parametrize("bad, reason", cases.values(), ids=cases.keys())


def ship_between_good_ones(bad, ship, database):
    before = [line(events.added(events.job("job-1"))), line(events.added(events.pod("pod-1")))]
    behind = [line(events.modified(events.job("job-1", version="2", conditions=("Running",)))),
              line(events.added(events.pod("pod-2")))]
    sidecar = ship([*before, bad, *behind], MAX_DOCUMENT_BYTES=LIMIT)
    assert {uid: row["status"] for uid, row in database.jobs().items()} == {"job-1": "Running"}
    assert set(database.pods()) == {"pod-1", "pod-2"}
    accounts = sidecar.accounts()
    assert accounts["received"] == 5
    assert accounts["written"] + accounts["superseded"] == 4
    for text in sidecar.log_text().splitlines():
        json.loads(text)  # whatever was in the document, the log's lines stay what they are
    return sidecar


def warnings(sidecar):
    return [record for record in sidecar.records() if record["level"] in ("warn", "error")]


@of(INVALID)
def test_invalid(bad, reason, ship, database):
    sidecar = ship_between_good_ones(bad, ship, database)
    assert sidecar.fates() == {reason: 1}
    assert sidecar.accounts()["invalid"] == 1
    assert len(warnings(sidecar)) == 1


@of(FILTERED)
def test_filtered(bad, reason, ship, database):
    sidecar = ship_between_good_ones(bad, ship, database)
    assert sidecar.fates() == {reason: 1}
    assert sidecar.accounts()["filtered"] == 1
    assert warnings(sidecar) == []


@of(TROUBLE)
def test_the_api_servers_trouble(bad, reason, ship, database):
    sidecar = ship_between_good_ones(bad, ship, database)
    assert sidecar.fates() == {reason: 1}
    assert sidecar.accounts()["filtered"] == 1
    assert len(warnings(sidecar)) == 1
    assert STATUS["message"] in sidecar.log_text()


def test_what_is_too_long_is_named(ship, database):
    bad = line(events.added(events.pod("the-uid", name="the-name", annotations={"a": "x" * LIMIT})))
    sidecar = ship_between_good_ones(bad, ship, database)
    record = warnings(sidecar)[0]
    assert (record["uid"], record["name"], record["kind"]) == ("the-uid", "the-name", "Pod")
    assert record["bytes"] == len(bad) - 1


def test_blank_lines_are_no_documents(ship, database):
    blank = [b"\n", b"\r\n", b"\n\n\n"]
    sidecar = ship([*blank, line(events.added(events.job("job-1"))), *blank])
    assert sidecar.accounts()["received"] == 1
    assert set(database.jobs()) == {"job-1"}


def test_lines_may_end_in_carriage_return_and_newline(ship, database):
    text = line(events.added(events.job("job-1"))).replace(b"\n", b"\r\n")
    assert ship([text]).accounts()["received"] == 1
    assert set(database.jobs()) == {"job-1"}


def test_keys_may_come_in_any_order(ship, database):
    thing = events.job("job-1")
    text = line({"object": dict(reversed(thing.items())), "type": "ADDED"})
    ship([text])
    assert set(database.jobs()) == {"job-1"}


def test_a_pretty_printed_answer_is_refused_line_by_line(ship, database):
    """As curl shows a list or a Status; the event behind it is whole again."""
    pretty = json.dumps(STATUS, indent=2).encode() + b"\n"
    sidecar = ship([pretty, line(events.added(events.job("job-1")))])
    assert sidecar.accounts()["invalid"] == pretty.count(b"\n")
    assert set(database.jobs()) == {"job-1"}
    # Of one kind of record, so that the log is not flooded: the rest is a number.
    assert len(warnings(sidecar)) <= 10


def test_a_thousand_bad_lines_are_a_handful_of_records(ship, database):
    sidecar = ship([b"junk\n"] * 1000 + [line(events.added(events.job("job-1")))])
    assert sidecar.accounts()["invalid"] == 1000
    assert len(warnings(sidecar)) <= 12
    assert set(database.jobs()) == {"job-1"}


def test_fields_of_a_wrong_type_are_left_out_and_the_row_is_kept(ship, database):
    wrong = events.job("job-1", name=7, labels="none", annotations=["none"])
    wrong["spec"] = "none"
    wrong["status"]["conditions"].append({"type": "Running", "lastTransitionTime": 12})
    wrong["status"]["completionTime"] = {"when": "never"}
    sidecar = ship([line(events.added(wrong)), line(events.added(events.job("job-2")))])
    row = database.jobs()["job-1"]
    assert (row["name"], row["namespace"], row["status"]) == ("", "team", "Running")
    assert row["resources"] == "{}"
    assert row["gmt_job_running"] is None and row["gmt_job_finished"] is None
    assert "job-2" in database.jobs()
    assert sidecar.accounts()["invalid"] == 0
    assert len(warnings(sidecar)) == 1


def test_a_quantity_that_does_not_parse_is_left_out_and_the_row_is_kept(ship, database):
    wrong = events.pod("pod-1")
    wrong["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "1K", "memory": "1Gi"}}
    sidecar = ship([line(events.added(wrong))])
    assert database.pods()["pod-1"]["resources"] == '{"requests":{"memory":"1Gi"}}'
    assert len(warnings(sidecar)) == 1
