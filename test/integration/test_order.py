"""The versions of an object may come in any order, more than once, some of them not at all, to one
sidecar or to several: what the tables end in depends on the set of them alone."""

import json

from harness import events, expected
from harness.stream import line

ORDERS = 60  # of which each is of a job and a pod of its own
RUNS = 4  # what comes in one run meets in memory, what comes in different ones in the database


def at(hour):
    return f"2026-01-01T{hour:02}:00:00Z"


def pod_versions(uid):
    """Its start is seen late, its address changes and is lost, it is evicted and runs again."""

    def pod(version, phase, start=None, end=None, running=False, **status):
        thing = events.pod(uid, version=str(version), phase=phase)
        thing["status"].update(status)
        state = {"running": {"startedAt": start}} if running else {"waiting": {}}
        if end:
            state = {"terminated": {"startedAt": start, "finishedAt": end, "exitCode": 3,
                                    "reason": "Error", "message": f"m{version}"}}
        if start or end:
            thing["status"]["containerStatuses"] = [{"name": "tensorflow", "state": state}]
        return thing

    last = pod(15, "Failed", at(4), at(7), hostIP="10.1.0.2")
    last["metadata"]["deletionTimestamp"] = at(8)
    return [
        events.added(pod(7, "Pending")),
        events.modified(pod(8, "Pending", hostIP="10.1.0.1")),
        events.modified(pod(9, "Running", at(3), running=True, hostIP="10.1.0.1",
                            podIP="10.2.0.9")),
        events.modified(pod(10, "Running", at(2), running=True, hostIP="10.1.0.1",
                            podIP="10.2.0.2")),
        events.modified(pod(11, "Failed", at(2), running=True, reason="Evicted")),
        events.modified(pod(12, "Running", at(4), running=True, podIP="10.2.0.3")),
        events.modified(pod(13, "Unknown")),
        events.modified(pod(14, "Failed", at(4), at(6), hostIP="10.1.0.2")),
        events.deleted(last),
    ]


def job_versions(uid):
    def job(version, *conditions, region=None, **status):
        thing = events.job(uid, version=str(version), conditions=conditions)
        for hour, condition in enumerate(thing["status"]["conditions"], version):
            condition["lastTransitionTime"] = at(hour)
        if region:
            thing["metadata"]["annotations"] = {
                "kubedl.io/tenancy": json.dumps({"tenant": f"t{version}", "region": region})}
        thing["status"].update(status)
        return thing

    return [
        events.added(job(8, "Created")),
        events.modified(job(9, "Running", region="z")),
        events.modified(job(10, "Restarting", region="a")),
        events.modified(job(11, "Created", "Running")),
        events.modified(job(12, "Failed")),
        events.modified(job(13, "Running", region="m")),
        events.modified(job(14, "Restarting")),
        events.modified(job(15, "Running", "Succeeded", completionTime=at(20))),
        events.deleted(job(16, "Running", "Succeeded", completionTime=at(19))),
    ]


def some_of(versions, rng):
    """A set of versions, and an order of these with some of them twice, cut into runs."""
    chosen = sorted(rng.sample(range(len(versions)), rng.randrange(1, len(versions) + 1)))
    order = chosen + rng.choices(chosen, k=3)
    rng.shuffle(order)
    cuts = sorted(rng.choices(range(len(order) + 1), k=RUNS - 1))
    runs = [order[start:end] for start, end in zip([0, *cuts], [*cuts, len(order)])]
    return [versions[i] for i in chosen], [[versions[i] for i in run] for run in runs]


def rows_of(database):
    """All columns, but for ids and arrivals."""
    return [{uid: {name: value for name, value in row.items() if name not in ("id", "gmt_modified")}
             for uid, row in table.items()} for table in (database.jobs(), database.pods())]


def test_late_and_reordered_events_of_one_object(ship, database, rng):
    sets, runs = [], [[] for _ in range(RUNS)]
    for number in range(ORDERS):
        for versions in (pod_versions(f"pod-{number}"), job_versions(f"job-{number}")):
            chosen, cut = some_of(versions, rng)
            sets += chosen
            for run, part in zip(runs, cut):
                run += part
    for run in runs:
        ship([line(event) for event in run], BATCH_LINGER_MS=rng.choice([0, 50]))
    jobs, pods = expected.rows(sets)
    wrong = expected.differences(jobs, database.jobs())
    wrong += expected.differences(pods, database.pods())
    assert not wrong, "\n".join(wrong)


def test_any_order_of_all_versions_ends_in_the_same_row(ship, database, rng):
    """To the letter, in every column."""
    of_pod, of_job = pod_versions("pod-1"), job_versions("job-1")
    ended = []
    for turn in range(4):
        both = of_pod + of_job
        if turn > 0:
            database.query("DELETE FROM job_info")
            database.query("DELETE FROM replica_info")
            rng.shuffle(both)
        for part in (both[:6], both[6:12], both[12:]):
            ship([line(event) for event in part])
        ended.append(rows_of(database))
    assert ended[1:] == ended[:1] * 3
    assert (ended[0][0]["job-1"]["version"], ended[0][1]["pod-1"]["version"]) == ("16", "15")
