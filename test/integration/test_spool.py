"""The spool: what the database does not take is on disk, whatever happens to the database, the disk
or the file; and all of it is in the tables in the end."""

import json
import resource
import os
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from harness import addresses, events, expected, producer, stream
from harness import sidecar as program
from harness.spool import assert_balances, command
from harness.wait import DEADLINE_SECONDS, until
from harness.web import Web

# About the most that is stored at once.
REQUEST_BYTES = 5 << 20

NAME = "stream-a"
LINES = len(stream.lines(NAME))
AWAY = "the store takes no rows"
PAUSED = "source paused: the spool takes no more"
OUTBOX_FULL = "source paused: too many rows wait for the database"


@pytest.fixture
def path(directory):
    return directory / "events.sock"


@pytest.fixture
def spooling(new_sidecar, spool, path):
    """spooling(NAME=value, ...): a sidecar with the spool that listens on `path`, started."""

    def start(**settings):
        merged = {"SPOOL_DIR": spool.directory, "EVENT_SOURCE": f"unix-listen:{path}",
                  "SHUTDOWN_GRACE_MS": 300, "DB_TIMEOUT_MS": 1000, **settings}
        return new_sidecar(**merged).start()

    return start


def jobs(numbers, version="1", **more):
    return [stream.line(events.added(events.job(f"job-{n}", version=version, **more)))
            for n in numbers]


def send(path, lines):
    """On a connection of their own, to its end."""
    with producer.connect(path) as connection:
        connection.sendall(b"".join(lines))


def check(database, wanted):
    rows, pods = wanted
    wrong = expected.differences(rows, database.jobs())
    wrong += expected.differences(pods, database.pods())
    assert not wrong, "\n".join(wrong)


def holds(spool, wanted):
    """True if the spool has a record of each object that is to have a row."""
    rows, pods = wanted
    return {("job_info", uid) for uid in rows} | {("replica_info", uid) for uid in pods} <= set(
        spool.records())


def drain(spooling, spool):
    """The sidecar's next life, with the database there again: all that is spooled is written. It
    listens once it has read it back."""
    sidecar = spooling(SHUTDOWN_GRACE_MS=60000)
    producer.connect(sidecar.settings["EVENT_SOURCE"].removeprefix("unix-listen:")).close()
    assert sidecar.stop() == 0
    assert sidecar.records("stopped", pending=0, balanced="yes"), sidecar.log_tail()
    assert spool.records() == {}
    assert_balances(sidecar)
    return sidecar


# The database is away, in all the ways there are


@contextmanager
def stopped(server):
    server.stop()
    yield server.port
    server.start()


@contextmanager
def frozen(server):
    server.freeze()
    try:
        yield server.port
    finally:
        server.thaw()


def deaf(_):
    return addresses.deaf()


def mute(_):
    return addresses.mute()


@pytest.mark.parametrize("outage", [stopped, frozen, deaf, mute])
def test_outage_for_the_whole_stream_and_a_restart(outage, spooling, spool, path, database, server):
    """Two lives of the sidecar see the stream and no database; the third has no stream."""
    first, second = stream.lines(NAME)[:LINES // 2], stream.lines(NAME)[LINES // 2:]
    with outage(server) as port:
        for part, received in ((first, len(first)), (second, LINES)):
            sidecar = spooling(MYSQL_PORT=port)
            send(path, part)
            sidecar.wait_until_received(received)
            assert sidecar.stop() == 0
            accounts = sidecar.accounts()
            assert accounts["written"] == 0 and accounts["pending"] > 0
            assert_balances(sidecar)
    wanted = expected.rows(stream.events(NAME))
    assert holds(spool, wanted)
    assert drain(spooling, spool).accounts()["dead_lettered"] == 0
    check(database, wanted)


def test_database_comes_while_the_sidecar_runs(spooling, spool, path, database, server):
    server.stop()
    sidecar = spooling()
    send(path, stream.lines(NAME))
    wanted = expected.rows(stream.events(NAME))
    until(lambda: holds(spool, wanted), "all is in the spool")
    server.start()
    sidecar.wait_until_written(LINES)
    until(lambda: spool.count() == 0, "the spool forgets what is written")
    assert sidecar.stop() == 0
    check(database, wanted)
    assert_balances(sidecar)


def test_rows_that_are_taken_in_time_never_touch_the_disk(spooling, spool, path, database):
    sidecar = spooling()
    sidecar.wait_for_record("connected")
    until(lambda: database.has_table("replica_info"), "the tables are there")
    until(lambda: spool.query("SELECT * FROM sqlite_master WHERE name = 'state'"), "a spool is there")
    spool.query("CREATE TRIGGER spy AFTER INSERT ON records BEGIN"
                " INSERT INTO quarantine (reason) VALUES ('stored'); END")
    for n in range(20):
        send(path, jobs([n]))
        sidecar.wait_until_written(n + 1)
    assert sidecar.stop() == 0
    assert spool.count("quarantine") == 0


def test_without_a_spool_directory_it_says_so_once(new_sidecar, path, database):
    sidecar = new_sidecar(EVENT_SOURCE=f"unix-listen:{path}").start()
    send(path, jobs(range(3)))
    sidecar.wait_until_written(3)
    assert sidecar.stop() == 0
    assert len([r for r in sidecar.records() if "SPOOL_DIR" in r["msg"]]) == 1


def test_attempts_to_connect_are_bounded(spooling, spool, path):
    """Ten seconds of a peer that hangs up on everyone, while events keep coming."""
    attempts = []
    ending = threading.Event()

    def hang_up(listener):
        while not ending.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            attempts.append(time.monotonic())
            connection.close()

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        listener.settimeout(0.1)
        thread = threading.Thread(target=hang_up, args=(listener,), daemon=True)
        thread.start()
        sidecar = spooling(MYSQL_PORT=listener.getsockname()[1])
        with producer.connect(path) as connection:
            until(lambda: attempts, "it tries")
            n = 0
            while time.monotonic() < attempts[0] + 10:
                connection.sendall(b"".join(jobs([n % 50], version=str(n + 1))))
                n += 1
                time.sleep(0.01)
        counted = len(attempts)
        cpu_seconds = sidecar.cpu_seconds()
        sidecar.kill()
        ending.set()
        thread.join()
    # Two lanes, a delay that doubles from 100 ms; each try may be two connections.
    assert 4 <= counted <= 60, (counted, cpu_seconds)


# The disk


def mount(directory, options):
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", directory]
    if os.geteuid() != 0 or subprocess.run(command).returncode != 0:
        pytest.skip("no right to mount a file system here")


@pytest.fixture
def small_disk(spool):
    """The spool's directory is a disk of 40 MiB; fill() takes the room, free() gives it back."""
    mount(spool.directory, "size=40m")
    filler = spool.directory / "filler"

    class Disk:
        @staticmethod
        def fill(but=0):
            """But for so many bytes."""
            disk = os.statvfs(spool.directory)
            with open(filler, "wb") as file:
                os.posix_fallocate(file.fileno(), 0, disk.f_bavail * disk.f_frsize - but)

        @staticmethod
        def free():
            filler.unlink()

        @staticmethod
        def remount(options):
            subprocess.run(["mount", "-o", f"remount,{options}", spool.directory], check=True)

    yield Disk
    subprocess.run(["umount", "-l", spool.directory], check=True)


def fails_to_store(sidecar):
    return sidecar.wait_for_record("the spool can't be used: rows are only in memory")


def send_until_paused(sidecar, path):
    """Sends the same job over and over until the sidecar reads no more."""
    with producer.connect(path) as connection:
        for version in range(1000, 10**9):
            connection.sendall(b"".join(jobs([0], version=str(version))))
            if sidecar.records(PAUSED, full="spool"):
                return
            time.sleep(0.05)


def test_full_disk_from_the_start(spooling, spool, path, database, server, small_disk):
    small_disk.fill()
    server.stop()
    sidecar = spooling()
    send(path, stream.lines(NAME))
    fails_to_store(sidecar)
    send_until_paused(sidecar, path)
    small_disk.free()
    sidecar.wait_for_record("source resumed")
    wanted = expected.rows(stream.events(NAME))
    until(lambda: holds(spool, wanted), "all is in the spool")
    sidecar.kill()
    server.start()
    drain(spooling, spool)
    database.query("DELETE FROM job_info WHERE job_id = 'job-0'")
    check(database, wanted)


def test_check_says_that_nothing_can_be_stored(spooling, spool, path, database, small_disk):
    sidecar = spooling()
    sidecar.wait_for_record("started")
    assert "FAIL" not in command(sidecar, "check").stdout
    assert list(spool.directory.glob(".check*")) == []
    assert sidecar.stop() == 0
    small_disk.fill()
    result = command(sidecar, "check")
    assert result.returncode == 1
    assert [line for line in result.stdout.splitlines() if "FAIL" in line and "spool" in line]
    assert list(spool.directory.glob(".check*")) == []


def test_disk_that_fills_up(spooling, spool, path, database, server, small_disk):
    server.stop()
    sidecar = spooling()
    send(path, jobs(range(100)))
    until(lambda: spool.count() == 100, "the first rows are in the spool")
    small_disk.fill()
    send(path, jobs(range(1, 1000), version="2"))
    send_until_paused(sidecar, path)
    small_disk.free()
    sidecar.wait_for_record("source resumed")
    until(lambda: spool.count() == 1000, lambda: f"all is in the spool:\n{sidecar.log_tail()}")
    sidecar.kill()
    server.start()
    drain(spooling, spool)
    assert database.count("job_info", "version = '2'") == 999
    assert database.count("job_info", "version >= 1000") == 1


def test_limit_on_the_size_of_files_is_a_full_disk(spooling, path, server):
    server.stop()
    sidecar = spooling()
    resource.prlimit(sidecar.pid, resource.RLIMIT_FSIZE, (200000, 200000))
    send(path, jobs(range(2000)))
    fails_to_store(sidecar)
    assert sidecar.poll() is None


def test_full_disk_drains_into_the_database(spooling, spool, path, database, server, small_disk):
    """Forgetting needs some room too: it must find it on a disk that is full."""
    server.stop()
    sidecar = spooling()
    send(path, jobs(range(1000)))
    until(lambda: spool.count() == 1000, "all is in the spool")
    small_disk.fill()
    server.start()
    sidecar.wait_until_written(1000)
    assert sidecar.stop() == 0
    assert database.count("job_info") == 1000
    small_disk.free()
    drain(spooling, spool)
    assert database.count("job_info") == 1000


def test_stop_on_a_disk_that_is_nearly_full(spooling, spool, path, database, server, small_disk):
    """What is kept free for forgetting is used when it comes to the last."""
    server.stop()
    small_disk.fill(but=8 << 20)
    sidecar = spooling()
    send(path, jobs(range(100)))
    sidecar.wait_until_received(100)
    assert sidecar.stop() == 0
    assert spool.count() == 100
    server.start()
    drain(spooling, spool)
    assert database.count("job_info") == 100


def test_read_only_directory_until_it_is_writable(spooling, spool, path, database, server,
                                                  small_disk):
    small_disk.remount("ro")
    server.stop()
    sidecar = spooling()
    send(path, jobs(range(100)))
    sidecar.wait_until_received(100)
    assert "SPOOL_DIR" in fails_to_store(sidecar)["error"]
    small_disk.remount("rw")
    until(lambda: spool.count() == 100, "all is in the spool")
    sidecar.kill()
    server.start()
    drain(spooling, spool)
    assert database.count("job_info") == 100


def test_missing_directory_is_told_and_events_are_taken(spooling, spool, path, database):
    sidecar = spooling(SPOOL_DIR=spool.directory / "nowhere")
    send(path, jobs(range(100)))
    sidecar.wait_until_written(100)
    assert "nowhere" in fails_to_store(sidecar)["error"]
    assert sidecar.stop() == 0


# The file


def spooled(spooling, spool, path, server, count=500):
    """A spool with so many jobs in it, and a sidecar that has ended. The database is away."""
    server.stop()
    sidecar = spooling()
    send(path, jobs(range(count)))
    sidecar.wait_until_received(count)
    assert sidecar.stop() == 0
    assert spool.count() == count
    return sidecar


@pytest.mark.parametrize("damage", ["head", "middle", "short", "text"])
def test_damaged_file_is_set_aside_at_the_start(damage, spooling, spool, path, database, server,
                                                rng):
    spooled(spooling, spool, path, server)
    content = spool.path.read_bytes()
    if damage == "head":
        spool.overwrite(rng.randbytes(100))
    elif damage == "middle":
        spool.overwrite(rng.randbytes(len(content) // 2), at=len(content) // 4)
    elif damage == "short":
        spool.path.write_bytes(content[:len(content) // 2])
    else:
        spool.path.write_text("this is no spool\n" * 1000)
    damaged = spool.path.read_bytes()
    server.start()
    sidecar = spooling()
    record = sidecar.wait_for_record(
        "the spool was damaged: it is set aside, and a new one is begun")
    assert [str(one) for one in spool.set_aside()] == [record["set_aside"]]
    assert spool.set_aside()[0].read_bytes()[4096:] == damaged[4096:]  # but for its head
    assert sidecar.records(GONE, records_missing=500, records_of=500)
    send(path, jobs(range(500), version="2"))
    sidecar.wait_until_written(500)
    assert sidecar.stop() == 0
    assert_balances(sidecar)
    assert database.count("job_info", "version = '2'") == 500


def test_file_that_is_overwritten_while_it_is_used(spooling, spool, path, database, server, rng):
    """Whether SQLite notices or not: what is in memory gets into the database, and the next start
    has a spool."""
    server.stop()
    sidecar = spooling()
    send(path, jobs(range(500)))
    until(lambda: spool.count() == 500, "all is in the spool")
    for name in (spool.path, f"{spool.path}-wal"):
        with open(name, "r+b") as file:
            file.write(rng.randbytes(os.path.getsize(name)))
    send(path, jobs(range(100), version="2"))
    sidecar.wait_until_received(600)
    server.start()
    sidecar.wait_until_written(600)
    assert sidecar.stop() == 0
    assert database.count("job_info") == 500
    assert database.count("job_info", "version = '2'") == 100
    server.stop()
    sidecar = spooling()
    send(path, jobs(range(100), version="3"))
    until(lambda: spool.count() == 100, lambda: f"there is a spool:\n{sidecar.log_tail()}")
    assert sidecar.stop() == 0


@pytest.mark.parametrize("body", ["", "null", "[]", "{", "[{}]", '[{"table":"nothing"}]', "[1]",
                                  '[{"table":"job_info","job_id":7}]', "[" * 5000, "\x00\x01"])
def test_unreadable_record_is_set_aside_and_the_others_are_written(body, spooling, spool, path,
                                                                   database, server):
    spooled(spooling, spool, path, server, count=20)
    spool.query("UPDATE records SET body = ? WHERE uid = 'job-7'", (body,))
    server.start()
    sidecar = drain(spooling, spool)
    record = sidecar.records(
        "a record of the spool can't be read: it is set aside in its quarantine")
    assert [one["uid"] for one in record] == ["job-7"]
    assert [(one["uid"], one["body"]) for one in spool.query("SELECT * FROM quarantine")] == [
        ("job-7", body)]
    assert set(database.jobs()) == {f"job-{n}" for n in range(20) if n != 7}
    assert "quarantined" in command(sidecar, "audit").stdout


def test_second_row_that_is_unreadable_takes_the_first_with_it(spooling, spool, path, database,
                                                               server):
    """Half a record is not written: it would look whole."""
    spooled(spooling, spool, path, server, count=2)
    spool.query("UPDATE records SET body = rtrim(body, ']') || ',7]' WHERE uid = 'job-1'")
    server.start()
    drain(spooling, spool)
    assert set(database.jobs()) == {"job-0"}
    assert spool.count("quarantine") == 1


def flip(path, data):
    """One bit of the first byte of data, in place, as a failing disk would."""
    content = path.read_bytes()
    assert data in content, path
    with open(path, "r+b") as file:
        file.seek(content.index(data))
        file.write(bytes([data[0] ^ 1]))


def test_flipped_bit_in_a_record_makes_no_wrong_row(spooling, spool, path, database, server):
    spooled(spooling, spool, path, server, count=20)
    flip(spool.path, b'job-7"')
    server.start()
    sidecar = drain(spooling, spool)
    record = sidecar.records(
        "a record of the spool can't be read: it is set aside in its quarantine")
    assert [one["uid"] for one in record] == ["job-7"]
    assert "checksum" in record[0]["error"]
    assert set(database.jobs()) == {f"job-{n}" for n in range(20) if n != 7}
    assert spool.count("quarantine") == 1


LAYOUT_1 = """
    CREATE TABLE records (id INTEGER PRIMARY KEY, table_name TEXT NOT NULL, uid TEXT NOT NULL,
        body TEXT NOT NULL, UNIQUE (table_name, uid));
    CREATE TABLE dead_letters (id INTEGER PRIMARY KEY AUTOINCREMENT, at_us INTEGER NOT NULL,
        table_name TEXT NOT NULL, uid TEXT NOT NULL, version TEXT NOT NULL,
        number INTEGER NOT NULL, reason TEXT NOT NULL, body TEXT NOT NULL);
    CREATE TABLE quarantine (id INTEGER PRIMARY KEY AUTOINCREMENT, table_name TEXT, uid TEXT, body,
        reason TEXT);
    CREATE TABLE numbers (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
    CREATE TABLE notes (name TEXT PRIMARY KEY, text TEXT NOT NULL);
    PRAGMA user_version = 1;
"""


@pytest.mark.parametrize("first", ["audit", "sidecar"])
def test_spool_of_an_older_layout_is_read(first, spooling, spool, path, database, server):
    """Without checksums: as a sidecar of that time has left it."""
    sidecar = spooled(spooling, spool, path, server)
    tables = ("records", "numbers")
    kept = {table: spool.query(f"SELECT * FROM {table}") for table in tables}
    spool.path.unlink()
    (spool.directory / "spool.lock").unlink()
    with closing(sqlite3.connect(spool.path)) as connection:
        connection.executescript(LAYOUT_1)
        connection.executemany("INSERT INTO records (table_name, uid, body) VALUES (?, ?, ?)",
                               [(r["table_name"], r["uid"], r["body"]) for r in kept["records"]])
        connection.executemany("INSERT INTO numbers VALUES (?, ?)",
                               [(n["name"], n["value"]) for n in kept["numbers"]])
        connection.commit()
    if first == "audit":
        assert_balances(sidecar)
        # An older program goes on in it.
        spool.query("UPDATE records SET checksum = 7 WHERE uid = 'job-7'")
        spool.query("INSERT INTO records (table_name, uid, body)"
                    " SELECT table_name, uid, replace(body, 'train', 'older') FROM records"
                    " WHERE uid = 'job-7'"
                    " ON CONFLICT (table_name, uid) DO UPDATE SET body = excluded.body")
    server.start()
    sidecar = drain(spooling, spool)
    assert not sidecar.records(GONE)
    assert spool.count("quarantine") == 0
    assert database.count("job_info") == 500


# The files are removed, replaced or overwritten

LOST = "the spool is lost: a new one is begun, and what waits is stored anew"
GONE = ("a part of the spool is gone: objects of which nothing newer comes stay as they are in the "
        "database until they are listed again")


def acknowledged(connection, count):
    """Waits until so many documents of the connection are."""
    data = b""
    while f'{{"acked":{count}}}'.encode() not in data.splitlines():
        data += connection.recv(4096)
        assert data, "closed without the acknowledgement"


def remove_files(spool):
    for one in spool.directory.iterdir():
        one.unlink()


def test_case_16_spool_unlinked(spooling, spool, path, database, server):
    """A cleaner removes the files; what is acknowledged before and after is in the tables."""
    case = stream.DATA / "cases" / "16-spool-unlinked" / "events.ndjson"
    lines = case.read_bytes().splitlines(keepends=True)
    with frozen(server):
        sidecar = spooling()
        with producer.connect(path) as connection:
            connection.sendall(b"".join(lines[:30]))
            acknowledged(connection, 30)
            remove_files(spool)
            connection.sendall(b"".join(lines[30:]))
            acknowledged(connection, len(lines))
            assert "removed" in sidecar.wait_for_record(LOST)["error"]
        assert holds(spool, expected.rows(json.loads(line) for line in lines))
        sidecar.kill()
    drain(spooling, spool)
    check(database, expected.rows(json.loads(line) for line in lines))


def test_files_that_are_removed_while_nothing_comes(spooling, spool, path, database, server):
    """It looks of itself: what was acknowledged before is stored anew."""
    server.stop()
    sidecar = spooling()
    send(path, jobs(range(100)))
    until(lambda: spool.count() == 100, "all is in the spool")
    remove_files(spool)
    sidecar.wait_for_record(LOST)
    until(lambda: spool.count() == 100, "all is in the new one")
    sidecar.kill()
    server.start()
    drain(spooling, spool)
    assert database.count("job_info") == 100


def test_files_that_are_removed_before_all_is_read_back(spooling, spool, path, database, server):
    """What is not in memory yet is saved out of them."""
    spooled(spooling, spool, path, server, count=1000)
    sidecar = spooling(OUTBOX_MAX_ROWS=100)
    sidecar.wait_for_record(OUTBOX_FULL)
    remove_files(spool)
    sidecar.wait_for_record(LOST, rest_lost="")
    until(lambda: spool.count() == 1000, "all is in the new one")
    sidecar.kill()
    server.start()
    drain(spooling, spool)
    assert database.count("job_info") == 1000


@pytest.mark.parametrize("suffix", ["", "-wal"])
def test_file_that_is_overwritten_is_stored_anew(suffix, spooling, spool, path, database, server,
                                                 rng):
    """In place, so that the file is still the same one. SQLite need not notice."""
    server.stop()
    sidecar = spooling()
    send(path, jobs(range(500)))
    until(lambda: spool.count() == 500, "all is in the spool")
    name = f"{spool.path}{suffix}"
    with open(name, "r+b") as file:
        file.write(rng.randbytes(os.path.getsize(name)))
    sidecar.wait_for_record(LOST)
    until(lambda: spool.count() == 500, "all is in the spool again")
    sidecar.kill()
    server.start()
    drain(spooling, spool)
    assert database.count("job_info") == 500


@pytest.mark.parametrize("again", [True, False])
def test_directory_that_is_removed_just_before_the_end(again, spooling, spool, path, database,
                                                       server):
    server.stop()
    sidecar = spooling(SHUTDOWN_GRACE_MS=10)
    send(path, jobs(range(100)))
    until(lambda: spool.count() == 100, "all is in the spool")
    remove_files(spool)
    spool.directory.rmdir()
    if again:
        spool.directory.mkdir()
    status = sidecar.stop()
    if not again:
        assert status == 1 and sidecar.records(
            "rows were lost: neither the database nor a spool took them", rows=100)
        spool.directory.mkdir()
        return
    assert status == 0 and spool.count() == 100
    server.start()
    drain(spooling, spool)
    assert database.count("job_info") == 100


def test_lock_file_that_is_removed_is_taken_again(spooling, spool, path, server):
    server.stop()
    spooling()
    send(path, jobs(range(100)))
    until(lambda: spool.count() == 100, "all is in the spool")
    lock = spool.directory / "spool.lock"
    lock.unlink()
    until(lock.exists, "it is there again")
    second = spooling(EVENT_SOURCE=f"unix-listen:{path}.2")
    assert "another" in fails_to_store(second)["error"]


def test_write_ahead_log_that_is_gone_at_the_start_is_said(spooling, spool, path, database,
                                                           server):
    server.stop()
    sidecar = spooling()
    send(path, jobs(range(100)))
    until(lambda: spool.count() == 100, "all is in the spool")
    sidecar.kill()
    Path(f"{spool.path}-wal").unlink()
    sidecar = spooling(HTTP_LISTEN="127.0.0.1:0")
    record = sidecar.wait_for_record(GONE)
    assert (record["records_missing"], record["records_of"]) == (100, 100)
    assert record["transactions_missing"] > 0
    web = Web(sidecar)
    until(lambda: "kubedl_shipper_spool_lost_records 100\n" in web.get("/metrics").text,
          "the metrics say it, too")
    assert sidecar.stop() == 0
    result = command(sidecar, "audit")
    assert "lost records" in result.stdout


def test_records_that_are_gone_are_said(spooling, spool, path, database, server):
    sidecar = spooled(spooling, spool, path, server, count=20)
    spool.query("DROP TRIGGER record_removed")
    spool.query("DELETE FROM records WHERE uid IN ('job-3', 'job-4')")
    result = command(sidecar, "audit")
    assert result.returncode == 1 and "missing" in result.stdout
    server.start()
    sidecar = spooling()
    record = sidecar.wait_for_record(GONE)
    assert (record["records_missing"], record["records_of"]) == (2, 20)
    assert record["transactions_missing"] == 0


def test_spool_of_a_newer_layout_is_left_alone(spooling, spool, path, database, server):
    sidecar = spooled(spooling, spool, path, server)
    spool.query("PRAGMA user_version = 99")
    before = spool.records()
    server.start()
    sidecar = spooling()
    assert "newer" in fails_to_store(sidecar)["error"]
    send(path, jobs(range(1000, 1100)))
    sidecar.wait_until_written(100)
    result = command(sidecar, "audit")
    assert result.returncode == 1 and "newer" in result.stderr
    assert sidecar.stop() == 0
    assert spool.records() == before
    assert database.count("job_info") == 100


def test_spool_is_taken_over_when_the_one_that_has_it_ends(spooling, spool, path, database,
                                                            server):
    server.stop()
    first = spooling()
    send(path, jobs(range(100)))
    until(lambda: spool.count() == 100, "all is in the spool")
    second = spooling(EVENT_SOURCE=f"unix-listen:{path}.2")
    assert "another" in fails_to_store(second)["error"]
    send(f"{path}.2", jobs(range(50, 150), version="2"))
    second.wait_until_received(100)
    assert first.stop() == 0
    until(lambda: spool.count() == 150, lambda: f"both are in it:\n{second.log_tail()}")
    second.kill()
    server.start()
    drain(spooling, spool)
    assert database.count("job_info") == 150
    assert database.count("job_info", "version = '2'") == 100


def test_more_in_the_spool_than_the_outbox_holds_and_no_database(spooling, spool, path, database,
                                                                 server):
    """It is ready, and paused: nothing is left to do but to wait for the database."""
    spooled(spooling, spool, path, server, count=1000)
    sidecar = spooling(OUTBOX_MAX_ROWS=100, HTTP_LISTEN="127.0.0.1:0")
    web = Web(sidecar)
    until(lambda: web.get("/readyz").status == 200, lambda: f"it is ready:\n{sidecar.log_tail()}")
    with producer.connect(path) as connection:
        connection.sendall(b"".join(jobs(range(100), version="2")))
        sidecar.wait_for_record(OUTBOX_FULL)
        assert "paused" in web.get("/readyz?verbose").text
        assert spool.count() == 1000
        server.start()
        sidecar.wait_for_record("source resumed")
    sidecar.wait_until_written(1100)
    until(lambda: spool.count() == 0, "the spool forgets what is written")
    assert sidecar.stop() == 0
    assert database.count("job_info") == 1000
    assert database.count("job_info", "version = '2'") == 100
    assert_balances(sidecar)


def test_stop_with_more_in_the_spool_than_the_outbox_holds(spooling, spool, path, database, server):
    """With the database there, what is left in the spool is still read back and written."""
    spooled(spooling, spool, path, server, count=1000)
    sidecar = spooling(OUTBOX_MAX_ROWS=100, SHUTDOWN_GRACE_MS=60000)
    sidecar.wait_for_record(OUTBOX_FULL)
    sidecar.signal(signal.SIGTERM)
    server.start()
    assert sidecar.wait() == 0
    assert spool.count() == 0
    assert database.count("job_info") == 1000


def test_newer_record_on_disk_outlives_an_older_row_in_memory(spooling, spool, path, database,
                                                              server):
    """One that gets the spool only when it ends must not put an older state over a newer one."""
    server.stop()
    first = spooling()
    send(path, jobs(range(10), version="2"))
    until(lambda: spool.count() == 10, "all is in the spool")
    second = spooling(EVENT_SOURCE=f"unix-listen:{path}.2")
    send(f"{path}.2", jobs(range(20), version="1"))
    until(lambda: len(second.records("the spool can't be used: rows are only in memory")) > 2,
          "it tries seldom by now")
    assert first.stop() == 0
    second.stop()
    server.start()
    drain(spooling, spool)
    assert database.count("job_info", "version = '2'") == 10


# Bounds


def test_spool_over_its_bound_pauses_the_source(spooling, spool, path, database, server):
    """The producer feels it; once the database is back, nothing is missing."""
    text = "x" * 200
    data = b"".join(jobs(range(20000), labels={"note": text}, namespace=text[:100]))
    sent = 0
    server.stop()
    sidecar = spooling(SPOOL_MAX_BYTES="1MiB")
    with producer.connect(path) as connection:
        connection.setblocking(False)

        def is_blocked():
            nonlocal sent
            try:
                sent += connection.send(data[sent:sent + 65536])
            except BlockingIOError:
                return True
            assert sent < len(data), f"all of it was taken:\n{sidecar.log_tail()}"
            return False

        until(lambda: is_blocked() and sidecar.records(PAUSED, full="spool"),
              lambda: f"the source pauses:\n{sidecar.log_tail()}")
        assert spool.used_bytes() < (1 << 20) + REQUEST_BYTES
        server.start()
        connection.settimeout(DEADLINE_SECONDS)
        connection.sendall(data[sent:])
    sidecar.wait_until_written(20000)
    assert sidecar.stop() == 0
    assert database.count("job_info") == 20000
    assert_balances(sidecar)


def test_spool_that_fills_up_without_a_further_document_pauses_the_source(spooling, path, server):
    server.stop()
    sidecar = spooling(SPOOL_MAX_BYTES="1MiB")
    send(path, jobs(range(4000), namespace="x" * 100))
    sidecar.wait_for_record(PAUSED, full="spool")
    assert sidecar.stop() == 0


def test_spool_holds_more_than_memory_may(spooling, spool, path, database, server):
    """It is read back as room gets free; a stop in the middle of it loses nothing either."""
    spooled(spooling, spool, path, server, count=5000)
    for _ in range(2):
        sidecar = spooling(OUTBOX_MAX_ROWS=500)
        sidecar.wait_for_record("started")
        until(sidecar.summary, "it reads some")
        assert sidecar.stop() == 0
        assert sidecar.records("stopped", received=5000, balanced="yes"), sidecar.log_tail()
        assert spool.count() == 5000
        assert_balances(sidecar)
    server.start()
    sidecar = spooling(OUTBOX_MAX_ROWS=500, BATCH_MAX_ROWS=16)
    until(lambda: 0 < database.count("job_info"), "it writes some")
    assert sidecar.stop() == 0
    assert_balances(sidecar)
    drain(spooling, spool)
    assert database.count("job_info") == 5000


CEILING_KIB = 200 * 1024
OUTAGE_OBJECTS = 100_000


def test_memory_of_an_outage_is_bounded_and_the_spool_shrinks(spooling, spool, path, database,
                                                              server, record_cost):
    """100,000 objects, each of which changes once more, while the database is away."""
    settings = {"OUTBOX_MAX_ROWS": 2 * OUTAGE_OBJECTS, "LOG_SUMMARY_MS": 100}
    server.stop()
    sidecar = spooling(**settings)
    for version in (1, 2):
        send(path, (stream.line(events.added(events.pod(
            f"pod-{n:06}", version=str(version), name=f"train-worker-{n}", phase="Running")))
            for n in range(OUTAGE_OBJECTS)))
    sidecar.wait_until_received(2 * OUTAGE_OBJECTS)
    until(lambda: spool.count() == OUTAGE_OBJECTS, "all is in the spool")
    until(lambda: not spool.query("SELECT 1 FROM records WHERE body NOT LIKE '%\"version\":\"2\"%'"
                                  " LIMIT 1"), "in its newest state")
    full_bytes = spool.disk_bytes()
    sidecar.poll()
    outage_kib = sidecar.peak_kib
    sidecar.kill()
    server.start()
    sidecar = spooling(**settings)
    sidecar.wait_until_written(2 * OUTAGE_OBJECTS)
    until(lambda: spool.disk_bytes() < full_bytes // 20,
          lambda: f"{full_bytes} bytes shrink: {spool.disk_bytes()}")
    sidecar.poll()
    record_cost(f"an outage with {OUTAGE_OBJECTS} objects: peak RSS {outage_kib // 1024} MiB, "
                f"{sidecar.peak_kib // 1024} MiB after a restart "
                f"(ceiling {CEILING_KIB // 1024} MiB); "
                f"spool {full_bytes >> 10} KiB, then {spool.disk_bytes() >> 10} KiB")
    assert sidecar.stop() == 0
    if not program.sanitized():
        assert max(outage_kib, sidecar.peak_kib) < CEILING_KIB
    assert database.count("replica_info", "version = '2'") == OUTAGE_OBJECTS
    assert_balances(sidecar)
