"""apiserver: an API server of a few resources, for lists and watches, whose answers can go wrong.

What it answers has the form of recorded exchanges with real API servers (v1.20, v1.36): the heads, the
chunks, Status objects, pages with `continue`, items of native lists without kind and apiVersion, lists
of custom resources with sorted keys, bookmarks, WatchList and its mark, and the three forms of 410."""

import base64
import gzip
import json
import socket
import ssl
import threading
import time
from bisect import bisect
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from . import kubeflow
from .wait import DEADLINE_SECONDS

GROUP = "training.kubedl.io"
INFERENCE = "inference.kubedl.io"

KINDS = {"Pod": ("", "v1", "pods"),
         "ElasticBatchJob": (INFERENCE, "v1alpha1", "elasticbatchjobs"),
         **{kind: (GROUP, "v1alpha1", kind.lower() + "s")
            for kind in ("TFJob", "PyTorchJob", "XGBoostJob", "XDLJob", "MarsJob", "MPIJob",
                         "ElasticDLJob")}}

FLOW_KINDS = {"Pod": KINDS["Pod"], **{kind: ("kubeflow.org", "v1", kind.lower() + "s")
                                      for kind in kubeflow.SPECS}}

RESOURCES = {name for _, _, name in (*KINDS.values(), *FLOW_KINDS.values())}

HEAD = ("Audit-Id: 9accfe94-51e5-4fe1-baf9-39137851b4aa\r\n"
        "Cache-Control: no-cache, private\r\n"
        "X-Kubernetes-Pf-Flowschema-Uid: 51963743-020f-4dc0-80f5-02b91c29a222\r\n"
        "Date: Mon, 23 Nov 2026 08:23:29 GMT\r\n")

REASONS = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound",
           410: "Expired", 422: "Invalid", 429: "TooManyRequests", 500: "InternalError",
           503: "ServiceUnavailable"}


def compact(value):
    """As Go writes it: what could be mistaken for HTML is escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026").encode()


def status(code, message, **metadata):
    """A Status object, printed as the API server prints errors."""
    return json.dumps({"kind": "Status", "apiVersion": "v1", "metadata": metadata,
                       "status": "Failure", "message": message, "reason": REASONS[code],
                       "code": code}, indent=2).encode() + b"\n"


def watch_line(kind, thing):
    return compact({"type": kind, "object": thing}) + b"\n"


@dataclass
class Answer:
    """status, body (pieces of bytes, each a chunk), and how it ends."""
    status: int = 200
    body: object = ()
    content_type: str = "application/json"
    headers: dict = field(default_factory=dict)
    chunked: bool = True
    cut: bool = False  # the connection is closed before the answer is whole


def error(code, message, **headers):
    return Answer(code, [status(code, message)], headers=headers, chunked=False)


@dataclass
class Request:
    path: str
    query: dict
    headers: dict
    at: float = field(default_factory=time.monotonic)

    @property
    def resource(self):
        """The resource that is listed or watched, or None."""
        last = self.path.rsplit("/", 1)[-1]
        return last if last in RESOURCES else None

    @property
    def what(self):
        """identify, discover, snapshot, list, watch, or confirm: a list that is asked for its version"""
        if self.resource is None:
            return "identify" if "namespaces" in self.path else "discover"
        if "watch" not in self.query:
            return "confirm" if self.query.get("limit") == "1" else "list"
        return "snapshot" if "sendInitialEvents" in self.query else "watch"


class ApiServer:
    """path: of a Unix socket, as kubectl proxy has it; else TLS on loopback with `certificate` and
    `key`, and `tokens` that are accepted."""

    def __init__(self, path=None, certificate=None, key=None, tokens=None, snapshots=True,
                 installed=None, uid="kube-system-uid", page=None, version=100, kinds=None):
        self.snapshots = snapshots
        self.kinds = kinds or KINDS
        self.installed = set(self.kinds if installed is None else installed)
        self.uid = uid
        self.page = page  # objects in a page, where it is not what the client wants
        self.tokens = tokens
        self.requests = []
        self.gzip = False
        self._faults = []
        self._version = version
        self._objects = {name: {} for _, _, name in self.kinds.values()}
        self._history = {name: [] for _, _, name in self.kinds.values()}  # (version, type, object)
        self._ordered = {}
        self._compacted = {name: 0 for _, _, name in self.kinds.values()}
        self._changed = threading.Condition()
        self._running = threading.Event()
        self._running.set()
        self._closed = False
        self._broken = 0  # watches that began before this are to break off
        self._connections = set()
        self._context = None
        self.path = path
        if certificate is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate, key)
        self._listen()

    # What is in the cluster

    def put(self, thing, version=None):
        """Creates or changes an object; returns it with its resourceVersion."""
        name = self.kinds[thing["kind"]][2]
        with self._changed:
            self._version = int(version) if version else self._version + 1
            thing = {**thing, "metadata": {**thing["metadata"],
                                           "resourceVersion": str(self._version)}}
            uid = thing["metadata"]["uid"]
            event = "MODIFIED" if uid in self._objects[name] else "ADDED"
            self._objects[name][uid] = thing
            self._history[name].append((self._version, event, thing))
            self._changed.notify_all()
        return thing

    def delete(self, thing, version=None):
        """Deletes an object, with the state in which `thing` is."""
        name = self.kinds[thing["kind"]][2]
        with self._changed:
            self._version = int(version) if version else self._version + 1
            gone = {**thing, "metadata": {**thing["metadata"],
                                          "resourceVersion": str(self._version)}}
            self._objects[name].pop(thing["metadata"]["uid"], None)
            self._history[name].append((self._version, "DELETED", gone))
            self._changed.notify_all()

    def bookmark(self):
        """Each watch is told of the version that has been reached."""
        with self._changed:
            for _, _, name in self.kinds.values():
                self._history[name].append((self._version, "BOOKMARK", None))
            self._changed.notify_all()

    def error_event(self, name, code, message):
        with self._changed:
            self._history[name].append((self._version, "ERROR", {
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": message, "reason": REASONS[code], "code": code}))
            self._changed.notify_all()

    def compact(self):
        """What has happened until now is forgotten."""
        with self._changed:
            for name in self._history:
                self._compacted[name] = self._version
                self._history[name].clear()

    def break_watches(self):
        """All watches that are open break off."""
        with self._changed:
            self._broken += 1
            self._changed.notify_all()

    @contextmanager
    def stopped(self):
        """Meanwhile watches break off, and no request is answered."""
        self._running.clear()
        self.break_watches()
        yield
        self._running.set()

    def uids(self, name):
        """Of the objects of a resource that there are."""
        return set(self._objects[name])

    def fill(self, thing, count):
        """So many copies of an object."""
        name = self.kinds[thing["kind"]][2]
        for number in range(count):
            uid = f"{name}-{number:06}"
            metadata = {**thing["metadata"], "name": uid, "uid": uid,
                        "resourceVersion": str(self._version)}
            self._objects[name][uid] = {**thing, "metadata": metadata}

    # How its answers go wrong

    def fault(self, what, answer, times=1, resource=None):
        """The next `times` requests of that sort are answered by answer(request, usual), where usual()
        makes the answer that it would have been."""
        self._faults.append([what, resource, answer, times])

    def forget_faults(self):
        self._faults.clear()

    def faults_left(self):
        return sum(times for *_, times in self._faults)

    def asked(self, what, resource=None):
        return [r for r in list(self.requests)
                if r.what == what and resource in (None, r.resource)]

    def watches(self, resource):
        """The requests by which it is watched: a snapshot goes on as a watch."""
        return self.asked("watch", resource) + \
            (self.asked("snapshot", resource) if self.snapshots else [])

    def times(self, what, resource):
        """When it was asked so."""
        return [r.at for r in self.asked(what, resource)]

    # Serving

    def _listen(self):
        if self.path is not None:
            self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._listener.bind(str(self.path))
        else:
            self._listener = socket.create_server(("127.0.0.1", 0))
            self.port = self._listener.getsockname()[1]
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        self._connections.add(connection)
        try:
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
                self._connections.add(connection)
            connection.settimeout(DEADLINE_SECONDS)
            reader = connection.makefile("rb")
            while self._serve_one(connection, reader):
                pass
        except (OSError, ValueError):
            pass  # the client or close() has ended it
        finally:
            self._connections.discard(connection)
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            connection.close()

    def _serve_one(self, connection, reader):
        first = reader.readline().split()
        if len(first) < 3:
            return False
        headers = {}
        for line in iter(reader.readline, b"\r\n"):
            if not line:
                return False
            name, value = line.decode().split(":", 1)
            headers[name.lower()] = value.strip()
        parts = urlsplit(first[1].decode())
        request = Request(unquote(parts.path), {k: v[0] for k, v in parse_qs(
            parts.query, keep_blank_values=True).items()}, headers)
        self._running.wait()
        self.requests.append(request)
        answer = self._answer(request)
        if answer is None:
            return False
        self._send(connection, request, answer)
        return not answer.cut

    def _answer(self, request):
        def usual():
            return self._usual(request)

        for entry in self._faults:
            what, resource, answer, times = entry
            if times > 0 and what == request.what and resource in (None, request.resource):
                entry[3] -= 1
                return answer(request, usual)
        return usual()

    def _send(self, connection, request, answer):
        wants_gzip = self.gzip and "gzip" in request.headers.get("accept-encoding", "")
        body = answer.body
        if wants_gzip and request.what == "list":
            data = gzip.compress(b"".join(body))
            body = [data[at:at + 1000] for at in range(0, len(data), 1000)]
            answer.headers = {**answer.headers, "Content-Encoding": "gzip"}
        head = f"HTTP/1.1 {answer.status} {REASONS.get(answer.status, 'OK')}\r\n{HEAD}"
        head += f"Content-Type: {answer.content_type}\r\n"
        head += "".join(f"{name.replace('_', '-')}: {value}\r\n"
                        for name, value in answer.headers.items())
        if answer.chunked:
            connection.sendall((head + "Transfer-Encoding: chunked\r\n\r\n").encode())
            for piece in body:
                connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
            if not answer.cut:
                connection.sendall(b"0\r\n\r\n")
        else:
            whole = b"".join(body)
            connection.sendall((head + f"Content-Length: {len(whole)}\r\n\r\n").encode() + whole)

    # What it usually answers

    def _usual(self, request):
        if self.tokens is not None and \
                request.headers.get("authorization") not in [f"Bearer {t}" for t in self.tokens]:
            return error(401, "Unauthorized")
        if request.what == "identify" and not request.path.endswith("/kube-system"):
            return self._namespace_of_that_name(request.path.rsplit("/", 1)[-1])
        if request.what == "identify":
            if self.uid is None:
                return error(403, 'namespaces "kube-system" is forbidden')
            return Answer(200, [compact({"kind": "Namespace", "apiVersion": "v1",
                                         "metadata": {"name": "kube-system", "uid": self.uid}})])
        if request.what == "discover":
            return self._discover(request)
        if not self._is_served(request):
            return Answer(404, [b"404 page not found\n"], "text/plain; charset=utf-8",
                          chunked=False)
        if request.what in ("list", "confirm"):
            return self._list(request)
        return self._watch(request)

    def _namespace_of_that_name(self, name):
        """There are those in which something is."""
        known = {thing["metadata"]["namespace"] for things in self._objects.values()
                 for thing in things.values()}
        if name not in known:
            return error(404, f'namespaces "{name}" not found')
        return Answer(200, [compact({"kind": "Namespace", "apiVersion": "v1",
                                     "metadata": {"name": name, "uid": f"{name}-uid"}})])

    def _kind_of(self, name):
        return next((kind for kind, (_, _, known) in self.kinds.items() if known == name), None)

    def _is_served(self, request):
        kind = self._kind_of(request.resource)
        if kind not in self.installed:
            return False
        group, version, _ = self.kinds[kind]
        return request.path.startswith(f"/apis/{group}/{version}/" if group else f"/api/{version}/")

    def _discover(self, request):
        group = tuple(request.path.removeprefix("/apis/").split("/"))
        resources = [{"name": name, "namespaced": True, "kind": kind, "verbs": ["list", "watch"]}
                     for kind, (*of, name) in self.kinds.items()
                     if tuple(of) == group and kind in self.installed]
        if not resources:
            return Answer(404, [b"404 page not found\n"], "text/plain; charset=utf-8",
                          chunked=False)
        return Answer(200, [compact({"kind": "APIResourceList", "apiVersion": "v1",
                                     "groupVersion": request.path[6:], "resources": resources})])

    @staticmethod
    def _namespace(request):
        parts = request.path.split("/")
        return parts[parts.index("namespaces") + 1] if "namespaces" in parts else None

    def _selected(self, request, thing):
        namespace = self._namespace(request)
        if namespace not in (None, thing["metadata"]["namespace"]):
            return False
        labels = thing["metadata"].get("labels") or {}
        return all(labels.get(key) == value for key, _, value in
                   (part.partition("=") for part in
                    request.query.get("labelSelector", "").split(",") if part))

    def _list(self, request):
        name = request.resource
        kind, native = self._kind_of(name), name == "pods"
        with self._changed:
            version, start = self._version, ""
            token = request.query.get("continue")
            if token:
                said = json.loads(base64.urlsafe_b64decode(token + "=="))
                version, start = said["rv"], said["start"]
                if version < self._compacted[name]:
                    return Answer(410, [status(
                        410, "The provided continue parameter is too old to display a consistent "
                        "list result.", **{"continue": "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6LTF9"})
                    ], chunked=False)
            things = self._in_order(name)
        begin = bisect(things, start, key=self._key)
        limit = int(request.query.get("limit") or 0)
        limit = min(limit, self.page or limit) or len(things)
        end = begin + limit
        page = [t for t in things[begin:end] if self._selected(request, t)]
        metadata = {"resourceVersion": str(version)}
        if end < len(things):
            token = compact({"v": "meta.k8s.io/v1", "rv": version,
                             "start": self._key(things[end - 1])})
            metadata["continue"] = base64.urlsafe_b64encode(token).rstrip(b"=").decode()
            metadata["remainingItemCount"] = len(things) - end
        return Answer(200, self._list_body(kind, native, metadata, page))

    def _in_order(self, name):
        """All objects of a resource as pages go through them; kept until there is a change."""
        if self._ordered.get(name, (None,))[0] != self._version:
            things = sorted(self._objects[name].values(), key=self._key)
            self._ordered[name] = (self._version, things)
        return self._ordered[name][1]

    @staticmethod
    def _key(thing):
        return f"/{thing['metadata']['namespace']}/{thing['metadata']['name']}" \
               f"/{thing['metadata']['uid']}"

    def _list_body(self, kind, native, metadata, page):
        group, version, _ = self.kinds[kind]
        if native:
            yield compact({"kind": kind + "List", "apiVersion": version,
                           "metadata": metadata})[:-1] + b',"items":['
        else:
            yield compact({"apiVersion": f"{group}/{version}"})[:-1] + b',"items":['
        for number, thing in enumerate(page):
            if native:
                thing = {key: value for key, value in thing.items()
                         if key not in ("kind", "apiVersion")}
            yield (b"," if number else b"") + compact(thing)
        yield b"]}\n" if native else (b'],' + compact({"kind": kind + "List",
                                                       "metadata": metadata})[1:] + b"\n")

    def _watch(self, request):
        name = request.resource
        if request.what == "snapshot" and not self.snapshots:
            return error(422, "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: "
                              "Forbidden: resourceVersionMatch is forbidden for watch")
        if request.what == "watch" and \
                int(request.query["resourceVersion"]) < self._compacted[name]:
            return Answer(200, [watch_line("ERROR", {
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": "too old resource version: 600 (3613)", "reason": "Expired",
                "code": 410})])
        answer = Answer(200)
        answer.body = self._watch_body(request, name, answer)
        return answer

    def _bookmark(self, kind, version, ends_snapshot=False):
        group, of, _ = self.kinds[kind]
        metadata = {"resourceVersion": str(version)}
        if ends_snapshot:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        thing = {"kind": kind, "apiVersion": f"{group}/{of}" if group else of,
                 "metadata": metadata}
        if kind == "Pod":
            thing.update(spec={"containers": None}, status={})
        return watch_line("BOOKMARK", thing)

    def _watch_body(self, request, name, answer):
        kind = self._kind_of(name)
        with self._changed:
            begun, history = self._broken, self._history[name]
            if request.what == "snapshot":
                things, version, at = list(self._objects[name].values()), self._version, \
                    len(history)
            else:
                things, version = None, int(request.query["resourceVersion"])
                at = next((n for n, (of, *_) in enumerate(history) if of > version), len(history))
        if things is not None:
            for thing in things:
                if self._selected(request, thing):
                    yield watch_line("ADDED", thing)
            yield self._bookmark(kind, version, ends_snapshot=True)
        deadline = time.monotonic() + int(request.query["timeoutSeconds"])
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: len(history) != at or self._closed or self._broken != begun,
                    deadline - time.monotonic())
                if self._closed or self._broken != begun:
                    answer.cut = True
                    return
                if time.monotonic() >= deadline:
                    return
                if len(history) < at:  # compacted: it goes on with what comes
                    at = 0
                entries, at = history[at:], len(history)
            for version, event, thing in entries:
                if event == "BOOKMARK":
                    yield self._bookmark(kind, version)
                elif event == "ERROR":
                    yield watch_line("ERROR", thing)
                    return
                elif self._selected(request, thing):
                    yield watch_line(event, thing)

    def close(self):
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._running.set()
        for connection in (self._listener, *list(self._connections)):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._listener.close()

    def wait_until_closed(self, seconds=None):
        with self._changed:
            self._changed.wait_for(lambda: self._closed, seconds)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
