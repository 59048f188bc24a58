"""Rows that the database refuses: each is kept with its reason, every other row is written, and a
person can look at them, write them once the cause is mended, or drop them."""

import json
import re

import pytest

from harness import events, producer, stream
from harness.spool import assert_balances, command
from harness.wait import until

USAGE = 2


@pytest.fixture
def path(directory):
    return directory / "events.sock"


@pytest.fixture
def sidecar(new_sidecar, spool, path, database):
    """One with a spool, whose database refuses each job and pod that is called `bad`."""
    instance = new_sidecar(SPOOL_DIR=spool.directory, EVENT_SOURCE=f"unix-listen:{path}").start()
    until(lambda: database.has_table("replica_info"), "the tables are there")
    send(path, [job("good", "first")])
    instance.wait_until_written(1)
    for table in ("job_info", "replica_info"):
        database.query(f"ALTER TABLE {table} ADD CONSTRAINT no_bad_{table} CHECK (name <> 'bad')")
    return instance


def mend(database):
    for table in ("job_info", "replica_info"):
        database.query(f"ALTER TABLE {table} DROP CONSTRAINT no_bad_{table}")


def job(name, uid, version="1"):
    return stream.line(events.added(events.job(uid, version=version, name=name)))


def send(path, lines):
    with producer.connect(path) as connection:
        connection.sendall(b"".join(lines))


def send_bad(path, lines):
    """With a row that is taken: it shows that the table is well."""
    send(path, [*lines, job("good", "first", "2")])


def mixed(bad, good, rng):
    lines = [job("bad", f"bad-{n}") for n in range(bad)]
    lines += [job("good", f"good-{n}") for n in range(good)]
    rng.shuffle(lines)
    return lines


def listed(sidecar):
    """The uids of `dead-letters list`, by id."""
    result = command(sidecar, "dead-letters", "list")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    if lines == ["no dead letters"]:
        return {}
    assert lines[0].split() == ["ID", "TIME", "TABLE", "UID", "VERSION", "REASON"]
    found = {}
    for line in lines[1:]:
        number, at, table, uid, version, reason = line.split(maxsplit=5)
        assert re.fullmatch(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\dZ?", at), at
        assert table in ("job_info", "replica_info")
        assert "no_bad" in reason
        found[int(number)] = uid
    return found


@pytest.mark.parametrize("bad", [1, 16, 17, 256])
def test_bad_rows_among_good_ones(bad, sidecar, spool, path, database, rng):
    """All of them in one batch, or in a few."""
    send(path, mixed(bad, 256, rng))
    sidecar.wait_until_written(1 + bad + 256)
    assert sidecar.stop() == 0
    assert set(database.jobs()) == {"first"} | {f"good-{n}" for n in range(256)}
    assert sorted(listed(sidecar).values()) == sorted(f"bad-{n}" for n in range(bad))
    assert re.search(rf"dead_lettered +{bad}\b", assert_balances(sidecar))
    assert spool.records() == {}


def test_bad_table_refuses_no_row(new_sidecar, spool, path, database):
    """When nothing of a large batch can be written the rows wait for a person."""
    sidecar = new_sidecar(SPOOL_DIR=spool.directory, EVENT_SOURCE=f"unix-listen:{path}",
                          DB_CONNECTIONS=1, BATCH_LINGER_MS=1000)
    sidecar.start()
    until(lambda: database.has_table("replica_info"), "the tables are there")
    database.query("ALTER TABLE job_info ADD CONSTRAINT none CHECK (name <> 'train')")
    send(path, [stream.line(events.added(events.job(f"job-{n}"))) for n in range(200)])
    record = sidecar.wait_for_record("the store takes no rows", **{"class": "operator"})
    assert "job_info" in record["error"] and record["waiting"] > 0
    assert spool.count("dead_letters") == 0
    until(lambda: spool.count() == 200, "all wait in the spool")
    database.query("ALTER TABLE job_info DROP CONSTRAINT none")
    sidecar.wait_until_written(200)
    assert sidecar.stop() == 0
    assert database.count("job_info") == 200
    assert listed(sidecar) == {}


def test_pods_are_refused_too(sidecar, path, database):
    send(path, [stream.line(events.added(events.pod(f"pod-{n}", name="bad" if n == 3 else "good")))
                for n in range(10)])
    sidecar.wait_until_written(11)
    assert sidecar.stop() == 0
    assert set(database.pods()) == {f"pod-{n}" for n in range(10) if n != 3}
    assert list(listed(sidecar).values()) == ["pod-3"]


def test_newer_version_of_a_refused_row_is_written(sidecar, path, database):
    send_bad(path, [job("bad", "job-1", "5")])
    sidecar.wait_until_written(3)
    send(path, [job("good", "job-1", "6")])
    sidecar.wait_until_written(4)
    mend(database)
    assert command(sidecar, "dead-letters", "retry", "all").returncode == 0
    assert sidecar.stop() == 0
    row = database.jobs()["job-1"]
    assert (row["name"], row["version"]) == ("good", "6")  # the older one did not overwrite it


def test_show_has_the_whole_row(sidecar, path, database):
    send_bad(path, [job("bad", "job-1", "5")])
    sidecar.wait_until_written(3)
    assert sidecar.stop() == 0
    (number, _), = listed(sidecar).items()
    result = command(sidecar, "dead-letters", "show", str(number))
    assert result.returncode == 0
    shown = dict(line.split(":", 1) for line in result.stdout.splitlines())
    assert shown["uid"].strip() == "job-1"
    assert shown["table"].strip() == "job_info"
    assert shown["version"].strip() == "5"
    assert "no_bad_job_info" in shown["reason"]
    assert shown["error"].strip() in ("4025", "3819")
    row = json.loads(shown["row"])
    assert row["cells"]["name"] == "bad" and row["cells"]["namespace"] == "team"


@pytest.mark.parametrize("running", [True, False])
def test_retry_after_the_cause_is_mended(running, sidecar, spool, path, database):
    """Beside a running sidecar, and after its end."""
    send_bad(path, [job("bad", f"job-{n}") for n in range(5)])
    sidecar.wait_until_written(7)
    until(lambda: spool.count("dead_letters") == 5, "they are kept")
    if not running:
        assert sidecar.stop() == 0
    numbers = listed(sidecar)
    result = command(sidecar, "dead-letters", "retry", "all")
    assert result.returncode == 1 and result.stdout.count("no_bad_job_info") == 5
    assert listed(sidecar) == numbers

    mend(database)
    first = min(numbers)
    result = command(sidecar, "dead-letters", "retry", str(first))
    assert (result.returncode, result.stdout) == (0, f"{first} written\n")
    assert set(database.jobs()) == {"first", numbers.pop(first)}
    assert listed(sidecar) == numbers
    assert command(sidecar, "dead-letters", "retry", "all").returncode == 0
    assert set(database.jobs()) == {"first"} | {f"job-{n}" for n in range(5)}
    assert listed(sidecar) == {}
    if running:
        assert sidecar.stop() == 0
    assert_balances(sidecar)


def test_retry_without_a_database(sidecar, spool, path, server):
    send_bad(path, [job("bad", "job-1")])
    sidecar.wait_until_written(3)
    assert sidecar.stop() == 0
    server.stop()
    result = command(sidecar, "dead-letters", "retry", "all")
    assert result.returncode == 1 and "MYSQL_HOST" in result.stderr
    assert len(listed(sidecar)) == 1


def test_drop(sidecar, path, database):
    send_bad(path, [job("bad", f"job-{n}") for n in range(5)])
    sidecar.wait_until_written(7)
    assert sidecar.stop() == 0
    numbers = listed(sidecar)
    first = min(numbers)
    assert command(sidecar, "dead-letters", "drop", str(first)).returncode == 0
    del numbers[first]
    assert listed(sidecar) == numbers
    assert command(sidecar, "dead-letters", "drop", "all").returncode == 0
    assert listed(sidecar) == {}
    assert set(database.jobs()) == {"first"}
    assert_balances(sidecar)


def test_wrong_arguments_are_told_and_change_nothing(sidecar, path):
    send_bad(path, [job("bad", "job-1")])
    sidecar.wait_until_written(3)
    assert sidecar.stop() == 0
    for arguments in ([], ["look"], ["show"], ["show", "all"], ["show", "x"], ["drop"],
                      ["drop", "0"], ["drop", "-1"], ["retry", "1", "2"], ["list", "all"],
                      ["drop", ""]):
        result = command(sidecar, "dead-letters", *arguments)
        assert result.returncode == USAGE, arguments
        assert result.stderr.endswith(": see kubedl-shipper dead-letters --help\n")
    assert len(listed(sidecar)) == 1


def test_control_characters_are_shown_as_escapes(sidecar, spool, path):
    """Whoever may name a job may not write to the terminal of who looks at it."""
    send_bad(path, [stream.line(events.added(events.job("job-1", name="bad", namespace="a\x9b")))])
    sidecar.wait_until_written(3)
    assert sidecar.stop() == 0
    (number,) = listed(sidecar)
    body = spool.query("SELECT body FROM dead_letters")[0]["body"]
    shown = command(sidecar, "dead-letters", "show", str(number)).stdout
    assert "\x9b" in body and shown.isascii()
    assert json.loads(shown.split("row:")[1]) == json.loads(body)
    spool.query("UPDATE dead_letters SET reason = 'no_bad' || char(27) || '[2J' || char(10)")
    for words in (["list"], ["show", str(number)]):
        result = command(sidecar, "dead-letters", *words)
        assert result.returncode == 0
        assert not re.search(r"[^\n\x20-\x7e]", result.stdout)
        assert r"no_bad\x1b[2J\n" in result.stdout
    assert "\ndamaged: " in result.stdout  # the checksum is of the reason, too


@pytest.mark.parametrize("subcommand", ["show", "retry", "drop"])
def test_letter_that_is_not_there(subcommand, sidecar):
    assert sidecar.stop() == 0
    result = command(sidecar, "dead-letters", subcommand, "77")
    assert result.returncode == 1 and "77" in result.stderr


def test_refused_row_is_on_disk_before_it_is_acknowledged(sidecar, spool, path):
    with producer.connect(path) as connection:
        connection.sendall(job("bad", "job-1"))
        answer = b""
        while not answer.endswith(b"\n"):
            answer += connection.recv(100)
        assert answer == b'{"acked":1}\n'
        assert spool.count("dead_letters") + spool.count() > 0
        sidecar.kill()
    assert spool.count("dead_letters") + spool.count() > 0


def test_without_a_spool_the_refused_row_is_in_the_log(new_sidecar, path, database):
    sidecar = new_sidecar(EVENT_SOURCE=f"unix-listen:{path}").start()
    until(lambda: database.has_table("replica_info"), "the tables are there")
    database.query("ALTER TABLE job_info ADD CONSTRAINT no_bad CHECK (name <> 'bad')")
    send_bad(path, [job("bad", "job-1")])
    sidecar.wait_until_written(2)
    assert sidecar.stop() == 0
    record, = [r for r in sidecar.records()
               if r["msg"].startswith("no spool to keep the refused row")]
    assert json.loads(record["row"])["cells"]["job_id"] == "job-1"
    result = command(sidecar, "dead-letters", "list")
    assert result.returncode != 0 and "SPOOL_DIR" in result.stderr
