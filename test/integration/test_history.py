"""jobs and pods: what the database knows, on a terminal and as JSON; and nothing is ever written."""

import json
from datetime import datetime, timedelta, timezone

import pytest

from harness import events, kubedl
from harness import sidecar as program
from harness.stream import line

MANY = 100_000


@pytest.fixture
def run(database):
    """run("jobs", ..., NAME=value): the command with the settings for the database."""

    def command(*arguments, **settings):
        return program.run(*arguments, settings={**database.environment(), **settings})

    return command


def lines(result):
    assert result.returncode == 0, result.stderr
    return [line.split() for line in result.stdout.splitlines()]


def names(result):
    return [row[1] for row in lines(result)[1:]]


def items(result):
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)["items"]


def ago(**age):
    return (datetime.now(timezone.utc) - timedelta(**age)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def filled(ship):
    """Jobs of two namespaces, two kinds and several ages; the job `train` was made twice."""
    def job(uid, conditions=("Created", "Running"), **fields):
        return events.added(events.job(uid, conditions=conditions, **fields))

    ship([line(event) for event in (
        job("u-1", name="train", creationTimestamp=ago(days=30), conditions=("Running", "Failed")),
        job("u-2", name="train", creationTimestamp=ago(days=3, hours=4, minutes=30)),
        job("u-3", name="other", creationTimestamp=ago(hours=2), kind="PyTorchJob"),
        job("u-4", name="far", namespace="away", creationTimestamp=ago(minutes=5)),
        events.added(events.pod("p-1", name="train-worker-10", job_uid="u-2", phase="Running")),
        events.added(events.pod("p-2", name="train-worker-9", job_uid="u-2", phase="Failed",
                                message="Traceback:\nboom \x1b[31m\u202e训练")),
        events.added(events.pod("p-3", name="train-worker-0", job_uid="u-1")),
    )])


def test_table(filled, run):
    head, *rows = lines(run("jobs"))
    assert head == ["NAMESPACE", "NAME", "KIND", "STATUS", "REPLICAS", "GPUS", "DURATION", "AGE",
                    "IN", "CLUSTER"]
    assert [row[:4] for row in rows] == [
        ["away", "far", "TFJob", "Running"], ["team", "other", "PyTorchJob", "Running"],
        ["team", "train", "TFJob", "Running"], ["team", "train", "TFJob", "Failed"]]
    assert rows[2][7] == "3d4h" and rows[2][8] == "yes"
    starts = {line.index(rows[n][3]) for n, line in
              enumerate(run("jobs").stdout.splitlines()[1:])}
    assert len(starts) == 1, "the columns are aligned"


def test_conditions(filled, run):
    assert names(run("jobs", "-n", "team")) == ["other", "train", "train"]
    assert names(run("jobs", "--status", "Failed")) == ["train"]
    assert names(run("jobs", "--kind=PyTorchJob")) == ["other"]
    assert names(run("jobs", "--since", "7d")) == ["far", "other", "train"]
    assert names(run("jobs", "--since", "1h30m", "--namespace", "team")) == []
    quoted = run("jobs", "-n", "team' OR '1'='1")
    assert (quoted.stdout, quoted.stderr) == ("", "No resources found\n")
    assert quoted.returncode == 0


def test_limit(filled, run):
    result = run("jobs", "--limit", "2")
    assert names(result) == ["far", "other"]
    assert "--limit" in result.stderr
    assert json.loads(run("jobs", "--limit", "2", "-o", "json").stdout)["more"] is True
    assert run("jobs", "--limit", "4").stderr == ""


def test_json(filled, run, database):
    rows = items(run("jobs", "-o", "json"))
    stored = database.jobs()
    assert [row["job_id"] for row in rows] == ["u-4", "u-3", "u-2", "u-1"]
    for row in rows:
        expected = stored[row["job_id"]]
        expected.pop("id")
        for name, value in expected.items():
            if isinstance(value, datetime):
                expected[name] = value.strftime("%Y-%m-%dT%H:%M:%SZ")
        expected["resources"] = json.loads(expected["resources"])
        assert row == expected


def test_pods(filled, run):
    result = run("pods", "train", "-n", "team")
    head, *rows = lines(result)
    assert head[:3] == ["NAME", "TYPE", "STATUS"]
    assert [row[:3] for row in rows] == [["train-worker-9", "worker", "Failed"],
                                         ["train-worker-10", "worker", "Running"]]
    assert rows[0][3:6] == ["1", "Error", "60m"]
    assert "Several jobs have the name train" in result.stderr
    assert "u-1" in result.stderr and "u-2" in result.stderr
    assert run("pods", "train").stdout == result.stdout

    by_uid = run("pods", "u-1")
    assert [row[0] for row in lines(by_uid)[1:]] == ["train-worker-0"]
    assert by_uid.stderr == ""
    assert [row["pod_id"] for row in items(run("pods", "u-2", "-o", "json"))] == ["p-2", "p-1"]
    assert run("pods", "nobody").stderr == "No resources found\n"
    assert run("pods", "训练").stderr == "No resources found\n"


def test_terminal_gets_no_commands(filled, run):
    for result in (run("pods", "u-2"), run("pods", "u-2", "-o", "json")):
        assert all(c == "\n" or c.isprintable() for c in result.stdout), result.stdout
        assert "训练" in result.stdout
    message = items(run("pods", "u-2", "-o", "json"))[0]["remark"]
    assert message.endswith("boom \x1b[31m\u202e训练")


def test_tables_that_kubedl_made(database, run):
    kubedl.create_tables(database)
    for version in "12":
        database.query("INSERT INTO job_info (job_id, name, namespace, version, status, gmt_created)"
                       " VALUES ('u-1', 'old', 'team', %s, 'Running', '2024-01-01')", (version,))
    database.query("INSERT INTO replica_info (pod_id, job_id, name) VALUES ('p-1', 'u-1', 'old-0')")
    before = database.query("SHOW CREATE TABLE job_info")
    assert [row[1:4] for row in lines(run("jobs"))[1:]] == [["old", "<none>", "Running"]] * 2
    assert items(run("jobs", "-o", "json"))[0]["cluster_id"] is None
    pods = run("pods", "old")
    assert [row[0] for row in lines(pods)[1:]] == ["old-0"]
    assert pods.stderr == "", "it is one job, although it has two rows"
    assert database.query("SHOW CREATE TABLE job_info") == before
    assert not database.has_table("kubedl_shipper_schema")


def test_read_only_server(filled, run, server):
    server.query("SET GLOBAL read_only = ON")
    try:
        assert len(names(run("jobs"))) == 4
    finally:
        server.query("SET GLOBAL read_only = OFF")


def test_account_that_may_only_read(filled, run, database):
    database.new_user(f"{database.user}_r", "secret", "SELECT")
    try:
        result = run("jobs", MYSQL_USER=f"{database.user}_r", MYSQL_PASSWORD="secret")
        assert len(names(result)) == 4
    finally:
        database.server.query(f"DROP USER {database.user}_r@'%'")


def test_database_without_tables(run, database):
    result = run("jobs")
    assert result.returncode == 1
    assert "there is no table job_info" in result.stderr and database.name in result.stderr


def test_database_that_is_away(run):
    result = run("jobs", MYSQL_HOST="/nowhere.sock")
    assert result.returncode == 1 and "/nowhere.sock" in result.stderr


@pytest.mark.parametrize("arguments", [
    ["jobs", "extra"], ["jobs", "--since", "yesterday"], ["jobs", "--limit", "0"],
    ["jobs", "-o", "yaml"], ["jobs", "--status"], ["jobs", "--nonsense"], ["pods"],
    ["pods", "a", "b"], ["pods", "a", "--since", "1d"]])
def test_wrong_arguments(run, arguments):
    result = run(*arguments, MYSQL_HOST="/nowhere.sock")
    assert (result.returncode, result.stdout) == (2, "")
    assert f"see kubedl-shipper {arguments[0]} --help" in result.stderr


@pytest.fixture
def many(ship, database):
    ship([line(events.added(events.job("u-new", name="newest", creationTimestamp=ago(minutes=1))))])
    database.execute_many(
        "INSERT INTO job_info (job_id, name, namespace, kind, status, version, resources, deleted,"
        " is_in_etcd, gmt_created) VALUES (%s, %s, %s, 'TFJob', %s, '1', '{}', 1, 0,"
        " TIMESTAMPADD(MINUTE, %s, '2025-01-01'))",
        [(f"u-{n}", f"job-{n % 5000}", f"team-{n % 20}", "Succeeded" if n % 100 else "Failed", n)
         for n in range(MANY)])
    database.query("ANALYZE TABLE job_info")


def rows_read(database, run, *arguments):
    """How many rows the server looked at for a command."""
    def count():
        status = database.server.query("SHOW GLOBAL STATUS LIKE 'Handler_read%'")
        return sum(int(row["Value"]) for row in status)

    before = count()
    nothing = count() - before  # a question about this costs something too
    before = count()
    result = run(*arguments)
    assert result.returncode == 0, result.stderr
    return count() - before - nothing


def test_tables_are_not_scanned(many, database, run):
    for arguments in (["jobs"], ["jobs", "--status", "Failed"], ["jobs", "--since", "365d"],
                      ["pods", "job-77", "-n", "team-17"], ["pods", "job-77"], ["pods", "u-77"]):
        read = rows_read(database, run, *arguments)
        assert read < MANY / 20, f"{arguments}: {read} rows were read"
