"""List and watch as a source: the tables are what the API server has, whatever its answers are like."""

import re
import shutil
import time
from email.utils import formatdate

import pytest

from harness import events, expected, faults, kubeflow, stream
from harness import sidecar as program
from harness.apiserver import KINDS, ApiServer
from harness.certificates import Authority
from harness.probes import Probes
from harness.wait import until
from harness.web import Web
from test_leader import LEADS, STANDS_BY
from test_stream import check_truth

NAME = "stream-a"


@pytest.fixture
def path(directory):
    return directory / "proxy.sock"


@pytest.fixture
def watching(new_sidecar, path):
    """watching(NAME=value, ...): a sidecar that lists and watches the server at `path`, started."""

    def start(**settings):
        return new_sidecar(**{"EVENT_SOURCE": f"kube+unix:{path}", **settings}).start()

    return start


@pytest.fixture(params=[True, False], ids=["WatchList", "list"])
def api(request, path):
    """A server that can begin a watch with all objects, and one that cannot."""
    with ApiServer(path, snapshots=request.param) as server:
        yield server


@pytest.fixture
def old_api(path):
    """A server that knows no WatchList."""
    with ApiServer(path, snapshots=False) as server:
        yield server


def alive(rows):
    return {uid for uid, row in rows.items() if not row["deleted"]}


def wait_for(database, sidecar, jobs=None, pods=None):
    """Waits until these are the uids of the jobs and pods that live."""
    def agrees():
        assert sidecar.poll() is None, sidecar.log_tail()
        return ((jobs is None or alive(database.jobs()) == set(jobs)) and
                (pods is None or alive(database.pods()) == set(pods)))

    until(agrees, lambda: f"jobs {jobs}, pods {pods} live, not {alive(database.jobs())}, "
                          f"{alive(database.pods())}:\n{sidecar.log_tail()}")


def wait_until_watching(api, resource="pods", times=1):
    until(lambda: len(api.watches(resource)) >= times, f"{resource} is watched {times} times")


def snapshots(api):
    """How often all objects were asked for."""
    return len(api.asked("list")) + len(api.asked("snapshot"))


def finish(sidecar):
    assert sidecar.stop() == 0, sidecar.log_tail()
    accounts = sidecar.accounts()
    assert accounts["dead_lettered"] == accounts["cut_lines"] == 0
    return accounts


def job(name, **fields):
    return events.job(f"job-{name}", name=f"job-{name}", **fields)


def pod(name, **fields):
    return events.pod(f"pod-{name}", name=f"pod-{name}", **{"phase": "Running", **fields})


def put_pods(api, names):
    return [api.put(pod(name)) for name in names]


def uids(names):
    return {f"pod-{name}" for name in names}


# What goes well


def test_lists_then_watches(api, watching, database):
    for name in "ab":
        api.put(job(name))
        api.put(pod(name))
    sidecar = watching()
    wait_for(database, sidecar, {"job-a", "job-b"}, {"pod-a", "pod-b"})
    third = api.put(job("c", conditions=("Created", "Running")))
    wait_for(database, sidecar, {"job-a", "job-b", "job-c"})
    assert database.jobs()["job-c"]["status"] == "Running"
    api.delete(third)
    wait_for(database, sidecar, {"job-a", "job-b"}, {"pod-a", "pod-b"})
    assert {row["cluster_id"] for row in database.jobs().values()} == {"kube-system-uid"}
    assert finish(sidecar)["invalid"] == 0


def test_libcurl_is_asked_for_where_it_is_missing(new_sidecar, path, directory):
    (directory / "libcurl.so.4").write_bytes(b"no library")
    sidecar = new_sidecar(EVENT_SOURCE=f"kube+unix:{path}", LD_LIBRARY_PATH=directory).start()
    assert sidecar.wait() == 1
    assert "install libcurl" in sidecar.log_tail()


def test_pages_make_whole_rows(old_api, watching, database):
    """In a list of pods the items do not say what they are; in one of jobs the list says last what it
    is itself."""
    old_api.page = 10
    put_pods(old_api, range(65))
    for number in range(15):
        old_api.put(job(number))
    sidecar = watching()
    wait_for(database, sidecar, {f"job-{n}" for n in range(15)}, uids(range(65)))
    assert (len(old_api.asked("list", "pods")), len(old_api.asked("list", "tfjobs"))) == (7, 2)
    assert sidecar.wait_for_record("listed", resource="pods")["objects"] == 65
    assert sidecar.wait_for_record("listed", resource="tfjobs")["objects"] == 15
    assert finish(sidecar)["invalid"] == 0


def test_lists_may_be_compressed(old_api, watching, database):
    old_api.gzip = True
    put_pods(old_api, range(600))
    sidecar = watching()
    wait_for(database, sidecar, pods=uids(range(600)))
    wait_until_watching(old_api)
    assert old_api.asked("list", "pods")[1].headers["accept-encoding"] == "gzip"
    assert "accept-encoding" not in old_api.asked("watch", "pods")[0].headers
    assert finish(sidecar)["invalid"] == 0


def recorded_life():
    """All that happened in the recorded cluster, in its order."""
    return sorted((e for e in stream.events(NAME) if e["object"]["kind"] in KINDS),
                  key=lambda e: int(e["object"]["metadata"]["resourceVersion"]))


def live_through(api, recorded=None):
    """The recorded cluster lives through its life, or a part of it, in the server."""
    recorded = recorded_life() if recorded is None else recorded
    for event in recorded:
        change = api.delete if event["type"] == "DELETED" else api.put
        change(event["object"], event["object"]["metadata"]["resourceVersion"])
    return recorded


def true_at_the_end(recorded):
    """The jobs and pods that live then, by uid."""
    seen = {stream.uid_of(event) for event in recorded}
    jobs, pods = stream.truth(NAME)
    return ({uid: true for uid, true in jobs.items() if true["exists"] and uid in seen},
            {uid: true for uid, true in pods.items()
             if true["exists"] and uid in seen and true["owner_kind"]})


def assert_last_versions(database, jobs, pods):
    rows = {**database.jobs(), **database.pods()}
    for uid, true in {**jobs, **pods}.items():
        assert rows[uid]["version"] == true["resourceVersion_last_known"]


def assert_recorded(database, recorded):
    jobs, pods = expected.rows(recorded)
    wrong = (expected.differences(jobs, database.jobs()) +
             expected.differences(pods, database.pods()))
    assert not wrong, "\n".join(wrong)
    check_truth(database)


def wait_until_all_listed(sidecar):
    until(lambda: len(sidecar.records("listed")) == len(KINDS),
          lambda: f"all kinds are listed:\n{sidecar.log_tail()}")


def wait_for_last_versions(database, sidecar, recorded):
    """Waits until each row has the version of the last event of its object."""
    last = {stream.uid_of(e): e["object"]["metadata"]["resourceVersion"] for e in recorded}

    def agrees():
        assert sidecar.poll() is None, sidecar.log_tail()
        rows = {**database.jobs(), **database.pods()}
        return rows and all(rows[uid]["version"] == last[uid] for uid in rows)

    sidecar.wait_until_written(len(recorded))
    until(agrees, "the rows are those of the last events")


def test_recorded_cluster(api, watching, database):
    sidecar = watching()
    wait_until_all_listed(sidecar)
    recorded = live_through(api)
    wait_for_last_versions(database, sidecar, recorded)
    assert_recorded(database, recorded)
    assert finish(sidecar)["invalid"] == 0


def by_lines(lines, rng):
    """As chunks came in recordings: of some lines each."""
    while lines:
        count = rng.randrange(1, 5)
        yield b"".join(lines[:count])
        lines = lines[count:]


def by_bytes(lines, rng):
    """As nothing forbids."""
    rest = b"".join(lines)
    while rest:
        count = rng.randrange(1, 20_000)
        yield rest[:count]
        rest = rest[count:]


@pytest.mark.parametrize("cut", [by_lines, by_bytes])
def test_recorded_answers_byte_for_byte(cut, path, watching, database, rng):
    """WatchList as a real API server has sent it, for each resource of one cluster, bookmarks included."""
    said = []
    with ApiServer(path) as api:
        for _, _, resource in KINDS.values():
            name = f"watchlist-a-{resource}"
            said += stream.events(name)
            chunks = cut(stream.lines(name), rng)
            api.fault("snapshot", faults.recorded(chunks, api), resource=resource)
        sidecar = watching()
        sidecar.wait_until_written(sum(event["type"] != "BOOKMARK" for event in said))
        wait_until_all_listed(sidecar)
        assert finish(sidecar)["invalid"] == 0
    assert len(said) > 400
    jobs, pods = expected.rows(event for event in said if event["type"] != "BOOKMARK")
    wrong = (expected.differences(jobs, database.jobs()) +
             expected.differences(pods, database.pods()))
    assert not wrong, "\n".join(wrong)
    true_jobs, true_pods = true_at_the_end(said)
    assert (alive(database.jobs()), alive(database.pods())) == (set(true_jobs), set(true_pods))
    assert_last_versions(database, true_jobs, true_pods)


@pytest.mark.parametrize("fault", ["cut in mid-line", "ends", "odd chunks", "slow start"])
def test_recorded_cluster_over_watches_that_go_wrong(fault, api, watching, database, rng):
    """No event is lost or taken for another one where a watch breaks off and goes on."""
    for name in ("pods", "tfjobs", "pytorchjobs", "mpijobs"):
        for number in range(3):
            answer = {"cut in mid-line": faults.cut_after(rng.randrange(1, 100_000)),
                      "ends": faults.ends_after(rng.randrange(1, 40)),
                      "odd chunks": faults.in_pieces(rng.randrange(200, 5000)),
                      "slow start": faults.PROXY_DOWN}[fault]
            api.fault("watch", answer, resource=name)
            if number == 0:
                api.fault("snapshot", answer, resource=name)
    planned = api.faults_left()
    sidecar = watching()
    recorded = live_through(api)
    jobs, pods = true_at_the_end(recorded)
    wait_for(database, sidecar, jobs, pods)
    assert_last_versions(database, jobs, pods)
    assert api.faults_left() < planned
    assert finish(sidecar)["invalid"] == 0


def test_chunks_may_end_at_every_byte(api, watching, database):
    """A whole short exchange in chunks of one byte each, lists and watches."""
    for what in ("list", "snapshot", "watch"):
        api.fault(what, faults.in_pieces(1), times=100)
    put_pods(api, "ab")
    api.put(job("a"))
    sidecar = watching()
    wait_for(database, sidecar, {"job-a"}, uids("ab"))
    api.put(job("b"))
    api.delete(api.put(pod("b")))
    wait_for(database, sidecar, {"job-a", "job-b"}, uids("a"))
    assert finish(sidecar)["invalid"] == 0


def test_slow_server_is_not_a_silent_one(old_api, watching, database):
    """A list takes longer than KUBE_SILENCE_MS, but something of it always comes."""
    put_pods(old_api, "abc")
    old_api.fault("list", faults.slowly(20, 0.3, old_api), resource="pods")
    sidecar = watching(KUBE_SILENCE_MS=4000)
    wait_for(database, sidecar, pods=uids("abc"))
    wait_until_watching(old_api)
    assert len(old_api.asked("list", "pods")) == 1
    assert finish(sidecar)["invalid"] == 0


# Gaps


def test_gap_is_closed_by_the_events_that_the_server_still_has(api, watching, database):
    kept, gone = put_pods(api, "ab")
    sidecar = watching()
    wait_for(database, sidecar, pods=uids("ab"))
    wait_until_watching(api)
    wait_until_all_listed(sidecar)
    lists = snapshots(api)
    api.fault("watch", faults.PROXY_DOWN, resource="pods")
    api.break_watches()
    api.delete(gone)
    api.delete(api.put(pod("c")))
    api.put(pod("d"))
    wait_for(database, sidecar, pods=uids("ad"))
    assert database.pods()["pod-c"]["deleted"] == 1
    assert snapshots(api) == lists
    assert kept["metadata"]["uid"] == "pod-a"
    finish(sidecar)


def gone_by_event(api):
    """A watch from a version that is forgotten is answered by an event ERROR."""


def gone_by_status(api):
    api.fault("watch", faults.refuses(410, "too old resource version"), resource="pods")


@pytest.mark.parametrize("form", [gone_by_event, gone_by_status])
def test_gap_that_the_server_has_forgotten_is_closed_by_a_list(form, api, watching, database):
    _, gone = put_pods(api, "ab")
    sidecar = watching()
    wait_for(database, sidecar, pods=uids("ab"))
    wait_until_watching(api)
    form(api)
    with api.stopped():
        api.delete(gone)
        api.delete(api.put(pod("c")))
        api.put(pod("d"))
        api.compact()
    wait_for(database, sidecar, pods=uids("ad"))
    assert database.pods()["pod-b"]["status"] == "Stopped"
    assert "pod-c" not in database.pods()
    assert sidecar.records("swept", kind="Pod")[-1]["closed"] == 1
    finish(sidecar)


def test_pages_that_expire_are_listed_anew(old_api, watching, database):
    old_api.page = 2
    pods = put_pods(old_api, "abcde")

    def expire(_, usual):
        old_api.delete(pods[0])
        old_api.put(pod("f"))
        old_api.compact()
        old_api.page = None
        return usual()

    def second_page(request, usual):
        return expire(request, usual) if "continue" in request.query else usual()

    old_api.fault("list", second_page, resource="pods", times=2)
    sidecar = watching()
    wait_for(database, sidecar, pods=uids("bcdef"))
    assert ["limit" in r.query for r in old_api.asked("list", "pods")] == [True, True, False]
    assert sidecar.wait_for_record("listed", resource="pods")["objects"] == 5
    until(lambda: sidecar.records("swept", kind="Pod"), "the list is swept")
    finish(sidecar)


def test_error_event_of_another_sort_is_no_reason_to_list(api, watching, database):
    put_pods(api, "a")
    sidecar = watching()
    wait_for(database, sidecar, pods=uids("a"))
    wait_until_all_listed(sidecar)
    lists = snapshots(api)
    api.error_event("pods", 500, "etcdserver: leader changed")
    api.put(pod("b"))
    wait_for(database, sidecar, pods=uids("ab"))
    assert snapshots(api) == lists
    finish(sidecar)


# Answers that are of no use


@pytest.mark.parametrize("what", ["identify", "discover", "first", "watch"])
@pytest.mark.parametrize("answer, said", [
    (faults.PROXY_DOWN, "connection refused"),
    (faults.HTML, "502 Bad Gateway"),
    (faults.HTML_AS_SUCCESS, ""),
    (faults.refuses(500, "rpc error"), "rpc error"),
    (faults.refuses(503, "apiserver is shutting down"), "shutting down"),
    (faults.cut_after(40), ""),
])
def test_answer_that_is_of_no_use_is_asked_for_again(what, answer, said, old_api, watching,
                                                     database):
    put_pods(old_api, "a")
    old_api.put(job("a"))
    old_api.fault("list" if what == "first" else what, answer)
    sidecar = watching()
    wait_for(database, sidecar, {"job-a"}, uids("a"))
    old_api.put(pod("b"))
    old_api.put(job("b"))
    wait_for(database, sidecar, {"job-a", "job-b"}, uids("ab"))
    assert old_api.faults_left() == 0
    assert not said or any(said in r.get("said", "") for r in sidecar.records()), sidecar.log_tail()
    assert finish(sidecar)["invalid"] == 0


def test_list_that_breaks_off_goes_on(old_api, watching, database):
    """The page is asked for again; nothing is swept for it before it is whole."""
    old_api.page = 3
    put_pods(old_api, "abcde")
    for count in (0, 30, 500, 1500):
        old_api.fault("list", faults.cut_after(count), resource="pods")
    sidecar = watching()
    wait_for(database, sidecar, pods=uids("abcde"))
    assert finish(sidecar)["invalid"] == 0


def test_snapshot_that_breaks_off_is_followed_by_a_list(path, watching, database):
    with ApiServer(path) as api:
        put_pods(api, "abc")
        api.fault("snapshot", faults.cut_after(500), resource="pods")
        sidecar = watching()
        wait_for(database, sidecar, pods=uids("abc"))
        assert len(api.asked("list", "pods")) == 1
        assert finish(sidecar)["invalid"] == 0


def test_busy_server_is_left_alone_for_as_long_as_it_wants(old_api, watching, database):
    times = old_api.times
    put_pods(old_api, "a")
    old_api.fault("list", faults.refuses(429, "storage is (re)initializing", Retry_After=2),
                  resource="pods")
    sidecar = watching()
    wait_for(database, sidecar, pods=uids("a"))
    first, second = times("list", "pods")[:2]
    assert second - first >= 2
    finish(sidecar)


def test_date_to_come_back_at_is_obeyed(old_api, watching, database):
    put_pods(old_api, "a")
    date = formatdate(time.time() + 3, usegmt=True)
    old_api.fault("list", faults.refuses(503, "shutting down", Retry_After=date), resource="pods")
    sidecar = watching()
    wait_for(database, sidecar, pods=uids("a"))
    first, second = old_api.times("list", "pods")[:2]
    assert second - first >= 1.5
    finish(sidecar)


def test_server_that_comes_up_is_not_left_alone(api, watching, database):
    """It refuses in all the ways in which one does that starts; kinds that were there are not given up."""
    api.put(job("a"))
    put_pods(api, "a")
    sidecar = watching(KUBE_DISCOVERY_MS=3600000)
    wait_for(database, sidecar, {"job-a"}, uids("a"))
    wait_until_all_listed(sidecar)
    lists = snapshots(api)
    with api.stopped():
        for refusal in (faults.PROXY_DOWN, faults.refuses(403), faults.NOT_FOUND, faults.NOT_FOUND,
                        faults.refuses(429, Retry_After=1), faults.refuses(503)):
            for resource in ("pods", "tfjobs"):
                api.fault("watch", refusal, resource=resource)
        for resource in range(2):
            api.fault("discover", faults.NOT_FOUND)
        api.put(job("b"))
        api.put(pod("b"))
    wait_for(database, sidecar, {"job-a", "job-b"}, uids("ab"))
    assert snapshots(api) == lists
    finish(sidecar)


def test_missing_rbac_rule_is_named(old_api, watching, database):
    old_api.put(job("a"))
    old_api.put(pod("a"))
    old_api.fault("list", faults.refuses(403, 'pods is forbidden: User "system:anonymous"'),
                  resource="pods")
    old_api.fault("watch", faults.refuses(403, "tfjobs is forbidden"), resource="tfjobs")
    sidecar = watching(KUBE_NAMESPACE="team")
    wait_for(database, sidecar, {"job-a"}, uids("a"))
    old_api.put(job("b"))
    wait_for(database, sidecar, {"job-a", "job-b"})
    message = "forbidden: an RBAC rule is missing"
    assert sidecar.records(message, verb="list", resource="pods", group="", namespace="team")
    assert sidecar.records(message, verb="watch", resource="tfjobs", group="training.kubedl.io")
    finish(sidecar)


def test_kind_that_is_installed_later_is_found(path, watching, database):
    with ApiServer(path, installed=["Pod", "MPIJob"]) as api:
        api.put(job("a", kind="TFJob"))
        api.put(job("b", kind="MPIJob"))
        sidecar = watching(KUBE_DISCOVERY_MS=1000)
        wait_for(database, sidecar, {"job-b"})
        sidecar.wait_for_record("kind not installed: looked for again later", resource="tfjobs")
        assert not api.asked("list", "tfjobs") + api.asked("snapshot", "tfjobs")
        api.installed.add("TFJob")
        wait_for(database, sidecar, {"job-a", "job-b"})
        api.installed.remove("TFJob")
        api.break_watches()
        until(lambda: len(sidecar.records("kind not installed: looked for again later",
                                          resource="tfjobs")) == 2, "it is missed")
        wait_for(database, sidecar, {"job-a", "job-b"})
        finish(sidecar)


@pytest.mark.parametrize("make, version", [(kubeflow.job, "v1"), (kubeflow.mpi_job, "v2beta1")])
def test_kind_is_watched_in_the_version_that_is_served(make, version, path, restarting, database,
                                                       spool):
    """An MPIJob is the training operator's or the MPI operator's, whichever is installed."""
    def mpi_job(uid):
        return make(uid, name=uid, **({"kind": "MPIJob"} if make is kubeflow.job else {}))

    kinds = {"Pod": KINDS["Pod"], "MPIJob": ("kubeflow.org", version, "mpijobs")}
    with ApiServer(path, kinds=kinds) as api:
        gone = api.put(mpi_job("job-a"))
        api.put(kubeflow.mpi_worker("pod-a"))
        sidecar = restarting()
        wait_for(database, sidecar, {"job-a"}, {"pod-a"})
        until(lambda: len(spool.query("SELECT * FROM notes WHERE name LIKE 'watched/%'")) ==
              len(kinds), "all is noted")
        sidecar.wait_for_record("swept", kind="MPIJob", api_group="kubeflow.org")
        sidecar.kill()
        lists = snapshots(api)
        api.delete(gone)
        api.put(mpi_job("job-b"))
        sidecar = restarting()
        wait_for(database, sidecar, {"job-b"}, {"pod-a"})
        assert snapshots(api) == lists
        assert {r.path for r in api.asked("watch", "mpijobs")} == {
            f"/apis/kubeflow.org/{version}/mpijobs"}
        finish(sidecar)


# What is not watched is seen


UNWATCHED = "kubedl_shipper_source_unwatched"


def unwatched(web):
    """What is not watched, by kind and API group, with the reason, as the metrics say; and /status too."""
    said = {}
    for series in web.metrics():
        if series.startswith(UNWATCHED):
            kind, group, reason = re.findall('"([^"]*)"', series)
            said[kind, group] = reason
    return said


def reasons(web):
    """Without the kinds that the cluster does not have."""
    return {kind: reason for kind, reason in unwatched(web).items() if reason != "not_installed"}


def until_all_watched(web):
    until(lambda: not reasons(web) and web.metrics()["kubedl_shipper_source_up"] == 1,
          lambda: f"all is watched, not {reasons(web)}")
    assert web.status()["source"]["streams"] == len(KINDS)


def until_nothing_watched(web, reason):
    until(lambda: web.metrics()["kubedl_shipper_source_up"] == 0, "nothing is watched")
    assert ("Pod", "") in reasons(web) and set(reasons(web).values()) == {reason}
    source = web.status()["source"]
    assert source["streams"] == 0
    assert {"kind": "Pod", "api_group": "", "reason": reason} in source["unwatched"]
    verbose = web.get("/readyz?verbose")
    assert verbose.status == 200 and verbose.text.endswith("ready\n"), "probes do not depend on it"
    assert f"(not watched: Pod: {reason})" in verbose.text
    assert "(taking events in: no, none come: nothing is connected)" in verbose.text


def test_api_server_that_is_away_is_seen(path, watching, database):
    with ApiServer(path) as api:
        put_pods(api, "a")
        sidecar = watching(HTTP_LISTEN="127.0.0.1:0")
        web = Web(sidecar)
        wait_for(database, sidecar, pods=uids("a"))
        until_all_watched(web)
        assert "(taking events in: yes)" in web.get("/readyz?verbose").text
    until_nothing_watched(web, "no_answer")
    path.unlink()
    with ApiServer(path, version=200) as api:
        put_pods(api, "ab")
        wait_for(database, sidecar, pods=uids("ab"))
        until_all_watched(web)
        finish(sidecar)


def test_api_server_that_was_never_there_is_missed(path, watching):
    sidecar = watching(HTTP_LISTEN="127.0.0.1:0")
    web = Web(sidecar)
    record = sidecar.wait_for_record("no answer from the API server")
    assert f"cannot connect to the socket {path}: No such file or directory" in record["error"]
    until(lambda: reasons(web), "it is missed")
    until_nothing_watched(web, "no_answer")


def test_proxy_whose_server_is_away_is_none(api, watching):
    for what in ("identify", "discover", "list", "snapshot", "watch"):
        api.fault(what, faults.PROXY_DOWN, times=1000)
    web = Web(watching(HTTP_LISTEN="127.0.0.1:0"))
    until(lambda: ("Pod", "") in reasons(web) and reasons(web)["Pod", ""] != "not_asked", "it is asked")
    until_nothing_watched(web, "no_answer")


def test_forbidden_kind_is_seen(old_api, watching, database):
    for what in ("list", "watch"):
        old_api.fault(what, faults.refuses(403, "tfjobs is forbidden"), times=1000, resource="tfjobs")
    put_pods(old_api, "a")
    sidecar = watching(HTTP_LISTEN="127.0.0.1:0")
    web = Web(sidecar)
    wait_for(database, sidecar, pods=uids("a"))
    until(lambda: reasons(web) == {("TFJob", "training.kubedl.io"): "forbidden"}, "the others are watched")
    assert web.metrics()["kubedl_shipper_source_up"] == 1
    assert web.status()["source"]["streams"] == len(KINDS) - 1
    assert "(not watched: TFJob of training.kubedl.io: forbidden)" in web.get("/readyz?verbose").text
    assert unwatched(web)["PaddleJob", "kubeflow.org"] == "not_installed"
    old_api.forget_faults()
    until_all_watched(web)
    finish(sidecar)


def test_bad_selector_is_said(old_api, watching):
    message = "unable to parse requirement: found '=', expected: identifier"
    old_api.fault("list", faults.refuses(400, message), times=1000)
    sidecar = watching(KUBE_LABEL_SELECTOR="=x", CLUSTER_ID="selected", HTTP_LISTEN="127.0.0.1:0")
    web = Web(sidecar)
    until(lambda: set(reasons(web).values()) == {"refused"}, "it is refused")
    assert any("KUBE_LABEL_SELECTOR" in r["msg"] and message in r["said"] for r in sidecar.records())


# Silence


def test_watch_that_falls_silent_is_begun_anew(api, watching, database):
    api.fault("watch", faults.silent_after(1, api), resource="pods")
    api.fault("snapshot", faults.silent_after(3, api), resource="pods")
    put_pods(api, "ab")
    sidecar = watching(KUBE_SILENCE_MS=1000)
    wait_for(database, sidecar, pods=uids("ab"))
    api.put(pod("c"))  # the last line that the old server's watch brings, or is lost in the new one's
    api.put(pod("d"))
    wait_for(database, sidecar, pods=uids("abcd"))
    assert sidecar.records(error="nothing came for KUBE_SILENCE_MS", resource="pods")
    finish(sidecar)


def test_silent_watch_goes_on_where_it_was(api, watching, database):
    """Nothing happens, and the server sends no bookmarks: no reason to list."""
    put_pods(api, "ab")
    sidecar = watching(KUBE_SILENCE_MS=1000)
    wait_for(database, sidecar, pods=uids("ab"))
    wait_until_all_listed(sidecar)
    lists = snapshots(api)
    until(lambda: len(api.asked("confirm", "pods")) >= 3, "it was silent for some time")
    gone = api.put(pod("c"))
    wait_for(database, sidecar, pods=uids("abc"))
    api.delete(gone)
    wait_for(database, sidecar, pods=uids("ab"))
    assert snapshots(api) == lists
    assert len(sidecar.records("swept", kind="Pod")) == 1
    assert finish(sidecar)["invalid"] == 0


@pytest.mark.parametrize("answer", [faults.PROXY_DOWN, faults.cut_after(40), faults.HTML_AS_SUCCESS,
                                    faults.refuses(429, Retry_After=1)])
def test_silence_that_is_not_explained_at_once(answer, api, watching, database):
    put_pods(api, "a")
    api.fault("confirm", answer, resource="pods")
    sidecar = watching(KUBE_SILENCE_MS=1000)
    wait_for(database, sidecar, pods=uids("a"))
    wait_until_all_listed(sidecar)
    lists = snapshots(api)
    until(lambda: len(api.asked("confirm", "pods")) >= 3, "it is asked again")
    api.put(pod("b"))
    wait_for(database, sidecar, pods=uids("ab"))
    assert snapshots(api) == lists
    assert finish(sidecar)["invalid"] == 0


def test_version_that_the_server_has_not_reached_is_not_waited_for(spool, path, watching, database):
    """It was set back, from a backup say: a watch of a version to come is silent for ever."""
    with ApiServer(path) as api:
        put_pods(api, "ab")
        sidecar = watching(SPOOL_DIR=spool.directory)
        wait_for(database, sidecar, pods=uids("ab"))
        assert sidecar.stop() == 0
    path.unlink()
    with ApiServer(path, version=50) as api:
        api.put(pod("a"))
        api.put(pod("c"))
        sidecar = watching(SPOOL_DIR=spool.directory, KUBE_SILENCE_MS=1000)
        sidecar.wait_for_record("listed", resource="pods")
        until(lambda: "pod-c" in database.pods(), "the new pod is there")
        finish(sidecar)


def test_answer_that_never_comes_is_given_up(path, watching, database):
    with ApiServer(path) as api:
        put_pods(api, "a")
        for what in ("identify", "snapshot"):
            api.fault(what, lambda *_: api.wait_until_closed())
        sidecar = watching(KUBE_SILENCE_MS=1000)
        wait_for(database, sidecar, pods=uids("a"))
        finish(sidecar)


# Restarts


@pytest.fixture
def restarting(watching, spool):
    return lambda **settings: watching(SPOOL_DIR=spool.directory, **settings)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_restart_goes_on_without_a_list(end, api, restarting, database, spool):
    _, gone = put_pods(api, "ab")
    sidecar = restarting()
    wait_for(database, sidecar, pods=uids("ab"))
    wait_until_all_listed(sidecar)
    until(lambda: len(spool.query("SELECT * FROM notes WHERE name LIKE 'watched/%'")) ==
          len(KINDS), "all is noted")
    getattr(sidecar, end)()
    lists = snapshots(api)
    api.delete(gone)
    api.put(pod("c"))
    sidecar = restarting()
    wait_for(database, sidecar, pods=uids("ac"))
    assert snapshots(api) == lists
    assert not sidecar.records("listed")
    finish(sidecar)


def test_restart_without_the_spool_lists_exactly(api, restarting, database, spool):
    _, gone = put_pods(api, "ab")
    sidecar = restarting()
    wait_for(database, sidecar, pods=uids("ab"))
    assert sidecar.stop() == 0
    shutil.rmtree(spool.directory)
    spool.directory.mkdir()
    api.delete(gone)
    api.delete(api.put(pod("c")))
    api.put(pod("d"))
    sidecar = restarting()
    wait_for(database, sidecar, pods=uids("ad"))
    assert "pod-c" not in database.pods()
    finish(sidecar)


def test_restart_after_all_was_forgotten_lists_exactly(api, restarting, database):
    _, gone = put_pods(api, "ab")
    sidecar = restarting()
    wait_for(database, sidecar, pods=uids("ab"))
    assert sidecar.stop() == 0
    api.delete(gone)
    api.put(pod("d"))
    api.compact()
    sidecar = restarting()
    wait_for(database, sidecar, pods=uids("ad"))
    finish(sidecar)


def test_note_of_another_cluster_is_not_used(path, restarting, database):
    for number, uid in enumerate(("first", "second")):
        with ApiServer(path, uid=uid) as api:
            put_pods(api, [number])
            sidecar = restarting()
            sidecar.wait_for_record("listed", resource="pods")
            until(lambda: f"pod-{number}" in database.pods(), "its pod is there")
            finish(sidecar)
        path.unlink()
    assert {r["cluster_id"] for r in database.pods().values()} == {"first", "second"}
    assert alive(database.pods()) == uids([0, 1])


def test_note_of_other_objects_is_not_used(api, restarting, database):
    api.put(pod("a", namespace="team"))
    api.put(pod("b", namespace="other"))
    sidecar = restarting(KUBE_NAMESPACE="team")
    wait_for(database, sidecar, pods=uids("a"))
    assert sidecar.stop() == 0
    sidecar = restarting()
    wait_for(database, sidecar, pods=uids("ab"))
    finish(sidecar)


# Two replicas


@pytest.mark.parametrize("unseen", [0, 300])
def test_standby_takes_over_from_a_leader_that_is_killed(unseen, api, watching, database, rng):
    """While the leader works; unseen: changes that nobody watches, some of them deletions."""
    recorded = recorded_life()
    moment = rng.randrange(100, len(recorded) - 400)
    settings = {"LEADER": "mysql", "CLUSTER_ID": "blue"}
    leader = watching(**settings)
    leader.wait_for_record(LEADS)
    standby = watching(**settings)
    standby.wait_for_record(STANDS_BY)
    wait_until_watching(api)
    live_through(api, recorded[:moment])
    leader.kill()
    live_through(api, recorded[moment:moment + unseen])
    standby.wait_for_record(LEADS)
    live_through(api, recorded[moment + unseen:])
    jobs, pods = true_at_the_end(recorded)
    wait_for(database, standby, jobs, pods)
    assert_last_versions(database, jobs, pods)
    assert database.count("job_info") == len(database.jobs())
    assert database.count("replica_info") == len(database.pods())
    assert finish(standby)["invalid"] == 0


def test_standby_says_that_it_takes_nothing_in(api, watching):
    settings = {"LEADER": "mysql", "CLUSTER_ID": "blue", "HTTP_LISTEN": "127.0.0.1:0"}
    leader = watching(**settings)
    leader.wait_for_record(LEADS)
    standby = watching(**settings)
    standby.wait_for_record(STANDS_BY)
    wait_until_watching(api)
    web = Web(standby)
    verbose = web.get("/readyz?verbose")
    assert verbose.status == 200
    assert "(taking events in: no, another sidecar does)" in verbose.text
    assert not unwatched(web) and not web.status()["source"]["unwatched"]
    assert "(taking events in: yes)" in Web(leader).get("/readyz?verbose").text


# Which objects


def test_namespace_is_listed_and_swept_alone(api, watching, database):
    other, own = api.put(pod("a", namespace="other")), api.put(pod("b", namespace="team"))
    sidecar = watching()
    wait_for(database, sidecar, pods=uids("ab"))
    assert sidecar.stop() == 0
    api.delete(own)
    api.delete(other)
    api.put(pod("c", namespace="team"))
    sidecar = watching(KUBE_NAMESPACE="team")
    wait_for(database, sidecar, pods=uids("ac"))
    until(lambda: sidecar.records("swept", kind="Pod"), "it is swept")
    assert alive(database.pods()) == uids("ac")
    finish(sidecar)


def test_namespace_that_does_not_exist_is_said(api, watching, database):
    sidecar = watching(KUBE_NAMESPACE="team", CLUSTER_ID="blue")
    record = sidecar.wait_for_record(
        "KUBE_NAMESPACE names a namespace that does not exist: nothing is recorded until it is made; "
        "or correct the setting")
    assert record["name"] == "team" and record["said"] == 'namespaces "team" not found'
    api.put(pod("a", namespace="team"))
    wait_for(database, sidecar, pods=uids("a"))
    finish(sidecar)


def test_label_selector(api, watching, database):
    labels = {"group-name": "training.kubedl.io", "replica-type": "worker"}
    api.put(pod("a", labels={**labels, "app": "x"}))
    api.put(pod("b", labels=labels))
    sidecar = watching(KUBE_LABEL_SELECTOR="app=x", CLUSTER_ID="selected")
    wait_for(database, sidecar, pods=uids("a"))
    api.put(pod("c", labels={**labels, "app": "x"}))
    wait_for(database, sidecar, pods=uids("ac"))
    assert database.pods()["pod-a"]["cluster_id"] == "selected"
    finish(sidecar)


def test_cluster_that_may_not_be_identified_is_shipped_all_the_same(path, watching, database):
    with ApiServer(path, uid=None) as api:
        put_pods(api, "a")
        sidecar = watching()
        wait_for(database, sidecar, pods=uids("a"))
        assert database.pods()["pod-a"]["cluster_id"] is None
        assert sidecar.records(verb="get", resource="namespaces", status=403)
        finish(sidecar)


def refused_at_first(api, times=2):
    """As an API server does while it starts, before it knows its roles."""
    api.fault("identify", faults.refuses(403, 'namespaces "kube-system" is forbidden'), times=times)


def wait_until_identified(sidecar):
    assert sidecar.wait_for_record("cluster identified")["cluster_id"] == "kube-system-uid"


def test_cluster_that_is_identified_late_is_swept_from_then_on(api, watching, database):
    refused_at_first(api)
    gone = api.put(pod("a"))
    api.put(job("a"))
    sidecar = watching()
    wait_for(database, sidecar, {"job-a"}, uids("a"))
    wait_until_identified(sidecar)
    until(lambda: {r["cluster_id"] for r in [*database.pods().values(), *database.jobs().values()]}
          == {"kube-system-uid"}, "what was recorded before belongs to the cluster")
    with api.stopped():
        api.delete(gone)
        api.compact()
        api.put(pod("b"))
    wait_for(database, sidecar, {"job-a"}, uids("b"))
    finish(sidecar)


def test_kinds_of_a_server_that_starts_are_waited_for(api, watching, database):
    """It refuses to say who it is, and has not found its custom resources yet."""
    refused_at_first(api)
    api.fault("discover", faults.NOT_FOUND, times=20)
    api.put(job("a"))
    sidecar = watching(KUBE_DISCOVERY_MS=3600000)
    wait_for(database, sidecar, {"job-a"})
    assert not sidecar.records("kind not installed: looked for again later", resource="tfjobs",
                               group="training.kubedl.io")
    finish(sidecar)


def test_what_vanished_before_a_late_identification_is_closed(api, watching, database):
    """Rows of this cluster, whose first list says nothing about them yet."""
    gone, _ = put_pods(api, "ab")
    sidecar = watching()
    wait_for(database, sidecar, pods=uids("ab"))
    finish(sidecar)
    api.delete(gone)
    refused_at_first(api)
    sidecar = watching()
    wait_for(database, sidecar, pods=uids("b"))
    finish(sidecar)


def test_nothing_is_missed_while_all_is_shown_again(api, watching, database):
    """What is deleted just then has a row without cluster, which no list closes."""
    api.uid = None
    gone, _ = put_pods(api, "ab")
    sidecar = watching()
    wait_for(database, sidecar, pods=uids("ab"))
    wait_until_watching(api)

    def delete(_, usual):
        if "pod-a" in api.uids("pods"):
            api.delete(gone)
        return usual()

    api.fault("list", delete, resource="pods", times=10)
    api.fault("snapshot", delete, resource="pods", times=10)
    api.uid = "kube-system-uid"
    wait_until_identified(sidecar)
    wait_for(database, sidecar, pods=uids("b"))
    finish(sidecar)


def test_nothing_is_swept_for_a_cluster_that_is_not_known(api, watching, database):
    api.uid = None
    gone, _ = put_pods(api, "ab")
    sidecar = watching()
    wait_for(database, sidecar, pods=uids("ab"))
    wait_until_watching(api)
    with api.stopped():
        api.delete(gone)
        api.compact()
        api.put(pod("c"))
    wait_for(database, sidecar, pods=uids("abc"))
    assert not sidecar.records("swept")
    finish(sidecar)


def test_cluster_id_that_is_set_needs_no_identification(path, watching, database):
    with ApiServer(path, uid=None) as api:
        put_pods(api, "a")
        sidecar = watching(CLUSTER_ID="blue")
        wait_for(database, sidecar, pods=uids("a"))
        assert database.pods()["pod-a"]["cluster_id"] == "blue"
        assert not sidecar.records(resource="namespaces", level="warn")
        assert len(api.asked("identify")) == 1
        finish(sidecar)


# In the cluster: TLS and a token


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"), "cluster")


@pytest.fixture
def account(directory, authority):
    """The directory that the kubelet mounts into each pod."""
    path = directory / "serviceaccount"
    path.mkdir()
    shutil.copy(authority.cert, path / "ca.crt")
    (path / "token").write_text("first-token")
    return path


@pytest.fixture
def new_secure_api(authority):
    servers = []

    def new(certificate=None, **settings):
        certificate = certificate or authority.issue("kubernetes", "DNS:kubernetes,IP:127.0.0.1")
        servers.append(ApiServer(certificate=certificate.cert, key=certificate.key,
                                 tokens=["first-token"], **settings))
        return servers[-1]

    yield new
    for server in servers:
        server.close()


@pytest.fixture
def in_cluster(new_sidecar, account):
    def start(api, **settings):
        return new_sidecar(**{"EVENT_SOURCE": "kube:", "KUBE_SERVICE_ACCOUNT": account,
                              "KUBERNETES_SERVICE_HOST": "127.0.0.1",
                              "KUBERNETES_SERVICE_PORT": api.port, **settings}).start()

    return start


def test_in_the_cluster(new_secure_api, in_cluster, database):
    api = new_secure_api()
    put_pods(api, "a")
    sidecar = in_cluster(api)
    wait_for(database, sidecar, pods=uids("a"))
    api.put(pod("b"))
    wait_for(database, sidecar, pods=uids("ab"))
    assert "first-token" not in sidecar.log_text()
    finish(sidecar)


def test_token_is_replaced(new_secure_api, in_cluster, account, database):
    api = new_secure_api()
    put_pods(api, "a")
    sidecar = in_cluster(api)
    wait_for(database, sidecar, pods=uids("a"))
    wait_until_watching(api)
    api.tokens[:] = ["second-token"]
    with api.stopped():
        api.put(pod("b"))
    sidecar.wait_for_record("the API server does not accept the token")
    (account / "token").write_text("second-token\n")
    wait_for(database, sidecar, pods=uids("ab"))
    assert "second-token" not in sidecar.log_text()
    finish(sidecar)


def test_token_that_is_missing_is_waited_for(new_secure_api, in_cluster, account, database):
    api = new_secure_api()
    put_pods(api, "a")
    (account / "token").unlink()
    sidecar = in_cluster(api)
    until(lambda: any("cannot read the service account's token" in r.get("error", "")
                      for r in sidecar.records()), "it is missed")
    (account / "token").write_text("no token\nat all")
    until(lambda: any("does not hold a token" in r.get("error", "")
                      for r in sidecar.records()), "it is looked at")
    assert not api.requests
    (account / "token").write_text("first-token")
    wait_for(database, sidecar, pods=uids("a"))
    finish(sidecar)


def test_token_that_is_refused_is_seen(new_secure_api, in_cluster, account):
    api = new_secure_api()
    (account / "token").write_text("wrong-token")
    web = Web(in_cluster(api, HTTP_LISTEN="127.0.0.1:0"))
    until(lambda: "unauthorized" in reasons(web).values(), "it is refused")
    until_nothing_watched(web, "unauthorized")


@pytest.mark.parametrize("wrong", ["another authority", "another name", "expired", "no ca.crt"])
def test_server_that_cannot_prove_itself_gets_nothing(wrong, new_secure_api, in_cluster, account,
                                                      authority, directory):
    certificate = {
        "another authority": lambda: Authority(directory, "other").issue("x", "IP:127.0.0.1"),
        "another name": lambda: authority.issue("other", "DNS:other.example"),
        "expired": lambda: authority.issue("expired", "IP:127.0.0.1", days=-1),
        "no ca.crt": lambda: None,
    }[wrong]()
    if wrong == "no ca.crt":
        (account / "ca.crt").unlink()
    api = new_secure_api(certificate)
    sidecar = in_cluster(api, HTTP_LISTEN="127.0.0.1:0")
    until(lambda: len(sidecar.records("no answer from the API server", resource="namespaces")) >= 2,
          lambda: f"it is refused twice:\n{sidecar.log_tail()}")
    until_nothing_watched(Web(sidecar), "no_answer")
    assert not api.requests
    assert sidecar.stop() == 0


# Size


def test_lines_of_nine_megabytes(api, watching, database, record_cost):
    """Pods are stored as protobuf: a < is one byte of the bound there, and six of the line."""
    def large_pods(names):
        for name in names:
            api.put(pod(name, annotations={"x": "<" * 1_500_000}))

    large_pods("abcd")
    sidecar = watching(HTTP_LISTEN="127.0.0.1:0")
    with Probes(Web(sidecar).port) as probes:
        wait_for(database, sidecar, pods=uids("abcd"))
        large_pods("efgh")
        api.put(pod("i"))
        wait_for(database, sidecar, pods=uids("abcdefghi"))
    record_cost(f"8 pods of 9 MB by {'WatchList' if api.snapshots else 'pages'}: {probes}")
    finish(sidecar)


def test_object_over_the_bound_is_there_all_the_same(api, watching, database):
    """It is skipped and counted, and not taken for one that vanished."""
    small = api.put(pod("a"))
    sidecar = watching(MAX_DOCUMENT_BYTES=65536)
    wait_for(database, sidecar, pods=uids("a"))
    api.put({**small, "metadata": {**small["metadata"], "annotations": {"x": "y" * 100_000}}})
    api.put(pod("b"))
    wait_for(database, sidecar, pods=uids("ab"))
    until(lambda: sidecar.records("swept", kind="Pod"), "the first list is swept")
    wait_until_watching(api)
    with api.stopped():
        api.put(pod("c"))
        api.compact()
    wait_for(database, sidecar, pods=uids("abc"))
    until(lambda: len(sidecar.records("swept", kind="Pod")) == 2, "the second list is swept")
    assert alive(database.pods()) == uids("abc")
    assert sidecar.stop() == 0
    assert sidecar.fates()["too_long"] == 2


MANY = 100_000
CEILING_KIB = 300 * 1024


@pytest.mark.parametrize("snapshots", [True, False], ids=["WatchList", "list"])
def test_memory_of_many_pods_is_bounded(snapshots, path, watching, database, record_cost):
    with ApiServer(path, snapshots=snapshots) as api:
        api.fill(pod("x", annotations={"x": "y" * 3000}), MANY)
        sidecar = watching(HTTP_LISTEN="127.0.0.1:0")
        with Probes(Web(sidecar).port) as probes:
            until(lambda: sidecar.records("listed", resource="pods"), "they are listed", 300)
            until(lambda: database.count("replica_info") == MANY, "they are written", 300)
            until(lambda: sidecar.records("swept", kind="Pod"), "they are compared", 300)
        sidecar.poll()
        record_cost(f"{MANY} pods by {'WatchList' if snapshots else 'pages'}: peak RSS "
                    f"{sidecar.peak_kib >> 10} MiB (ceiling {CEILING_KIB >> 10} MiB), {probes}")
        finish(sidecar)
    if not program.sanitized():
        assert sidecar.peak_kib < CEILING_KIB
