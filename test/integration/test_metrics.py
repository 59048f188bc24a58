"""Metrics: they are true, and Debian's Prometheus likes them."""

import json
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from harness import events, producer, stream
from harness.server import free_port
from harness.spool import command
from harness.wait import until
from harness.web import Web, total

OURS = "kubedl_shipper_"
FOLDER = Path(__file__).parent / "prometheus-folder.sh"


@pytest.fixture(scope="session")
def prometheus():
    """The folder that prometheus and promtool are in."""
    result = subprocess.run([FOLDER], stdout=subprocess.PIPE, check=True, text=True)
    return Path(result.stdout.strip())


@pytest.fixture
def path(directory):
    return directory / "events.sock"


def send(path, lines):
    with producer.connect(path) as connection:
        connection.sendall(b"".join(lines))


def test_they_say_what_was_shipped(serving, path, database):
    sidecar = serving(CLUSTER_ID="blue")
    web = Web(sidecar)
    lines = stream.lines("stream-c")
    send(path, lines)
    sidecar.wait_until_written(len(lines))
    metrics = web.metrics()
    kinds = [json.loads(line) for line in lines]

    def seen(**labels):
        return total(metrics, OURS + "events_total", *(f'{k}="{v}"' for k, v in labels.items()))

    assert seen() == total(metrics, OURS + "documents_total") == len(lines)
    for name in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"):
        assert seen(type=name.lower()) == sum(event.get("type") == name for event in kinds), name
    assert seen(kind="Pod") == sum(event["object"].get("kind") == "Pod" for event in kinds)
    rows = total(metrics, OURS + "documents_total", 'fate="row"')
    assert total(metrics, OURS + "rows_total", 'fate="received"') == rows > 0
    written = total(metrics, OURS + "rows_total", 'fate="written"')
    superseded = total(metrics, OURS + "rows_total", 'fate="superseded"')
    assert written + superseded == rows + total(metrics, OURS + "rows_total", 'fate="swept"')
    assert metrics[OURS + "event_to_commit_seconds_count"] == written
    assert metrics[OURS + "batch_rows_sum"] == written
    assert metrics[OURS + "batch_rows_count"] == metrics[OURS + "commit_seconds_count"]
    assert metrics[OURS + "batch_rows_count"] == metrics[OURS + "batches_total"]
    assert metrics[OURS + "ledger_balanced"] == 1
    assert metrics[OURS + "database_connects_total"] == 2
    assert total(metrics, OURS + "pending_rows") == metrics[OURS + "pending_bytes"] == 0


def test_counters_never_go_down(serving, path, database):
    sidecar = serving()
    web = Web(sidecar)
    before = {}
    for n in range(5):
        send(path, [stream.line(events.added(events.job(f"job-{n}-{m}"))) for m in range(50)])
        sidecar.wait_until_written(50 * (n + 1))
        metrics = web.metrics()
        for series, value in before.items():
            if series.split("{")[0].endswith(("_total", "_bucket", "_sum", "_count")):
                assert metrics[series] >= value, series
        before = metrics


def test_a_lost_connection_is_counted_by_its_cause(serving, path, database, server):
    sidecar = serving(DB_CONNECTIONS=1)
    web = Web(sidecar)
    until(lambda: web.metrics()[OURS + "database_up"] == 1, "it is connected")
    database.kill_connections()
    send(path, [stream.line(events.added(events.job("job-1")))])
    sidecar.wait_until_written(1)
    metrics = web.metrics()
    assert metrics[OURS + "database_connects_total"] == 2
    assert metrics[OURS + 'reconnects_total{cause="reconnect"}'] == 1
    assert metrics[OURS + 'database_errors_total{class="reconnect"}'] == 1


def test_dead_letters_are_those_that_lie_there(serving, path, database, spool):
    sidecar = serving(SPOOL_DIR=spool.directory)
    web = Web(sidecar)
    send(path, [stream.line(events.added(events.job("job-1")))])
    sidecar.wait_until_written(1)
    database.query("ALTER TABLE job_info ADD CONSTRAINT no_bad CHECK (name <> 'bad')")
    send(path, [stream.line(events.added(events.job(f"job-{n}", name="bad"))) for n in (2, 3)]
         + [stream.line(events.added(events.job("job-4")))])
    until(lambda: web.metrics()[OURS + "dead_letters"] == 2, lambda: sidecar.log_tail())
    assert total(web.metrics(), OURS + "rows_total", 'fate="dead_lettered"') == 2
    assert command(sidecar, "dead-letters", "drop", "all").returncode == 0
    until(lambda: web.metrics()[OURS + "dead_letters"] == 0, "others' dropping is noticed")
    assert total(web.metrics(), OURS + "rows_total", 'fate="dead_lettered"') == 2


def test_a_full_outbox_pauses_the_source(serving, path, server):
    server.stop()
    sidecar = serving(OUTBOX_MAX_ROWS=10, DB_TIMEOUT_MS=1000)
    web = Web(sidecar)
    with producer.connect(path) as connection:
        connection.sendall(b"".join(stream.line(events.added(events.job(f"job-{n}")))
                                    for n in range(50)))
        until(lambda: web.metrics()[OURS + "source_paused"] == 1, "the source is paused")
        metrics = web.metrics()
        assert metrics[OURS + "source_up"] == 1
        assert metrics[OURS + 'source_pauses_total{reason="outbox"}'] == 1
        assert metrics[OURS + "spool_outage_seconds_left"] == 0
        assert "paused" in web.get("/readyz?verbose").text
        server.start()
        sidecar.wait_until_written(50)
    until(lambda: web.metrics()[OURS + "source_up"] == 0, "the producer is gone")
    assert web.metrics()[OURS + "source_paused"] == 0


def test_a_mark_that_sweeps_nothing_is_counted(serving, path, database):
    sidecar = serving(CLUSTER_ID=None)
    web = Web(sidecar)
    mark = {"type": "BOOKMARK", "object": {
        "kind": "Pod", "apiVersion": "v1", "metadata": {
            "resourceVersion": "7", "annotations": {"k8s.io/initial-events-end": "true"}}}}
    send(path, [stream.line(mark)])
    sidecar.wait_until_received(1)
    metrics = web.metrics()
    assert metrics[OURS + 'sweeps_total{result="no_cluster"}'] == 1
    assert OURS + "spool_bytes" not in metrics  # there is no spool


# Prometheus itself


def test_promtool_has_nothing_to_say(serving, path, database, prometheus, spool):
    sidecar = serving(SPOOL_DIR=spool.directory)
    lines = stream.lines("stream-a")[:2000]
    send(path, lines)
    sidecar.wait_until_received(len(lines))
    result = subprocess.run([prometheus / "promtool", "check", "metrics"],
                            input=Web(sidecar).get("/metrics").text, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert (result.returncode, result.stdout) == (0, "")


class Prometheus:
    def __init__(self, folder, directory, target):
        self.port = free_port()
        config = directory / "prometheus.yml"
        config.write_text(json.dumps({
            "global": {"scrape_interval": "1s"},
            "scrape_configs": [{"job_name": "kubedl-shipper",
                                "static_configs": [{"targets": [target]}]}]}))
        self.log = directory / "prometheus.txt"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [folder / "prometheus", f"--config.file={config}",
                 f"--storage.tsdb.path={directory / 'tsdb'}",
                 f"--web.listen-address=127.0.0.1:{self.port}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def value(self, query):
        """Of the one series that there is; None as long as there is none."""
        url = f"http://127.0.0.1:{self.port}/api/v1/query?" + urllib.parse.urlencode({"query": query})
        try:
            with urllib.request.urlopen(url, timeout=60) as response:
                result = json.load(response)["data"]["result"]
        except OSError:
            assert self.process.poll() is None, self.log.read_text()[-2000:]
            return None
        assert len(result) <= 1, result
        return float(result[0]["value"][1]) if result else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def test_prometheus_scrapes_it(serving, path, database, prometheus, directory):
    sidecar = serving()
    web = Web(sidecar)
    with Prometheus(prometheus, directory, f"127.0.0.1:{web.port}") as scraper:
        until(lambda: scraper.value("up") == 1, lambda: scraper.log.read_text()[-2000:])
        send(path, [stream.line(events.added(events.job(f"job-{n}"))) for n in range(100)])
        until(lambda: scraper.value('kubedl_shipper_rows_total{table="job_info",fate="written"}') == 100,
              "the rows are there")
        until(lambda: scraper.value("histogram_quantile(0.99, kubedl_shipper_event_to_commit_seconds_bucket)"),
              "a quantile can be told")
        assert scraper.value("kubedl_shipper_build_info") == 1
        assert scraper.value("count({job='kubedl-shipper'})") > 100
        assert time.time() - 3600 < scraper.value("process_start_time_seconds") <= time.time()
