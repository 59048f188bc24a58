"""expected: which rows a stream of events must end in.

A second, independent statement of the contract, as short as Python allows: no batching, no
merging, no SQL; the events of each object one after the other. Times are text as in the events,
RECEIVED stands for the time at which the sidecar got the event. Quantities are compared as numbers
(their text is the unit tests' business)."""

import json
import re
from datetime import datetime, timezone
from fractions import Fraction

from .stream import JOB_KINDS

RECEIVED = "<received>"
FINAL = {"Succeeded", "Failed"}

SPECS = {"TFJob": "tfReplicaSpecs", "PyTorchJob": "pytorchReplicaSpecs",
         "XGBoostJob": "xgbReplicaSpecs", "XDLJob": "xdlReplicaSpecs",
         "MarsJob": "marsReplicaSpecs", "MPIJob": "mpiReplicaSpecs",
         "ElasticDLJob": "elasticdlReplicaSpecs", "ElasticBatchJob": "elasticBatchReplicaSpecs"}
CONTAINERS = {"TFJob": "tensorflow", "PyTorchJob": "pytorch", "XGBoostJob": "xgboostjob",
              "XDLJob": "xdl", "MarsJob": "mars", "MPIJob": "mpi", "ElasticDLJob": "elasticdl",
              "ElasticBatchJob": "elasticbatch"}

MULTIPLES = {"": 1, "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000),
             "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18,
             "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}


def quantity(text):
    """A resource quantity as a number."""
    match = re.fullmatch(r"([+-]?[0-9.]+)(?:e([+-]?[0-9]+)|([a-zA-Z]*))", text)
    number, exponent, suffix = match.groups()
    return Fraction(number) * (Fraction(10) ** int(exponent) if exponent else MULTIPLES[suffix])


def _quantities(resources):
    return {part: {name: quantity(str(value)) for name, value in resources[part].items()}
            for part in ("limits", "requests") if resources.get(part)}


def _added(*resources):
    total = {}
    for one in map(_quantities, resources):
        for part, values in one.items():
            of_part = total.setdefault(part, {})
            for name, value in values.items():
                of_part[name] = of_part.get(name, 0) + value
    return total


def _larger(first, second):
    both = {}
    for part in set(first) | set(second):
        a, b = first.get(part, {}), second.get(part, {})
        both[part] = {name: max(a.get(name, 0), b.get(name, 0)) for name in set(a) | set(b)}
    return both


def _template_resources(pod_spec):
    containers = _added(*(c.get("resources") or {} for c in pod_spec.get("containers") or []))
    init = {}
    for container in pod_spec.get("initContainers") or []:
        init = _larger(init, _quantities(container.get("resources") or {}))
    return _larger(containers, init)


def _replica_resources(spec):
    template = spec.get("template") or {}
    return {"replicas": spec.get("replicas") or 0,
            "resources": _template_resources(template.get("spec") or {})}


NEVER = {"0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z"}


def _time(value):
    return None if value in NEVER else value


def _stopped(event, end=None):
    """When something ended that does not say so itself: the newest time that it states, which may be a
    deletionTimestamp that has passed; else when the event came."""
    deletion = event["object"]["metadata"].get("deletionTimestamp")
    if event["type"] == "DELETED" and deletion and is_past(deletion):
        end = max(end or deletion, deletion)
    return end or RECEIVED


def _last_end(statuses):
    """The newest end of a container, once none of them runs."""
    states = [status.get("state") or {} for status in statuses]
    ends = [_time((state.get("terminated") or {}).get("finishedAt")) for state in states]
    running = any(state.get("running") is not None for state in states)
    return None if running else max(filter(None, ends), default=None)


def tenancy(annotation):
    """(tenant, owner, region) of the annotation kubedl.io/tenancy, or of None."""
    try:
        value = json.loads(annotation or "{}")
        return value.get("tenant") or "", value.get("user") or "", value.get("region") or None
    except ValueError:
        return "", "", None


def job_row(event):
    """The row that one event of a job makes by itself."""
    thing = event["object"]
    metadata, status = thing["metadata"], thing.get("status") or {}
    conditions = status.get("conditions") or []
    annotations = metadata.get("annotations") or {}
    tenant, owner, region = tenancy(annotations.get("kubedl.io/tenancy"))
    specs = (thing.get("spec") or {}).get(SPECS[thing["kind"]]) or {}
    row = {
        "name": metadata["name"],
        "namespace": metadata["namespace"],
        "job_id": metadata["uid"],
        "version": metadata["resourceVersion"],
        "kind": thing["kind"],
        "status": conditions[-1]["type"] if conditions else "Created",
        "resources": lambda: {name: _replica_resources(spec or {}) for name, spec in specs.items()},
        "deploy_region": region,
        "tenant": tenant,
        "owner": owner,
        "remark": ("EnableTensorBoard" if "kubedl.io/tensorboard-config" in annotations
                   else None),
        "gmt_created": metadata["creationTimestamp"],
        "gmt_job_running": next(
            (c["lastTransitionTime"] for c in conditions if c["type"] == "Running"), None),
        "gmt_job_finished": _time(status.get("completionTime")),
        "deleted": 0,
        "is_in_etcd": 1,
    }
    if row["status"] in FINAL and row["gmt_job_finished"] is None:
        row["gmt_job_finished"] = conditions[-1].get("lastTransitionTime")
    if event["type"] == "DELETED":
        row.update(deleted=1, is_in_etcd=0)
        if row["status"] not in FINAL or row["gmt_job_finished"] is None:
            row["gmt_job_finished"] = _stopped(event, row["gmt_job_finished"])
        if row["status"] not in FINAL:
            row["status"] = "Stopped"
    return row


def _owner(thing):
    """The controller of a pod, where the pod is one of ours."""
    labels = thing["metadata"].get("labels") or {}
    for reference in thing["metadata"].get("ownerReferences") or []:
        if reference.get("controller"):
            ours = reference["kind"] in JOB_KINDS and reference.get("uid")
            return reference if ours and {"group-name", "replica-type"} <= set(labels) else None
    return None


def _chosen(items, default_name):
    """The first, unless a later one has the kind's own name."""
    return next((i for i in items[1:] if i["name"] == default_name), items[0] if items else None)


def _remark(status, terminated, statuses):
    """Why a pod failed: by its main container, another one that failed, or the pod."""
    said, name = terminated, None
    for one in [] if terminated else [*status.get("initContainerStatuses", []), *statuses]:
        ended = (one.get("state") or {}).get("terminated")
        if said is None and ended and ended.get("exitCode"):
            said, name = ended, one["name"]
    if said is None:
        said = {key: status.get(key) for key in ("reason", "message") if status.get(key)}
    if not said:
        return None
    message = ": ".join(filter(None, (name, said.get("message"))))
    return (f"Reason: {said.get('reason') or ''}\n"
            f"ExitCode: {said.get('exitCode', '')}\n"
            f"Message: {message}")


def pod_row(event):
    """The row that one event of a pod makes by itself; None if the pod is none of ours."""
    thing = event["object"]
    metadata, status = thing["metadata"], thing.get("status") or {}
    owner = _owner(thing)
    if owner is None:
        return None
    default_name = CONTAINERS[owner["kind"]]
    container = _chosen(thing["spec"]["containers"], default_name)
    statuses = status.get("containerStatuses") or []
    state = (_chosen(statuses, default_name) or {}).get("state") or {}
    last_end = _last_end(statuses)
    running, terminated = state.get("running"), state.get("terminated")
    row = {
        "name": metadata["name"],
        "namespace": metadata["namespace"],
        "pod_id": metadata["uid"],
        "version": metadata["resourceVersion"],
        "job_id": owner["uid"],
        "replica_type": metadata["labels"]["replica-type"],
        "status": status["phase"],
        "image": container["image"],
        "resources": lambda: _template_resources(thing["spec"]),
        "host_ip": status.get("hostIP") or None,
        "pod_ip": status.get("podIP") or None,
        "deploy_region": None,
        "remark": None,
        "gmt_created": metadata["creationTimestamp"],
        "gmt_started": None,
        "gmt_finished": None,
        "deleted": 0,
        "is_in_etcd": 1,
    }
    if row["status"] == "Running":
        row["gmt_started"] = _time((running or {}).get("startedAt")) or row["gmt_created"]
    elif row["status"] in FINAL:
        row["gmt_started"] = _time((terminated or {}).get("startedAt")) or row["gmt_created"]
        main_end = _time((terminated or {}).get("finishedAt"))
        row["gmt_finished"] = (main_end if main_end and last_end else None) or _stopped(event,
                                                                                       last_end)
    if row["status"] == "Failed":
        row["remark"] = _remark(status, terminated, statuses)
    if event["type"] == "DELETED":
        row.update(deleted=1, is_in_etcd=0)
        if row["status"] not in FINAL:
            row["status"] = "Stopped"
        row["gmt_started"] = row["gmt_started"] or row["gmt_created"]
        if row["gmt_finished"] is None:
            row["gmt_finished"] = _stopped(event, last_end)
    return row


LAST_KNOWN = ("gmt_job_running", "host_ip", "pod_ip", "deploy_region")


def rows(events):
    """(jobs, pods) by uid: what the events, those of each object in ascending order of version,
    must end in."""
    jobs, pods = {}, {}
    for row in moments(events):
        (jobs if "kind" in row else pods)[row["job_id" if "kind" in row else "pod_id"]] = row
    for row in (*jobs.values(), *pods.values()):
        row["resources"] = row["resources"]()  # the last one of each object is enough
    return jobs, pods


def moments(events):
    """What the row of each event's object is to be after that event. .resources are not worked out
    yet."""
    there = {}
    for event in events:
        kind = event["object"]["kind"]
        row = (job_row(event) if kind in JOB_KINDS else
               pod_row(event) if kind == "Pod" else None)
        if row is not None:
            uid = event["object"]["metadata"]["uid"]
            there[uid] = _merged(there.get(uid), row)
            yield dict(there[uid])


def _merged(there, row):
    if there is not None:
        assert int(there["version"]) < int(row["version"])
        for column in LAST_KNOWN:
            if column in row and row[column] is None:
                row[column] = there[column]
        if "gmt_started" in row:
            row["gmt_started"] = _earliest(row["gmt_created"], row["gmt_started"],
                                           there["gmt_started"])
    return row


def _earliest(created, *starts):
    """A start at the time of creation stands for one that is not known."""
    known = [start for start in starts if start]
    return min((start for start in known if start != created), default=created if known else None)


def resources_text(resources):
    """As the column holds it, but for the way in which a quantity is written."""
    return json.dumps(resources, default=lambda number: f"{float(number):f}")


# Comparing with what the database holds


def time_text(value):
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else value


def _resources(value):
    if "resources" in value:
        return {**value, "resources": _quantities(value["resources"])}
    return _quantities(value)


def comparable(row):
    """A row of the database in the form of the expected ones."""
    row = {name: time_text(value) for name, value in row.items()}
    resources = json.loads(row["resources"])
    row["resources"] = ({name: _resources(value) for name, value in resources.items()}
                        if "kind" in row else _quantities(resources))
    return row


def _age(text):
    then = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (datetime.now(timezone.utc) - then).total_seconds()


def is_recent(text):
    return -5 < _age(text) < 3600


def is_past(text):
    return _age(text) >= 0


def differences(expected, actual):
    """Lines that say where the actual rows are not the expected ones; none if they agree."""
    found = [f"{uid}: no row" for uid in sorted(set(expected) - set(actual))]
    found += [f"{uid}: a row too many" for uid in sorted(set(actual) - set(expected))]
    for uid in sorted(set(expected) & set(actual)):
        row = comparable(actual[uid])
        for column, value in expected[uid].items():
            agrees = (row[column] is not None and is_recent(row[column]) if value == RECEIVED
                      else row[column] == value)
            if not agrees:
                found.append(f"{uid}: {column} is {row[column]!r}, not {value!r}")
    return found
