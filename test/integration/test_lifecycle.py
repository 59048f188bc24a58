"""What becomes of a row when its object's life takes a turn that KubeDL does not know. Each with the
events written one by one, where SQL merges them, and all at once, where memory does."""

import pytest

from harness import events, expected
from harness.stream import line


@pytest.fixture(params=["one by one", "all at once"])
def live(request, ship):
    """live(event, ...) has the events shipped."""

    def run(*happened):
        lines = [line(event) for event in happened]
        if request.param == "all at once":
            ship(lines, BATCH_LINGER_MS=1000)
        else:
            for one in lines:
                ship([one])

    return run


def state(row, finished="gmt_finished"):
    return (row["version"], row["status"], row["deleted"], row["is_in_etcd"],
            expected.time_text(row[finished]))


def pod(version, phase="Running", **metadata):
    return events.pod("pod-1", version=version, phase=phase, **metadata)


DELETION = {"deletionTimestamp": "2026-01-01T05:00:00Z"}


def test_deleted_pod_that_has_lost_its_job_closes_its_row(live, database):
    live(events.added(pod("1")),
         events.modified(pod("2", ownerReferences=[])),
         events.deleted(pod("3", ownerReferences=[], **DELETION)))
    row = database.pods()["pod-1"]
    assert state(row) == ("3", "Stopped", 1, 0, "2026-01-01T05:00:00Z")
    assert (row["job_id"], row["image"]) == ("job-1", "train:1")


def test_deletion_that_knows_less_leaves_the_status_of_what_had_ended(live, database):
    bare = pod("3", ownerReferences=[], **DELETION)
    bare["status"] = {}
    live(events.added(pod("1")), events.modified(pod("2", phase="Succeeded")),
         events.deleted(bare))
    row = database.pods()["pod-1"]
    assert (row["version"], row["status"], row["deleted"]) == ("3", "Succeeded", 1)


def test_deleted_pod_that_never_had_a_job_makes_no_row(live, database):
    live(events.deleted(pod("3", ownerReferences=[], **DELETION)))
    assert database.pods() == {}


def test_live_pod_that_has_lost_its_job_keeps_its_row(live, database):
    live(events.added(pod("1")), events.modified(pod("2", phase="Failed", ownerReferences=[])))
    row = database.pods()["pod-1"]
    assert state(row) == ("1", "Running", 0, 1, None)
    assert row["job_id"] == "job-1"


def test_live_event_behind_a_deletion_revives_a_pod(live, database):
    live(events.added(pod("1")), events.deleted(pod("2", **DELETION)), events.modified(pod("3")))
    assert state(database.pods()["pod-1"]) == ("3", "Running", 0, 1, None)


def test_live_event_behind_a_deletion_revives_a_job(live, database):
    live(events.added(events.job("job-1", version="1")),
         events.deleted(events.job("job-1", version="2", **DELETION)),
         events.modified(events.job("job-1", version="3", conditions=("Created", "Running"))))
    assert state(database.jobs()["job-1"], "gmt_job_finished") == ("3", "Running", 0, 1, None)


def test_late_event_does_not_open_a_closed_row(live, database):
    live(events.added(pod("1")), events.deleted(pod("3", **DELETION)), events.modified(pod("2")))
    assert state(database.pods()["pod-1"]) == ("3", "Stopped", 1, 0, "2026-01-01T05:00:00Z")


def test_late_deletion_does_not_close_an_open_row(live, database):
    live(events.added(pod("3")), events.deleted(pod("2", **DELETION)))
    assert state(database.pods()["pod-1"]) == ("3", "Running", 0, 1, None)


def test_deletion_of_what_was_never_seen_alive_is_a_row(live, database):
    live(events.deleted(events.job("job-1", version="7", **DELETION)),
         events.deleted(pod("8", phase="Failed", **DELETION)))
    assert state(database.jobs()["job-1"], "gmt_job_finished") == (
        "7", "Stopped", 1, 0, "2026-01-01T05:00:00Z")
    assert state(database.pods()["pod-1"]) == ("8", "Failed", 1, 0, "2026-01-01T05:00:00Z")


def test_name_that_is_used_again_is_another_row(live, database):
    live(events.added(events.job("old", version="1", name="train")),
         events.added(events.job("new", version="3", name="train")),
         events.deleted(events.job("old", version="2", name="train")))
    rows = database.jobs()
    assert (rows["old"]["status"], rows["new"]["status"]) == ("Stopped", "Created")


def test_addresses_and_times_once_known_are_kept(live, database):
    known = pod("1")
    known["status"].update(hostIP="10.1.0.1", podIP="10.2.0.1", containerStatuses=[
        {"name": "tensorflow", "state": {"running": {"startedAt": "2026-01-01T01:00:00Z"}}}])
    moved = pod("2")
    moved["status"].update(podIP="10.2.0.2", containerStatuses=[
        {"name": "tensorflow", "state": {"running": {"startedAt": "2026-01-01T02:00:00Z"}}}])
    live(events.added(known), events.modified(moved), events.modified(pod("3", phase="Unknown")))
    row = database.pods()["pod-1"]
    assert (row["host_ip"], row["pod_ip"]) == ("10.1.0.1", "10.2.0.2")
    assert expected.time_text(row["gmt_started"]) == "2026-01-01T01:00:00Z"
