"""When jobs and pods began and ended, and why they failed."""

import pytest

from harness import events, expected, stream
from harness import sidecar as program
from harness.stream import line

RUNNING = "2026-05-01T08:00:10Z"


def case(name):
    return (stream.DATA / "cases" / name / "events.ndjson").read_bytes().splitlines(keepends=True)


def only(rows):
    (row,) = rows.values()
    return {name: expected.time_text(value) for name, value in row.items()}


@pytest.fixture
def listed(database):
    """listed("jobs", ...): what the command prints, a dictionary for each line."""

    def run(*arguments):
        result = program.run(*arguments, settings=database.environment())
        assert result.returncode == 0, result.stderr
        head, *rows = (text.split("   ") for text in result.stdout.splitlines())
        names = [name.strip() for name in head if name.strip()]
        return [dict(zip(names, (cell.strip() for cell in row if cell.strip()))) for row in rows]

    return run


def test_case_stopped_job_ends_at_start(ship, database):
    ship(case("01-stopped-job-ends-at-start"))
    row = only(database.jobs())
    assert (row["status"], row["gmt_job_running"]) == ("Stopped", RUNNING)
    assert expected.is_recent(row["gmt_job_finished"])


def test_case_start_error_1970(ship, database, listed):
    ship(case("04-start-error-1970"))
    row = only(database.pods())
    assert (row["gmt_started"], row["gmt_finished"]) == (
        "2026-05-01T08:00:00Z", "2026-05-01T08:00:09Z")
    (pod,) = listed("pods", "job-1")
    assert pod["DURATION"] == "9s"


def test_case_init_container_failed(ship, database, listed):
    ship(case("05-init-container-failed"))
    assert only(database.pods())["remark"] == (
        "Reason: Error\nExitCode: 7\nMessage: fetch-data: no such bucket")
    (pod,) = listed("pods", "job-1")
    assert (pod["EXIT CODE"], pod["REASON"]) == ("7", "Error")


def test_nothing_that_was_recorded_ended_before_it_began(ship, database):
    ship(stream.lines("stream-a"))
    jobs = [row for row in database.jobs().values() if row["gmt_job_finished"] is not None]
    pods = [row for row in database.pods().values() if row["gmt_finished"] is not None]
    stopped = [row for row in jobs if row["status"] == "Stopped"]
    assert len(stopped) >= 5 and len(pods) > 30
    for row in jobs:
        assert row["gmt_job_finished"] >= row["gmt_created"]
        assert row["gmt_job_finished"] >= (row["gmt_job_running"] or row["gmt_created"]), row
    for row in stopped:
        assert row["gmt_job_finished"] > (row["gmt_job_running"] or row["gmt_created"]), row
    for row in pods:
        assert row["gmt_finished"] >= row["gmt_started"] >= row["gmt_created"], row


def test_failed_job_without_completion_time_has_ended(ship, database, listed):
    job = events.job("job-1", conditions=("Created", "Running", "Failed"))
    ship([line(events.added(job))])
    assert only(database.jobs())["gmt_job_finished"] == "2026-01-01T03:00:00Z"
    assert listed("jobs")[0]["DURATION"] == "60m"
    job["metadata"]["resourceVersion"] = "2"
    ship([line(events.deleted(job))])
    row = only(database.jobs())
    assert (row["status"], row["deleted"], row["gmt_job_finished"]) == (
        "Failed", 1, "2026-01-01T03:00:00Z")


def container(name, **state):
    return {"name": name, "state": state}


def ended(start, end, code=0):
    return {"terminated": {"exitCode": code, "reason": "Error", "startedAt": start,
                           "finishedAt": end}}


def test_pod_ends_with_its_last_container(ship, database):
    """A sidecar runs on; then the phase is ahead of the container; then all is stated."""
    times = "2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z"
    pod = events.pod("pod-1", phase="Running")
    pod["status"]["containerStatuses"] = [
        container("tensorflow", **ended(*times)), container("proxy", running={})]
    ship([line(events.added(pod))])
    assert only(database.pods())["gmt_finished"] is None
    pod["metadata"]["resourceVersion"] = "2"
    pod["status"]["phase"] = "Failed"
    ship([line(events.modified(pod))])
    assert expected.is_recent(only(database.pods())["gmt_finished"])
    pod["metadata"]["resourceVersion"] = "3"
    pod["status"]["containerStatuses"][1] = container("proxy", **ended(times[0], times[1], 137))
    ship([line(events.modified(pod))])
    assert only(database.pods())["gmt_finished"] == times[1]
    pod["metadata"]["resourceVersion"] = "4"
    pod["status"] = {"phase": "Running"}
    ship([line(events.modified(pod))])
    assert only(database.pods())["gmt_finished"] is None


def test_pod_that_is_gone_before_its_deadline_ended_when_the_event_came(ship, database):
    ship([line(events.deleted(events.pod("pod-1", phase="Running",
                                         deletionTimestamp="2999-01-01T00:00:00Z")))])
    assert expected.is_recent(only(database.pods())["gmt_finished"])
