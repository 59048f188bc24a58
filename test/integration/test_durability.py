"""What was acknowledged is never lost, whatever is killed and whenever; the end comes in time."""

import json
import resource
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

import pytest

from harness import events, expected, producer, stream
from harness import sidecar as program
from harness.emitter import Emitter
from harness.spool import assert_balances
from harness.wait import until

NAME = "stream-a"
ROUNDS = 25  # of each kind of trouble
GRACE_MS = 2000


@pytest.fixture
def path(directory):
    return directory / "events.sock"


@pytest.fixture
def spooling(new_sidecar, spool, path):
    """spooling(NAME=value, ...): a sidecar with the spool that listens on `path`, started."""

    def start(**settings):
        return new_sidecar(**{"SPOOL_DIR": spool.directory, "EVENT_SOURCE": f"unix-listen:{path}",
                              "DB_TIMEOUT_MS": 1000, "SHUTDOWN_GRACE_MS": GRACE_MS,
                              **settings}).start()

    return start


@pytest.fixture
def emitter(path):
    instance = Emitter(path)
    yield instance
    if instance.is_alive():
        instance.stop()


def jobs(numbers, version="1"):
    return [stream.line(events.added(events.job(f"job-{n}", version=version))) for n in numbers]


def acks(connection):
    """What is to be read on the connection, as numbers."""
    buffer = b""
    while True:
        *answers, buffer = buffer.split(b"\n")
        for answer in answers:
            yield json.loads(answer)["acked"]
        data = connection.recv(4096)
        if data == b"":
            return
        buffer += data


def wait_for_ack(connection, count):
    for acked in acks(connection):
        assert acked <= count
        if acked == count:
            return
    raise AssertionError("the connection is closed without the acknowledgement")


# Acknowledgements


def test_document_that_finds_no_memory_is_not_acknowledged_and_ends_the_process(spooling, spool, path,
                                                                                 server, database):
    """Nor is what comes after it. The next process takes it."""
    if program.sanitized():
        pytest.skip("a sanitizer has its own idea of memory")
    text = '"' * 3_000_000
    large = stream.line(events.added(events.job("large", annotations={"kubedl.io/tenancy": text})))
    server.stop()
    sidecar = spooling(MAX_DOCUMENT_BYTES="16MiB")
    with producer.connect(path) as connection:
        connection.sendall(b"".join(jobs([1])))
        wait_for_ack(connection, 1)
        statm = Path(f"/proc/{sidecar.pid}/statm").read_text().split()
        # Room for its bytes, which are 6 MB, and not for what is made of them.
        limit = int(statm[0]) * resource.getpagesize() + 3 * len(large)
        resource.prlimit(sidecar.pid, resource.RLIMIT_AS, (limit, limit))
        answers = []
        with suppress(ConnectionError):
            connection.sendall(large + b"".join(jobs([2])))
            answers = list(acks(connection))
        assert answers == []
    assert sidecar.wait() == 1
    assert sidecar.records("document refused", reason="no_memory")
    assert spool.count() == 1
    server.start()
    sidecar = spooling(MAX_DOCUMENT_BYTES="16MiB")
    with producer.connect(path) as connection:
        connection.sendall(large + b"".join(jobs([2])))
        wait_for_ack(connection, 2)
    until(lambda: set(database.jobs()) == {"job-1", "large", "job-2"}, "all is written")
    assert sidecar.stop() == 0


def test_written_documents_are_acknowledged(spooling, spool, path, database):
    sidecar = spooling()
    with producer.connect(path) as connection:
        for n in range(3):
            connection.sendall(b"".join(jobs(range(10 * n, 10 * n + 10))))
            wait_for_ack(connection, 10 * n + 10)
            assert database.count("job_info") + spool.count() >= 10 * n + 10
    assert sidecar.stop() == 0


def test_spooled_documents_are_acknowledged(spooling, spool, path, database, server):
    server.stop()
    sidecar = spooling()
    with producer.connect(path) as connection:
        connection.sendall(b"".join(jobs(range(100))))
        wait_for_ack(connection, 100)
        assert spool.count() == 100
    sidecar.kill()
    assert spool.count() == 100


def test_nothing_is_acknowledged_that_is_only_in_memory(new_sidecar, path, database, server):
    """No spool, no database; then the database comes."""
    server.stop()
    sidecar = new_sidecar(EVENT_SOURCE=f"unix-listen:{path}").start()
    with producer.connect(path) as connection:
        connection.sendall(b"".join(jobs(range(100))))
        sidecar.wait_until_received(100)
        lag = until(lambda: sidecar.summary()["lag_ms"] > 500, "some ticks have passed")
        assert lag
        connection.setblocking(False)
        with pytest.raises(BlockingIOError):
            connection.recv(100)
        connection.settimeout(60)
        server.start()
        wait_for_ack(connection, 100)
    assert database.count("job_info") == 100
    assert sidecar.stop() == 0


def test_documents_that_are_not_recorded_are_acknowledged(spooling, path, database):
    sidecar = spooling()
    with producer.connect(path) as connection:
        connection.sendall(b'{"type":"ADDED"}\nnonsense\n'
                           b'{"type":"BOOKMARK","object":{"kind":"Pod"}}\n')
        wait_for_ack(connection, 3)
    assert sidecar.stop() == 0


def test_producer_that_never_reads_is_served(spooling, path, database):
    sidecar = spooling(LOG_SUMMARY_MS=50)
    with producer.connect(path) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        for version in range(1, 41):
            connection.sendall(b"".join(jobs(range(100), version=str(version))))
            sidecar.wait_until_received(100 * version)
        sidecar.wait_until_written(4000)
    assert sidecar.stop() == 0


# kill -9


def version_of(event):
    return int(event["object"]["metadata"]["resourceVersion"])


def newest_acked(emitter):
    """By (table, uid): the highest version that was acknowledged, of events that become rows."""
    newest = {}
    for one in emitter.lines[:emitter.acked]:
        event = json.loads(one)
        for table, rows in zip(("job_info", "replica_info"), expected.rows([event])):
            for uid in rows:
                key = table, uid
                newest[key] = max(newest.get(key, 0), version_of(event))
    return newest


def assert_none_is_missing(acked, database):
    there = {("job_info", uid): row for uid, row in database.jobs().items()}
    there |= {("replica_info", uid): row for uid, row in database.pods().items()}
    missing = [key for key, version in acked.items()
               if key not in there or int(there[key]["version"]) < version]
    assert not missing, missing


class Up:
    """The database is there all the time."""

    def __init__(self, server, rng):
        self.server, self.rng = server, rng

    def trouble(self):
        pass

    def heal(self):
        pass


class Away(Up):
    """It is not there at all, until the end."""

    def trouble(self):
        if self.server.process is not None:
            self.server.stop()

    def heal(self):
        self.server.ensure_running()


class Flapping(Up):
    """It is frozen and thawed, killed and started."""

    frozen = False

    def trouble(self):
        if self.frozen:
            self.heal()
        elif self.rng.random() < 0.5:
            self.server.freeze()
            self.frozen = True
        elif self.rng.random() < 0.3:
            self.server.kill()
            self.server.start()

    def heal(self):
        if self.frozen:
            self.server.thaw()
            self.frozen = False


@pytest.mark.parametrize("kind", [Up, Away, Flapping])
def test_killed_again_and_again(kind, spooling, spool, emitter, database, server, rng):
    """No acknowledged document is ever missing; and with a producer that sends again what was not
    acknowledged, the tables end true."""
    lines = stream.lines(NAME)
    size = -(-len(lines) // ROUNDS)
    database_state = kind(server, rng)
    emitter.start()
    try:
        for n in range(ROUNDS):
            database_state.trouble()
            begun = time.monotonic()
            sidecar = spooling(LOG_SUMMARY_MS=0)
            emitter.offer(lines[n * size:(n + 1) * size])
            if n == 0:
                emitter.wait_until_acked(1, sidecar)
                usual = time.monotonic() - begun
            else:
                time.sleep(rng.uniform(0, 2 * usual))  # the random moment
            sidecar.kill()
            assert not sidecar.records(level="error"), sidecar.log_tail()
    finally:
        database_state.heal()
    emitter.stop()

    sidecar = spooling(SHUTDOWN_GRACE_MS=60000)
    sidecar.wait_for_record("started")
    assert sidecar.stop() == 0
    assert spool.records() == {}
    assert_none_is_missing(newest_acked(emitter), database)
    assert_balances(sidecar)

    rest = Emitter(emitter.path)
    rest.offer(emitter.lines[emitter.acked:])
    rest.start()
    sidecar = spooling(SHUTDOWN_GRACE_MS=60000)
    sidecar.wait_for_record("started")
    rest.wait_until_acked(len(rest.lines), sidecar)
    rest.stop()
    assert sidecar.stop() == 0
    assert sidecar.records("stopped", pending=0, balanced="yes"), sidecar.log_tail()
    assert_balances(sidecar)
    rows, pods = expected.rows(stream.events(NAME))
    wrong = expected.differences(rows, database.jobs())
    wrong += expected.differences(pods, database.pods())
    assert not wrong, "\n".join(wrong)


def test_killed_while_the_spool_is_read_back(spooling, spool, path, database, server, rng):
    server.stop()
    sidecar = spooling()
    with producer.connect(path) as connection:
        connection.sendall(b"".join(jobs(range(5000))))
        wait_for_ack(connection, 5000)
    sidecar.kill()
    server.start()
    for _ in range(10):
        sidecar = spooling(OUTBOX_MAX_ROWS=1000, BATCH_MAX_ROWS=16)
        time.sleep(rng.uniform(0, 0.2))  # the random moment
        sidecar.kill()
    sidecar = spooling(SHUTDOWN_GRACE_MS=60000)
    sidecar.wait_until_written(5000)
    assert sidecar.stop() == 0
    assert database.count("job_info") == 5000
    assert_balances(sidecar)


# SIGTERM


def assert_ends_in_time(sidecar, begin):
    """Generously, but far below DB_TIMEOUT_MS. A connect that hangs ends at its time-out, which is
    at most ten seconds."""
    assert sidecar.wait() == 0
    assert time.monotonic() - begin < GRACE_MS / 1000 + 20


@pytest.mark.parametrize("trouble", ["stopped", "frozen", "frozen in a statement"])
def test_sigterm_while_the_database_is_away(trouble, spooling, spool, path, database, server):
    sidecar = spooling(DB_TIMEOUT_MS=60000)
    with producer.connect(path) as connection:
        connection.sendall(b"".join(jobs(range(10))))
        wait_for_ack(connection, 10)
        if trouble == "frozen":
            sidecar.kill()
        if trouble == "stopped":
            server.stop()
        else:
            server.freeze()
    try:
        if trouble == "frozen":  # it hangs while it connects
            sidecar = spooling(DB_TIMEOUT_MS=60000)
        with producer.connect(path) as connection:
            connection.sendall(b"".join(jobs(range(100), version="2")))
            wait_for_ack(connection, 100)
        begin = time.monotonic()
        sidecar.signal(signal.SIGTERM)
        assert_ends_in_time(sidecar, begin)
    finally:
        if trouble != "stopped":
            server.thaw()
    assert spool.count() == 100
    assert {rows[-1]["cells"]["version"] for rows in spool.records().values()} == {"2"}
    assert sidecar.accounts()["pending"] == 100
    assert_balances(sidecar)
    server.ensure_running()
    sidecar = spooling(SHUTDOWN_GRACE_MS=60000)
    sidecar.wait_for_record("started")
    assert sidecar.stop() == 0
    assert database.count("job_info", "version = '2'") == 100


def test_second_signal_goes_straight_to_the_spool(spooling, spool, path, database, server):
    server.stop()
    sidecar = spooling(SHUTDOWN_GRACE_MS=600000)
    with producer.connect(path) as connection:
        connection.sendall(b"".join(jobs(range(100))))
        sidecar.wait_until_received(100)
    sidecar.signal(signal.SIGTERM)
    sidecar.wait_for_record("signal received")
    sidecar.signal(signal.SIGTERM)
    assert sidecar.wait() == 0
    assert spool.count() == 100
    assert sidecar.records("rows are left in the spool: they are written after the next start",
                           rows=100)


def test_rows_that_nothing_took_are_said_to_be_lost(new_sidecar, path, database, server):
    """Without a spool, and without a database for the whole of the grace."""
    server.stop()
    sidecar = new_sidecar(EVENT_SOURCE=f"unix-listen:{path}", SHUTDOWN_GRACE_MS=200).start()
    with producer.connect(path) as connection:
        connection.sendall(b"".join(jobs(range(100))))
        sidecar.wait_until_received(100)
    assert sidecar.stop() == 1
    assert sidecar.records("rows were lost: neither the database nor a spool took them", rows=100)
