"""repair: rows that KubeDL's writer has left wrong are mended, and no other row is touched."""

import os
import pty
import re
import subprocess
from datetime import datetime, timedelta, timezone

import pytest

from harness import events, kubedl, producer
from harness import sidecar as program
from harness.stream import line
from harness.wait import until

TOLD_LATER = "What is to be repaired can be told once that is done"
NOTHING = "There is nothing to repair.\n"
MANY = 3000

OURS = ("cluster_id", "api_group", "stated_version", "deploy_region_version", "host_ip_version",
        "pod_ip_version", "gmt_job_running_version")

IN_CLUSTER = {"is_in_etcd": 1, "deleted": 0}
GONE = {"is_in_etcd": 0, "deleted": 0}  # as KubeDL marks a job that was stopped
CLOSED = {"status": "Stopped", "is_in_etcd": 0, "deleted": 1}


def ago(**age):
    return (datetime.now(timezone.utc) - timedelta(**age)).strftime("%Y-%m-%d %H:%M:%S")


def job(uid, status, name=None, **fields):
    return {"job_id": uid, "name": name or uid, "namespace": "team", "kind": "TFJob", "version": "7",
            "status": status, "owner": "", "tenant": "", "gmt_created": "2024-01-01 00:00:00",
            **IN_CLUSTER, **fields}


def pod(uid, job_uid, status, name=None, **fields):
    return {"pod_id": uid, "job_id": job_uid, "name": name or uid, "namespace": "team",
            "version": "7", "status": status, "replica_type": "worker",
            "gmt_created": "2024-01-01 00:00:00", **IN_CLUSTER, **fields}


def start(time):
    return {"gmt_started": time}


JOBS = [
    job("gone-queuing", "Queuing", **GONE, gmt_modified="2024-01-02 00:00:00"),
    job("gone-bare", "Created", **GONE),
    job("gone-running", "Running", is_in_etcd=0, deleted=1, gmt_job_running="2024-01-01 01:00:00"),
    job("gone-with-end", "Restarting", **GONE, gmt_job_finished="2024-01-09 00:00:00"),
    job("replaced", "Running", name="again"),
    job("replaced-too", "Queuing", name="again", gmt_created="2024-01-15 00:00:00"),
    # What is right:
    job("replacing", "Running", name="again", gmt_created="2024-02-01 00:00:00"),
    job("other-kind", "Running", name="again", kind="MPIJob"),
    job("other-space", "Running", name="again", namespace="away"),
    job("other-region", "Running", name="again", deploy_region="north"),
    job("heard-of", "Running", name="again", gmt_modified="2024-03-01 00:00:00"),
    job("stopped", "Stopped", **GONE, gmt_job_finished="2024-01-05 00:00:00"),
    job("deleted", "Succeeded", is_in_etcd=0, deleted=1, gmt_job_finished="2024-01-05 00:00:00"),
    job("succeeded", "Succeeded", gmt_job_finished="2024-01-06 00:00:00"),
    job("running", "Running", gmt_job_running="2024-01-01 01:00:00"),
    job("just-gone", "Stopped", **GONE, gmt_job_finished=ago(minutes=10)),
    job("just-ended", "Succeeded", gmt_job_finished=ago(hours=12)),
    job("made-twice", "Running", name="twice"),
    job("made-just-now", "Running", name="twice", gmt_created=ago(minutes=10)),
]

PODS = [
    pod("of-gone-running", "gone-running", "Running", **start("2024-01-03 00:00:00")),
    pod("of-gone-queuing", "gone-queuing", "Pending"),
    pod("of-replaced", "replaced", "Running", **start("2024-01-02 00:00:00")),
    pod("of-stopped", "stopped", "Running", **start("2024-01-02 00:00:00")),
    pod("of-stopped-late", "stopped", "Running", **start("2024-01-05 00:00:30")),
    pod("of-deleted-ended", "deleted", "Succeeded", gmt_finished="2024-01-04 00:00:00"),
    pod("of-deleted-failed", "deleted", "Failed"),
    pod("of-succeeded", "succeeded", "Running", **start("2024-01-02 00:00:00")),
    pod("replaced-pod", "running", "Unknown", name="w-0", **start("2024-01-01 02:00:00")),
    pod("gone-itself", "running", "Running", **GONE, gmt_modified="2024-01-08 00:00:00"),
    # What is right:
    pod("replacing-pod", "running", "Running", name="w-0", gmt_created="2024-01-02 00:00:00"),
    pod("other-name", "running", "Running", name="w-1"),
    pod("failed", "running", "Failed", gmt_finished="2024-01-04 00:00:00"),
    pod("of-nobody", "never-heard-of", "Running"),
    pod("was-closed", "deleted", "Stopped", is_in_etcd=0, deleted=1,
        gmt_finished="2024-01-04 00:00:00"),
    pod("still-ending", "just-gone", "Running"),
    pod("of-just-ended", "just-ended", "Running"),
    pod("heard-of-just-now", "stopped", "Running", gmt_modified=ago(minutes=10)),
    pod("ended-just-now", "stopped", "Failed", gmt_finished=ago(minutes=10)),
    pod("replaced-just-now", "running", "Running", name="w-2"),
    pod("replacing-just-now", "running", "Running", name="w-2", gmt_created=ago(minutes=10)),
    pod("heard-of-later", "succeeded", "Running", gmt_modified="2024-01-07 00:00:00"),
]

# What changes, and nothing else: by rule, by uid.
REPAIRED = {
    "jobs-gone": {
        "gone-queuing": {**CLOSED, "gmt_job_finished": "2024-01-02 00:00:00"},
        "gone-bare": {**CLOSED, "gmt_job_finished": "2024-01-01 00:00:00"},
        "gone-running": {**CLOSED, "gmt_job_finished": "2024-01-03 00:00:00"},
        "gone-with-end": CLOSED,
    },
    "jobs-replaced": {
        "replaced": {**CLOSED, "gmt_job_finished": "2024-01-15 00:00:00"},
        "replaced-too": {**CLOSED, "gmt_job_finished": "2024-02-01 00:00:00"},
    },
    "pods-gone": {
        "gone-itself": {**CLOSED, "gmt_started": "2024-01-01 00:00:00",
                        "gmt_finished": "2024-01-08 00:00:00"},
    },
    "pods-replaced": {
        "replaced-pod": {**CLOSED, "gmt_finished": "2024-01-02 00:00:00"},
    },
    "pods-of-gone-jobs": {
        "of-gone-running": {**CLOSED, "gmt_finished": "2024-01-03 00:00:00"},
        "of-gone-queuing": {**CLOSED, "gmt_started": "2024-01-01 00:00:00",
                            "gmt_finished": "2024-01-02 00:00:00"},
        "of-replaced": {**CLOSED, "gmt_finished": "2024-01-15 00:00:00"},
        "of-stopped": {**CLOSED, "gmt_finished": "2024-01-05 00:00:00"},
        "of-stopped-late": {**CLOSED, "gmt_finished": "2024-01-05 00:00:30"},
    },
    "pods-of-ended-jobs": {
        "of-succeeded": {**CLOSED, "gmt_finished": "2024-01-06 00:00:00"},
    },
    "ended-pods-of-gone-jobs": {
        "of-deleted-ended": {"is_in_etcd": 0, "deleted": 1, "gmt_started": "2024-01-01 00:00:00"},
        "of-deleted-failed": {"is_in_etcd": 0, "deleted": 1, "gmt_started": "2024-01-01 00:00:00",
                              "gmt_finished": "2024-01-05 00:00:00"},
    },
}


def insert(database, table, rows):
    columns = sorted({column for row in rows for column in row})
    database.execute_many(
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})",
        [tuple(row.get(column) for column in columns) for row in rows])


def rows(database):
    """All rows of both tables by uid; without the columns that a migration adds."""
    found = {}
    for row in [*database.jobs().values(), *database.pods().values()]:
        for column, value in row.items():
            if isinstance(value, datetime):
                row[column] = value.strftime("%Y-%m-%d %H:%M:%S")
        for column in OURS:
            row.pop(column, None)
        found[row.get("pod_id") or row["job_id"]] = row
    return found


def expected(before, changes=REPAIRED):
    after = {uid: dict(row) for uid, row in before.items()}
    for rule in changes.values():
        for uid, change in rule.items():
            after[uid].update(change)
    return after


def counts(result):
    """{rule: rows} of the table that is printed."""
    return {rule: int(number) for rule, number in
            re.findall(r"^([a-z-]+) +(?:job_info|replica_info) +(\d+)$", result.stdout, re.MULTILINE)}


@pytest.fixture
def repair(database):
    def command(*arguments, stdin=b"", **settings):
        return program.run("repair", *arguments, stdin=stdin,
                           settings={**database.environment(), **settings})

    return command


def assert_ok(result):
    assert result.returncode == 0, result.stdout + result.stderr
    return result


@pytest.fixture
def old(database):
    """Tables as KubeDL makes them."""
    kubedl.create_tables(database)
    insert(database, "job_info", JOBS)
    insert(database, "replica_info", PODS)


@pytest.fixture
def new(database, ship):
    """Tables as the sidecar makes them."""
    ship([])
    ship([line(events.added(events.pod("other", job_uid="other")))])
    database.query("DELETE FROM replica_info")
    insert(database, "job_info", JOBS)
    insert(database, "replica_info", PODS)


@pytest.fixture(params=["old", "new"])
def damaged(request):
    request.getfixturevalue(request.param)


def test_all_damage_is_repaired_and_nothing_else(damaged, database, repair):
    before = rows(database)
    result = assert_ok(repair("--yes"))
    assert rows(database) == expected(before)
    assert counts(result) == {rule: len(uids) for rule, uids in REPAIRED.items()}
    for rule, uids in REPAIRED.items():
        table = "job_info" if rule.startswith("jobs") else "replica_info"
        assert f"{rule}: {len(uids)} rows of {table} repaired" in result.stdout
    assert re.search(r"^team +gone-queuing +gone-queuing +Queuing +2024-01-02 00:00:00$",
                     result.stdout, re.MULTILINE)


def test_second_run_finds_nothing(damaged, database, repair):
    assert_ok(repair("--yes"))
    before = rows(database)
    assert assert_ok(repair()).stdout == NOTHING
    assert assert_ok(repair("--yes")).stdout == NOTHING
    assert rows(database) == before


def test_dry_run_changes_nothing(damaged, database, repair, server):
    before = rows(database)
    shape = [database.query(f"SHOW CREATE TABLE {table}") for table in ("job_info", "replica_info")]
    server.query("SET GLOBAL read_only = ON")  # a replica will do
    try:
        result = assert_ok(repair("--dry-run"))
    finally:
        server.query("SET GLOBAL read_only = OFF")
    assert counts(result) == {rule: len(uids) for rule, uids in REPAIRED.items()}
    assert rows(database) == before
    assert shape == [database.query(f"SHOW CREATE TABLE {table}")
                     for table in ("job_info", "replica_info")]


def test_columns_of_ours_tell_jobs_apart(new, database, repair):
    """Same kind, namespace and name, but another cluster, or Kubeflow's kind of that name."""
    assert_ok(repair("--yes"))
    later = {"gmt_created": "2024-06-01 00:00:00"}
    insert(database, "job_info", [
        job("blue", "Running", name="a", cluster_id="blue"),
        job("green", "Running", name="a", cluster_id="green", **later),
        job("kubedl", "Running", name="b"),
        job("kubeflow", "Running", name="b", api_group="kubeflow.org", **later),
        job("kubeflow-ended", "Succeeded", api_group="kubeflow.org",
            gmt_job_finished="2024-01-06 00:00:00"),
        job("kubedl-ended", "Succeeded", api_group="training.kubedl.io",
            gmt_job_finished="2024-01-06 00:00:00")])
    insert(database, "replica_info", [
        pod("of-kubeflow-ended", "kubeflow-ended", "Running"),
        pod("known", "kubedl-ended", "Running", cluster_id="blue")])
    assert assert_ok(repair("--dry-run")).stdout == NOTHING

    insert(database, "job_info", [
        job("blue-again", "Running", name="a", cluster_id="blue", **later),
        job("kubedl-again", "Running", name="b", api_group="training.kubedl.io", **later)])
    insert(database, "replica_info", [pod("unknown", "kubedl-ended", "Running")])
    result = assert_ok(repair("--yes"))
    assert (counts(result)["jobs-replaced"], counts(result)["pods-of-ended-jobs"]) == (2, 1)
    after = rows(database)
    assert {uid for uid in ("blue", "green", "kubedl", "kubeflow", "known", "unknown",
                            "of-kubeflow-ended") if after[uid]["status"] == "Stopped"} == {
        "blue", "kubedl", "unknown"}


def test_table_that_lacks_columns(database, repair):
    """What can be told is told; the rest is done all the same."""
    kubedl.create_tables(database)
    insert(database, "job_info", JOBS)
    database.query("ALTER TABLE replica_info DROP COLUMN gmt_modified")
    result = assert_ok(repair("--dry-run"))
    assert TOLD_LATER in result.stdout and counts(result) == {}
    result = assert_ok(repair("--yes"))
    assert counts(result)["jobs-replaced"] == 2
    assert "jobs-replaced: 2 rows of job_info repaired" in result.stdout
    assert repair().stdout == NOTHING


def test_large_tables_without_indexes(old, database, repair):
    """They are migrated before the rules are asked for."""
    insert(database, "job_info", [job(f"many-{n}", "Running") for n in range(4000)])
    insert(database, "replica_info", [pod(f"of-many-{n}", f"many-{n}", "Running")
                                      for n in range(4000)])
    before = rows(database)
    result = assert_ok(repair("--dry-run"))
    assert TOLD_LATER in result.stdout and counts(result) == {}
    result = assert_ok(repair("--yes"))
    assert counts(result) == {rule: len(uids) for rule, uids in REPAIRED.items()}
    assert rows(database) == expected(before)


def test_tables_that_need_no_more_than_a_migration(database, repair):
    kubedl.create_tables(database)
    insert(database, "job_info", [job(f"many-{n}", "Running") for n in range(4000)])
    insert(database, "replica_info", [pod(f"of-many-{n}", f"many-{n}", "Running")
                                      for n in range(4000)])
    assert assert_ok(repair("--yes")).stdout.endswith(NOTHING)
    assert repair().stdout == NOTHING


def test_only_some_rules(new, database, repair):
    before = rows(database)
    chosen = ("jobs-gone", "pods-replaced")
    result = assert_ok(repair("--yes", "--only", ",".join(chosen)))
    assert set(counts(result)) == set(chosen)
    assert rows(database) == expected(before, {rule: REPAIRED[rule] for rule in chosen})
    wrong = repair("--only", "jobs-gone,nonsense")
    assert wrong.returncode == 2 and "there is no rule nonsense" in wrong.stderr


def test_duplicates_and_nulls_of_tables_that_kubedl_made(old, database, repair):
    insert(database, "job_info", [job("running", "Running", version="3"),
                                  job("no-owner", "Running", owner=None, tenant=None)])
    result = assert_ok(repair("--dry-run"))
    assert "1 rows of job_info are there twice" in result.stdout
    assert "1 rows of job_info: KubeDL's console fails on NULL here" in result.stdout
    assert "job_id has no unique key" in result.stdout
    assert_ok(repair("--yes"))
    after = rows(database)
    assert after["running"]["version"] == "7"
    assert (after["no-owner"]["owner"], after["no-owner"]["tenant"]) == ("", "")
    assert repair().stdout == NOTHING


def test_nulls_that_kubedl_has_written_since(new, database, repair):
    assert_ok(repair("--yes"))
    insert(database, "job_info", [job("no-owner", "Running", owner=None, gmt_created=None,
                                      gmt_modified="2024-01-02 00:00:00")])
    assert assert_ok(repair("--dry-run")).stdout.startswith("\n1 rows of job_info: KubeDL's console")
    assert_ok(repair("--yes"))
    row = rows(database)["no-owner"]
    assert (row["owner"], row["gmt_created"]) == ("", "2024-01-02 00:00:00")
    assert repair().stdout == NOTHING


def test_what_a_sidecar_writes_needs_no_repair(database, ship, repair):
    def life(uid, phases, **fields):
        return [events.added(events.pod(uid, job_uid="j", phase=phase, version=str(n + 1), **fields))
                for n, phase in enumerate(phases)]

    gone = events.job("j", version="9", conditions=("Running",))
    ship([line(event) for event in (
        *life("p-1", ("Pending", "Running")), *life("p-2", ("Running", "Succeeded")),
        events.added(gone), events.deleted(events.pod("p-1", job_uid="j", version="10")),
        events.deleted(gone), events.added(events.job("k", conditions=("Running",))))])
    before = rows(database)
    assert assert_ok(repair("--dry-run")).stdout == NOTHING
    assert rows(database) == before


def test_nobody_to_ask(new, database, repair):
    before = rows(database)
    result = repair(stdin=b"y\n")
    assert result.returncode == 1
    assert "--yes" in result.stderr and counts(result)["jobs-gone"] == 4
    assert rows(database) == before


@pytest.mark.parametrize("answer", ["y", "n", ""])
def test_terminal_is_asked(new, database, answer):
    before = rows(database)
    ours, theirs = pty.openpty()
    process = subprocess.Popen([*program.command(), "repair"], stdin=theirs, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE,
                               env=program.environment(database.environment()))
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    output, _ = process.communicate(timeout=120)
    os.close(ours)
    assert b"[y/N]" in output
    assert process.returncode == (0 if answer == "y" else 1)
    assert rows(database) == (expected(before) if answer == "y" else before)


def test_database_without_tables(repair, database):
    result = repair("--yes")
    assert result.returncode == 1 and "there is no table job_info" in result.stderr
    assert not database.has_table("job_info")


def test_row_that_changes_meanwhile_is_left_alone(new, database, repair):
    """Between the look at a row and its update a sidecar writes it."""
    before = rows(database)
    with database.server.connect(database=database.name) as writer, writer.cursor() as cursor:
        writer.begin()
        cursor.execute("UPDATE replica_info SET version = '8' WHERE pod_id = 'of-stopped'")
        process = subprocess.Popen([*program.command(), "repair", "--yes"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=program.environment(database.environment()))
        until(lambda: database.query("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'")
              [0]["Value"] == "1", "repair waits for the row")
        writer.commit()
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert b"pods-of-gone-jobs: 4 rows" in output
    after = expected(before)
    after["of-stopped"] = {**before["of-stopped"], "version": "8"}
    assert rows(database) == after
    assert counts(assert_ok(repair("--yes")))["pods-of-gone-jobs"] == 1


@pytest.fixture
def many(new, database):
    insert(database, "replica_info", [pod(f"many-{n}", "stopped", "Running") for n in range(MANY)])


def test_killed_and_run_again(many, database, repair):
    before = rows(database)
    for _ in range(3):
        process = subprocess.Popen([*program.command(), "repair", "--yes"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env=program.environment(database.environment()))
        closed = database.count("replica_info", "status = 'Stopped'")
        until(lambda: process.poll() is not None
              or database.count("replica_info", "status = 'Stopped'") > closed, "it has begun")
        process.kill()
        process.wait()
    assert_ok(repair("--yes"))
    after = expected(before)
    for n in range(MANY):
        after[f"many-{n}"].update(CLOSED, gmt_started="2024-01-01 00:00:00",
                                  gmt_finished="2024-01-05 00:00:00")
    assert rows(database) == after
    assert repair().stdout == NOTHING


def test_beside_a_sidecar_that_writes(many, database, repair, new_sidecar, directory):
    """Pods of which news comes are alive in the end, whoever was first."""
    path = directory / "events.sock"
    sidecar = new_sidecar(EVENT_SOURCE=f"unix-listen:{path}").start()
    until(path.exists, sidecar.log_tail)
    alive = [f"many-{n}" for n in range(0, MANY, 2)]
    with producer.connect(path) as connection:
        process = subprocess.Popen([*program.command(), "repair", "--yes"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   env=program.environment(database.environment()))
        for version in ("10", "11"):
            connection.sendall(b"".join(line(events.modified(events.pod(
                uid, version=version, job_uid="stopped", phase="Running"))) for uid in alive))
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    sidecar.wait_until_written(2 * len(alive))
    assert sidecar.stop() == 0
    sidecar.accounts()
    after = rows(database)
    for n in range(MANY):
        row = after[f"many-{n}"]
        if n % 2 == 0:
            assert (row["version"], row["status"], row["deleted"]) == ("11", "Running", 0)
            assert row["gmt_finished"] is None
        else:
            assert (row["version"], row["status"], row["deleted"]) == ("7", "Stopped", 1)
    assert repair("--dry-run").stdout == NOTHING
