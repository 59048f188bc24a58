"""A Galera cluster loses the node that is written to, then its quorum, and heals, all under load: no
row is missing, the ledger balances, and nobody is asked in a hot loop.

How long things took is told at the end of the report; no test depends on it."""

import threading
import time
from contextlib import contextmanager

import pytest

from harness import events, stream
from harness.emitter import Emitter
from harness.galera import Cluster
from harness.server import Database
from harness.spool import assert_balances
from harness.wait import INTERVAL_SECONDS, until

LANES = 2
OBJECTS = 500


@pytest.fixture(scope="module")
def cluster():
    instance = Cluster()
    try:
        instance.start()
        yield instance
    finally:
        instance.close()


@pytest.fixture
def database(cluster):
    return Database(cluster.nodes[0], "kubedl", "utf8mb4")


class Load(threading.Thread):
    """A steady stream of jobs, about 1000 a second, each with a higher version than the last time."""

    STEP = 10

    def __init__(self, path):
        super().__init__(daemon=True)
        self.emitter = Emitter(path)
        self.versions = {}
        self._ending = threading.Event()

    def run(self):
        self.emitter.start()
        offered = 0
        while not self._ending.wait(INTERVAL_SECONDS):
            lines = []
            for number in range(offered, offered + self.STEP):
                uid = f"job-{number % OBJECTS}"
                self.versions[uid] = str(number + 1)
                job = events.job(uid, version=self.versions[uid])
                lines.append(stream.line(events.modified(job)))
            self.emitter.offer(lines)
            offered += self.STEP

    def end(self, sidecar):
        """Offers nothing more, and waits until all is acknowledged. Returns how much that is. What
        the tables must hold then is in .versions."""
        self._ending.set()
        self.join()
        self.emitter.wait_until_acked(len(self.emitter.lines), sidecar)
        return len(self.emitter.lines)

    def wait_for_acks(self, sidecar, more=1000):
        self.emitter.wait_until_acked(self.emitter.acked + more, sidecar)


@pytest.fixture
def load(directory):
    instance = Load(directory / "events.sock")
    instance.start()
    yield instance
    instance._ending.set()
    instance.join()
    instance.emitter.stop()


@pytest.fixture
def sidecar(new_sidecar, cluster, spool, load):
    return new_sidecar(EVENT_SOURCE=f"unix-listen:{load.emitter.path}", SPOOL_DIR=spool.directory,
                       MYSQL_HOST=cluster.hosts(), MYSQL_PORT=None, DB_CONNECTIONS=LANES,
                       SHUTDOWN_GRACE_MS=60000).start()


@pytest.fixture
def timed(record_cost):
    """with timed(WHAT): how long that took is told in the end."""

    @contextmanager
    def measure(what):
        begin = time.monotonic()
        yield
        record_cost(f"{time.monotonic() - begin:.1f} s: {what}")

    return measure


def versions(node, database):
    """What the node holds once it has applied all that the others have committed."""
    with node.connect(database=database.name) as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION wsrep_sync_wait = 1")
        cursor.execute("SELECT job_id, version FROM job_info")
        rows = cursor.fetchall()
    result = {row["job_id"]: row["version"] for row in rows}
    assert len(result) == len(rows)
    return result


def written_to(nodes, database):
    """The node that the sidecar writes to: all of its connections are there."""
    def found():
        counts = {node: sum(process["User"] == database.user
                            for process in node.query("SHOW PROCESSLIST")) for node in nodes}
        return [node for node, count in counts.items() if count == LANES == sum(counts.values())]

    return until(found, "one node has the connections of all lanes")[0]


def summary_by_now(sidecar):
    """A summary that tells of all that has been until now."""
    last = sidecar.summary()
    return until(lambda: sidecar.summary() != last and sidecar.summary(), "another summary")


def wait_for_writes(sidecar):
    """Waits until more is committed than is now."""
    before = summary_by_now(sidecar)["written"]
    until(lambda: sidecar.summary()["written"] > before,
          lambda: f"more is written:\n{sidecar.log_tail()}")


def test_node_then_quorum_lost_then_healed(cluster, database, sidecar, load, timed, record_cost):
    sidecar.wait_for_record("started")
    load.wait_for_acks(sidecar)
    wait_for_writes(sidecar)

    first = written_to(cluster.nodes, database)
    with timed("from kill -9 of the node that is written to, to the next rows committed"):
        first.kill()
        wait_for_writes(sidecar)
    left = [node for node in cluster.nodes if node is not first]
    second = written_to(left, database)
    load.wait_for_acks(sidecar)

    survivor, = [node for node in left if node is not second]
    connects = -int(survivor.status("Connections"))
    failures = -sidecar.summary()["failures"]
    with timed("without a quorum"):
        second.kill()
        until(lambda: sidecar.summary()["failures"] + failures >= 8 * LANES,
              lambda: f"the lanes wait for a quorum:\n{sidecar.log_tail()}")
    connects += int(survivor.status("Connections")) - 1  # but for this question
    failures += summary_by_now(sidecar)["failures"]
    record_cost(f"{connects} connects to the node without a quorum, {failures} failures")
    # After a failure a lane waits; before it, it asks a host once, or twice where a connection broke.
    assert connects <= 2 * (failures + LANES)
    load.wait_for_acks(sidecar)

    with timed("from the quorum to the next rows committed"):
        survivor.make_primary()
        wait_for_writes(sidecar)
    for node in (first, second):
        with timed(f"{node.name} joins"):
            node.join()
    assert [node.status("wsrep_cluster_size") for node in cluster.nodes] == ["3", "3", "3"]
    load.wait_for_acks(sidecar)

    lines = load.end(sidecar)
    sidecar.wait_until_written(lines)
    for node in cluster.nodes:
        assert versions(node, database) == load.versions
    assert sidecar.stop() == 0
    accounts = sidecar.accounts()
    assert accounts["received"] == lines
    assert accounts["dead_lettered"] == accounts["pending"] == 0
    assert_balances(sidecar)
    record_cost(f"{lines} events acknowledged, {accounts['written']} written, "
                f"{len(sidecar.records('connected'))} connections made")
