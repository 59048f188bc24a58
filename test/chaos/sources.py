"""sources: the ways in which a world's changes reach the sidecar.

Each has: settings for the sidecar; begin() and end(); lose_changes(), a context in which what changes
is not told to anybody; told_snapshot(), whether the last snapshot is over for the one who sent it; and
promised, by uid the version that was acknowledged."""

import json
import select
import socket
import threading
from contextlib import ExitStack, contextmanager

from harness import stream
from harness.apiserver import ApiServer
from harness.wait import INTERVAL_SECONDS

from world import KINDS, version_of


class Producer(threading.Thread):
    """A controller on the socket that trusts acknowledgements: it begins with a snapshot, and on a
    later connection sends what was not acknowledged; a snapshot again only if its marks were not
    acknowledged, or if it has lost changes."""

    def __init__(self, world, directory):
        super().__init__(daemon=True)
        self.world = world
        self.path = str(directory / "events.sock")
        self.settings = {"EVENT_SOURCE": f"unix-listen:{self.path}"}
        self.promised = {}
        self._waiting = []  # (line, uid, version): what is not acknowledged, in order
        self._lost = True
        self._losing = False
        self._ending = threading.Event()
        world.listeners.append(self._take_change)

    def begin(self):
        self.start()

    def end(self):
        self._ending.set()
        self.join()

    @contextmanager
    def lose_changes(self):
        with self.world.lock:
            self._losing = self._lost = True
            yield
            self._losing = False

    def told_snapshot(self):
        with self.world.lock:
            return not self._lost and all(uid is not None for _, uid, _ in self._waiting)

    def _take_change(self, event, thing):
        if not self._losing:
            line = stream.line({"type": event, "object": thing})
            self._waiting.append((line, thing["metadata"]["uid"], version_of(thing)))

    def run(self):
        while not self._ending.is_set():
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                try:
                    connection.connect(self.path)
                    connection.setblocking(False)
                    self._talk(connection)
                except OSError:
                    self._ending.wait(INTERVAL_SECONDS)

    def _talk(self, connection):
        with self.world.lock:
            if not self.told_snapshot():
                self._waiting = self.world.snapshot()
                self._lost = False
        sent = acked = 0  # documents of this connection
        unsent = unread = b""
        while not self._ending.is_set():
            with self.world.lock:
                if self._lost:
                    return  # it has been started anew
                if not unsent:
                    more = self._waiting[sent - acked:]
                    sent += len(more)
                    unsent = b"".join(line for line, *_ in more)
            readable, writable, _ = select.select(
                [connection], [connection] if unsent else [], [], INTERVAL_SECONDS)
            if writable:
                unsent = unsent[connection.send(unsent):]
            if readable:
                data = connection.recv(65536)
                if not data:
                    return
                *answers, unread = (unread + data).split(b"\n")
                for answer in answers:
                    acked = self._take_answer(acked, json.loads(answer)["acked"])

    def _take_answer(self, before, acked):
        with self.world.lock:
            for _, uid, version in self._waiting[:acked - before]:
                if uid is not None:
                    self.promised[uid] = max(version, self.promised.get(uid, 0))
            del self._waiting[:acked - before]
        return acked


class Cluster:
    """An API server that is listed and watched; `snapshots`: by WatchList, else by pages."""

    def __init__(self, world, directory, snapshots):
        path = directory / "kube.sock"
        self.api = ApiServer(path, installed=KINDS, snapshots=snapshots, page=7)
        self.settings = {"EVENT_SOURCE": f"kube+unix:{path}"}
        self.promised = {}
        self.world = world
        for thing in world.alive.values():
            self._take_change("ADDED", thing)
        world.listeners.append(self._take_change)

    def begin(self):
        pass

    def end(self):
        self.api.close()

    @contextmanager
    def lose_changes(self):
        """The API server forgets what has happened: who was away has to list anew."""
        with self.world.lock:
            yield
            self.api.compact()
        self.api.break_watches()

    def told_snapshot(self):
        return False

    def _take_change(self, event, thing):
        if event == "DELETED":
            self.api.delete(thing, version=version_of(thing))
        else:
            self.api.put(thing, version=version_of(thing))


class Both:
    """A controller on the socket and a watched API server beside each other, which show the same."""

    def __init__(self, world, directory):
        self.sources = [Cluster(world, directory, snapshots=True), Producer(world, directory)]
        self.settings = {"EVENT_SOURCE": ",".join(s.settings["EVENT_SOURCE"] for s in self.sources)}
        self.promised = self.sources[1].promised

    def begin(self):
        for source in self.sources:
            source.begin()

    def end(self):
        for source in self.sources:
            source.end()

    @contextmanager
    def lose_changes(self):
        with ExitStack() as stack:
            for source in self.sources:
                stack.enter_context(source.lose_changes())
            yield

    def told_snapshot(self):
        return self.sources[1].told_snapshot()


SOURCES = {
    "socket": Producer,
    "watchlist": lambda world, directory: Cluster(world, directory, snapshots=True),
    "pages": lambda world, directory: Cluster(world, directory, snapshots=False),
    "both": Both,
}
