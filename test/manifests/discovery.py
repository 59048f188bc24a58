"""An API server that knows which kinds there are, and has no objects: as much as `kubectl apply
--dry-run=client` asks."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# By group and version: what the API calls a kind, and whether it is in a namespace.
KINDS = {
    "v1": {"ConfigMap": ("configmaps", True), "PersistentVolumeClaim": ("persistentvolumeclaims", True),
           "Secret": ("secrets", True), "Service": ("services", True),
           "ServiceAccount": ("serviceaccounts", True)},
    "apps/v1": {"Deployment": ("deployments", True)},
    "rbac.authorization.k8s.io/v1": {"ClusterRole": ("clusterroles", False),
                                     "ClusterRoleBinding": ("clusterrolebindings", False)},
    "monitoring.coreos.com/v1": {"PodMonitor": ("podmonitors", True),
                                 "PrometheusRule": ("prometheusrules", True)},
}


def answer(path):
    """None where there is nothing."""
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [
            {"name": name.split("/")[0], "versions": [version], "preferredVersion": version}
            for name in KINDS if "/" in name
            for version in [{"groupVersion": name, "version": name.split("/")[1]}]]}
    name = path.removeprefix("/apis/").removeprefix("/api/")
    if name in KINDS:
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": [
            {"name": resource, "singularName": "", "namespaced": namespaced, "kind": kind,
             "verbs": ["create", "get", "patch"]}
            for kind, (resource, namespaced) in KINDS[name].items()]}
    return None


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        found = answer(self.path.split("?")[0])
        body = json.dumps(found or {"kind": "Status", "apiVersion": "v1", "status": "Failure",
                                    "reason": "NotFound", "code": 404}).encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nobody reads it."""


@contextmanager
def served():
    """Its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
