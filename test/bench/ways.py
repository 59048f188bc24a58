"""ways: the ways to get events, or their rows, into the database, each with the same questions to it."""

import collections
import json
import multiprocessing
import os
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pymysql

BENCH = Path(__file__).resolve().parent
sys.path.insert(0, str(BENCH.parent / "integration"))

from harness import kubedl, producer  # noqa: E402
from harness.events import pod  # noqa: E402
from harness.sidecar import Sidecar, command  # noqa: E402
from harness.stream import line  # noqa: E402
from harness.web import Web, ask  # noqa: E402

SETTLE_SECONDS = 600
CREATED = "2026-01-01 00:00:00"


def status_kib(pid, name):
    """A figure of /proc/PID/status; 0 where there is none, as for a process that has ended."""
    for entry in Path(f"/proc/{pid}/status").read_text().splitlines():
        if entry.startswith(f"{name}:"):
            return int(entry.split()[1])
    return 0


def with_room(server_class):
    """The server as the tests have it, but with room for the larger tables."""

    class Roomy(server_class):
        def command(self):
            return [*super().command(), "--innodb-buffer-pool-size=1G"]

    return Roomy


def uid_of(number):
    """Uids are random, so that neighbours in time are none in the index."""
    mixed = number * 0x9E3779B97F4A7C15 % 2**64
    return f"{mixed:016x}-{number:012d}"


def pod_lines(numbers, version, job_uid="job-1"):
    """Small pods of 1 KiB or so, as lines of the stream."""
    template = line({"type": "MODIFIED", "object": pod(
        "UID", version, name="NAME", phase="Running", job_uid=job_uid,
        annotations={"padding": "x" * 300})})
    before, after = template.split(b"UID")
    return b"".join(before.replace(b"NAME", b"pod-%d" % n) + uid_of(n).encode() + after
                    for n in numbers)


def pod_rows(numbers, version):
    """The same as lines for LOAD DATA."""
    return b"".join(
        f"pod-{n}\tteam\t{uid_of(n)}\t{version}\tRunning\ttrain:1\tjob-1\tworker\t{{}}\t0\t1\t"
        f"{CREATED}\t{CREATED}\tbench\n".encode() for n in numbers)


POD_COLUMNS = ("name, namespace, pod_id, version, status, image, job_id, replica_type, resources,"
               " deleted, is_in_etcd, gmt_created, gmt_started, cluster_id")


def load_data(connection, path, table, columns):
    """Seconds that it takes."""
    begin = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute(f"LOAD DATA LOCAL INFILE '{path}' REPLACE INTO TABLE {table}"
                       f" CHARACTER SET utf8mb4 ({columns})")
    return time.monotonic() - begin


def fill(database, directory, size):
    """Puts rows 0..size into replica_info."""
    path = Path(directory) / "rows"
    with database.server.connect(database=database.name, local_infile=True) as connection:
        for begin in range(0, size, 100_000):
            path.write_bytes(pod_rows(range(begin, min(begin + 100_000, size)), "1"))
            load_data(connection, path, "replica_info", POD_COLUMNS)


class Shipper:
    """The sidecar with its default settings."""

    name = "shipper"

    def __init__(self, server, directory):
        self.server = server
        self.directory = Path(directory)
        self.socket = self.directory / "events.sock"

    def _start(self, database, **settings):
        log = self.directory / "sidecar-0.log"
        log.unlink(missing_ok=True)
        sidecar = Sidecar(self.directory, {
            **database.environment(), "CLUSTER_ID": "bench", "HTTP_LISTEN": "127.0.0.1:0",
            "EVENT_SOURCE": f"unix-listen:{self.socket}", **settings}).start()
        sidecar.wait_for_record("started" if "MYSQL_HOST" in settings else "connected")
        return sidecar

    @staticmethod
    def _ship(sidecar, connection, data, received):
        """Seconds until the last commit, and how many rows were written until then. It asks by HTTP,
        since an acknowledgement comes up to 200 ms after the commit; each answer is work, too."""
        with closing(Web(sidecar).connect()) as web:
            begin = time.monotonic()
            connection.sendall(data)
            while True:
                status = json.loads(ask(web, "/status").text)
                seconds = time.monotonic() - begin
                if status["ledger"]["received"] >= received and status["pending"]["rows"] == 0:
                    written = [table["written"] for table in status["ledger"]["rows"].values()]
                    return seconds, sum(written)
                assert seconds < SETTLE_SECONDS, sidecar.log_tail()
                time.sleep(0.02)

    def catch_up(self, data):
        database = new_database(self.server)
        sidecar = self._start(database)
        count = data.count(b"\n")
        with producer.connect(self.socket) as connection:
            before = sidecar.cpu_seconds()
            seconds, written = self._ship(sidecar, connection, data, count)
            cpu = sidecar.cpu_seconds() - before
        sidecar.stop()
        database.drop()
        return {"events/s": count / seconds, "rows/s": written / seconds,
                "CPU us/event": cpu / count * 1e6, "peak MiB": sidecar.peak_kib / 1024}

    def distinct(self, size, count):
        """Rows/s of count new pods in a table of that size, and of an update of each."""
        database = new_database(self.server)
        sidecar = self._start(database)
        fill(database, self.directory, size)
        numbers = range(size, size + count)
        with producer.connect(self.socket) as connection:
            inserts, _ = self._ship(sidecar, connection, pod_lines(numbers, "2"), count)
            updates, _ = self._ship(sidecar, connection, pod_lines(numbers, "3"), 2 * count)
        sidecar.stop()
        database.drop()
        return count / inserts, count / updates

    def latency(self, rate, seconds):
        """From the write on the socket to when another connection sees the row."""
        database = new_database(self.server)
        sidecar = self._start(database)
        count = int(rate * seconds)
        each = max(1, rate // Watcher.PER_SECOND)  # of them is watched
        lines = [pod_lines([n], "2", Watcher.JOB if n % each == 0 else "job-1")
                 for n in range(count)]
        watcher = Watcher(database, len(lines[::each]))
        watcher.receive()
        sent = {}
        before = sidecar.cpu_seconds()
        with producer.connect(self.socket) as connection:
            begin = time.monotonic()
            for number, one in enumerate(lines):
                due = begin + number / rate
                while time.monotonic() < due:
                    time.sleep(max(0, min(due - time.monotonic(), 0.001)))
                if number % each == 0:
                    sent[uid_of(number)] = time.monotonic()
                connection.sendall(one)
            took = time.monotonic() - begin
            cpu = sidecar.cpu_seconds() - before
            seen = watcher.receive()
        sidecar.stop()
        database.drop()
        times = sorted((seen[uid] - when) * 1000 for uid, when in sent.items())
        return {"p50 ms": times[len(times) // 2], "p99 ms": times[len(times) * 99 // 100],
                "p99.9 ms": times[len(times) * 999 // 1000],
                "CPU %": cpu / took * 100, "sent/s": count / took}

    def idle_mib(self):
        database = new_database(self.server)
        sidecar = self._start(database)
        time.sleep(0.5)  # what a start needs has been given back
        mib = status_kib(sidecar.pid, "VmRSS") / 1024
        sidecar.stop()
        database.drop()
        return mib

    def pending_mib(self, count):
        """With count objects that the database does not take."""
        database = new_database(self.server)
        sidecar = self._start(database, MYSQL_HOST=str(self.directory / "nobody"),
                              OUTBOX_MAX_ROWS=str(count + 1), LOG_SUMMARY_MS="100")
        with producer.connect(self.socket) as connection:
            connection.sendall(pod_lines(range(count), "1"))
            sidecar.wait_until_received(count)
            mib = status_kib(sidecar.pid, "VmRSS") / 1024
        sidecar.kill()
        database.drop()
        return mib


class Watcher:
    """Notes when each pod of the job JOB is seen for the first time; a process, so that it and who
    sends do not wait for each other."""

    JOB = "watched"
    PER_SECOND = 500  # more would make it, and not the sidecar, what takes the time

    # Ids are given before they are committed, so they do not come in order. A commit does not take
    # longer than this; the less is looked at again and again, the closer the looks.
    LOOK_BACK_SECONDS = 0.2

    def __init__(self, database, wanted):
        fork = multiprocessing.get_context("fork")
        self.result, child = fork.Pipe(duplex=False)
        self.process = fork.Process(target=self._run, args=(database, wanted, child), daemon=True)
        self.process.start()
        child.close()

    def _run(self, database, wanted, result):
        seen, looks, from_id = {}, collections.deque(), 0
        connection = database.server.connect(database=database.name)
        with connection.cursor(pymysql.cursors.Cursor) as cursor:
            result.send("ready")
            while len(seen) < wanted:
                cursor.execute("SELECT id, pod_id FROM replica_info"
                               f" WHERE id > {from_id} AND job_id = '{self.JOB}'")
                rows = cursor.fetchall()
                now = time.monotonic()
                for _, uid in rows:
                    seen.setdefault(uid, now)
                looks.append((now, max((row[0] for row in rows), default=from_id)))
                while now - looks[0][0] > self.LOOK_BACK_SECONDS:
                    from_id = max(from_id, looks.popleft()[1])
                time.sleep(0.001)
        result.send(seen)

    def receive(self):
        """"ready" first, then when each was seen."""
        assert self.result.poll(60), "not all pods were seen"
        return self.result.recv()


class PlainWriter:
    """A Python script (plain_writer.py), on the sidecar's tables."""

    name = "python"

    def __init__(self, server, directory):
        self.server = server
        self.directory = Path(directory)

    def catch_up(self, data):
        database = new_database(self.server)
        path = self.directory / "plain.sock"
        path.unlink(missing_ok=True)
        settings = database.environment()
        with producer.Listener(path) as listener:
            process = subprocess.Popen([
                sys.executable, str(BENCH / "plain_writer.py"), str(path),
                settings["MYSQL_HOST"], settings["MYSQL_PORT"], settings["MYSQL_USER"],
                settings["MYSQL_PASSWORD"], settings["MYSQL_DB_NAME"]])
            connection = listener.accept()
            begin = time.monotonic()
            connection.sendall(data)
            connection.close()
            peak, pid = 0, 0
            while pid == 0:
                peak = max(peak, status_kib(process.pid, "VmHWM"))
                time.sleep(0.005)
                pid, code, usage = os.wait4(process.pid, os.WNOHANG)
            seconds = time.monotonic() - begin
        assert code == 0, "plain_writer.py failed"
        process.returncode = 0
        database.drop()
        cpu = usage.ru_utime + usage.ru_stime
        count = data.count(b"\n")
        return {"events/s": count / seconds, "CPU us/event": cpu / count * 1e6,
                "peak MiB": peak / 1024}


class LoadData:
    """LOAD DATA LOCAL INFILE ... REPLACE: what the database does at most. Rows only, no events."""

    name = "load_data"

    def __init__(self, server, directory):
        self.server = server
        self.path = Path(directory) / "rows"

    def _connect(self, database):
        return self.server.connect(database=database.name, local_infile=True)

    def final_rows_of(self, lines):
        """Rows/s of the rows that the stream ends in."""
        database = self.server.new_database()
        replay(database, b"".join(lines))
        count, seconds = 0, 0
        with self._connect(database) as connection:
            for table in ("job_info", "replica_info"):
                rows = database.query(f"SELECT * FROM {table}")
                columns = [c for c in rows[0] if c != "id"]
                self.path.write_bytes(b"".join(
                    "\t".join(escaped(row[c]) for c in columns).encode() + b"\n" for row in rows))
                database.query(f"CREATE TABLE copy LIKE {table}")
                seconds += load_data(connection, self.path, "copy", ", ".join(columns))
                database.query("DROP TABLE copy")
                count += len(rows)
        database.drop()
        return count / seconds

    def distinct(self, size, count):
        database = new_database(self.server)
        fill(database, self.path.parent, size)
        result = []
        with self._connect(database) as connection:
            for version in ("2", "3"):
                self.path.write_bytes(pod_rows(range(size, size + count), version))
                result.append(count / load_data(connection, self.path, "replica_info", POD_COLUMNS))
        database.drop()
        return result


class KubeDL:
    """As KubeDL's own writer does it, on its tables, which have no index: looks whether the row is
    there, then inserts or updates it, each in a transaction of its own."""

    FIND = ("SELECT * FROM replica_info WHERE pod_id = %s AND namespace = %s AND name = %s"
            " ORDER BY id LIMIT 1")
    INSERT = ("INSERT INTO replica_info (name, namespace, pod_id, version, status, gmt_created)"
              " VALUES (%s, %s, %s, %s, 'Running', NOW())")
    UPDATE = ("UPDATE replica_info SET version = %s, status = 'Running', gmt_modified = NOW()"
              " WHERE pod_id = %s AND namespace = %s AND name = %s")

    def __init__(self, server):
        self.server = server

    def _write(self, cursor, uid, namespace, name, version):
        cursor.execute(self.FIND, (uid, namespace, name))
        if cursor.fetchone() is None:
            cursor.execute(self.INSERT, (name, namespace, uid, version))
        else:
            cursor.execute(self.UPDATE, (version, uid, namespace, name))

    def _rate(self, database, things, seconds):
        """Things/s, for at most that long."""
        count = 0
        with self.server.connect(database=database.name) as connection, \
                connection.cursor() as cursor:
            begin = time.monotonic()
            for thing in things:
                self._write(cursor, *thing)
                count += 1
                if time.monotonic() - begin > seconds:
                    break
            return count / (time.monotonic() - begin)

    def _new_database(self):
        database = self.server.new_database()
        kubedl.create_tables(database)
        return database

    def catch_up(self, lines, seconds):
        """Events/s over the first seconds: later ones are slower, as the table grows. Jobs are
        written like pods here."""
        database = self._new_database()
        things = []
        for one in lines:
            event = json.loads(one)
            meta = event["object"]["metadata"]
            if event["type"] != "DELETED" and event["object"]["kind"] != "Event":
                things.append((meta["uid"], meta["namespace"], meta["name"],
                               meta["resourceVersion"]))
        rate = self._rate(database, things, seconds)
        database.drop()
        return rate

    def distinct(self, size, seconds):
        database = self._new_database()
        if size > 0:
            database.query(
                "INSERT INTO replica_info (name, namespace, pod_id, version, status, image,"
                " resources, gmt_created) SELECT CONCAT('pod-', seq), 'team', UUID(), '1',"
                f" 'Running', 'train:1', '{{}}', NOW() FROM {numbers(self.server, size)}")
        new = ((uid_of(n), "team", f"pod-{n}", "2") for n in range(size, 2 * size + 10**6))
        inserts = self._rate(database, new, seconds)
        again = ((uid_of(n), "team", f"pod-{n}", "3") for n in range(size, 2 * size + 10**6))
        updates = self._rate(database, again, seconds)
        database.drop()
        return inserts, updates


def numbers(server, count):
    """A table of the numbers 1..count in a column seq."""
    if server.is_mariadb:
        return f"seq_1_to_{count}"
    digits = "(" + " UNION ALL ".join(f"SELECT {d} AS d" for d in range(10)) + ")"
    joined = " CROSS JOIN ".join(f"{digits} AS t{i}" for i in range(len(str(count))))
    value = " + ".join(f"t{i}.d * {10**i}" for i in range(len(str(count))))
    return f"(SELECT {value} AS seq FROM {joined} LIMIT {count}) AS numbers"


def escaped(value):
    """A value for LOAD DATA."""
    if value is None:
        return r"\N"
    return str(value).replace("\\", r"\\").replace("\t", r"\t").replace("\n", r"\n") \
        .replace("\0", r"\0")


def new_database(server):
    """With the sidecar's tables, which it makes itself when it has something to write."""
    database = server.new_database()
    replay(database, pod_lines([0], "1"))
    database.query("TRUNCATE TABLE replica_info")
    return database


def replay(database, data):
    """Ships these lines."""
    subprocess.run([*command(), "replay", "-"], check=True, input=data,
                   env={**os.environ, **database.environment(), "CLUSTER_ID": "bench"},
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def stripped_kib(directory):
    copy = Path(directory) / "stripped"
    subprocess.run(["strip", "-o", str(copy), command()[-1]], check=True)
    return copy.stat().st_size / 1024


def image_mib(directory):
    """What `make image` would put into it: the program and the libraries that it needs."""
    root = Path(directory) / "root"
    sources = BENCH.parents[1]
    subprocess.run([sources / ".ci/image/collect", Path(directory) / "stripped", sources, root],
                   check=True, stdout=subprocess.DEVNULL)
    return sum(path.lstat().st_size for path in root.rglob("*")) / 2**20
