"""The mark of a snapshot outlives whatever is killed: it is acknowledged, and the position behind it is
noted, only when what it closes is safe."""

import json
import socket

import pytest

from harness import producer
from harness.apiserver import ApiServer
from harness.wait import until
from test_kube import alive, job as kube_job, pod as kube_pod
from test_sweep import mark, pods

GRACE_MS = 300  # of a stop while the database is away

ENDS = {"killed": lambda sidecar: sidecar.kill(), "stopped": lambda sidecar: sidecar.stop()}


@pytest.fixture(params=ENDS)
def end(request):
    return ENDS[request.param]


@pytest.fixture
def path(directory):
    return directory / "events.sock"


@pytest.fixture(params=["spool", "no spool"])
def sweeping(request, new_sidecar, path, spool):
    """sweeping(NAME=value, ...): a sidecar of cluster `blue` that listens on `path`, started."""

    def start(**settings):
        return new_sidecar(**{"CLUSTER_ID": "blue", "EVENT_SOURCE": f"unix-listen:{path}",
                              "SPOOL_DIR": spool.directory if request.param == "spool" else None,
                              "SHUTDOWN_GRACE_MS": GRACE_MS, "DB_TIMEOUT_MS": 1000,
                              **settings}).start()

    return start


class Producer:
    """Sends a snapshot, and reads what is acknowledged."""

    def __init__(self, path, lines):
        self.lines = lines
        self.acked = 0
        self.unread = b""
        self.connection = producer.connect(path)
        self.connection.sendall(b"".join(lines))

    def read(self, seconds):
        """Reads acknowledgements until all is, or for so long; True if all is."""
        self.connection.settimeout(seconds)
        while self.acked < len(self.lines):
            try:
                data = self.connection.recv(4096)
            except (socket.timeout, ConnectionError):
                break
            if data == b"":
                break
            *answers, self.unread = (self.unread + data).split(b"\n")
            for answer in answers:
                self.acked = json.loads(answer)["acked"]
        return self.acked == len(self.lines)

    def close(self):
        self.connection.close()


def send_until_acked(path, lines):
    sender = Producer(path, lines)
    assert sender.read(60)
    sender.close()


def record(sweeping, path, names):
    """The rows of these pods, by a sidecar that has ended."""
    sidecar = sweeping()
    send_until_acked(path, [*pods(names), mark("Pod", 10)])
    sidecar.wait_until_written(len(names) + 1)
    assert sidecar.stop() == 0


def test_mark_that_waits_for_the_database_is_not_lost(end, sweeping, path, database, server):
    record(sweeping, path, "abc")
    server.stop()
    sidecar = sweeping()
    snapshot = [*pods("a", 11), mark("Pod", 20)]
    sender = Producer(path, snapshot)
    sidecar.wait_until_received(len(snapshot))
    is_acked = sender.read(2)
    end(sidecar)
    sender.close()
    server.start()
    sidecar = sweeping()
    if not is_acked:
        send_until_acked(path, snapshot)
    until(lambda: alive(database.pods()) == {"pod-a"},
          lambda: f"pod-a alone lives:\n{sidecar.log_tail()}")
    sidecar.wait_for_record("started")
    assert sidecar.stop() == 0


def test_mark_that_waited_for_the_database_is_acknowledged(sweeping, path, database, server):
    """A producer that waits for the acknowledgement before it goes on is not held up for ever."""
    record(sweeping, path, "abc")
    server.stop()
    sidecar = sweeping()
    sender = Producer(path, [*pods("a", 11), mark("Pod", 20)])
    sidecar.wait_until_received(2)
    server.start()
    assert sender.read(60)
    assert alive(database.pods()) == {"pod-a"} or sidecar.settings.get("SPOOL_DIR")
    sender.close()
    assert sidecar.stop() == 0
    assert alive(database.pods()) == {"pod-a"}


@pytest.mark.parametrize("times", range(5))
def test_mark_is_swept_when_it_is_acknowledged(times, sweeping, path, database):
    """Killed at the acknowledgement, with the database up."""
    record(sweeping, path, "abc")
    sidecar = sweeping()
    sender = Producer(path, [*pods("a", 11), mark("Pod", 20)])
    assert sender.read(60)
    sidecar.kill()
    sender.close()
    sidecar = sweeping()
    until(lambda: alive(database.pods()) == {"pod-a"},
          lambda: f"pod-a alone lives:\n{sidecar.log_tail()}")
    sidecar.wait_for_record("started")
    assert sidecar.stop() == 0


# List and watch


@pytest.fixture(params=[True, False], ids=["WatchList", "pages"])
def api(request, directory):
    with ApiServer(directory / "proxy.sock", snapshots=request.param) as server:
        yield server


@pytest.fixture
def watching(new_sidecar, api, spool):
    def start(**settings):
        return new_sidecar(**{"EVENT_SOURCE": f"kube+unix:{api.path}", "DB_TIMEOUT_MS": 1000,
                              "SPOOL_DIR": spool.directory, "SHUTDOWN_GRACE_MS": GRACE_MS,
                              **settings}).start()

    return start


def note_of_pods(spool):
    return [row["text"] for row in spool.query("SELECT * FROM notes WHERE name = 'watched/pods'")] \
        if spool.count("notes") else []


def until_noted_or(spool, seconds, noted):
    """Waits until the note is another one; or for so long, since it must not be."""
    try:
        until(lambda: note_of_pods(spool) != noted, "the note changes", seconds)
    except AssertionError:
        pass


def test_list_that_waits_for_the_database_is_made_again(end, api, watching, database, server,
                                                        spool):
    things = {name: api.put(kube_pod(name)) for name in "abc"}
    sidecar = watching()
    until(lambda: alive(database.pods()) == {"pod-a", "pod-b", "pod-c"}, "all are recorded")
    assert sidecar.stop() == 0
    noted = note_of_pods(spool)
    server.stop()
    for name in "bc":
        api.delete(things[name])
    api.compact()
    sidecar = watching()
    sidecar.wait_for_record("listed", resource="pods")
    until_noted_or(spool, 7, noted)
    end(sidecar)
    server.start()
    sidecar = watching()
    until(lambda: alive(database.pods()) == {"pod-a"},
          lambda: f"pod-a alone lives:\n{sidecar.log_tail()}")
    sidecar.wait_for_record("started")
    assert sidecar.stop() == 0


# Kinds that are gone


def test_kind_that_was_removed_while_the_sidecar_was_away(api, watching, database):
    """Its CustomResourceDefinition went, and all objects with it: 404 proves it."""
    for name in "ab":
        api.put(kube_job(name))
    api.put(kube_pod("a"))
    sidecar = watching()
    until(lambda: alive(database.jobs()) == {"job-a", "job-b"}, "all are recorded")
    assert sidecar.stop() == 0
    api.installed.discard("TFJob")
    sidecar = watching()
    until(lambda: alive(database.jobs()) == set(),
          lambda: f"none lives:\n{sidecar.log_tail()}")
    assert sidecar.records("swept", kind="TFJob", closed=2)
    assert not sidecar.records("swept", kind="XDLJob")
    assert alive(database.pods()) == {"pod-a"}
    api.installed.add("TFJob")
    assert sidecar.stop() == 0


def test_brake_holds_for_a_kind_that_was_removed(api, watching, database):
    for number in range(21):
        api.put(kube_job(number))
    sidecar = watching()
    until(lambda: len(alive(database.jobs())) == 21, "all are recorded")
    assert sidecar.stop() == 0
    api.installed.discard("TFJob")
    sidecar = watching()
    until(lambda: [r for r in sidecar.records(level="error", kind="TFJob", vanished=21)],
          sidecar.log_tail)
    assert len(alive(database.jobs())) == 21
    assert sidecar.stop() == 0


# A server that was restored from a backup


@pytest.mark.parametrize("spooled", [True, False], ids=["spool", "no spool"])
def test_server_that_was_set_back_is_believed(spooled, directory, new_sidecar, database, spool):
    """pod-a is as it was in the backup, pod-b is not in it, pod-c was deleted after it."""
    path = directory / "proxy.sock"
    settings = {"EVENT_SOURCE": f"kube+unix:{path}",
                "SPOOL_DIR": spool.directory if spooled else None, "KUBE_SILENCE_MS": 1000}
    with ApiServer(path, version=5000) as api:
        api.put(kube_pod("a", phase="Succeeded"))
        api.put(kube_pod("b"))
        gone = api.put(kube_pod("c"))
        sidecar = new_sidecar(**settings).start()
        until(lambda: alive(database.pods()) == {"pod-a", "pod-b", "pod-c"}, sidecar.log_tail)
        api.delete(gone)
        until(lambda: alive(database.pods()) == {"pod-a", "pod-b"}, sidecar.log_tail)
        assert sidecar.stop() == 0
    path.unlink()
    with ApiServer(path, version=3000) as api:
        api.put(kube_pod("a"))
        api.put(kube_pod("c"))
        sidecar = new_sidecar(**settings).start()
        until(lambda: alive(database.pods()) == {"pod-a", "pod-c"} and
              database.pods()["pod-a"]["status"] == "Running",
              lambda: f"{database.pods()}\n{sidecar.log_tail()}", 15)
        assert [r for r in sidecar.records(level="error", kind="Pod") if "went back" in r["msg"]]
        api.put(kube_pod("c", phase="Failed"))
        until(lambda: database.pods()["pod-c"]["status"] == "Failed", sidecar.log_tail)
        assert sidecar.stop() == 0
        sidecar = new_sidecar(**settings).start()
        api.put(kube_pod("a", phase="Failed"))
        until(lambda: database.pods()["pod-a"]["status"] == "Failed",
              lambda: f"{database.pods()}\n{sidecar.log_tail()}")
        assert sidecar.stop() == 0
