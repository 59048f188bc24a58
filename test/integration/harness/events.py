"""events: small jobs and pods, for tests that are about something else than their content."""


def job(uid, version="1", kind="TFJob", name="train", namespace="team", conditions=("Created",),
        **metadata):
    return {
        "apiVersion": "training.kubedl.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "uid": uid, "resourceVersion": version,
                     "creationTimestamp": "2026-01-01T00:00:00Z", **metadata},
        "spec": {"tfReplicaSpecs": {"Worker": {"replicas": 1}}},
        "status": {"conditions": [
            {"type": condition, "status": "True",
             "lastTransitionTime": f"2026-01-01T0{n + 1}:00:00Z"}
            for n, condition in enumerate(conditions)]},
    }


def pod(uid, version="1", name="train-worker-0", namespace="team", phase="Pending", job_uid="job-1",
        message=None, **metadata):
    status = {"phase": phase}
    if message is not None:
        status["containerStatuses"] = [{"name": "tensorflow", "state": {"terminated": {
            "exitCode": 1, "reason": "Error", "message": message,
            "startedAt": "2026-01-01T01:00:00Z", "finishedAt": "2026-01-01T02:00:00Z"}}}]
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": name, "namespace": namespace, "uid": uid, "resourceVersion": version,
                     "creationTimestamp": "2026-01-01T00:00:00Z",
                     "labels": {"group-name": "training.kubedl.io", "replica-type": "worker"},
                     "ownerReferences": [{"apiVersion": "training.kubedl.io/v1alpha1",
                                          "kind": "TFJob", "name": "train", "uid": job_uid,
                                          "controller": True}],
                     **metadata},
        "spec": {"containers": [{"name": "tensorflow", "image": "train:1"}]},
        "status": status,
    }


def added(thing):
    return {"type": "ADDED", "object": thing}


def modified(thing):
    return {"type": "MODIFIED", "object": thing}


def deleted(thing):
    return {"type": "DELETED", "object": thing}
