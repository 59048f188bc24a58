"""Sequences of events that KubeDL's own MySQL backend was given, and the tables that it made of
them. Ours end in the same rows, but for the differences that are named here by their number in
docs/tables.md ("Differences from KubeDL's writer"). A difference that does not occur is an error too."""

import json

import pytest

from harness import expected, stream

JOB, POD = "job_info", "replica_info"
KEYS = {JOB: "job_id", POD: "pod_id"}
RECEIVED = expected.RECEIVED
NOW = "<now>"  # KubeDL's word for the time when its controller got round to it

# The row that the first event of most sequences makes: what a row is compared with that KubeDL does
# not have at all.
FIRST = {
    JOB: {"name": "j", "namespace": "nsA", "job_id": "juid", "version": "10", "status": "Created",
          "kind": "TFJob", "resources": '{"Worker":{"resources":{"requests":{"cpu":"1"}},'
                                        '"replicas":1}}',
          "deploy_region": None, "tenant": "", "owner": "", "deleted": 0, "is_in_etcd": 1,
          "remark": None, "gmt_created": "2026-01-01T00:00:00Z", "gmt_job_running": None,
          "gmt_job_finished": None},
    POD: {"name": "p", "namespace": "nsA", "pod_id": "puid", "version": "10", "status": "Pending",
          "image": "img:1", "job_id": "juid", "replica_type": "worker",
          "resources": '{"requests":{"cpu":"1"}}', "host_ip": None, "pod_ip": None,
          "deploy_region": None, "deleted": 0, "is_in_etcd": 1, "remark": None,
          "gmt_created": "2026-01-01T00:00:00Z", "gmt_started": None, "gmt_finished": None},
}

ERROR = "Reason: Error\nExitCode: 1\nMessage: "
CUT = "...[cut]"
LONG_RESOURCES = '{"requests":{%s}}' % ",".join(
    f'"example.com/very-long-extended-resource-name-{n:03}":"1"' for n in range(30))

# sequence -> (number, table, uid, the columns in which our row differs). None instead of columns:
# we have no such row; no columns: KubeDL has two of them, and ours is as its last.
DIFFERENCES = {
    "job-lifecycle-succeeded-deleted": [(6, JOB, "juid", {"version": "20"})],
    "job-failed-deleted-no-completion": [
        (3, JOB, "juid", {"gmt_job_finished": "2026-01-01T03:00:00Z"}),
        (6, JOB, "juid", {"version": "20"}),
    ],
    "job-deleted-while-running": [(6, JOB, "juid", {"version": "20"})],
    "job-deleted-while-created": [(6, JOB, "juid", {"version": "20"})],
    "job-deleted-while-restarting": [(6, JOB, "juid", {"version": "20"})],
    "job-deleted-while-queuing": [
        (2, JOB, "juid", {"status": "Stopped", "gmt_job_finished": RECEIVED}),
        (6, JOB, "juid", {"version": "20"}),
    ],
    "job-delete-never-seen": [
        (2, JOB, "juid", {"version": "20", "status": "Stopped", "deleted": 1, "is_in_etcd": 0,
                          "gmt_job_finished": RECEIVED}),
    ],
    "job-delete-twice": [(6, JOB, "juid", {"version": "20"})],
    "job-modified-after-delete": [(6, JOB, "juid", {"gmt_job_finished": None})],
    "job-same-version-repeat": [(14, JOB, "juid", {"status": "Created"})],
    "job-nonnumeric-version-create": [(16, JOB, "juid", None)],
    "job-nonnumeric-version-update": [
        (16, JOB, "juid", {"version": "12", "status": "Running",
                           "gmt_job_running": "2026-01-01T02:00:00Z"}),
    ],
    "job-nonnumeric-new-version": [
        (14, JOB, "juid", {"version": "99999999999999999999", "status": "Running",
                           "gmt_job_running": "2026-01-01T02:00:00Z"}),
    ],
    "job-update-keeps-spec-columns": [
        (6, JOB, "juid", {"tenant": "t", "owner": "u", "remark": "EnableTensorBoard",
                          "resources": '{"Worker":{"resources":{"requests":{"cpu":"2"}},'
                                       '"replicas":4}}'}),
    ],
    "job-update-region-from-tenancy": [(6, JOB, "juid", {"tenant": "", "owner": ""})],
    "job-completion-cleared-not-cleared": [(6, JOB, "juid", {"gmt_job_finished": None})],
    "job-status-empty-type": [(6, JOB, "juid", {"status": ""})],
    "job-recreated-same-name": [(6, JOB, "u-a", {"version": "20"})],
    "job-two-names-one-uid": [(5, JOB, "juid", {})],
    "job-mars": [(6, JOB, "juid", {"version": "20"})],
    "job-no-creation-time": [(12, JOB, "juid", {"gmt_created": RECEIVED})],
    "job-name-too-long": [(9, JOB, "juid", {"name": "n" * 129})],
    "job-tenant-emoji": [(9, JOB, "juid", {"tenant": "x😀y", "owner": "u"})],
    "job-empty-uid-delete": [(5, JOB, "", None)],
    # Its last event states no end any more.
    "pod-lifecycle": [
        (1, POD, "puid", {"deleted": 1, "is_in_etcd": 0}),
        (6, POD, "puid", {"version": "20", "gmt_finished": RECEIVED}),
    ],
    "pod-finished-sticky-now": [
        (3, POD, "puid", {"gmt_finished": "2026-01-01T03:00:00Z"}),
        (6, POD, "puid", {"gmt_started": "2026-01-01T02:00:00Z"}),
    ],
    "pod-deleted-running": [
        (1, POD, "puid", {"deleted": 1}),
        (6, POD, "puid", {"version": "20"}),
    ],
    "pod-deleted-pending": [
        (1, POD, "puid", {"deleted": 1}),
        (6, POD, "puid", {"version": "20"}),
    ],
    "pod-deleted-name-equals-namespace": [
        (1, POD, "puid", {"deleted": 1}),
        (6, POD, "puid", {"version": "20"}),
    ],
    "pod-delete-never-seen": [
        (1, POD, "puid", {"version": "20", "status": "Stopped", "deleted": 1, "is_in_etcd": 0,
                          "gmt_started": "2026-01-01T00:00:00Z",
                          "gmt_finished": RECEIVED}),
    ],
    "pod-image-changed-resources-not": [
        (6, POD, "puid", {"resources": '{"requests":{"cpu":"3"}}', "replica_type": "ps"}),
    ],
    "pod-same-version-status-change": [
        (14, POD, "puid", {"status": "Running", "gmt_finished": None}),
    ],
    "pod-recreated-same-name": [
        (1, POD, "pa", {"deleted": 1}),
        (6, POD, "pa", {"version": "20"}),
        (7, POD, "pb", {"status": "Pending"}),
    ],
    "pod-nonnumeric-version": [(16, POD, "puid", None)],
    "pod-remark-emoji": [
        (9, POD, "puid", {"version": "11", "status": "Failed",
                          "remark": ERROR + "boom 😀",
                          "gmt_started": "2026-01-01T02:00:00Z",
                          "gmt_finished": "2026-01-01T03:00:00Z"}),
    ],
    "pod-remark-64k": [
        (9, POD, "puid", {"status": "Failed",
                          "remark": ERROR.ljust(65535 - len(CUT), "x") + CUT,
                          "gmt_started": "2026-01-01T02:00:00Z",
                          "gmt_finished": "2026-01-01T03:00:00Z"}),
    ],
    "pod-remark-nul": [(18, POD, "puid", {"remark": ERROR + "a\ufffdb\x1b[0m"})],
    "pod-image-too-long": [(9, POD, "puid", {"image": "i" * 256})],
    "pod-resources-too-long": [(9, POD, "puid", {"resources": LONG_RESOURCES})],
    "pod-name-too-long": [(9, POD, "puid", {"name": "p" * 129})],
    "pod-no-creation-time": [(12, POD, "puid", {"gmt_created": RECEIVED})],
    "pod-filtered-kinds": [
        (8, POD, "a", {"name": "a", "pod_id": "a"}),
        (8, POD, "b", {"name": "b", "pod_id": "b"}),
        (7, POD, "c", {"status": "Pending"}),
    ],
}


def recorded():
    return [json.loads(one)
            for one in stream.unpack("kubedl-sequences.ndjson").decode().splitlines()]


def of_its_own(number, sequence):
    """The sequence with uids that no other one has: all of them go through one database."""
    return json.loads(json.dumps(sequence), object_hook=lambda value: {
        key: f"{number}.{text}" if key in ("uid", "job_id", "pod_id") and text else text
        for key, text in value.items()})


def wanted_rows(number, sequence):
    """{(table, uid): row}: KubeDL's, had it deleted with the right arguments; our differences."""
    rows = {}
    doubled = set()
    for table in (JOB, POD):
        for row in sequence.get(f"{table}_intended", sequence[table]):
            key = table, row[KEYS[table]]
            if key in rows:
                doubled.add(key)
            rows[key] = {column: RECEIVED if value == NOW else value
                                for column, value in row.items()}
    for rule, table, uid, columns in DIFFERENCES.get(sequence["seq"], []):
        key = table, f"{number}.{uid}" if uid else uid
        what = f"{sequence['seq']}: difference {rule}"
        if columns is None:
            assert rows.pop(key, None), f"{what} does not occur: KubeDL has no such row either"
            continue
        if not columns:
            assert key in doubled, f"{what} does not occur: KubeDL has one row, too"
            doubled.remove(key)
            continue
        row = rows.setdefault(key, own_uids(number, FIRST[table]))
        for column, value in own_uids(number, columns).items():
            assert row[column] != value, f"{what} does not occur: KubeDL's {column} is the same"
            row[column] = value
    assert not doubled, f"{sequence['seq']}: KubeDL has two rows, and no difference says so"
    return rows


def own_uids(number, row):
    return {column: f"{number}.{value}" if column in KEYS.values() else value
            for column, value in row.items()}


def disagreements(database, wanted):
    actual = {(JOB, uid): row for uid, row in database.jobs().items()}
    actual.update({(POD, uid): row for uid, row in database.pods().items()})
    for key in sorted(set(wanted) | set(actual)):
        if key not in actual:
            yield f"{key}: no row"
        elif key not in wanted:
            yield f"{key}: a row too many"
        else:
            row = {column: expected.time_text(value) for column, value in actual[key].items()}
            for column, value in wanted[key].items():
                same = (expected.is_recent(row[column] or "1970-01-01T00:00:00Z")
                        if value == RECEIVED else row[column] == value)
                if not same:
                    yield f"{key}: {column} is {row[column]!r}, not {value!r}"


@pytest.fixture(scope="module")
def sequences():
    return [of_its_own(number, sequence) for number, sequence in enumerate(recorded())]


@pytest.fixture(scope="module")
def wanted(sequences):
    rows = {}
    for number, sequence in enumerate(sequences):
        rows.update(wanted_rows(number, sequence))
    return rows


def rounds(sequences):
    """The first event of each sequence, then the second ones, ..."""
    for turn in range(max(len(sequence["events"]) for sequence in sequences)):
        yield [stream.line(sequence["events"][turn]) for sequence in sequences
               if turn < len(sequence["events"])]


def test_every_named_difference_belongs_to_a_sequence(sequences):
    assert set(DIFFERENCES) <= {sequence["seq"] for sequence in sequences}


def test_each_event_written_by_itself(sequences, wanted, ship, database):
    """Every event meets the row of the one before it in the database: SQL does the merging."""
    for lines in rounds(sequences):
        ship(lines)
    wrong = list(disagreements(database, wanted))
    assert not wrong, "\n".join(wrong)


def test_all_events_at_once(sequences, wanted, ship, database):
    """The events of an object meet in memory, before they are written: C does the merging."""
    lines = [one for lines in rounds(sequences) for one in lines]
    sidecar = ship(lines, BATCH_LINGER_MS=1000)
    assert sidecar.accounts()["superseded"] > len(sequences)
    wrong = list(disagreements(database, wanted))
    assert not wrong, "\n".join(wrong)


def test_seen_again_from_the_beginning(sequences, ship, database):
    lines = [one for lines in rounds(sequences) for one in lines]
    ship(lines)
    before = database.jobs(), database.pods()
    ship(lines, BATCH_MAX_ROWS=1)
    assert (database.jobs(), database.pods()) == before
