"""Several sidecars on one database: without LEADER all of them write, and the tables are right; with
LEADER=mysql one leads, and another takes over when that one dies, stands still or is stopped."""

import signal
import socket
import threading
import time

import pytest

from harness import events, expected, producer, stream
from harness.stream import line
from harness.wait import until

LEADS = "this sidecar leads: it takes events in"
STANDS_BY = "standing by: another sidecar leads"
YIELDS = "another sidecar leads: stopping, to be started again as a standby"


def mark(kind, version):
    return line({"type": "BOOKMARK", "object": {
        "apiVersion": "v1" if kind == "Pod" else "training.kubedl.io/v1alpha1", "kind": kind,
        "metadata": {"resourceVersion": str(version),
                     "annotations": {"k8s.io/initial-events-end": "true"}}}})


# Without LEADER


@pytest.fixture
def two(new_sidecar, directory):
    """Two sidecars of one cluster, each with a socket of its own, and the sockets."""
    paths = [directory / "a.sock", directory / "b.sock"]
    sidecars = [new_sidecar(CLUSTER_ID="blue", EVENT_SOURCE=f"unix-listen:{path}").start()
                for path in paths]
    return sidecars, paths


def send(path, lines):
    with producer.connect(path) as connection:
        connection.sendall(b"".join(lines))


def at_once(paths, lines):
    senders = [threading.Thread(target=send, args=(path, lines)) for path in paths]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()


def swept(sidecar, times):
    until(lambda: len(sidecar.records("swept")) == times,
          lambda: f"{times} snapshots are swept:\n{sidecar.log_tail()}")


def ends(database):
    """When those that are closed ended, by uid."""
    return {uid: str(row["gmt_job_finished"]) for uid, row in database.jobs().items()
            if row["deleted"]}


def test_both_write_the_same_stream(two, database):
    sidecars, paths = two
    lines = stream.lines("stream-a")
    at_once(paths, lines)
    for sidecar in sidecars:
        sidecar.wait_until_written(len(lines))
        assert sidecar.stop() == 0
        sidecar.accounts()
    jobs, pods = expected.rows(stream.events("stream-a"))
    wrong = expected.differences(jobs, database.jobs())
    wrong += expected.differences(pods, database.pods())
    assert not wrong, "\n".join(wrong)


def test_both_sweep(two, database):
    """What vanished is closed once, and what lives is not, whoever is late."""
    sidecars, paths = two
    first = [line(events.added(events.job(f"job-{n}", version="5"))) for n in range(20)]
    at_once(paths, [*first, mark("TFJob", 10)])
    for sidecar in sidecars:
        swept(sidecar, 1)
    second = [line(events.modified(events.job(f"job-{n}", version="15"))) for n in range(12)]
    send(paths[0], [*second, mark("TFJob", 20)])
    newer = [line(events.modified(events.job("job-0", version="25", conditions=["Running"]))),
             line(events.added(events.job("job-new", version="26")))]
    send(paths[0], newer)
    until(lambda: set(ends(database)) == {f"job-{n}" for n in range(12, 20)}, "they are closed")
    sidecars[0].wait_until_written(36)
    closed = ends(database)
    send(paths[1], [*second, mark("TFJob", 20)])  # the late one does not know what is newer
    swept(sidecars[1], 2)
    for sidecar in sidecars:
        assert sidecar.stop() == 0
        sidecar.accounts()
    rows = database.jobs()
    assert ends(database) == closed
    assert (rows["job-0"]["status"], rows["job-0"]["version"]) == ("Running", "25")
    assert rows["job-new"]["is_in_etcd"] == 1


# With LEADER=mysql


class Api(threading.Thread):
    """A producer that any number of sidecars may connect to: shows all there is, then what comes."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(path))
        self.listener.listen(8)
        self.lock = threading.Lock()
        self.version = 1
        self.jobs = {}
        self.connections = []
        self.connected = 0

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.connected += 1
                shown = [line(events.added(thing)) for thing in self.jobs.values()]
                connection.sendall(b"".join([*shown, mark("TFJob", self.version)]))
                self.connections.append(connection)

    def _tell(self, event):
        for connection in list(self.connections):
            try:
                connection.sendall(line(event))
            except OSError:
                self.connections.remove(connection)

    def add(self, uid):
        with self.lock:
            self.version += 1
            self.jobs[uid] = events.job(uid, version=str(self.version))
            self._tell(events.added(self.jobs[uid]))

    def delete(self, uid):
        with self.lock:
            self.version += 1
            thing = self.jobs.pop(uid)
            thing["metadata"]["resourceVersion"] = str(self.version)
            self._tell(events.deleted(thing))

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            connection.close()


class Relay(threading.Thread):
    """Passes connections on to the server, and can lose them as a network does: only one end is told."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._clients, self._servers = [], []

    def run(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            server = socket.create_connection(("127.0.0.1", self._server_port))
            self._clients.append(client)
            self._servers.append(server)
            for pair in (client, server), (server, client):
                threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    @staticmethod
    def _pass_on(source, target):
        """Until one of them is closed; the other one is not told."""
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass

    def lose_all(self):
        for client in self._clients:
            client.shutdown(socket.SHUT_RDWR)
        self._clients.clear()

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._clients + self._servers:
            one.close()


@pytest.fixture
def relay(server):
    instance = Relay(server.port)
    instance.start()
    yield instance
    instance.close()


@pytest.fixture
def api(directory):
    instance = Api(directory / "api.sock")
    instance.start()
    yield instance
    instance.close()


@pytest.fixture
def replica(new_sidecar, directory, api):
    def start(**settings):
        return new_sidecar(**{"LEADER": "mysql", "CLUSTER_ID": "blue",
                              "EVENT_SOURCE": f"unix:{directory / 'api.sock'}",
                              **settings}).start()

    return start


@pytest.fixture
def pair(replica):
    """(the leader, the standby)"""
    leader = replica()
    leader.wait_for_record(LEADS)
    standby = replica()
    standby.wait_for_record(STANDS_BY)
    return leader, standby


def is_alive(database, *uids):
    return lambda: {uid for uid, row in database.jobs().items() if not row["deleted"]} == set(uids)


def takes_over(standby):
    """Waits for it; returns the seconds."""
    begin = time.monotonic()
    standby.wait_for_record(LEADS)
    return time.monotonic() - begin


def test_only_the_leader_takes_events_in(pair, api, database):
    leader, standby = pair
    api.add("job-1")
    until(is_alive(database, "job-1"), "it is written")
    assert api.connected == 1
    assert not standby.records(LEADS)
    assert (standby.stop(), leader.stop()) == (0, 0)
    leader.accounts()


def test_standby_takes_over_when_the_leader_is_killed(pair, api, database, record_cost):
    leader, standby = pair
    for name in "abc":
        api.add(f"job-{name}")
    until(is_alive(database, "job-a", "job-b", "job-c"), "they are written")
    leader.kill()
    api.delete("job-b")  # nobody sees it
    api.add("job-d")
    record_cost(f"LEADER=mysql: takeover {takes_over(standby):.1f} s after kill -9 of the leader")
    until(is_alive(database, "job-a", "job-c", "job-d"), "what happened meanwhile is written")
    assert standby.stop() == 0


def test_standby_takes_over_at_once_from_a_leader_that_is_stopped(pair, api, database):
    leader, standby = pair
    api.add("job-1")
    until(is_alive(database, "job-1"), "it is written")
    assert leader.stop() == 0
    takes_over(standby)
    api.add("job-2")
    until(is_alive(database, "job-1", "job-2"), "the new leader writes")
    assert standby.stop() == 0


def test_leader_that_stood_still_yields(pair, replica, api, database, record_cost):
    leader, standby = pair
    api.add("job-1")
    until(is_alive(database, "job-1"), "it is written")
    leader.signal(signal.SIGSTOP)
    record_cost(f"LEADER=mysql: takeover {takes_over(standby):.1f} s after SIGSTOP of the leader")
    api.add("job-2")
    api.delete("job-1")
    until(is_alive(database, "job-2"), "the new leader writes")
    leader.signal(signal.SIGCONT)
    assert leader.wait() == 0
    assert leader.records(YIELDS)
    leader.accounts()
    again = replica()
    again.wait_for_record(STANDS_BY)
    assert is_alive(database, "job-2")()
    assert (again.stop(), standby.stop()) == (0, 0)


def test_leader_stays_through_an_outage_and_loses_nothing(replica, api, database, server,
                                                          directory):
    """While nobody can look who leads, the leader goes on: what lives and dies meanwhile is known."""
    leader = replica(SPOOL_DIR=directory / "spool")
    leader.wait_for_record(LEADS)
    api.add("job-1")
    until(is_alive(database, "job-1"), "it is written")
    server.stop()
    leader.wait_for_record("cannot look who leads: trying until it works; until then nothing changes")
    api.add("job-2")
    api.delete("job-2")
    server.start()
    until(lambda: "job-2" in database.jobs(), lambda: f"it is written:\n{leader.log_tail()}")
    assert database.jobs()["job-2"]["deleted"] == 1
    assert api.connected == 1
    assert leader.stop() == 0


def test_one_leads_after_an_outage_of_the_database(pair, api, database, server):
    leader, standby = pair
    api.add("job-1")
    until(is_alive(database, "job-1"), "it is written")
    server.kill()
    api.add("job-2")
    server.start()
    until(is_alive(database, "job-1", "job-2"), "what happened meanwhile is written")
    # Whichever was first: the other one stands by, or ends to be started again.
    until(lambda: leader.poll() == 0 or not standby.records(LEADS), "there is one leader")
    for sidecar in pair:
        if sidecar.poll() is None:
            assert sidecar.stop() == 0


LOCK = "CONCAT('kubedl-shipper.leader:', LEFT(SHA2(CONCAT(DATABASE(), '/blue'), 256), 40))"


def holder(database):
    """The number of the connection that holds the lock; None: nobody does."""
    return database.query(f"SELECT IS_USED_LOCK({LOCK}) AS id")[0]["id"]


def test_leader_takes_its_own_lock_again(replica, api, database):
    """The server has ended the connection: the lock is free."""
    leader = replica()
    leader.wait_for_record(LEADS)
    before = holder(database)
    assert before is not None, "the lock has another name"
    database.query(f"KILL {before}")
    leader.wait_for_record(
        "cannot look who leads: trying until it works; until then nothing changes")
    until(lambda: holder(database) not in (None, before), "it holds the lock again")
    api.add("job-1")
    until(is_alive(database, "job-1"), "it goes on")
    assert api.connected == 1
    assert leader.stop() == 0


def test_leader_does_not_yield_to_its_own_lost_connection(replica, relay, api, database):
    """The network has lost the connection: the server keeps it, and the lock with it, for some seconds."""
    leader = replica(MYSQL_PORT=relay.port)
    leader.wait_for_record(LEADS)
    api.add("job-1")
    until(is_alive(database, "job-1"), "it is written")
    before = holder(database)
    relay.lose_all()
    leader.wait_for_record(
        "cannot look who leads: trying until it works; until then nothing changes")
    assert holder(database) == before
    api.add("job-2")
    until(is_alive(database, "job-1", "job-2"), "it goes on")
    until(lambda: holder(database) not in (None, before), "it holds the lock again", seconds=60)
    assert not leader.records(YIELDS)
    assert api.connected == 1
    assert leader.stop() == 0


def test_clusters_do_not_wait_for_each_other(replica):
    blue, green = replica(), replica(CLUSTER_ID="green")
    for sidecar in (blue, green):
        sidecar.wait_for_record(LEADS)
        assert sidecar.stop() == 0


def test_standby_is_stopped_at_once_also_without_a_database(replica, server):
    server.stop()
    standby = replica()
    standby.wait_for_record(
        "cannot look who leads: trying until it works; until then nothing changes")
    assert standby.stop() == 0
    server.start()


@pytest.mark.parametrize("settings, problem", [
    ({"CLUSTER_ID": None}, "LEADER: needs CLUSTER_ID"),
    ({"EVENT_SOURCE": "unix-listen:/run/kubedl/events.sock"}, "LEADER: a standby opens no source"),
    ({"EVENT_SOURCE": "-"}, "LEADER: a standby opens no source"),
    ({"LEADER": "maybe"}, "LEADER: must be none or mysql"),
])
def test_settings_that_do_not_go_together(settings, problem, replica):
    sidecar = replica(**settings)
    assert sidecar.wait() == 2
    assert problem in sidecar.log_text()
