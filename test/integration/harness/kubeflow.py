"""kubeflow: jobs and pods as Kubeflow's training operator writes them (kubeflow.org/v1), and its MPI
operator (v2beta1)."""

API = "kubeflow.org/v1"
MPI_API = "kubeflow.org/v2beta1"
SPECS = {"TFJob": "tfReplicaSpecs", "PyTorchJob": "pytorchReplicaSpecs",
         "XGBoostJob": "xgbReplicaSpecs", "MPIJob": "mpiReplicaSpecs",
         "PaddleJob": "paddleReplicaSpecs", "JAXJob": "jaxReplicaSpecs"}
CONTAINERS = {"TFJob": "tensorflow", "PyTorchJob": "pytorch", "XGBoostJob": "xgboost",
              "MPIJob": "mpi", "PaddleJob": "paddle", "JAXJob": "jax"}


def condition(kind, type_, status, reason, hour):
    time = f"2026-01-01T{hour:02}:00:00Z"
    return {"type": type_, "status": status, "reason": kind + reason, "message": "",
            "lastUpdateTime": time, "lastTransitionTime": time}


def job(uid, version="1", kind="TFJob", name="train", conditions=(), **status):
    """conditions: (type, status, reason, hour), behind Created."""
    return {
        "apiVersion": API,
        "kind": kind,
        "metadata": {"name": name, "namespace": "team", "uid": uid, "resourceVersion": version,
                     "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"runPolicy": {"suspend": False},
                 SPECS[kind]: {"Worker": {"replicas": 2, "restartPolicy": "Never", "template": {
                     "spec": {"containers": [{
                         "name": CONTAINERS[kind], "image": "train:1",
                         "resources": {"limits": {"nvidia.com/gpu": 1}}}]}}}}},
        "status": {"conditions": [condition(kind, *one) for one in
                                  (("Created", "True", "Created", 0), *conditions)], **status},
    }


def mpi_job(uid, **fields):
    """In v2beta1."""
    return {**job(uid, kind="MPIJob", **fields), "apiVersion": MPI_API}


def mpi_worker(uid, **fields):
    """Of one: its labels tell its role, not its replica type."""
    thing = pod(uid, kind="MPIJob", **fields)
    thing["metadata"]["ownerReferences"][0]["apiVersion"] = MPI_API
    thing["metadata"]["labels"] = {"training.kubeflow.org/job-name": "train",
                                   "training.kubeflow.org/job-role": "worker",
                                   "training.kubeflow.org/operator-name": "mpi-operator",
                                   "training.kubeflow.org/replica-index": "0"}
    return thing


def mpi_launcher(uid, **fields):
    """Of one: a pod of a Job, which is the MPIJob's."""
    thing = mpi_worker(uid, **fields)
    thing["metadata"]["labels"]["training.kubeflow.org/job-role"] = "launcher"
    thing["metadata"]["ownerReferences"][0].update(apiVersion="batch/v1", kind="Job",
                                                   name="train-launcher", uid="launcher-1")
    return thing


def pod(uid, version="1", kind="TFJob", name="train-worker-0", job_uid="job-1", phase="Running"):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "team", "uid": uid, "resourceVersion": version,
                     "creationTimestamp": "2026-01-01T00:00:00Z",
                     "labels": {"training.kubeflow.org/job-name": "train",
                                "training.kubeflow.org/operator-name": f"{kind.lower()}-controller",
                                "training.kubeflow.org/replica-index": "0",
                                "training.kubeflow.org/replica-type": "worker"},
                     "ownerReferences": [{"apiVersion": API, "kind": kind, "name": "train",
                                          "uid": job_uid, "controller": True,
                                          "blockOwnerDeletion": True}]},
        "spec": {"containers": [{"name": "istio-proxy", "image": "proxy:1"},
                                {"name": CONTAINERS[kind], "image": "train:1"}]},
        "status": {"phase": phase},
    }
