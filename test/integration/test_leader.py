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


def test_leader_takes_its_own_lock_again(replica, api, database):
    """The connection was cut in the middle: the lock is free, or of a session of its own."""
    leader = replica()
    leader.wait_for_record(LEADS)
    holder = database.query("SELECT ID AS id FROM information_schema.PROCESSLIST WHERE DB = %s"
                            " AND ID = IS_USED_LOCK(CONCAT('kubedl-shipper.leader:', LEFT(SHA2("
                            "CONCAT(%s, '/blue'), 256), 40)))", (database.name, database.name))
    assert len(holder) == 1, "the lock has another name"
    database.query(f"KILL {holder[0]['id']}")
    leader.wait_for_record(
        "cannot look who leads: trying until it works; until then nothing changes")
    until(lambda: [row for row in database.query(
        "SELECT IS_USED_LOCK(CONCAT('kubedl-shipper.leader:', LEFT(SHA2(CONCAT(%s, '/blue'), 256),"
        " 40))) AS id", (database.name,)) if row["id"] not in (None, holder[0]["id"])],
        "it holds the lock again")
    api.add("job-1")
    until(is_alive(database, "job-1"), "it goes on")
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
