"""Several sources at once: what two of them show is written once, and each goes on without the other."""

import json

import pytest

from harness import events, producer, stream
from harness.apiserver import KINDS, ApiServer
from harness.producer import Listener
from harness.wait import until
from harness.web import Web
from test_kube import (assert_recorded, finish, job, live_through, pod, recorded_life, wait_for,
                       wait_for_last_versions, wait_until_all_listed)
from test_sweep import closed, mark, swept


@pytest.fixture
def paths(directory):
    """Of the API server and of the event socket."""
    return directory / "proxy.sock", directory / "events.sock"


@pytest.fixture
def api(paths):
    with ApiServer(paths[0]) as server:
        yield server


@pytest.fixture
def both(new_sidecar, paths):
    """both(NAME=value, ...): a sidecar that lists and watches, and listens as well; started. With a CLUSTER_ID no
    stream is begun again because the API server tells the cluster late."""

    def start(**settings):
        return new_sidecar(**{"EVENT_SOURCE": f"kube+unix:{paths[0]},unix-listen:{paths[1]}",
                              "CLUSTER_ID": "blue", **settings}).start()

    return start


def line(kind, thing):
    return stream.line({"type": kind, "object": thing})


def send_all(path, lines):
    """Sends all lines, and waits until they are acknowledged."""
    with producer.connect(path) as connection:
        connection.sendall(b"".join(lines))
        answers = connection.makefile()
        until(lambda: json.loads(answers.readline())["acked"] == len(lines), "all is acknowledged")


def states(web):
    return {source["address"].split(":")[0]: source["state"]
            for source in web.status()["source"]["sources"]}


def watched_up_to(spool):
    """The versions from which the next process goes on, of all resources."""
    notes = spool.query("SELECT text FROM notes WHERE name LIKE 'watched/%'") if spool.path.exists() else []
    return [note["text"].split()[0] for note in notes]


def test_what_both_show_is_written_once(api, both, paths, database, spool):
    """The recorded cluster lives in the API server, and its recorded stream comes through the socket, a part of
    it before a kill and all of it behind that."""
    sidecar = both(SPOOL_DIR=spool.directory)
    wait_until_all_listed(sidecar)
    recorded = recorded_life()
    half = len(recorded) // 2
    lines = [stream.line(event) for event in recorded]
    with producer.connect(paths[1]) as connection:
        connection.sendall(b"".join(lines[:half // 2]))
        live_through(api, recorded[:half])
        api.bookmark()
        reached = recorded[half - 1]["object"]["metadata"]["resourceVersion"]
        until(lambda: watched_up_to(spool) == [reached] * len(KINDS), "all that was watched is safe")
        sidecar.kill()
    sidecar = both(SPOOL_DIR=spool.directory)
    live_through(api, recorded[half:])
    send_all(paths[1], lines)
    wait_for_last_versions(database, sidecar, recorded)
    assert_recorded(database, recorded)
    assert finish(sidecar)["invalid"] == 0
    assert sidecar.records("stopped", pending=0, balanced="yes"), sidecar.log_tail()


def test_a_snapshot_closes_nothing_outside_of_its_scope(api, both, paths, database):
    """The socket shows MPI jobs, which the API server does not, and lags behind in TF jobs."""
    sidecar = both()
    kept = [api.put(job(name)) for name in "abc"]
    wait_for(database, sidecar, {"job-a", "job-b", "job-c"})
    mpi = [events.job(f"mpi-{name}", version="50", kind="MPIJob") for name in "xy"]
    send_all(paths[1], [line("ADDED", thing) for thing in mpi])
    alive = {"job-a", "job-b", "job-c", "mpi-x", "mpi-y"}
    wait_for(database, sidecar, alive)
    # a snapshot of MPI jobs
    send_all(paths[1], [line("ADDED", mpi[0]), mark("MPIJob", 60)])
    swept(sidecar, "MPIJob", 2)
    wait_for(database, sidecar, alive - {"mpi-y"})
    # one of TF jobs that lacks the newest
    api.put(job("d"))
    send_all(paths[1], [*(line("ADDED", thing) for thing in kept), mark("TFJob", 101)])
    swept(sidecar, "TFJob", 2)
    wait_for(database, sidecar, alive - {"mpi-y"} | {"job-d"})
    assert closed(database) == {"mpi-y"}
    assert "versions went back" not in sidecar.log_text()
    finish(sidecar)


def test_each_goes_on_without_the_other(api, both, paths, database):
    sidecar = both(HTTP_LISTEN="127.0.0.1:0")
    web = Web(sidecar)
    wait_for(database, sidecar, set(), set())
    until(lambda: states(web) == {"kube+unix": "open", "unix-listen": "waiting"}, "as it begins")
    assert f"source: unix-listen:{paths[1]}: waiting, 0 connected" in web.get("/readyz?verbose").text
    assert web.metrics()[f'kubedl_shipper_source_info{{source="unix-listen:{paths[1]}",state="waiting"}}'] == 1
    until(lambda: sidecar.records("summary", source="open,waiting"), "the summary says so")
    with api.stopped():
        send_all(paths[1], [line("ADDED", pod("a"))])
        wait_for(database, sidecar, pods={"pod-a"})
    assert states(web) == {"kube+unix": "open", "unix-listen": "open"}
    api.put(pod("b"))
    wait_for(database, sidecar, pods={"pod-a", "pod-b"})
    finish(sidecar)


def test_without_a_list_that_succeeds_it_waits(new_sidecar, paths):
    with ApiServer(paths[0], tokens=["another"]) as api:
        sidecar = new_sidecar(EVENT_SOURCE=f"kube+unix:{paths[0]}", HTTP_LISTEN="127.0.0.1:0").start()
        until(lambda: api.requests, "it is asked")
        web = Web(sidecar)
        assert states(web) == {"kube+unix": "waiting"}
        assert ": waiting, 0 connected" in web.get("/readyz?verbose").text
        until(lambda: sidecar.records("summary", source="waiting"), "the summary says so")
        api.tokens = None
        until(lambda: states(web) == {"kube+unix": "open"}, "a list succeeds")
    finish(sidecar)


def test_an_identity_that_comes_late_has_the_stream_begun_again(api, new_sidecar, paths, database):
    """What the socket has shown before has no cluster, and is shown once more."""
    api.uid, uid = None, api.uid
    with Listener(paths[1]) as listener:
        sidecar = new_sidecar(EVENT_SOURCE=f"kube+unix:{paths[0]},unix:{paths[1]}").start()
        lines = line("ADDED", pod("only-here"))
        with listener.accept() as connection:
            connection.sendall(lines)
            wait_for(database, sidecar, pods={"pod-only-here"})
            assert database.pods()["pod-only-here"]["cluster_id"] is None
            api.uid = uid
            assert connection.recv(1000)  # acknowledged
            until(lambda: sidecar.records("cluster identified"), "the cluster is known")
            with listener.accept() as again:
                again.sendall(lines)
                until(lambda: database.pods()["pod-only-here"]["cluster_id"] == uid, "it has the cluster")
    finish(sidecar)


def test_standard_input_ends_and_the_other_goes_on(new_sidecar, paths, database, directory):
    recorded = directory / "recorded"
    recorded.write_bytes(line("ADDED", pod("a")))
    with recorded.open("rb") as stdin:
        sidecar = new_sidecar(EVENT_SOURCE=f"-,unix-listen:{paths[1]}", HTTP_LISTEN="127.0.0.1:0").start(
            stdin=stdin)
    until(lambda: sidecar.records("a source has ended: the others go on"), "the file is read")
    assert states(Web(sidecar)) == {"-": "ended", "unix-listen": "waiting"}
    send_all(paths[1], [line("ADDED", pod("b"))])
    wait_for(database, sidecar, pods={"pod-a", "pod-b"})
    finish(sidecar)


def test_one_that_cannot_be_opened_stops_the_start(new_sidecar, paths, directory):
    sidecar = new_sidecar(EVENT_SOURCE=f"unix-listen:{paths[1]},unix-listen:{directory}/none/x.sock").start()
    assert sidecar.wait() == 1
    assert "its directory does not exist" in sidecar.log_tail()
    assert not paths[1].exists()
