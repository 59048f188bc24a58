"""Kubeflow's jobs are recorded as KubeDL's are, and the two are told apart where both have a kind of
the same name."""

import pytest

from harness import events, expected, kubeflow
from harness.stream import line

KUBEDL, KUBEFLOW = "training.kubedl.io", "kubeflow.org"


def mark(group, version, kind="TFJob"):
    return line({"type": "BOOKMARK", "object": {
        "apiVersion": f"{group}/v1", "kind": kind,
        "metadata": {"resourceVersion": str(version),
                     "annotations": {"k8s.io/initial-events-end": "true"}}}})


def added(*things):
    return [line(events.added(thing)) for thing in things]


def alive(database):
    return {uid for uid, row in database.jobs().items() if not row["deleted"]}


@pytest.mark.parametrize("kind", kubeflow.SPECS)
def test_each_kind_and_its_pods(kind, ship, database):
    ship(added(kubeflow.job("job-1", kind=kind, conditions=[("Running", "True", "Running", 1)]),
               kubeflow.pod("pod-1", kind=kind)))
    job, pod = database.jobs()["job-1"], database.pods()["pod-1"]
    assert (job["kind"], job["api_group"], job["status"]) == (kind, KUBEFLOW, "Running")
    assert job["resources"] == ('{"Worker":{"resources":{"limits":{"nvidia.com/gpu":"1"}},'
                                '"replicas":2}}')
    assert expected.time_text(job["gmt_job_running"]) == "2026-01-01T01:00:00Z"
    assert (pod["job_id"], pod["replica_type"], pod["image"]) == ("job-1", "worker", "train:1")


def test_jobs_of_the_mpi_operator(ship, database):
    """The launcher is no pod of the MPIJob itself."""
    ship(added(kubeflow.mpi_job("job-1", conditions=[("Running", "True", "Running", 1)]),
               kubeflow.mpi_worker("pod-1"), kubeflow.mpi_launcher("pod-2")))
    job, pods = database.jobs()["job-1"], database.pods()
    assert (job["kind"], job["api_group"], job["status"]) == ("MPIJob", KUBEFLOW, "Running")
    assert set(pods) == {"pod-1"}
    assert (pods["pod-1"]["job_id"], pods["pod-1"]["replica_type"]) == ("job-1", "worker")


def test_life_of_a_job_that_is_suspended_once(ship, database):
    lives = [
        ((), "Created", None),
        ((("Running", "True", "Running", 1),), "Running", "01"),
        ((("Running", "False", "Suspended", 2), ("Suspended", "True", "Suspended", 2)),
         "Queuing", "01"),
        ((("Running", "False", "Suspended", 2), ("Suspended", "False", "Resumed", 3)),
         "Created", "01"),
        ((("Suspended", "False", "Resumed", 3), ("Running", "True", "Running", 4)),
         "Running", "04"),
        ((("Suspended", "False", "Resumed", 3), ("Running", "False", "Running", 4),
          ("Succeeded", "True", "Succeeded", 5)), "Succeeded", "04"),
    ]
    for version, (conditions, status, running) in enumerate(lives, 1):
        ship(added(kubeflow.job("job-1", version=str(version), conditions=conditions,
                                completionTime="2026-01-01T05:00:00Z"
                                if status == "Succeeded" else None)))
        row = database.jobs()["job-1"]
        time = row["gmt_job_running"] and expected.time_text(row["gmt_job_running"])
        assert row["status"] == status
        assert time == (running and f"2026-01-01T{running}:00:00Z")
    assert expected.time_text(row["gmt_job_finished"]) == "2026-01-01T05:00:00Z"


def test_suspended_job_that_is_deleted_is_stopped(ship, database):
    thing = kubeflow.job("job-1", conditions=[("Suspended", "True", "Suspended", 1)])
    ship([line(events.deleted(thing))])
    assert database.jobs()["job-1"]["status"] == "Stopped"


def test_jobs_of_one_kind_and_name_in_two_groups(ship, database):
    """Each snapshot is of its own group, and closes only rows of that."""
    ship(added(events.job("dl-1"), events.job("dl-2"), kubeflow.job("flow-1"),
               kubeflow.job("flow-2")), CLUSTER_ID="blue")
    assert {uid: row["api_group"] for uid, row in database.jobs().items()} == {
        "dl-1": KUBEDL, "dl-2": KUBEDL, "flow-1": KUBEFLOW, "flow-2": KUBEFLOW}

    sidecar = ship([*added(events.job("dl-1")), mark(KUBEDL, 10)], CLUSTER_ID="blue")
    assert sidecar.records("swept", kind="TFJob", api_group=KUBEDL, alive=2, closed=1)
    assert alive(database) == {"dl-1", "flow-1", "flow-2"}

    sidecar = ship([*added(kubeflow.job("flow-2")), mark(KUBEFLOW, 20)], CLUSTER_ID="blue")
    assert sidecar.records("swept", kind="TFJob", api_group=KUBEFLOW, alive=2, closed=1)
    assert alive(database) == {"dl-1", "flow-2"}

    both = [*added(kubeflow.job("flow-3")), mark(KUBEFLOW, 30), mark(KUBEDL, 31)]
    ship(both, CLUSTER_ID="blue")
    assert alive(database) == {"flow-3"}


def test_rows_without_a_group_are_kubedls(ship, database):
    """So they were written by an older version, or by KubeDL: the first event says the group."""
    ship(added(*(events.job(f"dl-{n}") for n in range(3))), CLUSTER_ID="blue")
    database.query("UPDATE job_info SET api_group = NULL")
    sidecar = ship([mark(KUBEFLOW, 10)], CLUSTER_ID="blue")
    assert sidecar.records("swept", api_group=KUBEFLOW, alive=0)
    sidecar = ship([*added(events.job("dl-0"), events.job("dl-1")), mark(KUBEDL, 20)],
                   CLUSTER_ID="blue")
    assert sidecar.records("swept", api_group=KUBEDL, alive=3, closed=1)
    assert alive(database) == {"dl-0", "dl-1"}
    assert {uid: row["api_group"] for uid, row in database.jobs().items()} == {
        "dl-0": KUBEDL, "dl-1": KUBEDL, "dl-2": None}


def test_long_line_is_of_the_job_in_its_group(ship, database):
    """All that is known of a line that is too long is its beginning: that names the group as well."""
    settings = {"CLUSTER_ID": "blue", "MAX_DOCUMENT_BYTES": 65536}
    huge = kubeflow.job("flow-1")
    huge["metadata"]["labels"] = {"x": "y" * 70000}
    ship(added(kubeflow.job("flow-1"), kubeflow.job("flow-2")), **settings)
    ship([*added(huge), mark(KUBEFLOW, 10)], **settings)
    assert alive(database) == {"flow-1"}
