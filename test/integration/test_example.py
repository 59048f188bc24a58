"""The events that manifests/examples/mysql sends become the rows that it promises."""

from pathlib import Path

EVENTS = Path(__file__).resolve().parents[2] / "manifests" / "examples" / "mysql" / "events.ndjson"


def test_the_examples_events_are_a_job_and_its_pod(database, ship):
    ship(EVENTS.read_bytes().splitlines(keepends=True))
    (job,) = database.query("SELECT name, kind, status FROM job_info")
    assert (job["name"], job["kind"], job["status"]) == ("mnist", "TFJob", "Succeeded")
    (pod,) = database.query("SELECT name, status, image FROM replica_info")
    assert (pod["name"], pod["status"], pod["image"]) == ("mnist-worker-0", "Succeeded", "mnist:1")
