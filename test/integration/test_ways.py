"""Each way of installing that docs/install.md describes records jobs on the day it is installed.

The kustomizations are those of the document. The program is started with the environment that they give it,
and an API server that accepts the token of the pod's account, and for that what the rendered roles allow.
Only these are not as in a pod: folders are below a private directory, the port is free, and the kubelet's
variables name the API server."""

import shutil
import sys
from pathlib import Path

import pytest

from harness import events, kubeflow
from harness import sidecar as program
from harness.apiserver import FLOW_KINDS, KINDS, ApiServer, error
from harness.emitter import Emitter
from harness.sidecar import Sidecar
from harness.stream import line
from harness.wait import until

sys.path.append(str(Path(__file__).resolve().parents[1] / "manifests"))

import settings  # noqa: E402
import ways  # noqa: E402
from combinations import Pod  # noqa: E402

TOKEN_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN = "the-token-of-the-pod"
WARNED = 3  # exit status of check: nothing fails

class GuardedServer(ApiServer):
    """An API server that allows what a list of rules does: (API group, resource, verb)."""

    def __init__(self, rights, **fields):
        self.rights = rights
        self.used = set()
        super().__init__(tokens=[TOKEN], **fields)

    def _usual(self, request):
        if request.what != "discover":
            resource, group = request.resource or "namespaces", ""
            if request.path.startswith("/apis/"):
                group = request.path.split("/")[2]
            verb = "get" if request.what == "identify" else \
                "list" if request.what in ("list", "confirm") else "watch"
            self.used.add((group, resource, verb))
            if (group, resource, verb) not in self.rights:
                return error(403, f"{resource} is forbidden")
        return super()._usual(request)


def rights_of(pod):
    """Of the pod's account, by the bindings and roles that were rendered."""
    account = {"kind": "ServiceAccount", "name": pod.spec.get("serviceAccountName", "default"),
               "namespace": pod.deployment["metadata"]["namespace"]}
    bound = {binding["roleRef"]["name"] for binding in pod.of_kind("ClusterRoleBinding")
             if account in binding["subjects"]}
    return {(group, resource, verb) for role in pod.of_kind("ClusterRole")
            if role["metadata"]["name"] in bound for rule in role["rules"]
            for group in rule["apiGroups"] for resource in rule["resources"] for verb in rule["verbs"]}


class Installed:
    """What was rendered for one of the document's kustomizations, in a directory."""

    def __init__(self, directory, title, number, database, authority):
        kustomizations = [one for of, one in ways.kustomizations() if of == title]
        folder = directory / "rendered"
        folder.mkdir()
        self.pod = Pod(ways.rendered(folder, title, kustomizations[number]))
        self.directory, self.database, self.authority = directory, database, authority
        self.api = None
        self.sidecars = []

    def serve(self, kinds=KINDS):
        """The cluster's API server."""
        certificate = self.authority.issue("kubernetes", "IP:127.0.0.1")
        self.api = GuardedServer(rights_of(self.pod), certificate=certificate.cert, key=certificate.key,
                                 kinds=kinds)
        return self.api

    def start(self):
        """As many sidecars as there are replicas; returns the last one."""
        for number in range(self.pod.deployment["spec"]["replicas"]):
            directory = self.directory / f"pod-{number}"
            directory.mkdir()
            self.sidecars.append(Sidecar(directory, self._environment(directory)).start())
        return self.sidecars[-1]

    def _environment(self, directory):
        account = self.database.environment()
        secret = {"host": account["MYSQL_HOST"], "port": account["MYSQL_PORT"],
                  "dbName": account["MYSQL_DB_NAME"], "user": account["MYSQL_USER"],
                  "password": account["MYSQL_PASSWORD"]}
        environment = settings.environment(self.pod, directory, {"kubedl-mysql-config": secret})
        assert environment.pop("HTTP_LISTEN") == ":9470"
        return {**environment, "HTTP_LISTEN": "127.0.0.1:0", "KUBERNETES_SERVICE_HOST": "127.0.0.1",
                "KUBERNETES_SERVICE_PORT": str(self.api.port if self.api else 1),
                "KUBE_SERVICE_ACCOUNT": str(self._token(directory))}

    def _token(self, directory):
        """What the kubelet mounts, where the manifests mount nothing over it."""
        for mount in self.pod.sidecar["volumeMounts"]:
            if mount["mountPath"] == TOKEN_FOLDER:
                return settings.folder_of(mount, directory)
        folder = directory / "serviceaccount"
        folder.mkdir()
        shutil.copy(self.authority.cert, folder / "ca.crt")
        (folder / "token").write_text(TOKEN)
        return folder

    def socket(self):
        """What the controller's container sees as /run/kubedl/events.sock."""
        (shared,) = [mount for mount in self.pod.controller["volumeMounts"]
                     if mount["mountPath"] == "/run/kubedl"]
        (mount,) = [mount for mount in self.pod.sidecar["volumeMounts"] if mount["name"] == shared["name"]]
        return settings.folder_of(mount, self.directory / "pod-0") / "events.sock"

    def wait_for(self, jobs, pods):
        """Waits until these are alive; each is in one row."""
        def alive(rows):
            return {uid for uid, row in rows.items() if not row["deleted"]}

        def agree():
            assert all(sidecar.poll() is None for sidecar in self.sidecars), self.logs()
            return (alive(self.database.jobs()), alive(self.database.pods())) == (jobs, pods)

        until(agree, lambda: f"{jobs}, {pods}:\n{self.logs()}")

    def logs(self):
        return "\n".join(sidecar.log_tail() for sidecar in self.sidecars)

    def check(self):
        """The last step: what `kubedl-shipper check` says in the container."""
        result = program.run("check", settings=self.sidecars[0].settings)
        assert result.returncode in (0, WARNED), result.stdout + result.stderr

    def finish(self):
        for sidecar in self.sidecars:
            assert sidecar.stop() == 0, sidecar.log_tail()
            assert sidecar.accounts()["dead_lettered"] == 0

    def close(self):
        for sidecar in self.sidecars:
            sidecar.kill()
        if self.api is not None:
            self.api.close()


@pytest.fixture
def install(directory, database, authority):
    """install(title, number=0): what the section's kustomization of this number renders to."""
    made = []

    def new(title, number=0):
        made.append(Installed(directory, title, number, database, authority))
        return made[-1]

    yield new
    for one in made:
        one.close()


def put_a_life(api, module):
    """A job with a pod that stays, and one that goes; returns how to delete that."""
    api.put(module.job("job-1"))
    api.put(module.pod("pod-1"))
    gone = api.put(module.job("job-2", name="gone"))
    return lambda: api.delete(gone)


def check_that_lists_and_watches(installed, module, kinds=KINDS):
    api = installed.serve(kinds)
    delete = put_a_life(api, module)
    installed.start()
    installed.wait_for({"job-1", "job-2"}, {"pod-1"})
    delete()
    installed.wait_for({"job-1"}, {"pod-1"})
    assert {row["cluster_id"] for row in installed.database.jobs().values()} == {"prod-1"}
    installed.check()
    assert api.used <= api.rights


def test_kubedl_from_its_own_manifest(install):
    """And with a controller that emits beside it: what both sources show is in one row. What only the
    controller shows is newer than the lists, so that it is not swept."""
    installed = install("KubeDL from its own manifest")
    check_that_lists_and_watches(installed, events)
    emitter = Emitter(installed.socket())
    emitter.start()
    emitter.offer([line(events.added(events.job("job-1"))),
                   line(events.added(events.job("job-3", name="third", version="999")))])
    installed.wait_for({"job-1", "job-3"}, {"pod-1"})
    emitter.stop()
    installed.finish()


def test_kubedl_from_its_helm_chart(install):
    installed = install("KubeDL from its Helm chart")
    check_that_lists_and_watches(installed, events)
    installed.finish()


def test_kubedl_from_its_helm_chart_with_the_sidecar_in_its_pod(install):
    """The two replicas of the chart do the same work twice."""
    installed = install("KubeDL from its Helm chart", 1)
    check_that_lists_and_watches(installed, events)
    installed.finish()


def test_kubeflow(install):
    """Of two, one leads."""
    installed = install("Kubeflow")
    check_that_lists_and_watches(installed, kubeflow, FLOW_KINDS)
    assert {row["api_group"] for row in installed.database.jobs().values()} == {"kubeflow.org"}
    assert len(installed.sidecars) == 2
    installed.finish()


def test_a_controller_that_sends_events(install):
    """The API server is not asked: there is none, and no token."""
    installed = install("A controller that sends events")
    assert rights_of(installed.pod) == set()
    sidecar = installed.start()
    emitter = Emitter(installed.socket())
    emitter.start()
    gone = events.job("job-2", name="gone")
    emitter.offer([line(events.added(thing)) for thing in (events.job("job-1"), gone, events.pod("pod-1"))])
    installed.wait_for({"job-1", "job-2"}, {"pod-1"})
    emitter.offer([line(events.deleted({**gone, "metadata": {**gone["metadata"], "resourceVersion": "2"}}))])
    installed.wait_for({"job-1"}, {"pod-1"})
    emitter.wait_until_acked(4, sidecar)
    installed.check()
    emitter.stop()
    installed.finish()
