"""The process: settings, command line, sockets, signals, secrets."""

import os
import re
import signal
import socket
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from harness import events, producer
from harness import sidecar as program
from harness.stream import line
from harness.wait import until


def job_lines(count, version="1"):
    return b"".join(line(events.added(events.job(f"job-{n}", version=version)))
                    for n in range(count))


# Command line and settings


def listed_commands():
    """The names of all commands, as the help lists them."""
    text = program.run("help").stdout.split("Commands:")[1].split("All settings")[0]
    return re.findall(r"^  (\S+)", text, re.MULTILINE)


@pytest.mark.parametrize("arguments", [["--version"], ["version"], ["jobs", "--version"]])
def test_version(arguments):
    result = program.run(*arguments, settings={"MYSQL_PORT": "wrong"})
    assert (result.returncode, result.stderr) == (0, "")
    assert re.fullmatch(r"kubedl-shipper \S+\n", result.stdout)


def test_help_is_short_and_the_settings_are_behind_it():
    helps = [program.run(*words, settings={"MYSQL_PORT": "wrong"})
             for words in (["--help"], ["-h"], ["help"], ["help", "settings"])]
    assert all((one.returncode, one.stderr) == (0, "") for one in helps)
    usage, *same, settings = [one.stdout for one in helps]
    assert same == [usage, usage] and len(usage.splitlines()) < 40
    assert "see kubedl-shipper help settings" in usage
    for name in ("MYSQL_HOST", "MYSQL_PASSWORD", "EVENT_SOURCE", "REGION", "OUTBOX_MAX_ROWS"):
        assert name in settings and name not in usage
    assert max(map(len, usage.splitlines() + settings.splitlines())) <= 80


def test_each_command_has_a_help_that_needs_no_settings():
    commands = listed_commands()
    assert {"check", "dead-letters", "replay", "--check-config", "help", "version"} <= set(commands)
    for command in commands:
        result = program.run(command, "--help")
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout.startswith(f"Usage: kubedl-shipper {command}")
        assert all(len(line) < 80 for line in result.stdout.splitlines())
        assert program.run("help", "--", command).stdout == result.stdout


@pytest.mark.parametrize("arguments, problem, see", [
    (["--verbose"], "there is no option --verbose", "--help"),
    (["--verison"], "there is no option --verison (did you mean --version?)", "--help"),
    (["jobs", "--nmespace=x"], "there is no option --nmespace=x (did you mean --namespace?)",
     "jobs --help"),
    (["chekc"], "there is no command chekc (did you mean check?)", "help"),
    (["help", "dead"], "there is no command dead (did you mean dead-letters?)", "help"),
    (["file"], "there is no command file", "help"), ([""], "there is no command ''", "help"),
    (["audit", "all"], "one argument too many: all", "audit --help"),
    (["help", "jobs", "pods"], "help takes the name of one command", "help --help"),
])
def test_wrong_arguments_are_one_line_with_the_nearest_name(arguments, problem, see):
    result = program.run(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"kubedl-shipper: {problem}: see kubedl-shipper {see}\n"


def test_settings_errors_are_told_all_at_once():
    result = program.run(settings={
        "EVENT_SOURCE": "carrier-pigeon:coop", "MYSQL_PORT": "70000", "BATCH_MAX_ROWS": "many",
        "LOG_LEVEL": "shouting", "MYSQL_HOST": "a,,b", "MYSQL_PASSWORD": "s3cret"})
    assert result.returncode == 2
    for name in ("EVENT_SOURCE", "MYSQL_PORT", "BATCH_MAX_ROWS", "LOG_LEVEL", "MYSQL_HOST"):
        assert f"{name}: " in result.stderr
    assert "s3cret" not in result.stderr + result.stdout


def test_check_config_shows_what_is_set_and_no_secret():
    settings = {"EVENT_SOURCE": "-", "MYSQL_HOST": "db.example", "MYSQL_USER": "kubedl",
                "MYSQL_PASSWORD": "s3cret", "REGION": ""}
    result = program.run("--check-config", settings=settings)
    assert result.returncode == 0
    shown = dict(one.split("=", 1) for one in result.stdout.splitlines())
    assert shown["MYSQL_HOST"] == "db.example"
    assert shown["MYSQL_PORT"] == "3306"
    assert shown["MYSQL_DB_NAME"] == "kubedl"
    assert shown["MYSQL_PASSWORD"] == "(set)"
    assert "s3cret" not in result.stdout + result.stderr


def test_check_config_fails_as_the_start_does():
    settings = {"EVENT_SOURCE": "-", "MYSQL_USER": "kubedl", "DB_TIMEOUT_MS": "soon"}
    assert program.run("--check-config", settings=settings).returncode == 2


def test_case_service_link_mysql_port(new_sidecar, directory, database):
    """What the kubelet sets for a Service called mysql is no port, and no reason not to start."""
    link = {"MYSQL_PORT": "tcp://10.96.0.5:3306", "MYSQL_PORT_3306_TCP": "tcp://10.96.0.5:3306",
            "MYSQL_SERVICE_HOST": "10.96.0.5"}
    settings = {"EVENT_SOURCE": "-", "MYSQL_HOST": "mysql", "MYSQL_USER": "kubedl", **link}
    result = program.run("--check-config", settings=settings)
    assert (result.returncode, result.stderr) == (0, "")
    assert "MYSQL_PORT=3306\n" in result.stdout
    port = database.environment()["MYSQL_PORT"]
    sidecar = new_sidecar(**link, MYSQL_HOST=f"127.0.0.1:{port}",
                          EVENT_SOURCE=f"unix-listen:{directory / 'events.sock'}").start()
    sidecar.wait_for_record("started")
    assert [record["setting"] for record in sidecar.records()
            if "service link" in record["msg"]] == ["MYSQL_PORT"]
    assert sidecar.stop() == 0


# Standard streams


@pytest.mark.skipif(os.geteuid() != 0, reason="looks into another process")
@pytest.mark.parametrize("closed", ["2>&-", "1>&- 2>&-", "0<&- 1>&- 2>&-"])
def test_case_stderr_closed(closed, new_sidecar, directory, database, spool):
    """No file or socket gets the number of a standard stream."""
    path = directory / "events.sock"
    sidecar = new_sidecar(EVENT_SOURCE=f"unix-listen:{path}", SPOOL_DIR=spool.directory)
    sidecar.start(shell=f'"$@" {closed}')
    with producer.connect(path) as connection:
        connection.sendall(job_lines(2000))
        until(lambda: database.count("job_info") == 2000, "all is written")
        for fd in range(3):
            target = Path(f"/proc/{sidecar.pid}/fd/{fd}").resolve()
            assert target in (Path("/"), Path("/dev/null"), sidecar.log)
    assert sidecar.stop() == 0


def test_standard_input_that_is_closed_is_no_empty_stream(new_sidecar, database):
    sidecar = new_sidecar(EVENT_SOURCE="-").start(shell='"$@" <&-')
    assert sidecar.wait() == 1
    assert "standard input is not open" in sidecar.records("cannot start")[0]["error"]


@pytest.mark.parametrize("output", [">&-", ">/dev/full"])
def test_output_that_cannot_be_written_is_an_error(output, new_sidecar, directory, database, spool):
    """A result that nobody gets is none, and what stands in the buffer at the end is lost as well."""
    sidecar = new_sidecar(SPOOL_DIR=spool.directory, EVENT_SOURCE="-")
    (directory / "jobs").write_bytes(job_lines(3))
    with open(directory / "jobs", "rb") as jobs:
        assert sidecar.start(stdin=jobs).wait() == 0
    commands = ["--help", "help settings", "version", "audit --help", "--check-config", "audit",
                "check", "dead-letters list", "sweep", "jobs", "pods job-1 -o json", "repair --dry-run",
                f"replay {directory}/jobs"]
    for words in commands:
        result = subprocess.run(
            ["sh", "-c", f'exec "$@" {output}', "sh", *program.command(), *words.split()],
            env=program.environment(sidecar.settings), stderr=subprocess.PIPE, text=True)
        said = [line for line in result.stderr.splitlines() if line.startswith("kubedl-shipper: ")]
        assert (words, result.returncode) == (words, 1)
        assert said == ["kubedl-shipper: standard output does not take what is printed: "
                        "is it closed, or its disk full?"], words


def test_output_that_is_read_no_further_ends_a_command_silently(ship, database):
    ship([job_lines(3000)])
    result = subprocess.run(
        ["bash", "-c", '"$@" | head -1; exit ${PIPESTATUS[0]}', "bash",
         *program.command(), "jobs", "--limit", "3000"],
        env=program.environment(database.environment()), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE)
    assert (result.returncode, result.stderr) == (1, b"")
    assert len(result.stdout.splitlines()) == 1


def unread_pipe():
    """Its ends; nothing more goes in until somebody reads."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    return reading, writing


def test_standard_error_that_nobody_reads_stops_nothing(new_sidecar, directory, database):
    """Neither the loop nor the end waits for who reads the log."""
    path = directory / "events.sock"
    reading, writing = unread_pipe()
    sidecar = new_sidecar(EVENT_SOURCE=f"unix-listen:{path}", HTTP_LISTEN="127.0.0.1:0",
                          LOG_SUMMARY_MS=1)
    sidecar.start(stderr=writing)
    with producer.connect(path) as connection:
        connection.sendall(job_lines(500))
        until(lambda: database.count("job_info") == 500, "all is written")
        assert sidecar.stop() == 0
    os.close(reading)
    os.close(writing)


# Secrets


def test_password_is_nowhere(new_sidecar, directory, database, server):
    path = directory / "events.sock"
    sidecar = new_sidecar(EVENT_SOURCE=f"unix-listen:{path}", LOG_LEVEL="debug").start()
    with producer.connect(path) as connection:
        connection.sendall(job_lines(3))
        sidecar.wait_until_written(3)
        command_line = Path(f"/proc/{sidecar.pid}/cmdline").read_bytes()
        server.query(f"ALTER USER {database.user}@'%' IDENTIFIED BY 'another'")
        server.kill()
        connection.sendall(job_lines(3, version="2"))
        until(lambda: sidecar.records("the store takes no rows"),
              "it notices that the database is away")
        server.start()
        until(lambda: "1045" in sidecar.log_text(), "its password is refused")
        server.query(f"ALTER USER {database.user}@'%%' IDENTIFIED BY %s", (database.password,))
        sidecar.wait_until_written(6)
    assert sidecar.stop() == 0
    secret = database.password[-16:]
    assert secret not in sidecar.log_text()
    assert secret.encode() not in command_line


# Signals


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_signal_writes_what_waits_and_ends_with_0(sig, new_sidecar, directory, database):
    path = directory / "events.sock"
    sidecar = new_sidecar(EVENT_SOURCE=f"unix-listen:{path}", BATCH_LINGER_MS=1000).start()
    with producer.connect(path) as connection:
        connection.sendall(job_lines(500))
        sidecar.signal(sig)
        assert sidecar.wait() == 0
    assert database.count("job_info") == 500
    assert sidecar.accounts()["pending"] == 0


def test_sighup_connects_now_with_what_is_in_the_files(new_sidecar, directory, database):
    """Not at the end of a back-off, and nothing else happens."""
    path = directory / "events.sock"
    password = directory / "password"
    password.write_text("wrong")
    sidecar = new_sidecar(EVENT_SOURCE=f"unix-listen:{path}", MYSQL_PASSWORD=None,
                          MYSQL_PASSWORD_FILE=password).start()
    with producer.connect(path) as connection:
        connection.sendall(job_lines(3))
        sidecar.wait_for_record("the store takes no rows")
        for number in (1, 2):
            sidecar.signal(signal.SIGHUP)
            until(lambda: len(sidecar.records("signal received", signal=1)) == number, "it is said")
        password.write_text(database.password)
        sidecar.signal(signal.SIGHUP)
        sidecar.wait_until_written(3)
    assert sidecar.stop() == 0


def test_sighup_stops_a_replay(new_sidecar, database):
    reading, writing = os.pipe()
    sidecar = new_sidecar().start("replay", "-", stdin=reading)
    os.close(reading)
    os.write(writing, job_lines(2))
    sidecar.wait_until_written(2)
    sidecar.signal(signal.SIGHUP)
    assert sidecar.wait() == 1
    os.close(writing)


@pytest.mark.parametrize("ignored", [signal.SIGHUP, signal.SIGINT])
def test_signal_that_was_ignored_stays_so(ignored, new_sidecar, directory, database):
    path = directory / "events.sock"
    sidecar = new_sidecar(EVENT_SOURCE=f"unix-listen:{path}")
    sidecar.start(shell=f'sh -c "trap \'\' {ignored.value}; exec \\"\\$@\\"" sh "$@"')
    with producer.connect(path) as connection:
        sidecar.signal(ignored)
        connection.sendall(job_lines(2))
        sidecar.wait_until_written(2)
    assert not sidecar.records("signal received")
    assert sidecar.stop() == 0


def test_signals_that_were_blocked_are_heard(new_sidecar, directory, database):
    python = "import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, signal.Signals);" \
             "os.execvp(sys.argv[1], sys.argv[1:])"
    sidecar = new_sidecar(EVENT_SOURCE=f"unix-listen:{directory}/events.sock")
    sidecar.start(shell=f"python3 -c '{python}' \"$@\"")
    sidecar.wait_for_record("started")
    assert sidecar.stop() == 0


def test_signal_before_the_first_event(new_sidecar, directory, database):
    sidecar = new_sidecar(EVENT_SOURCE=f"unix-listen:{directory}/events.sock").start()
    sidecar.wait_for_record("started")
    assert sidecar.stop() == 0


# A stop does not wait for who is silent

DNS = program.ROOT / "test/data/cases/13-dns-silent-at-stop/resolv.conf"
HOLD_SECONDS = 8  # less than any connect or look-up takes by itself


@pytest.fixture
def silent_dns():
    """Words of a shell around the sidecar, whose name servers never answer."""
    if subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("only root can give a process another resolv.conf")
    servers = []
    for line_ in DNS.read_text().splitlines():
        if line_.startswith("nameserver"):
            servers.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            # Tests that run at the same time share the addresses.
            servers[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            servers[-1].bind((line_.split()[1], 53))
    inside = f'mount --bind {DNS} /etc/resolv.conf && exec "$@"'
    yield f"unshare -m sh -c '{inside}' sh \"$@\""
    for server in servers:
        server.close()


@pytest.fixture
def black_hole():
    """The port of a host that answers to no connect: its backlog is full."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    fillers = [socket.socket() for _ in range(4)]
    for filler in fillers:
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
    yield listener.getsockname()[1]
    for one in [listener, *fillers]:
        one.close()


@pytest.fixture
def silent_server():
    """The port of a server that takes connections and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield listener.getsockname()[1]


def stop_while_it_connects(sidecar, directory, spool, shell=None):
    """With rows that wait, and with none: they are all in the spool."""
    sidecar.start(shell=shell)
    with producer.connect(directory / "events.sock") as connection:
        connection.sendall(job_lines(50))
        sidecar.wait_until_received(50)
        sidecar.signal(signal.SIGTERM)
        assert sidecar.wait(HOLD_SECONDS) == 0
    assert sidecar.accounts()["pending"] == spool.count("records") == 50
    sidecar.log.unlink()
    sidecar.rc = None
    sidecar.start(shell=shell)
    sidecar.wait_for_record("started")
    sidecar.signal(signal.SIGTERM)
    sidecar.signal(signal.SIGTERM)
    assert sidecar.wait(HOLD_SECONDS) == 0
    assert spool.count("records") == 50


@pytest.fixture
def away(new_sidecar, directory, spool):
    """away(NAME=value, ...): a sidecar, not yet started, with a short grace."""

    def new(**settings):
        return new_sidecar(**{"EVENT_SOURCE": f"unix-listen:{directory / 'events.sock'}",
                              "SPOOL_DIR": spool.directory, "SHUTDOWN_GRACE_MS": 500,
                              **settings})

    return new


def test_case_dns_silent_at_stop(away, silent_dns, directory, spool):
    stop_while_it_connects(away(MYSQL_HOST="mysql.db"), directory, spool, silent_dns)


def test_stop_while_a_standby_waits_for_dns(away, silent_dns, spool):
    sidecar = away(MYSQL_HOST="mysql.db", LEADER="mysql", CLUSTER_ID="blue",
                   EVENT_SOURCE="unix:/nowhere").start(shell=silent_dns)
    sidecar.wait_for_record("started")
    assert sidecar.stop(HOLD_SECONDS) == 0


def test_stop_while_the_api_server_is_looked_up(away, silent_dns, directory):
    for name in ("token", "ca.crt"):
        (directory / name).write_text("x")
    sidecar = away(EVENT_SOURCE="kube:", KUBERNETES_SERVICE_HOST="api.kube",
                   KUBERNETES_SERVICE_PORT="443", KUBE_SERVICE_ACCOUNT=directory)
    sidecar.start(shell=silent_dns)
    sidecar.wait_for_record("started")
    assert sidecar.stop(HOLD_SECONDS) == 0


def test_stop_while_a_host_is_a_black_hole(away, black_hole, directory, spool):
    sidecar = away(MYSQL_HOST=f"127.0.0.1:{black_hole},127.0.0.1:{black_hole}")
    stop_while_it_connects(sidecar, directory, spool)


def test_stop_while_a_server_is_silent(away, silent_server, directory, spool):
    stop_while_it_connects(away(MYSQL_HOST=f"127.0.0.1:{silent_server}"), directory, spool)


def test_replay_that_waits_for_a_silent_server_is_stopped_with_its_result(away, silent_server,
                                                                          directory, spool):
    (directory / "jobs").write_bytes(job_lines(7))
    sidecar = away(MYSQL_HOST=f"127.0.0.1:{silent_server}")
    sidecar.start("replay", str(directory / "jobs"))
    sidecar.wait_until_received(7)
    assert sidecar.stop(HOLD_SECONDS) == 0
    assert "7 documents, " in sidecar.log_text() and ", 7 waiting" in sidecar.log_text()


# A server that is none

def packet(number, payload):
    return len(payload).to_bytes(3, "little") + bytes([number]) + payload


GREETING = (b"\x0a" + b"11.4.0-MariaDB\0" + (7).to_bytes(4, "little") + b"12345678\0" +
            (0xF7FE).to_bytes(2, "little") + b"\x2d" + b"\x02\0" + b"\xff\x81" + b"\x15" + bytes(10) +
            b"123456789012\0" + b"mysql_native_password\0")
OK = b"\0\0\0\x02\0\0\0"


class EndlessServer(threading.Thread):
    """A server whose greeting, or answer to the first statement, has no end."""

    def __init__(self, greets):
        super().__init__(daemon=True)
        self.greets = greets
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen()
        self.port = self.listener.getsockname()[1]

    def run(self):
        piece = bytes(0xFFFFFF)
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                try:
                    if self.greets:
                        connection.sendall(packet(0, GREETING))
                        connection.recv(65536)
                        connection.sendall(packet(2, OK))
                        connection.recv(65536)
                    for number in range(int(self.greets), 200):
                        connection.sendall(packet(number, piece))
                except OSError:
                    pass  # the client has had enough


@pytest.mark.parametrize("greets", [False, True])
def test_a_server_does_not_say_how_much_memory_its_packets_take(greets, new_sidecar, directory):
    server = EndlessServer(greets)
    server.start()
    sidecar = new_sidecar(EVENT_SOURCE=f"unix-listen:{directory / 'events.sock'}",
                          MYSQL_HOST=f"127.0.0.1:{server.port}", MYSQL_SSL_MODE="disabled",
                          DB_CONNECTIONS=1).start()
    sidecar.wait_for_record("the store takes no rows")
    assert sidecar.stop() == 0
    server.listener.close()
    if not program.sanitized():
        assert sidecar.peak_kib < 100 << 10


# Standard input


def test_stdin_ends_with_0_when_all_is_written(new_sidecar, database):
    reading, writing = os.pipe()
    sidecar = new_sidecar(EVENT_SOURCE="-").start(stdin=reading)
    os.close(reading)
    os.write(writing, job_lines(3))
    until(lambda: database.count("job_info") == 3, "rows are written before the end of input")
    assert sidecar.poll() is None
    os.write(writing, job_lines(5, version="2"))
    os.close(writing)
    assert sidecar.wait() == 0
    assert database.count("job_info", "version = '2'") == 5


def test_byte_order_mark_of_a_stream_costs_no_document(ship, database):
    sidecar = ship([b"\xef\xbb\xbf", job_lines(2)])
    assert sidecar.accounts()["invalid"] == 0
    assert database.count("job_info") == 2


def test_empty_stdin(ship):
    assert ship([]).accounts()["received"] == 0


def test_unfinished_last_line_of_stdin_is_said(ship, database):
    sidecar = ship([job_lines(1), job_lines(2)[:-10]])
    assert sidecar.accounts()["cut_lines"] == 1
    assert database.count("job_info") == 1


# unix-listen: the sidecar listens


@pytest.fixture
def listening(new_sidecar):
    """listening(path) starts a sidecar that listens there."""

    def start(path):
        sidecar = new_sidecar(EVENT_SOURCE=f"unix-listen:{path}").start()
        producer.connect(path).close()
        return sidecar

    return start


def test_listening_socket_is_for_owner_and_group(listening, directory):
    path = directory / "events.sock"
    sidecar = listening(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert sidecar.stop() == 0
    assert not path.exists()


def test_stale_socket_file_is_replaced(listening, directory):
    path = directory / "events.sock"
    listening(path).kill()
    assert path.exists()
    second = listening(path)
    with producer.connect(path) as connection:
        connection.sendall(job_lines(1))
        second.wait_until_written(1)
    assert second.stop() == 0


def test_socket_that_another_one_listens_on_is_left_alone(listening, new_sidecar, directory):
    path = directory / "events.sock"
    first = listening(path)
    second = new_sidecar(EVENT_SOURCE=f"unix-listen:{path}").start()
    assert second.wait() == 1
    assert second.records("cannot start")
    with producer.connect(path) as connection:
        connection.sendall(job_lines(1))
        first.wait_until_written(1)
    assert first.stop() == 0


def test_file_that_is_no_socket_is_left_alone(new_sidecar, directory, database):
    path = directory / "events.sock"
    path.write_text("precious")
    assert new_sidecar(EVENT_SOURCE=f"unix-listen:{path}").start().wait() == 1
    assert path.read_text() == "precious"


def test_many_producers_at_once(new_sidecar, directory, database):
    path = directory / "events.sock"
    sidecar = new_sidecar(EVENT_SOURCE=f"unix-listen:{path}").start()
    connections = [producer.connect(path) for _ in range(20)]
    lines = [line(events.added(events.job(f"job-{n}", version=str(version))))
             for version in range(1, 6) for n in range(20)]
    # A piece of a line to each of them in turn: their bytes must not get mixed.
    streams = [b"".join(lines[n::20]) for n in range(20)]
    for at in range(0, max(map(len, streams)), 97):
        for number, connection in enumerate(connections):
            connection.sendall(streams[number][at:at + 97])
    sidecar.wait_until_written(100)
    for connection in connections:
        connection.close()
    assert sidecar.stop() == 0
    assert sidecar.accounts()["invalid"] == 0
    assert {row["version"] for row in database.jobs().values()} == {"5"}
    assert database.count("job_info") == 20


# unix: the sidecar connects


def test_producer_comes_later_and_comes_again(new_sidecar, directory, database):
    path = directory / "events.sock"
    sidecar = new_sidecar(EVENT_SOURCE=f"unix:{path}").start()
    sidecar.wait_for_record("started")
    for turn in range(1, 4):
        with producer.Listener(path) as listener, listener.accept() as connection:
            connection.sendall(job_lines(3, version=str(turn)))
        path.unlink()
        sidecar.wait_until_written(3 * turn)
    assert sidecar.stop() == 0
    assert {row["version"] for row in database.jobs().values()} == {"3"}


def test_path_that_is_too_long_for_a_socket_is_refused():
    long_path = "/tmp/" + "x" * 120
    for source in (f"unix:{long_path}", f"unix-listen:{long_path}"):
        result = program.run("--check-config", settings={"EVENT_SOURCE": source,
                                                         "MYSQL_USER": "kubedl"})
        assert result.returncode == 2
        assert "EVENT_SOURCE" in result.stderr


# The database's own Unix socket


def test_database_over_a_unix_socket(ship, database, server):
    ship([job_lines(3)], MYSQL_HOST=server.socket, MYSQL_PORT=None)
    assert database.count("job_info") == 3


# REGION and CLUSTER_ID


def test_region_and_cluster_are_in_each_row(ship, database):
    ship([job_lines(1), line(events.added(events.pod("pod-1")))], REGION="eu-1", CLUSTER_ID="blue")
    for row in (database.jobs()["job-0"], database.pods()["pod-1"]):
        assert (row["deploy_region"], row["cluster_id"]) == ("eu-1", "blue")


def test_region_switched_on_later_fills_in_the_rows_that_are_there(ship, database):
    ship([job_lines(2)])
    ship([job_lines(2)], REGION="eu-1")
    assert database.count("job_info", "deploy_region = 'eu-1'") == 2
    assert database.count("job_info") == 2
