"""world: what is true. A small cluster of jobs and pods that changes at random, and what the tables
have to say of it in the end."""

import threading

from harness import events, stream

KINDS = ("TFJob", "PyTorchJob", "Pod")
FEWEST, MOST = 12, 40  # objects of a kind that are alive

# A sweep that would close more than half of the rows is refused, and that is another test's matter.
VANISH_AT_MOST = 0.4


def version_of(thing):
    return int(thing["metadata"]["resourceVersion"])


class World:
    """The objects by uid. `listeners` are told of each change as (type, object), in order, while
    `lock` is held."""

    def __init__(self, rng):
        self.rng = rng
        self.lock = threading.RLock()
        self.listeners = []
        self.alive = {}
        self.gone = set()
        self._version = 1000
        self._made = 0
        self._vanished = {kind: 0 for kind in KINDS}
        self._settled = {kind: 0 for kind in KINDS}
        for kind in KINDS * FEWEST:
            self._put(self._new(kind), "ADDED")

    def count(self, kind):
        return sum(thing["kind"] == kind for thing in self.alive.values())

    def settled(self):
        """The tables are as the world is: from here on the share that vanishes is counted."""
        for kind in KINDS:
            self._settled[kind] = self.count(kind)
            self._vanished[kind] = 0

    def change(self):
        """One object comes, changes or goes."""
        with self.lock:
            kind = self.rng.choice(KINDS)
            count = self.count(kind)
            what = self.rng.random()
            if count < FEWEST or (what < 0.25 and count < MOST):
                self._put(self._new(kind), "ADDED")
            elif what < 0.45 and self._vanished[kind] < VANISH_AT_MOST * self._settled[kind]:
                self._vanished[kind] += 1
                thing = self._any(kind)
                del self.alive[thing["metadata"]["uid"]]
                self.gone.add(thing["metadata"]["uid"])
                self._tell("DELETED", self._renewed(thing))
            else:
                self._put(self._any(kind), "MODIFIED")

    def _any(self, kind):
        return self.rng.choice([t for t in self.alive.values() if t["kind"] == kind])

    def _new(self, kind):
        self._made += 1
        name = f"{kind.lower()}-{self._made}"
        if kind == "Pod":
            return events.pod(name, name=name, phase="Running", job_uid="tfjob-1")
        return events.job(name, kind=kind, name=name, conditions=("Created", "Running"))

    def _renewed(self, thing):
        self._version += self.rng.randrange(1, 4)
        return {**thing, "metadata": {**thing["metadata"], "resourceVersion": str(self._version)}}

    def _put(self, thing, event):
        thing = self._renewed(thing)
        self.alive[thing["metadata"]["uid"]] = thing
        self._tell(event, thing)

    def _tell(self, event, thing):
        for listener in self.listeners:
            listener(event, thing)

    def snapshot(self):
        """All that is alive, and a mark for each kind, as lines with what they say: (line, uid,
        version); of a mark the uid is None."""
        with self.lock:
            lines = [(stream.line(events.added(thing)), uid, version_of(thing))
                     for uid, thing in self.alive.items()]
            self.rng.shuffle(lines)
            return lines + [(mark(kind, self._version), None, 0) for kind in KINDS]

    def wrong(self, database, promised):
        """What the tables say that is not true. promised: by uid, the version that has to be there
        at least."""
        with self.lock:
            rows = {**database.jobs(), **database.pods()}
            wrong = []
            for uid, thing in self.alive.items():
                row = rows.get(uid)
                if row is None:
                    wrong.append(f"{uid} is missing")
                elif row["deleted"] or row["version"] != str(version_of(thing)):
                    wrong.append(f"{uid} is alive at {version_of(thing)}; its row: deleted"
                                 f" {row['deleted']}, version {row['version']}")
            wrong += [f"{uid} is gone; its row is alive at version {rows[uid]['version']}"
                      for uid in self.gone if uid in rows and not rows[uid]["deleted"]]
            wrong += [f"{uid} was acknowledged at {version}; its row:"
                      f" {rows[uid]['version'] if uid in rows else 'none'}"
                      for uid, version in promised.items()
                      if uid not in rows or int(rows[uid]["version"]) < version]
            return wrong


def mark(kind, version):
    return stream.line({"type": "BOOKMARK", "object": {
        "apiVersion": "v1" if kind == "Pod" else "training.kubedl.io/v1alpha1", "kind": kind,
        "metadata": {"resourceVersion": str(version),
                     "annotations": {"k8s.io/initial-events-end": "true"}}}})
