"""Objects that vanished while nobody watched are closed at the end of the next snapshot, and
nothing else is."""

import json
from pathlib import Path

import pytest

from harness import events, expected, kubedl, producer, stream
from harness.spool import command
from harness.wait import until
from harness.web import Web

MANY = 50


@pytest.fixture
def path(directory):
    return directory / "events.sock"


@pytest.fixture
def sweeping(new_sidecar, path):
    """sweeping(NAME=value, ...): a sidecar of cluster `blue` that listens on `path`, started."""

    def start(**settings):
        return new_sidecar(**{"CLUSTER_ID": "blue", "EVENT_SOURCE": f"unix-listen:{path}",
                              **settings}).start()

    return start


def mark(kind, version):
    return stream.line({"type": "BOOKMARK", "object": {
        "apiVersion": "v1" if kind == "Pod" else "training.kubedl.io/v1alpha1", "kind": kind,
        "metadata": {"resourceVersion": str(version),
                     "annotations": {"k8s.io/initial-events-end": "true"}}}})


def case(name):
    return (Path(__file__).resolve().parents[1] / "data" / "cases" / name).read_bytes() \
        .splitlines(keepends=True)


GONE = stream.line({"type": "ERROR", "object": {
    "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410, "reason": "Expired",
    "message": "too old resource version"}})


def jobs(names, version=1, kind="TFJob"):
    return [stream.line(events.added(events.job(f"job-{name}", version=str(version), kind=kind)))
            for name in names]


def pods(names, version=1):
    return [stream.line(events.added(events.pod(f"pod-{name}", version=str(version),
                                                phase="Running"))) for name in names]


def send(path, lines):
    with producer.connect(path) as connection:
        connection.sendall(b"".join(lines))


def swept(sidecar, kind, times=1):
    """Waits until that many sweeps of the kind are over; returns the last one's record."""
    return until(lambda: sidecar.records("swept", kind=kind)[times - 1:],
                 lambda: f"{kind} is swept {times} times:\n{sidecar.log_tail()}")[0]


def closed(database):
    """The uids of the rows that say that their object is gone."""
    return {uid for uid, row in {**database.jobs(), **database.pods()}.items() if row["deleted"]}


def finish(sidecar):
    assert sidecar.stop() == 0
    assert sidecar.records("stopped", pending=0, balanced="yes"), sidecar.log_tail()


def test_vanished_objects_are_closed_by_the_next_snapshot(sweeping, path, database):
    sidecar = sweeping()
    send(path, [*jobs("abc"), *pods("abc")])
    sidecar.wait_until_written(6)
    send(path, [*jobs("a", 11), *pods("ab", 12), mark("TFJob", 20), mark("Pod", 21)])
    assert swept(sidecar, "TFJob")["closed"] == 2
    assert swept(sidecar, "Pod")["closed"] == 1
    until(lambda: closed(database) == {"job-b", "job-c", "pod-c"}, "they are closed")
    job, pod = database.jobs()["job-b"], database.pods()["pod-c"]
    assert (job["status"], job["is_in_etcd"], job["version"]) == ("Stopped", 0, "20")
    assert (pod["status"], pod["is_in_etcd"], pod["version"]) == ("Stopped", 0, "21")
    assert expected.is_recent(expected.time_text(job["gmt_job_finished"]))
    assert job["kind"] == "TFJob" and job["name"] == "train"
    finish(sidecar)


def test_vanished_while_the_sidecar_was_away(sweeping, path, database):
    sidecar = sweeping()
    send(path, jobs("abc"))
    sidecar.wait_until_written(3)
    sidecar.kill()
    sidecar = sweeping()
    send(path, [*jobs("ab"), mark("TFJob", 20)])
    swept(sidecar, "TFJob")
    until(lambda: closed(database) == {"job-c"}, "it is closed")
    finish(sidecar)


def test_ended_jobs_keep_how_they_ended(sweeping, path, database):
    sidecar = sweeping()
    send(path, [stream.line(events.added(events.job(
        "job-a", conditions=("Created", "Running", "Succeeded"))))])
    sidecar.wait_until_written(1)
    send(path, [mark("TFJob", 20)])
    until(lambda: closed(database) == {"job-a"}, "it is closed")
    assert database.jobs()["job-a"]["status"] == "Succeeded"
    finish(sidecar)


def test_only_the_kind_of_the_mark_is_swept(sweeping, path, database):
    sidecar = sweeping()
    send(path, [*jobs("ab"), *jobs("cd", kind="MPIJob"), *pods("ab")])
    sidecar.wait_until_written(6)
    send(path, [mark("MPIJob", 20)])
    assert swept(sidecar, "MPIJob")["closed"] == 2
    until(lambda: closed(database) == {"job-c", "job-d"}, "they are closed")
    finish(sidecar)


def test_sweep_waits_for_the_database(sweeping, path, database, server):
    sidecar = sweeping()
    send(path, jobs("abc"))
    sidecar.wait_until_written(3)
    server.stop()
    send(path, [*jobs("a", 11), mark("TFJob", 20)])
    sidecar.wait_until_received(5)
    assert not sidecar.records("swept")
    server.start()
    assert swept(sidecar, "TFJob")["closed"] == 2
    until(lambda: closed(database) == {"job-b", "job-c"}, "they are closed")
    finish(sidecar)


def test_the_same_snapshot_again_closes_nothing_more(sweeping, path, database):
    sidecar = sweeping()
    send(path, jobs("abc"))
    sidecar.wait_until_written(3)
    for times in (1, 2):
        send(path, [*jobs("ab"), mark("TFJob", 20)])
        assert swept(sidecar, "TFJob", times)["closed"] == 2 - times
    assert closed(database) == {"job-c"}
    finish(sidecar)


# The brake


def test_brake_holds_an_empty_snapshot(sweeping, path, database):
    sidecar = sweeping()
    send(path, jobs(range(MANY)))
    sidecar.wait_until_written(MANY)
    send(path, [mark("TFJob", 20)])
    record = sidecar.wait_for_record(
        "sweep refused: it would close more than half of the live rows; if the snapshot is right, "
        "confirm it with kubedl-shipper sweep --confirm")
    assert (record["alive"], record["vanished"]) == (MANY, MANY)
    assert closed(database) == set()
    send(path, [*jobs(range(MANY // 2), 11), mark("TFJob", 30)])
    assert swept(sidecar, "TFJob")["closed"] == MANY // 2
    until(lambda: len(closed(database)) == MANY // 2, "half of them are closed")
    finish(sidecar)


@pytest.mark.parametrize("count, holds", [(20, False), (21, True)])
def test_brake_is_for_many_rows(count, holds, sweeping, path, database):
    sidecar = sweeping()
    send(path, jobs(range(count)))
    sidecar.wait_until_written(count)
    send(path, [mark("TFJob", 20)])
    if holds:
        until(lambda: [r for r in sidecar.records() if r["msg"].startswith("sweep refused")],
              "the brake holds")
    else:
        swept(sidecar, "TFJob")
    finish(sidecar)
    assert len(closed(database)) == (0 if holds else count)


def test_rows_that_have_ended_do_not_count_for_the_brake(sweeping, path, database):
    """30 of 40 pods had succeeded and are cleaned up."""
    sidecar = sweeping()
    ended = [stream.line(events.added(events.pod(f"pod-{n}", phase="Succeeded"))) for n in range(30)]
    send(path, [*ended, *pods(range(30, 40))])
    sidecar.wait_until_written(40)
    send(path, [*pods(range(30, 40), 11), mark("Pod", 20)])
    assert swept(sidecar, "Pod")["closed"] == 30
    until(lambda: len(closed(database)) == 30, "they are closed")
    assert {database.pods()[uid]["status"] for uid in closed(database)} == {"Succeeded"}
    finish(sidecar)


REFUSED = 'kubedl_shipper_sweep_refused_rows{kind="TFJob",api_group="training.kubedl.io"}'


def refused_rows(sidecar):
    return Web(sidecar).metrics().get(REFUSED)


@pytest.fixture
def refusing(sweeping, path, spool):
    """A sidecar that has refused to close MANY jobs; the snapshot shows another one."""
    sidecar = sweeping(SPOOL_DIR=spool.directory, HTTP_LISTEN="127.0.0.1:0")
    send(path, jobs(range(MANY)))
    sidecar.wait_until_written(MANY)
    send(path, [*jobs("x", 15), mark("TFJob", 20)])
    until(lambda: refused_rows(sidecar) == MANY, sidecar.log_tail)
    until(lambda: spool.query("SELECT * FROM notes WHERE name LIKE 'refused/%'"), "it is noted", 3)
    return sidecar


def test_refused_sweep_is_confirmed_by_a_command(refusing, sweeping, path, database, spool):
    shown = command(refusing, "sweep")
    assert shown.returncode == 0, shown.stderr
    assert f"{MANY} rows would be closed" in shown.stdout
    assert "team/train" in shown.stdout and "job-7" in shown.stdout
    assert closed(database) == set()
    done = command(refusing, "sweep", "--confirm")
    assert done.returncode == 0, done.stderr
    assert f"{MANY} rows closed" in done.stdout
    assert closed(database) == {f"job-{n}" for n in range(MANY)}
    refusing.kill()
    sidecar = sweeping(SPOOL_DIR=spool.directory, HTTP_LISTEN="127.0.0.1:0")
    until(lambda: refused_rows(sidecar) == 0, sidecar.log_tail)
    finish(sidecar)
    assert "no sweep waits" in command(sidecar, "sweep").stdout


def test_refused_sweep_outlives_a_restart(refusing, sweeping, path, database, spool):
    assert refusing.stop() == 0
    sidecar = sweeping(SPOOL_DIR=spool.directory, HTTP_LISTEN="127.0.0.1:0")
    until(lambda: refused_rows(sidecar) == MANY, sidecar.log_tail)
    assert sidecar.wait_for_record("a sweep that was refused is tried again", kind="TFJob")
    send(path, [*jobs([*range(MANY), "x"], 25), mark("TFJob", 30)])  # they are all there again
    until(lambda: refused_rows(sidecar) == 0, sidecar.log_tail)
    assert closed(database) == set()
    finish(sidecar)
    assert "no sweep waits" in command(sidecar, "sweep").stdout


def test_object_that_lives_is_not_closed_by_the_command(refusing, path, database):
    send(path, jobs([3], 40))
    refusing.wait_until_written(MANY + 3)
    done = command(refusing, "sweep", "--confirm")
    assert f"{MANY - 1} rows closed" in done.stdout, done.stdout + done.stderr
    assert "job-3" not in closed(database)
    finish(refusing)


# Whose rows


def test_two_clusters_leave_each_other_alone(sweeping, path, database):
    blue = sweeping()
    green = sweeping(CLUSTER_ID="green", EVENT_SOURCE=f"unix-listen:{path}.2")
    send(path, [*jobs("ab"), *pods("ab")])
    send(f"{path}.2", [*jobs("cd"), *pods("cd")])
    blue.wait_until_written(4)
    green.wait_until_written(4)
    send(path, [*jobs("a", 11), mark("TFJob", 20), mark("Pod", 20)])
    assert swept(blue, "TFJob")["alive"] == 2
    swept(blue, "Pod")
    until(lambda: closed(database) == {"job-b", "pod-a", "pod-b"}, "blue's are closed")
    finish(blue)
    finish(green)
    assert closed(database) == {"job-b", "pod-a", "pod-b"}


def test_without_a_cluster_id_nothing_is_swept_and_it_is_said_once(sweeping, path, database):
    sidecar = sweeping(CLUSTER_ID=None)
    send(path, jobs("abc"))
    sidecar.wait_until_written(3)
    send(path, [mark("TFJob", 20), mark("Pod", 20)])
    send(path, [mark("TFJob", 30)])
    sidecar.wait_until_received(6)
    finish(sidecar)
    assert len([r for r in sidecar.records() if "no CLUSTER_ID" in r["msg"]]) == 1
    assert closed(database) == set()


def test_rows_of_kubedl_are_adopted_and_not_swept_before(sweeping, path, database):
    """Rows without a cluster are nobody's; an event of the same version makes them ours."""
    kubedl.create_tables(database)
    for name in "ab":
        database.query("INSERT INTO job_info (name, namespace, job_id, version, status, kind,"
                       " resources, tenant, owner, deleted, is_in_etcd, gmt_created) VALUES"
                       " ('train', 'team', %s, '5', 'Created', 'TFJob', '{}', '', '', 0, 1, NOW())",
                       (f"job-{name}",))
    sidecar = sweeping()
    send(path, [mark("TFJob", 20)])
    assert swept(sidecar, "TFJob")["alive"] == 0
    send(path, [*jobs("a", 5), mark("TFJob", 30)])
    assert swept(sidecar, "TFJob", 2)["alive"] == 1
    assert {uid: row["cluster_id"] for uid, row in database.jobs().items()} == {
        "job-a": "blue", "job-b": None}
    send(path, [mark("TFJob", 40)])
    assert swept(sidecar, "TFJob", 3)["closed"] == 1
    until(lambda: closed(database) == {"job-a"}, "it is closed")
    finish(sidecar)


def of_namespace(namespace, lines):
    return [line.replace(b'"namespace":"team"', b'"namespace":"%s"' % namespace) for line in lines]


def mark_of(namespace, kind, version):
    return mark(kind, version).replace(b'"metadata":{', b'"metadata":{"namespace":"%s",' % namespace)


def test_two_namespaces_on_one_connection_leave_each_other_alone(sweeping, path, database):
    sidecar = sweeping()
    one = of_namespace(b"one", pods("ab"))
    two = of_namespace(b"two", pods("cd"))
    send(path, [*one, *two])
    sidecar.wait_until_written(4)
    send(path, [one[0], mark_of(b"one", "Pod", 20), two[0], mark_of(b"two", "Pod", 21)])
    assert swept(sidecar, "Pod", 2)["closed"] == 1
    until(lambda: closed(database) == {"pod-b", "pod-d"}, lambda: str(closed(database)))
    finish(sidecar)


def test_second_mark_that_names_no_namespace_is_refused_aloud(sweeping, path, database):
    sidecar = sweeping()
    send(path, [*pods("ab"), mark("Pod", 20), *pods("cd"), mark("Pod", 21)])
    record = sidecar.wait_for_record("the snapshot is not whole: nothing is swept")
    assert "namespace" in record["hint"]
    finish(sidecar)
    assert closed(database) == set()


# Versions that went back


def test_case_18_etcd_restore(sweeping, path, database):
    sidecar = sweeping()
    send(path, case("18-etcd-restore/before.ndjson"))
    swept(sidecar, "Pod")
    send(path, case("18-etcd-restore/after.ndjson"))
    one, two = (f"p0000000{n}-0000-4000-8000-000000000000" for n in (1, 2))
    until(lambda: closed(database) == {two} and database.pods()[one]["status"] == "Succeeded",
          lambda: f"{database.pods()}\n{sidecar.log_tail()}")
    assert database.pods()[two]["status"] == "Stopped"
    assert sidecar.records(level="error", kind="Pod", version="3100", was=5100)
    finish(sidecar)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_case_18_etcd_restore_while_the_sidecar_was_away(end, sweeping, path, database, spool):
    sidecar = sweeping(SPOOL_DIR=spool.directory)
    send(path, case("18-etcd-restore/before.ndjson"))
    swept(sidecar, "Pod")
    until(lambda: spool.query("SELECT * FROM notes WHERE name = 'epoch/Pod'"), "it is noted")
    getattr(sidecar, end)()
    sidecar = sweeping(SPOOL_DIR=spool.directory)
    after = case("18-etcd-restore/after.ndjson")
    send(path, after)
    one, two = (f"p0000000{n}-0000-4000-8000-000000000000" for n in (1, 2))
    until(lambda: closed(database) == {two} and database.pods()[one]["status"] == "Succeeded",
          lambda: f"{database.pods()}\n{sidecar.log_tail()}")
    sidecar.kill()
    sidecar = sweeping(SPOOL_DIR=spool.directory)
    send(path, [line.replace(b'"3200"', b'"3300"') for line in after])  # idempotent after a kill
    until(lambda: database.pods()[one]["version"].endswith("3300"), sidecar.log_tail)
    assert closed(database) == {two}
    finish(sidecar)


# Snapshots that are not whole


def test_snapshot_that_breaks_off_sweeps_nothing(sweeping, path, database):
    sidecar = sweeping()
    send(path, jobs("abc"))
    sidecar.wait_until_written(3)
    send(path, jobs("a", 11))
    send(path, [*jobs("b", 11), mark("TFJob", 20)[:-5]])
    sidecar.wait_until_received(5)
    finish(sidecar)
    assert not sidecar.records("swept")
    assert closed(database) == set()


@pytest.mark.parametrize("damaged", [
    b'{"type":"ADDED","object":{"apiVersion":"training.kubedl.io/v1alpha1","kind":"TFJ\n',
    b'{"type":"ADDED","object":null}\n',
    b'{"type":"ADDED"}\n',
    b'{"type":"ADDED","object":{"apiVersion":"training.kubedl.io/v1alpha1","kind":"TFJob",'
    b'"metadata":{"name":"train","resourceVersion":"7"}}}\n',
])
def test_damaged_line_in_the_snapshot_sweeps_nothing(damaged, sweeping, path, database):
    sidecar = sweeping()
    send(path, jobs("abc"))
    sidecar.wait_until_written(3)
    send(path, [*jobs("a", 11), damaged, mark("TFJob", 20)])
    sidecar.wait_for_record("the snapshot is not whole: nothing is swept")
    assert closed(database) == set()
    send(path, [*jobs("ab", 12), mark("TFJob", 30)])
    assert swept(sidecar, "TFJob")["closed"] == 1
    finish(sidecar)
    assert closed(database) == {"job-c"}


def test_object_that_cannot_be_recorded_is_there_all_the_same(sweeping, path, database):
    """Its version is damaged, or it is too long: but it exists."""
    sidecar = sweeping(MAX_DOCUMENT_BYTES=65536)
    send(path, jobs("abc"))
    sidecar.wait_until_written(3)
    huge = stream.line(events.added(events.job("job-c", version="11", labels={"x": "y" * 70000})))
    send(path, [*jobs("a", "eleven"), huge, mark("TFJob", 20)])
    assert swept(sidecar, "TFJob")["closed"] == 1
    finish(sidecar)
    assert closed(database) == {"job-b"}


def test_live_events_without_a_snapshot_sweep_nothing(sweeping, path, database):
    sidecar = sweeping()
    send(path, jobs("abc"))
    bookmark = json.loads(mark("TFJob", 20))
    del bookmark["object"]["metadata"]["annotations"]
    send(path, [*jobs("a", 11), stream.line(bookmark)])
    sidecar.wait_until_written(5)
    finish(sidecar)
    assert not sidecar.records("swept")
    assert closed(database) == set()


def test_list_after_an_error_on_the_same_connection_sweeps(sweeping, path, database):
    sidecar = sweeping()
    with producer.connect(path) as connection:
        connection.sendall(b"".join([*jobs("abcd"), mark("TFJob", 10)]))
        assert swept(sidecar, "TFJob")["closed"] == 0
        connection.sendall(mark("TFJob", 11))  # no window is open: this one says nothing
        connection.sendall(b"".join([GONE, *jobs("ab", 1), mark("TFJob", 20)]))
        assert swept(sidecar, "TFJob", 2)["closed"] == 2
    finish(sidecar)
    assert closed(database) == {"job-c", "job-d"}


def test_object_that_another_connection_shows_is_present(sweeping, path, database):
    sidecar = sweeping()
    send(path, jobs("ab"))
    sidecar.wait_until_written(2)
    with producer.connect(path) as first, producer.connect(path) as second:
        first.sendall(b"".join(jobs("a", 11)))
        sidecar.wait_until_received(3)
        second.sendall(b"".join(jobs("b", 12)))
        sidecar.wait_until_received(4)
        first.sendall(mark("TFJob", 20))
        assert swept(sidecar, "TFJob")["closed"] == 0
    finish(sidecar)
    assert closed(database) == set()


# Late events


def test_late_event_revives_a_swept_row(sweeping, path, database):
    sidecar = sweeping()
    send(path, jobs("ab"))
    sidecar.wait_until_written(2)
    send(path, [*jobs("a", 11), mark("TFJob", 20)])
    until(lambda: closed(database) == {"job-b"}, "it is closed")
    send(path, jobs("b", 19))
    sidecar.wait_until_written(5)
    assert closed(database) == {"job-b"}
    send(path, jobs("b", 21))
    until(lambda: closed(database) == set(), "it lives again")
    row = database.jobs()["job-b"]
    assert (row["status"], row["is_in_etcd"], row["gmt_job_finished"]) == ("Created", 1, None)
    finish(sidecar)


@pytest.mark.parametrize("closing", [
    "deleted = 1, is_in_etcd = 0, status = 'Stopped', gmt_job_finished = UTC_TIMESTAMP()",
    "deleted = 1, is_in_etcd = 0, status = 'Stopped', gmt_job_finished = UTC_TIMESTAMP(), "
    "stated_version = '3'"], ids=["by hand", "by a wrong sweep"])
def test_row_closed_at_the_very_version_of_its_object_revives(closing, sweeping, path, database):
    """The object has not changed since: the next snapshot shows it at the version that the row has."""
    sidecar = sweeping()
    send(path, jobs("ab", 11))
    sidecar.wait_until_written(2)
    database.query(f"UPDATE job_info SET {closing} WHERE job_id = 'job-b'")
    assert closed(database) == {"job-b"}
    send(path, [*jobs("ab", 11), mark("TFJob", 20)])
    assert swept(sidecar, "TFJob")["closed"] == 0
    until(lambda: closed(database) == set(), "it lives again")
    row = database.jobs()["job-b"]
    assert (row["status"], row["is_in_etcd"], row["gmt_job_finished"], row["version"],
            row["stated_version"]) == ("Created", 1, None, "11", None)
    finish(sidecar)


# Recorded snapshots


@pytest.mark.parametrize("name, kind", [("watchlist-a-pods", "Pod"),
                                        ("watchlist-a-tfjobs", "TFJob")])
def test_recorded_snapshot(name, kind, sweeping, path, database):
    """A real WatchList: what its snapshot shows stays, what we add beforehand goes."""
    lines = stream.lines(name)
    snapshot_end = next(n for n, one in enumerate(lines) if b"initial-events-end" in one) + 1
    extra, uid = (pods, "pod-x") if kind == "Pod" else (jobs, "job-x")
    sidecar = sweeping()
    send(path, extra("x"))
    sidecar.wait_until_written(1)
    send(path, lines[:snapshot_end])
    assert swept(sidecar, kind)["closed"] == 1
    until(lambda: closed(database) == {uid}, "the one that is not in it is closed")
    send(path, lines)
    swept(sidecar, kind, 2)
    finish(sidecar)
    rows = expected.rows(e for e in stream.events(name) if e["type"] != "BOOKMARK")
    rows = rows[1] if kind == "Pod" else rows[0]
    actual = database.pods() if kind == "Pod" else database.jobs()
    actual.pop(uid)
    wrong = expected.differences(rows, actual)
    assert not wrong, "\n".join(wrong)


def test_mark_at_the_end_of_the_input_is_swept(ship, database):
    ship(jobs("ab"), CLUSTER_ID="blue")
    ship([*jobs("a"), mark("TFJob", 9)], CLUSTER_ID="blue")
    assert closed(database) == {"job-b"}


def test_mark_of_another_api_group_sweeps_nothing(ship, database):
    """A kind is a name in an API group."""
    ship(jobs("ab"), CLUSTER_ID="blue")
    other = mark("TFJob", 9).replace(b"training.kubedl.io/v1alpha1", b"example.org/v1")
    ship([other], CLUSTER_ID="blue")
    assert closed(database) == set()


@pytest.mark.parametrize("version", ["", "not-a-version", "007", "1" * 33])
def test_mark_without_a_valid_version_sweeps_nothing(version, ship, database):
    ship(jobs("ab"), CLUSTER_ID="blue")
    sidecar = ship([mark("TFJob", version)], CLUSTER_ID="blue")
    assert closed(database) == set()
    assert sidecar.records("a mark without a valid resourceVersion: nothing is swept")


@pytest.mark.parametrize("other", ["Blue", "blüe"])
def test_clusters_are_told_apart_to_the_letter(other, ship, database):
    ship(jobs("ab"), CLUSTER_ID=other)
    ship([mark("TFJob", 9)], CLUSTER_ID="blue")
    assert closed(database) == set()
