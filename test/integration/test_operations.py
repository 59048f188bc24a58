"""docs/operations.md: the account that only reads, a backup and a restore, as they stand there."""

import re
import subprocess

import pytest

from harness import events, stream
from harness import sidecar as program

TEXT = (program.ROOT / "docs/operations.md").read_text()


def lines(number=3):
    return [stream.line(events.added(events.job(f"job-{n}"))) for n in range(number)]


def test_an_account_that_only_reads(ship, database):
    """The statements of the document give `jobs` and `pods` all they need, and nothing else."""
    ship([*lines(), stream.line(events.added(events.pod("pod-1", job_uid="job-1")))])
    (statements,) = re.findall(r"```sql\n(CREATE USER.*?)```", TEXT, re.DOTALL)
    user = f"{database.user}_read"
    statements = statements.replace("kubedl_read", user).replace("`kubedl`", f"`{database.name}`")
    for statement in filter(str.strip, statements.split(";")):
        database.server.query(statement)
    settings = {**database.environment(), "MYSQL_USER": user, "MYSQL_PASSWORD": "a password"}
    try:
        jobs = program.run("jobs", settings=settings)
        assert (jobs.returncode, len(jobs.stdout.splitlines())) == (0, 1 + 3), jobs.stderr
        pods = program.run("pods", "job-1", settings=settings)
        assert (pods.returncode, len(pods.stdout.splitlines())) == (0, 1 + 1), pods.stderr
        check = program.run("check", settings={**settings, "EVENT_SOURCE": "-"})
        assert check.returncode == 1 and "INSERT" in check.stdout
    finally:
        database.server.query(f"DROP USER {user}@'%'")


def shell(words, database, server):
    """Runs a line of the document with the names of the test's database and server."""
    words = re.sub(r"\bkubedl\b(?!\.sql)", database.name, words)
    command, arguments = words.split(" ", 1)
    subprocess.run(["bash", "-c", f"{command} -uroot --socket={server.socket} {arguments}"], check=True)


def test_a_dump_puts_the_tables_back(ship, database, server, directory, monkeypatch, request):
    if request.config.getoption("--server") != "mariadb":
        pytest.skip("the client is MariaDB's")
    monkeypatch.chdir(directory)
    dump, restore = re.findall(r"```\n(mariadb.*)\n```", TEXT)
    ship(lines())
    before = database.jobs()
    shell(dump, database, server)
    database.query("DROP TABLE job_info, replica_info, kubedl_shipper_schema")
    shell(restore, database, server)
    assert database.jobs() == before and len(before) == 3
    ship(lines(5))
    assert set(database.jobs()) == {f"job-{n}" for n in range(5)}
