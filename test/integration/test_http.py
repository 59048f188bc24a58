"""HTTP: what is answered, and that no client can hurt the sidecar or keep a probe out."""

import errno
import resource
import socket
import threading
import time
from contextlib import ExitStack, closing

import pytest

from harness import events, producer, stream
from harness import sidecar as program
from harness.wait import DEADLINE_SECONDS, until
from harness.web import Web, ask

PATHS = ("/livez", "/readyz", "/readyz?verbose", "/metrics", "/status")
REQUEST_SECONDS = 10  # that a client has for a request


def jobs(numbers, version="1"):
    return [stream.line(events.added(events.job(f"job-{n}", version=version))) for n in numbers]


@pytest.fixture
def path(directory):
    return directory / "events.sock"


@pytest.fixture
def web(serving):
    sidecar = serving()
    instance = Web(sidecar)
    instance.sidecar = sidecar
    return instance


def send(path, lines):
    with producer.connect(path) as connection:
        connection.sendall(b"".join(lines))


# What is answered


@pytest.mark.parametrize("url", PATHS)
def test_head_is_get_without_the_body(web, url):
    got, head = web.get(url), web.get(url, "HEAD")
    assert got.status == head.status == 200
    assert head.text == "" and int(head.headers["Content-Length"]) > 0
    assert head.headers["Content-Type"] == got.headers["Content-Type"]
    assert len(got.text.encode()) == int(got.headers["Content-Length"])
    assert got.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "NONSENSE"])
def test_other_methods(web, method):
    answer = web.get("/livez", method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("url", ["/", "/livez/", "/metrics2", "//livez", "/%00", "/../status",
                                 "/" + 500 * "x"], ids=lambda url: url[:10])
def test_other_paths(web, url):
    answer = web.get(url)
    assert answer.status == 404 and "/readyz" in answer.text


def test_a_connection_may_be_used_again(web):
    with closing(web.connect()) as connection:
        assert [ask(connection, url).status for url in PATHS * 5] == [200] * len(PATHS) * 5
        own = connection.sock.getsockname()
        assert ask(connection, "/nowhere").status == 404
        assert ask(connection, "/livez").status == 200
        assert connection.sock.getsockname() == own


def test_status_tells_who_is_connected_to_what(web, path, database):
    send(path, jobs(range(3)))
    web.sidecar.wait_until_written(3)
    status = web.status()
    assert status["ready"] and status["source"]["leads"] and not status["source"]["paused"]
    assert status["source"]["address"] == f"unix-listen:{path}"
    assert status["database"]["up"] and status["database"]["host"] == "127.0.0.1"
    assert status["database"]["port"] == database.server.port
    assert status["database"]["version"] in web.get("/metrics").text
    assert status["pending"]["rows"] == 0 and status["spool"] is None
    assert status["outage_hours_left"] is None
    assert status["ledger"]["balanced"] and status["ledger"]["received"] == 3
    assert status["ledger"]["documents"]["row"] == 3
    assert status["ledger"]["rows"]["job_info"]["written"] == 3


def test_no_answer_tells_the_password(web, database):
    answers = [web.get(url) for url in PATHS]
    assert all(database.password not in answer.text for answer in answers)


def test_without_the_setting_nothing_listens(new_sidecar):
    sidecar = new_sidecar(EVENT_SOURCE="-").start()
    assert sidecar.wait() == 0
    assert not sidecar.records("listening for HTTP")


@pytest.mark.parametrize("listen", ["9470", "localhost:9470", "127.0.0.1", ":", ":http", ":65536",
                                    "::1:9470", "[::1]", "[127.0.0.1]:9470", "1.2.3.4.5:1"])
def test_a_place_that_is_none(listen):
    result = program.run("--check-config",
                         settings={"HTTP_LISTEN": listen, "MYSQL_USER": "kubedl"})
    assert result.returncode == 2 and "HTTP_LISTEN: " in result.stderr, result.stderr


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


def test_all_addresses(serving):
    sidecar = serving(HTTP_LISTEN=":0")
    assert Web(sidecar).get("/livez").status == 200
    if has_ipv6():
        assert Web(sidecar, "::1").get("/livez").status == 200


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
def test_ipv6_only(serving):
    sidecar = serving(HTTP_LISTEN="[::1]:0")
    assert Web(sidecar, "::1").get("/livez").status == 200
    with pytest.raises(ConnectionRefusedError):
        Web(sidecar).get("/livez")


# Probes


def test_an_outage_of_the_database_does_not_make_it_unready(serving, path, server, spool):
    server.stop()
    sidecar = serving(SPOOL_DIR=spool.directory, DB_TIMEOUT_MS=1000)
    web = Web(sidecar)
    until(lambda: web.get("/readyz").status == 200, "it is ready")
    send(path, jobs(range(3)))
    sidecar.wait_until_received(3)
    verbose = web.get("/readyz?verbose")
    assert verbose.status == 200 and "database: down; last error: " in verbose.text
    until(lambda: web.metrics()["kubedl_shipper_spool_bytes"] > 0, "the rows are in the spool")
    metrics = web.metrics()
    assert metrics["kubedl_shipper_database_up"] == 0
    assert metrics['kubedl_shipper_pending_rows{table="job_info"}'] == 3
    assert metrics["kubedl_shipper_oldest_unwritten_seconds"] > 0
    assert web.status()["database"]["last_error_at"] is not None
    server.start()
    until(lambda: web.metrics()["kubedl_shipper_database_up"] == 1, "the database is up")
    sidecar.wait_until_written(3)
    assert web.metrics()["kubedl_shipper_oldest_unwritten_seconds"] == 0


def test_it_is_not_ready_once_it_stops(serving, path, server):
    server.stop()
    sidecar = serving(DB_TIMEOUT_MS=1000)
    web = Web(sidecar)
    send(path, jobs([1]))
    sidecar.wait_until_received(1)
    sidecar.process.terminate()
    until(lambda: web.get("/readyz").status == 503, "it is no longer ready")
    assert web.get("/readyz").text == "not ready: it is about to stop\n"
    assert web.get("/livez").status == 200
    server.start()
    assert sidecar.wait() == 0


def test_a_connection_does_not_hold_up_the_stop(web):
    with closing(web.connect()) as connection:
        assert ask(connection, "/livez").status == 200
        assert web.sidecar.stop() == 0


def test_a_port_that_is_taken_is_tried_again(serving, path, database):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        sidecar = serving(HTTP_LISTEN=f"127.0.0.1:{port}")
        record = sidecar.wait_for_record(
            "cannot listen for HTTP: there are no metrics and probes until it works, all else goes on")
        assert "give HTTP_LISTEN another one" in record["error"]
        send(path, jobs(range(5)))
        until(lambda: database.count("job_info") == 5, "events are shipped without HTTP")
    web = Web(sidecar)
    assert web.port == port and web.get("/livez").status == 200


# Clients that are large, slow, or many


def raw(web, data=b""):
    connection = socket.create_connection((web.host, web.port), timeout=DEADLINE_SECONDS)
    connection.sendall(data)
    return connection


def answer_of(connection):
    """All that comes until the end, whichever way the other side ends it."""
    got = b""
    try:
        while more := connection.recv(65536):
            got += more
    except ConnectionResetError:
        pass
    return got


@pytest.mark.parametrize("request_head", [
    b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    b"GET /livez HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(10_000)) + b"\r\n",
    b"GET /" + b"z" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"G" * 100_000,
], ids=["header", "headers", "path", "method"])
def test_a_request_that_is_too_large(web, request_head):
    with socket.create_connection((web.host, web.port), timeout=DEADLINE_SECONDS) as connection:
        try:
            connection.sendall(request_head)
        except OSError as error:  # it has hung up meanwhile
            assert error.errno in (errno.EPIPE, errno.ECONNRESET)
        answer = answer_of(connection)
    assert not answer.startswith(b"HTTP/1.1 2"), answer[:200]
    assert web.get("/livez").status == 200


@pytest.mark.parametrize("garbage", [b"\r\n\r\n", b"\0" * 500 + b"\r\n\r\n", b"\x16\x03\x01\x02\x00\x01",
                                     b"GET\r\n\r\n", b"GET /livez\r\n\r\n", b"GET /livez HTTP/9.9\r\n\r\n"])
def test_what_is_no_request(web, garbage):
    with raw(web, garbage) as connection:
        connection.shutdown(socket.SHUT_WR)
        answer_of(connection)
    assert web.get("/livez").status == 200


def test_a_body_is_not_taken(web):
    head = b"%s /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n"
    for method in (b"GET", b"POST"):
        with raw(web, head % method) as connection:
            try:
                for _ in range(1000):
                    connection.sendall(b"z" * 10_000)
            except OSError as error:
                assert error.errno in (errno.EPIPE, errno.ECONNRESET)
            else:
                pytest.fail("it takes the body")
    assert web.get("/livez").status == 200


def trickle(web, stopped):
    """A client that sends its request a byte at a time; returns when it is cut off."""
    data = b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: " + b"y" * 4000
    begun = time.monotonic()
    with raw(web) as connection:
        try:
            for n in range(len(data)):
                if stopped.wait(0.05):
                    return None
                connection.sendall(data[n:n + 1])
        except OSError:
            return time.monotonic() - begun
    return None


def test_slow_clients_are_cut_off_and_events_flow(web, path, database):
    stopped = threading.Event()
    cut_after = []
    clients = [threading.Thread(target=lambda: cut_after.append(trickle(web, stopped)))
               for _ in range(10)]
    for client in clients:
        client.start()
    try:
        for n in range(20):
            send(path, jobs(range(n * 100, n * 100 + 100)))
            assert web.get("/livez").status == 200
        until(lambda: database.count("job_info") == 2000, "all is written")
        until(lambda: len(cut_after) == len(clients), "all slow clients are cut off")
    finally:
        stopped.set()
        for client in clients:
            client.join()
    assert None not in cut_after and min(cut_after) >= REQUEST_SECONDS - 1, cut_after


def test_a_client_that_does_not_read_its_answer_is_cut_off(web):
    until(lambda: len(web.sidecar.records("connected")) == 2, "no other connection is to come")
    with socket.socket() as connection:
        connection.settimeout(DEADLINE_SECONDS)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        connection.connect((web.host, web.port))
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(1) == b"H"  # it is accepted
        before = web.metrics()["process_open_fds"]
        try:
            for _ in range(1000):  # more answers than all buffers on the way take
                connection.settimeout(0.5)
                connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        except OSError:
            pass
        until(lambda: web.metrics()["process_open_fds"] < before, "it is cut off")


@pytest.mark.parametrize("addresses", [1, 100], ids=["of one address", "of many addresses"])
def test_a_thousand_connections(web, addresses):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2048)), hard))
    with ExitStack() as stack:
        connections = []
        for n in range(1000):
            connection = stack.enter_context(socket.socket())
            connection.settimeout(DEADLINE_SECONDS)
            connection.bind((f"127.0.1.{n % addresses + 1}", 0))
            connection.connect((web.host, web.port))
            connections.append(connection)
            if n % 100 == 0:
                assert web.get("/livez").status == 200
        assert web.get("/readyz").status == 200
        assert web.metrics()["process_open_fds"] < 200
        # The newest one is served; the oldest ones are gone.
        connections[-1].sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert answer_of(connections[-1]).endswith(b"ok\n")
        assert answer_of(connections[0]) == b""


def test_many_requests_do_not_hold_up_events(web, path, database, record_cost):
    stopped = threading.Event()
    answered = []

    def flood():
        with closing(web.connect()) as connection:
            while not stopped.is_set():
                answered.append(ask(connection, "/metrics").status)

    clients = [threading.Thread(target=flood) for _ in range(8)]
    for client in clients:
        client.start()
    try:
        until(lambda: len(answered) > 100, "the flood has begun")
        begun = time.monotonic()
        before = len(answered)
        send(path, jobs(range(5000)))
        until(lambda: database.count("job_info") == 5000, "all is written")
        seconds = time.monotonic() - begun
        requests = len(answered) - before
    finally:
        stopped.set()
        for client in clients:
            client.join()
    assert set(answered) == {200}
    record_cost(f"HTTP: 5000 events in {seconds:.2f} s beside {requests / seconds:.0f} scrapes a second")


# The loop turns from the beginning


def spooled(serving, path, spool, count):
    """A spool with that many rows, of a sidecar that is gone."""
    sidecar = serving(SPOOL_DIR=spool.directory, OUTBOX_MAX_ROWS=2 * count, SHUTDOWN_GRACE_MS=0)
    with producer.connect(path) as connection:
        for n in range(0, count, 1000):
            connection.sendall(b"".join(jobs(range(n, n + 1000))))
    sidecar.wait_until_received(count)
    assert sidecar.stop() == 0
    assert len(sidecar.records("rows are left in the spool: they are written after the next start")) == 1


def test_a_large_spool_does_not_hold_up_the_probe(serving, path, spool, server, record_cost):
    count = 100_000
    server.stop()
    spooled(serving, path, spool, count)
    sidecar = serving(SPOOL_DIR=spool.directory, OUTBOX_MAX_ROWS=2 * count, SHUTDOWN_GRACE_MS=0)
    web = Web(sidecar)
    answered, gap, last, ready = 0, 0.0, time.monotonic(), 503
    begun = last
    with closing(web.connect()) as connection:
        while ready != 200:
            assert ask(connection, "/livez").status == 200
            now = time.monotonic()
            gap, last, answered = max(gap, now - last), now, answered + 1
            ready = ask(connection, "/readyz").status
    assert web.metrics()['kubedl_shipper_pending_rows{table="job_info"}'] == count
    assert answered > 10  # with a loop that stands still it is one or two
    assert gap < 5
    record_cost(f"HTTP: {count} rows read back in {last - begun:.2f} s; the longest gap between two of"
                f" {answered} answers is {1000 * gap:.1f} ms")
    server.start()
    sidecar.wait_until_written(0)
