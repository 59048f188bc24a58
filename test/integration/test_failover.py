"""MYSQL_HOST=a,b: where a is away, hangs, refuses or is demoted the writes go on at b, nothing is
lost, and nobody is asked again and again.

a and b are two servers that know nothing of each other. So what was written before is at a, and
both together hold all."""

import os
import subprocess

import pytest

from harness import addresses, events, producer, stream
from harness import sidecar as program
from harness.server import SERVERS, Database
from harness.wait import until

LANES = 2
NEXT_HOST = "no connection: trying the next host"
WAIT = "the store takes no rows"


@pytest.fixture(scope="module")
def other_server(request):
    instance = SERVERS[request.config.getoption("--server")].new()
    try:
        instance.install()
        instance.start()
        yield instance
    finally:
        instance.close()


@pytest.fixture
def other(other_server, database):
    """The same database, with the same account, at b."""
    other_server.ensure_running()
    instance = Database(other_server, database.name, "utf8mb4")
    other_server.query(f"ALTER USER {database.user}@'%%' IDENTIFIED BY %s", (database.password,))
    yield instance
    other_server.ensure_running()
    instance.drop()


@pytest.fixture
def connection_to(new_sidecar, directory):
    """connection_to(ports, NAME=value, ...): a sidecar whose MYSQL_HOST are these ports, and the
    connection of its producer."""
    opened = []

    def start(ports, **settings):
        listener = producer.Listener(directory / "events.sock")
        opened.append(listener)
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        sidecar = new_sidecar(EVENT_SOURCE=f"unix:{listener.path}", MYSQL_HOST=hosts,
                              MYSQL_PORT=None, DB_TIMEOUT_MS=1000, DB_CONNECTIONS=LANES,
                              **settings).start()
        opened.append(listener.accept())
        return sidecar, opened[-1]

    yield start
    for one in opened:
        one.close()


class Load:
    """Jobs, each with a higher version at every turn, and what must be in the tables in the end."""

    def __init__(self, sidecar, connection, objects=40):
        self.sidecar = sidecar
        self.connection = connection
        self.objects = objects
        self.turns = 0

    def send(self, turns=1):
        for _ in range(turns):
            self.turns += 1
            self.connection.sendall(b"".join(
                stream.line(events.modified(events.job(f"job-{n}", version=str(self.turns))))
                for n in range(self.objects)))

    def wait_until_written(self):
        self.sidecar.wait_until_written(self.turns * self.objects)

    def check(self, *databases):
        """The last version of each object is in one of the databases."""
        found = {}
        for database in databases:
            for uid, row in database.jobs().items():
                found[uid] = max(found.get(uid, 0), int(row["version"]))
        assert found == {f"job-{n}": self.turns for n in range(self.objects)}


def connections(database):
    """The ids of the sidecar's connections to it."""
    return {process["Id"] for process in database.server.query("SHOW PROCESSLIST")
            if process["User"] == database.user}


def newest(database):
    return max((int(row["version"]) for row in database.jobs().values()), default=0)


def test_killed_host_is_left_and_not_taken_again(connection_to, database, server, other):
    sidecar, connection = connection_to([server.port, other.server.port])
    load = Load(sidecar, connection)
    load.send(5)
    load.wait_until_written()
    load.check(database)
    assert other.jobs() == {}
    load.send(5)
    server.kill()
    load.send(5)
    load.wait_until_written()
    server.start()
    load.check(database, other)
    load.send(5)
    load.wait_until_written()
    load.check(other)
    assert connections(database) == set()
    assert len(connections(other)) == LANES
    assert sidecar.stop() == 0
    assert sidecar.accounts()["dead_lettered"] == 0


def test_back_again_after_both_were_killed(connection_to, database, server, other):
    sidecar, connection = connection_to([server.port, other.server.port])
    load = Load(sidecar, connection)
    for host in (server, other.server):
        load.send(3)
        load.wait_until_written()
        host.kill()
    load.send(3)
    sidecar.wait_for_record(WAIT)
    server.start()
    load.wait_until_written()
    load.check(database)
    other.server.start()
    assert 1 <= newest(other) < load.turns
    assert sidecar.stop() == 0


def test_read_only_host_is_left_by_all_lanes(connection_to, database, server, other):
    sidecar, connection = connection_to([server.port, other.server.port])
    load = Load(sidecar, connection)
    load.send()
    load.wait_until_written()
    assert len(connections(database)) == LANES
    server.query("SET GLOBAL read_only = 1")
    try:
        load.send(5)
        load.wait_until_written()
        load.check(other)
        assert newest(database) == 1
        assert connections(database) == set()
        assert len(connections(other)) == LANES
    finally:
        server.query("SET GLOBAL read_only = 0")
    load.send()
    load.wait_until_written()
    load.check(other)
    assert sidecar.stop() == 0
    assert sidecar.records(WAIT) == []


def test_host_that_takes_connections_but_no_writes_is_left(connection_to, database, server, other):
    """Nothing tells before the first write."""
    variable = "tx_read_only" if server.is_mariadb else "transaction_read_only"
    server.query(f"SET GLOBAL {variable} = 1")
    try:
        sidecar, connection = connection_to([server.port, other.server.port])
        load = Load(sidecar, connection)
        load.send()
        load.wait_until_written()
    finally:
        server.query(f"SET GLOBAL {variable} = 0")
    load.check(other)
    assert database.jobs() == {}
    assert sidecar.stop() == 0


def test_host_in_offline_mode_is_left(connection_to, database, server, other):
    if server.is_mariadb:
        pytest.skip("MariaDB has no offline mode")
    sidecar, connection = connection_to([server.port, other.server.port])
    load = Load(sidecar, connection)
    load.send()
    load.wait_until_written()
    server.query("SET GLOBAL offline_mode = 1")
    try:
        load.send(5)
        load.wait_until_written()
        load.check(other)
    finally:
        server.query("SET GLOBAL offline_mode = 0")
    assert sidecar.stop() == 0


def test_frozen_host_is_left(connection_to, database, server, other):
    sidecar, connection = connection_to([server.port, other.server.port])
    load = Load(sidecar, connection)
    load.send()
    load.wait_until_written()
    server.freeze()
    try:
        load.send()
        load.wait_until_written()
        load.check(other)
    finally:
        server.thaw()
    assert sidecar.stop() == 0


def test_lane_with_a_connection_follows_the_one_that_had_to_leave(connection_to, database, server,
                                                                  other):
    """a lets nobody in any more, but keeps those who are in."""
    sidecar, connection = connection_to([server.port, other.server.port])
    load = Load(sidecar, connection)
    load.send()
    load.wait_until_written()
    server.query(f"ALTER USER {database.user}@'%' ACCOUNT LOCK")
    first, second = sorted(connections(database))
    server.query(f"KILL {first}")

    def all_have_left():
        load.send()
        load.wait_until_written()
        return connections(database) == set()

    assert second in connections(database)
    until(all_have_left, lambda: f"the second lane follows:\n{sidecar.log_tail()}")
    load.check(database, other)
    assert len(connections(other)) == LANES
    assert sidecar.stop() == 0
    assert len(sidecar.records("following the other connections to their host")) == 1
    assert sidecar.records(WAIT) == []


@pytest.mark.parametrize("address", [addresses.refusing, addresses.deaf, addresses.mute],
                         ids=lambda address: address.__name__)
def test_the_next_host_is_taken(address, connection_to, database, server):
    with address() as port:
        sidecar, connection = connection_to([port, server.port])
        load = Load(sidecar, connection)
        load.send(5)
        load.wait_until_written()
        load.check(database)
        assert sidecar.stop() == 0
    assert sidecar.records(NEXT_HOST, port=port)
    assert sidecar.records(WAIT) == []


def test_account_that_one_host_refuses(connection_to, database, server, other):
    """As after a demotion that locks the account, or restores an old database."""
    server.query(f"ALTER USER {database.user}@'%' ACCOUNT LOCK")
    sidecar, connection = connection_to([server.port, other.server.port])
    load = Load(sidecar, connection)
    load.send()
    load.wait_until_written()
    load.check(other)
    assert sidecar.stop() == 0


def test_of_many_hosts_the_error_that_a_person_can_put_right_is_told(connection_to, database,
                                                                     server):
    server.query(f"ALTER USER {database.user}@'%' ACCOUNT LOCK")
    with addresses.refusing() as first, addresses.refusing() as last:
        sidecar, connection = connection_to([first, server.port, last])
        load = Load(sidecar, connection)
        load.send()
        record = sidecar.wait_for_record(WAIT)
        assert record["class"] == "operator"
        assert f"port {server.port}" in record["error"]
        server.query(f"ALTER USER {database.user}@'%' ACCOUNT UNLOCK")
        load.wait_until_written()
        assert sidecar.stop() == 0


def test_host_that_hangs_up_is_not_asked_again_while_another_one_works(connection_to, database,
                                                                       server):
    with addresses.Counting() as hanging_up:
        sidecar, connection = connection_to([hanging_up.port, server.port])
        load = Load(sidecar, connection)
        load.send()
        load.wait_until_written()
        until(lambda: len(connections(database)) == LANES, "each lane is connected")
        assert 1 <= hanging_up.accepted <= LANES
        before = hanging_up.accepted
        for _ in range(20):
            load.send()
            load.wait_until_written()
        assert hanging_up.accepted == before
        assert sidecar.stop() == 0
    load.check(database)


def test_each_wait_asks_each_host_once(connection_to, database, server):
    """Nobody is asked in a hot loop: after each round there is a wait, and the waits grow."""
    server.stop()
    with addresses.Counting() as hanging_up:
        sidecar, connection = connection_to([hanging_up.port, server.port])
        load = Load(sidecar, connection)
        load.send()
        until(lambda: all(sidecar.records(WAIT, lane=lane, failures=3) for lane in range(LANES)),
              lambda: f"three failures of each lane:\n{sidecar.log_tail()}")
        server.start()
        load.wait_until_written()
        load.check(database)
        assert sidecar.stop() == 0
    for wait in sidecar.records(WAIT):
        longest = min(30000, 500 * 2 ** (wait["failures"] - 1))
        assert longest // 2 <= wait["retry_in_ms"] <= longest
    failures = sidecar.accounts()["failures"]
    assert failures >= 3 * LANES
    assert failures <= hanging_up.accepted <= failures + LANES


def test_name_that_moves_to_another_address_is_followed(new_sidecar, directory, database, server,
                                                        monkeypatch):
    """As a DNS name does at a fail-over: it is resolved at each connect."""
    names = directory / "hosts"
    names.write_text("127.0.0.1 database.test\n")
    with_names = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]),
                  "sh", "-c", 'mount --bind "$1" /etc/hosts && shift && exec "$@"', "sh", names]
    if subprocess.run([*with_names, "true"]).returncode != 0:
        pytest.skip("no right to give a process its own /etc/hosts here")
    command = program.command()
    monkeypatch.setattr(program, "command", lambda: [*with_names, *command])
    with producer.Listener(directory / "events.sock") as listener:
        sidecar = new_sidecar(EVENT_SOURCE=f"unix:{listener.path}", MYSQL_HOST="database.test",
                              DB_TIMEOUT_MS=1000).start()
        with listener.accept() as connection:
            load = Load(sidecar, connection)
            load.send()
            load.wait_until_written()
            server.kill()
            server.address = "127.0.0.2"
            try:
                server.start()
                load.send()
                sidecar.wait_for_record(WAIT)
                assert newest(database) == 1
                names.write_text("127.0.0.2 database.test\n")
                load.wait_until_written()
                load.check(database)
            finally:
                server.stop()
                server.address = "127.0.0.1"
        assert sidecar.stop() == 0
