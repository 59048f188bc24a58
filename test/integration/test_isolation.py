"""One bad thing does not hold up the others: a wrong table, a row that always fails, a row that
somebody has locked, a connection that cannot be had; and replay ends in every such case."""

import json
import socket

import pymysql
import pytest

from harness import events, producer, stream
from harness.spool import assert_balances
from harness.wait import until

CASE = stream.DATA / "cases" / "10-row-locked-by-outsider"
WAIT = "the store takes no rows"


@pytest.fixture
def path(directory):
    return directory / "events.sock"


@pytest.fixture
def start(new_sidecar, spool, path, database):
    """start(NAME=value, ...) starts a sidecar with a spool, and waits for the tables."""

    def run(**settings):
        sidecar = new_sidecar(**{"SPOOL_DIR": spool.directory,
                                 "EVENT_SOURCE": f"unix-listen:{path}", **settings}).start()
        until(lambda: database.has_table("replica_info"), "the tables are there")
        return sidecar

    return run


def pod(uid, version="1", **changes):
    return stream.line(events.added(events.pod(uid, version=version, **changes)))


def job(uid, version="1", **changes):
    return stream.line(events.added(events.job(uid, version=version, **changes)))


def pods(count, first=0):
    return [pod(f"pod-{n}") for n in range(first, first + count)]


def await_pods(database, uids, sidecar, seconds=60.0):
    until(lambda: set(database.pods()) >= set(uids),
          lambda: f"{len(set(uids) - set(database.pods()))} pods are still missing:\n"
          f"{sidecar.log_tail()}", seconds)


# One table is wrong

WRONG = {
    "a column without a default": ("ALTER TABLE replica_info ADD COLUMN team INT NOT NULL",
                                   "ALTER TABLE replica_info DROP COLUMN team"),
    "a check": ("ALTER TABLE replica_info ADD CONSTRAINT none CHECK (name <> 'train-worker-0')",
                "ALTER TABLE replica_info DROP CONSTRAINT none"),
    "a narrowed column": ("ALTER TABLE replica_info MODIFY namespace varchar(2)",
                          "ALTER TABLE replica_info MODIFY namespace varchar(255)"),
}


def wrong():
    return pytest.mark.parametrize("spoil, mend", WRONG.values(), ids=WRONG.keys())


@wrong()
def test_a_wrong_table_refuses_no_row_when_traffic_is_low(spoil, mend, start, spool, path, database):
    """Some twenty pods a second, each a batch of its own, while jobs go on."""
    sidecar = start()
    database.query(spoil)
    with producer.connect(path) as connection:
        for n in range(60):
            connection.sendall(pod(f"pod-{n}"))
            sidecar.wait_until_received(n + 1)
            last = sidecar.summary()
            until(lambda: sidecar.summary() != last, "the next summary is written")
        sidecar.wait_for_record(WAIT, **{"class": "operator"}, table="replica_info")
        connection.sendall(b"".join(job(f"job-{n}") for n in range(20)))
        until(lambda: len(database.jobs()) == 20, "jobs go on")
        assert spool.count("dead_letters") == 0
        assert sidecar.summary()["dead_lettered"] == 0
        database.query(mend)
        sidecar.wait_until_written(80)
    assert len(database.pods()) == 60
    assert sidecar.stop() == 0
    assert_balances(sidecar)
    assert spool.count("dead_letters") == 0


def replay(new_sidecar, directory, lines, status, **settings):
    path = directory / "recording.ndjson"
    path.write_bytes(b"".join(lines))
    sidecar = new_sidecar(**settings).start("replay", str(path))
    assert sidecar.wait() == status, sidecar.log_tail()
    return sidecar


@pytest.fixture
def ended(new_sidecar, directory, start):
    """ended(lines, NAME=value, ...) replays them to the end, which is to be a failure."""
    start().stop()  # the tables

    def run(lines, **settings):
        return replay(new_sidecar, directory, lines, 1, SPOOL_DIR=directory / "spool", **settings)

    return run


@pytest.mark.parametrize("name", ["a column without a default", "a check"])
def test_replay_into_a_wrong_table_ends(name, ended, spool, database):
    database.query(WRONG[name][0])
    sidecar = ended([*pods(40), job("job-1")])
    assert set(database.jobs()) == {"job-1"}
    assert sidecar.accounts()["pending"] == 40
    assert "40 waiting" in sidecar.log_text()
    assert spool.count("dead_letters") == 0 and spool.count() == 40


# One row always fails


def trigger(database, signal, name="bad"):
    for event in ("INSERT", "UPDATE"):
        database.query(f"CREATE TRIGGER no_{event} BEFORE {event} ON replica_info FOR EACH ROW "
                       f"IF NEW.name = '{name}' THEN SIGNAL {signal}; END IF")


def drop_triggers(database):
    for event in ("INSERT", "UPDATE"):
        database.query(f"DROP TRIGGER no_{event}")


def test_row_that_a_trigger_refuses_is_a_dead_letter(start, spool, path, database):
    sidecar = start()
    trigger(database, "SQLSTATE '45000' SET MESSAGE_TEXT = 'no bad pods here'")
    with producer.connect(path) as connection:
        connection.sendall(b"".join([*pods(100), pod("bad", name="bad"), *pods(100, first=100)]))
        sidecar.wait_until_written(201)
    assert len(database.pods()) == 200
    assert sidecar.stop() == 0
    letter, = spool.query("SELECT * FROM dead_letters")
    assert letter["uid"] == "bad" and "no bad pods here" in letter["reason"]


def test_row_with_no_other_beside_it_is_believed_in_the_end(start, spool, path, database):
    sidecar = start()
    trigger(database, "SQLSTATE '45000' SET MESSAGE_TEXT = 'no bad pods here'")
    with producer.connect(path) as connection:
        connection.sendall(pod("bad", name="bad"))
        sidecar.wait_until_written(1)
    assert len(sidecar.records(WAIT, **{"class": "row"})) == 4  # it was given time
    assert sidecar.stop() == 0
    assert spool.count("dead_letters") == 1


# An error that nobody knows, and a deadlock that comes again each time.
ALONE = {
    "an unknown number": "SQLSTATE 'HY000' SET MYSQL_ERRNO = 31999, MESSAGE_TEXT = 'who knows'",
    "a deadlock": "SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'again'",
    "a storage engine's error": "SQLSTATE 'HY000' SET MYSQL_ERRNO = 1030, MESSAGE_TEXT = 'a page'",
}


def alone():
    return pytest.mark.parametrize("signal", ALONE.values(), ids=ALONE.keys())


@alone()
def test_row_that_fails_for_another_reason_waits_alone(signal, start, spool, path, database):
    sidecar = start()
    trigger(database, signal)
    with producer.connect(path) as connection:
        connection.sendall(b"".join([*pods(100), pod("bad", name="bad"), *pods(100, first=100)]))
        await_pods(database, [f"pod-{n}" for n in range(200)], sidecar)
        connection.sendall(pod("bad", version="2", name="bad") + b"".join(pods(10, first=200)))
        await_pods(database, [f"pod-{n}" for n in range(210)], sidecar)
        assert "bad" not in database.pods()
        until(lambda: sidecar.summary()["pending"] == 1, "it is alone")
        assert sidecar.records("row waits alone: the store could not take it")[0]["uid"] == "bad"
        drop_triggers(database)
        sidecar.wait_until_written(212)
    assert database.pods()["bad"]["version"] == "2"
    assert sidecar.stop() == 0
    assert_balances(sidecar)


@alone()
def test_replay_of_a_row_that_always_fails_ends(signal, ended, spool, database):
    trigger(database, signal)
    sidecar = ended([*pods(50), pod("bad", name="bad"), *pods(50, first=50)])
    assert len(database.pods()) == 100
    assert "1 waiting" in sidecar.log_text()
    assert list(spool.records()) == [("replica_info", "bad")]


def test_replay_of_a_row_that_is_refused_ends_and_counts_it(ended, spool, database):
    trigger(database, "SQLSTATE '45000'")
    sidecar = ended([*pods(50), pod("bad", name="bad"), *pods(50, first=50)])
    assert len(database.pods()) == 100
    assert "1 dead-lettered, 0 waiting" in sidecar.log_text()


# One row is locked


@pytest.fixture
def outsider(database):
    """A client that stays open."""
    connection = pymysql.connect(unix_socket=str(database.server.socket), user="root",
                                 database=database.name, autocommit=True)
    yield connection
    connection.close()


def run_script(connection, path):
    with connection.cursor() as cursor:
        for statement in path.read_text().split(";"):
            if statement.strip():
                cursor.execute(statement)


def test_case_10_row_locked_by_outsider(start, path, database, outsider):
    sidecar = start()
    before = (CASE / "before.ndjson").read_bytes()
    after = (CASE / "after.ndjson").read_bytes().splitlines(keepends=True)
    uids = [stream.uid_of(json.loads(line)) for line in after]
    locked, others = uids[0], uids[1:]
    assert len(others) == 200
    with producer.connect(path) as connection:
        connection.sendall(before)
        sidecar.wait_until_written(60)
        run_script(outsider, CASE / "lock.sql")
        connection.sendall(b"".join(after))
        await_pods(database, others, sidecar, seconds=15)
        version = json.loads(after[0])["object"]["metadata"]["resourceVersion"]
        assert database.pods()[locked]["version"] != version
        until(lambda: sidecar.summary()["pending"] == 1, "it is alone")
        outsider.rollback()
        sidecar.wait_until_written(261)
    assert database.pods()[locked]["version"] == version
    assert sidecar.stop() == 0


def test_replay_of_a_locked_row_ends(ended, directory, new_sidecar, database, outsider):
    replay(new_sidecar, directory, [(CASE / "before.ndjson").read_bytes()], 0)
    run_script(outsider, CASE / "lock.sql")
    after = (CASE / "after.ndjson").read_bytes()
    sidecar = ended([after])
    assert {stream.uid_of(json.loads(line)) for line in after.splitlines()} <= set(database.pods())
    assert "1 waiting" in sidecar.log_text()


def test_a_locked_table_does_not_hold_up_the_other(start, path, database, outsider):
    sidecar = start()
    with outsider.cursor() as cursor:
        cursor.execute("LOCK TABLES replica_info READ")
    with producer.connect(path) as connection:
        connection.sendall(b"".join(pods(30)))
        sidecar.wait_for_record(WAIT, table="replica_info")
        connection.sendall(b"".join(job(f"job-{n}") for n in range(30)))
        until(lambda: len(database.jobs()) == 30, "jobs go on")
        with outsider.cursor() as cursor:
            cursor.execute("UNLOCK TABLES")
        sidecar.wait_until_written(60)
    assert len(database.pods()) == 30
    assert sidecar.stop() == 0


# One connection where two are wanted


def limit_connections(server, database, count):
    server.query(f"ALTER USER {database.user}@'%%' WITH MAX_USER_CONNECTIONS {count}", ())


def test_one_connection_where_two_are_wanted(start, path, database, server):
    limit_connections(server, database, 1)
    sidecar = start(DB_CONNECTIONS=2, CLUSTER_ID="here")
    with producer.connect(path) as connection:
        sidecar.wait_for_record(WAIT)
        connection.sendall(b"".join(pods(200)))
        await_pods(database, [f"pod-{n}" for n in range(200)], sidecar)
        sidecar.wait_until_written(200)
        # Versions of one object stay in order, whoever writes them.
        for version in range(2, 12):
            connection.sendall(b"".join(pod(f"pod-{n}", version=str(version)) for n in range(20)))
        sidecar.wait_until_written(400)
        limit_connections(server, database, 0)
        sidecar.wait_for_record("the store takes rows again")
        connection.sendall(b"".join(pods(200, first=200)))
        sidecar.wait_until_written(600)
    assert len(database.pods()) == 400
    assert {database.pods()[f"pod-{n}"]["version"] for n in range(20)} == {"11"}
    assert sidecar.stop() == 0


def test_replay_over_one_connection(new_sidecar, directory, database, server):
    limit_connections(server, database, 1)
    replay(new_sidecar, directory, pods(300), 0, DB_CONNECTIONS=2)
    assert len(database.pods()) == 300


def test_prepared_statements_for_one_connection_only(start, path, database, server):
    """The one that has statements writes for both, with those that it has."""
    sidecar = start(DB_CONNECTIONS=2)
    with producer.connect(path) as connection:
        connection.sendall(pod("first"))
        sidecar.wait_until_written(1)
        held = int(server.query("SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'")[0]["Value"])
        before = server.query("SELECT @@GLOBAL.max_prepared_stmt_count AS n")[0]["n"]
        server.query(f"SET GLOBAL max_prepared_stmt_count = {held}")
        try:
            connection.sendall(b"".join(pods(200)))
            await_pods(database, [f"pod-{n}" for n in range(200)], sidecar)
        finally:
            server.query(f"SET GLOBAL max_prepared_stmt_count = {before}")
        sidecar.wait_until_written(201)
    assert sidecar.stop() == 0


def test_a_host_that_accepts_and_never_answers(start, path, database, server):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        hosts = f"127.0.0.1:{silent.getsockname()[1]},127.0.0.1:{server.port}"
        sidecar = start(MYSQL_HOST=hosts, MYSQL_PORT=None, DB_TIMEOUT_MS=2000)
        with producer.connect(path) as connection:
            connection.sendall(b"".join(pods(50)))
            sidecar.wait_until_written(50)
        assert sidecar.stop() == 0
    assert len(database.pods()) == 50


# What a person has to mend


def logins(server, database):
    """How often the account was refused, by what the server's log says."""
    return server.log.read_text(errors="replace").count(f"Access denied for user '{database.user}'")


@pytest.fixture
def refused_logins(server, database):
    """refused_logins(): since the test began."""
    before = server.query("SELECT @@GLOBAL.log_warnings AS n")[0]["n"] if server.is_mariadb else None
    if before is None:
        pytest.skip("this server's log does not tell")
    server.query("SET GLOBAL log_warnings = 2")
    yield lambda: logins(server, database)
    server.query(f"SET GLOBAL log_warnings = {before}")


def test_replay_with_a_wrong_password_ends(ended, refused_logins):
    sidecar = ended(pods(20), MYSQL_PASSWORD="wrong")
    record, = sidecar.records("giving up: rows can't be written until a person has acted")
    assert "1045" in record["error"] and "MYSQL_PASSWORD" in record["error"]
    assert refused_logins() <= 2
    assert "20 waiting" in sidecar.log_text() or sidecar.accounts()["received"] < 20


def test_stop_with_a_wrong_password_tries_no_faster(new_sidecar, path, spool, refused_logins):
    sidecar = new_sidecar(MYSQL_PASSWORD="wrong", EVENT_SOURCE=f"unix-listen:{path}",
                          SPOOL_DIR=spool.directory, SHUTDOWN_GRACE_MS=4000).start()
    with producer.connect(path) as connection:
        connection.sendall(b"".join(pods(20)))
        sidecar.wait_until_received(20)
        sidecar.wait_for_record(WAIT, **{"class": "operator"})
    assert sidecar.stop() == 0
    assert refused_logins() <= 4  # each connection once, and perhaps once more
    assert spool.count() == 20
