"""List and watch as a source: the tables are what the API server has, whatever its answers are like."""

import pytest

from harness import events
from harness.apiserver import ApiServer
from harness.wait import until


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


def finish(sidecar):
    assert sidecar.stop() == 0, sidecar.log_tail()
    return sidecar.accounts()


def test_lists_then_watches(api, watching, database):
    for name in "ab":
        api.put(events.job(f"job-{name}", name=f"job-{name}"))
        api.put(events.pod(f"pod-{name}", name=f"pod-{name}", phase="Running"))
    sidecar = watching()
    wait_for(database, sidecar, {"job-a", "job-b"}, {"pod-a", "pod-b"})
    job = api.put(events.job("job-c", conditions=("Created", "Running")))
    wait_for(database, sidecar, {"job-a", "job-b", "job-c"})
    assert database.jobs()["job-c"]["status"] == "Running"
    api.delete(job)
    wait_for(database, sidecar, {"job-a", "job-b"}, {"pod-a", "pod-b"})
    assert {row["cluster_id"] for row in database.jobs().values()} == {"kube-system-uid"}
    assert finish(sidecar)["invalid"] == 0
