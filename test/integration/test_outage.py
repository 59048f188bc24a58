"""The database goes away, comes late, hangs or refuses: events wait, nothing is lost, the process
stays."""

import os
import signal
import socket

import pymysql
import pytest

from harness import events, expected, producer, stream
from harness.wait import until

NAME = "stream-a"


@pytest.fixture
def listener(directory):
    with producer.Listener(directory / "events.sock") as instance:
        yield instance


def check(database, wanted):
    jobs, pods = wanted
    wrong = expected.differences(jobs, database.jobs())
    wrong += expected.differences(pods, database.pods())
    assert not wrong, "\n".join(wrong)


def jobs(count, version="1"):
    return [stream.line(events.added(events.job(f"job-{n}", version=version)))
            for n in range(count)]


def in_parts(lines, parts):
    size = -(-len(lines) // parts)
    return [b"".join(lines[at:at + size]) for at in range(0, len(lines), size)]


def fails(sidecar):
    return until(lambda: sidecar.records("the store takes no rows"),
                 lambda: f"it notices that the database is away:\n{sidecar.log_tail()}")


def test_database_comes_later(new_sidecar, listener, database, server):
    server.stop()
    sidecar = new_sidecar(EVENT_SOURCE=f"unix:{listener.path}").start()
    with listener.accept() as connection:
        connection.sendall(b"".join(stream.lines(NAME)))
    fails(sidecar)
    sidecar.wait_until_received(len(stream.lines(NAME)))
    assert sidecar.poll() is None
    server.start()
    sidecar.wait_until_written(len(stream.lines(NAME)))
    assert sidecar.stop() == 0
    check(database, expected.rows(stream.events(NAME)))


def test_database_killed_and_restarted_in_mid_stream(new_sidecar, listener, database, server):
    sidecar = new_sidecar(EVENT_SOURCE=f"unix:{listener.path}").start()
    first, second, third, fourth = in_parts(stream.lines(NAME), 4)
    with listener.accept() as connection:
        connection.sendall(first)
        until(lambda: database.count("replica_info") > 0, "the first rows are written")
        server.kill()
        connection.sendall(second)
        fails(sidecar)
        server.start()
        connection.sendall(third)
        sidecar.wait_for_record("the store takes rows again")
        server.kill()
        server.start()
        connection.sendall(fourth)
        sidecar.wait_until_written(len(stream.lines(NAME)))
    assert sidecar.stop() == 0
    check(database, expected.rows(stream.events(NAME)))
    assert sidecar.accounts()["dead_lettered"] == 0


def kill(server, connection):
    try:
        server.query(f"KILL {connection}")
    except pymysql.OperationalError:
        pass  # it has just ended by itself


def test_connections_killed_in_mid_stream(new_sidecar, listener, database, server):
    sidecar = new_sidecar(EVENT_SOURCE=f"unix:{listener.path}", BATCH_MAX_ROWS=8).start()
    with listener.accept() as connection:
        for part in in_parts(stream.lines(NAME), 10):
            connection.sendall(part)
            for process in server.query("SHOW PROCESSLIST"):
                if process["User"] == database.user:
                    kill(server, process["Id"])
    sidecar.wait_until_written(len(stream.lines(NAME)))
    assert sidecar.stop() == 0
    check(database, expected.rows(stream.events(NAME)))


def test_frozen_database(new_sidecar, listener, database, server):
    """It keeps its connections open and answers nothing: the time-out is what notices."""
    sidecar = new_sidecar(EVENT_SOURCE=f"unix:{listener.path}", DB_TIMEOUT_MS=1000).start()
    with listener.accept() as connection:
        connection.sendall(b"".join(jobs(3)))
        sidecar.wait_until_written(3)
        server.freeze()
        try:
            connection.sendall(b"".join(jobs(3, version="2")))
            fails(sidecar)
        finally:
            server.thaw()
    sidecar.wait_until_written(6)
    assert {row["version"] for row in database.jobs().values()} == {"2"}
    assert sidecar.stop() == 0


def test_full_outbox_pauses_the_source_and_resumes_it(new_sidecar, listener, database, server):
    server.stop()
    sidecar = new_sidecar(EVENT_SOURCE=f"unix:{listener.path}", OUTBOX_MAX_ROWS=100).start()
    data = memoryview(b"".join(jobs(20000)))
    with listener.accept() as connection:
        connection.setblocking(False)
        sent = 0

        def is_stuck():
            """Sends what goes; true once the producer feels that the sidecar reads no more."""
            nonlocal sent
            try:
                sent += connection.send(data[sent:])
            except BlockingIOError:
                last = sidecar.summary()
                return last and last["source"] == "paused"
            return False

        until(is_stuck, "the producer feels the back-pressure")
        waiting = sidecar.summary()["pending"]
        assert 100 <= waiting < 5000
        assert sent < len(data)
        server.start()
        sidecar.wait_for_record("source resumed")
        connection.settimeout(60)
        connection.sendall(data[sent:])
    sidecar.wait_until_written(20000)
    assert database.count("job_info") == 20000
    assert sidecar.stop() == 0
    assert sidecar.records("source paused: too many rows wait for the database")


def test_term_while_the_database_is_away_says_what_is_left(new_sidecar, listener, server,
                                                           database):
    server.stop()
    sidecar = new_sidecar(EVENT_SOURCE=f"unix:{listener.path}", SHUTDOWN_GRACE_MS=500).start()
    with listener.accept() as connection:
        connection.sendall(b"".join(jobs(7)))
    sidecar.wait_until_received(7)
    assert sidecar.stop() == 1
    assert sidecar.accounts()["pending"] == 7
    assert sidecar.records("rows were lost: neither the database nor a spool took them", rows=7)


def test_second_term_ends_the_grace(new_sidecar, listener, server, database):
    server.stop()
    sidecar = new_sidecar(EVENT_SOURCE=f"unix:{listener.path}", SHUTDOWN_GRACE_MS=600000).start()
    with listener.accept() as connection:
        connection.sendall(b"".join(jobs(7)))
    sidecar.wait_until_received(7)
    sidecar.signal(signal.SIGTERM)
    sidecar.wait_for_record("signal received")
    assert sidecar.poll() is None
    assert sidecar.stop() == 1


def test_end_of_input_waits_for_the_database(new_sidecar, directory, server, database):
    server.stop()
    path = directory / "lines"
    path.write_bytes(b"".join(jobs(7)))
    with open(path, "rb") as stdin:
        sidecar = new_sidecar(EVENT_SOURCE="-").start(stdin=stdin)
    sidecar.wait_for_record("end of the stream: writing what waits")
    fails(sidecar)
    server.start()
    assert sidecar.wait() == 0
    assert database.count("job_info") == 7


def test_wrong_password_until_it_is_right(new_sidecar, listener, database, server):
    sidecar = new_sidecar(EVENT_SOURCE=f"unix:{listener.path}", MYSQL_PASSWORD="what-it-will-be")
    sidecar.start()
    with listener.accept() as connection:
        connection.sendall(b"".join(jobs(7)))
    record = fails(sidecar)[0]
    assert record["class"] == "operator"
    assert "1045" in record["error"]
    assert sidecar.poll() is None
    server.query(f"ALTER USER {database.user}@'%%' IDENTIFIED BY %s", ("what-it-will-be",))
    sidecar.wait_until_written(7)
    assert sidecar.stop() == 0
    assert "what-it-will-be" not in sidecar.log_text()


def test_unknown_database_until_it_is_there(new_sidecar, listener, database, server):
    server.query(f"DROP DATABASE {database.name}")
    sidecar = new_sidecar(EVENT_SOURCE=f"unix:{listener.path}").start()
    with listener.accept() as connection:
        connection.sendall(b"".join(jobs(7)))
    assert "1049" in fails(sidecar)[0]["error"]
    server.query(f"CREATE DATABASE {database.name}")
    sidecar.wait_until_written(7)
    assert sidecar.stop() == 0


def test_read_only_server_until_it_takes_rows(new_sidecar, listener, database, server):
    """As the old primary after a fail-over."""
    sidecar = new_sidecar(EVENT_SOURCE=f"unix:{listener.path}").start()
    with listener.accept() as connection:
        connection.sendall(b"".join(jobs(3)))
        sidecar.wait_until_written(3)
        server.query("SET GLOBAL read_only = 1")
        try:
            connection.sendall(b"".join(jobs(7, version="2")))
            assert fails(sidecar)[0]["class"] == "elsewhere"
        finally:
            server.query("SET GLOBAL read_only = 0")
    sidecar.wait_until_written(10)
    assert {row["version"] for row in database.jobs().values()} == {"2"}
    assert sidecar.stop() == 0


def test_next_host_of_the_list_is_taken(new_sidecar, listener, database, server):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        hosts = f"127.0.0.1:{taken.getsockname()[1]},127.0.0.1:{server.port}"
        sidecar = new_sidecar(EVENT_SOURCE=f"unix:{listener.path}", MYSQL_HOST=hosts,
                              MYSQL_PORT=None).start()
        with listener.accept() as connection:
            connection.sendall(b"".join(jobs(7)))
        sidecar.wait_until_written(7)
        assert sidecar.stop() == 0


def test_row_that_the_database_refuses_is_taken_out_and_the_others_are_written(
        new_sidecar, listener, database):
    sidecar = new_sidecar(EVENT_SOURCE=f"unix:{listener.path}").start()
    with listener.accept() as connection:
        connection.sendall(b"".join(jobs(1)))
        sidecar.wait_until_written(1)
        database.query("ALTER TABLE job_info ADD CONSTRAINT no_bad CHECK (name <> 'bad')")
        bad = [stream.line(events.added(events.job(f"bad-{n}", name="bad"))) for n in range(2)]
        connection.sendall(b"".join([*jobs(40, version="2"), bad[0],
                                     *jobs(80, version="3"), bad[1]]))
        sidecar.wait_until_written(123)
    assert sidecar.stop() == 0
    assert set(database.jobs()) == {f"job-{n}" for n in range(80)}
    assert sidecar.accounts()["dead_lettered"] == 2
    refused = sidecar.records("row refused by the database")
    assert {record["uid"] for record in refused} == {"bad-0", "bad-1"}


def test_table_altered_while_the_stream_runs(new_sidecar, listener, database):
    """Prepared statements outlive a change of the table."""
    sidecar = new_sidecar(EVENT_SOURCE=f"unix:{listener.path}").start()
    with listener.accept() as connection:
        connection.sendall(b"".join(jobs(5)))
        sidecar.wait_until_written(5)
        database.query("ALTER TABLE job_info ADD COLUMN note varchar(20) DEFAULT 'ours'")
        connection.sendall(b"".join(jobs(5, version="2")))
        sidecar.wait_until_written(10)
    assert {(row["version"], row["note"]) for row in database.jobs().values()} == {("2", "ours")}
    assert sidecar.stop() == 0


def test_sidecar_killed_while_the_database_is_frozen(new_sidecar, listener, database, server):
    """What it had not written comes again with the next stream."""
    for turn in range(2):
        sidecar = new_sidecar(EVENT_SOURCE=f"unix:{listener.path}").start()
        with listener.accept() as connection:
            connection.sendall(b"".join(jobs(50)))
            if turn == 0:
                sidecar.wait_until_received(1)
                server.freeze()
                os.kill(sidecar.pid, signal.SIGKILL)
                assert sidecar.wait() == -signal.SIGKILL
                server.thaw()
    sidecar.wait_until_written(50)
    assert sidecar.stop() == 0
    assert database.count("job_info") == 50
