"""Name and password of the account, in files as kubelet mounts a Secret, changed while it runs."""

import os
import resource
import shutil
import signal
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from harness import events, producer, stream
from harness.sidecar import command
from harness.wait import until

FAILED = "the store takes no rows"


class Secret:
    """A mounted Secret: each key is a link to ..data/KEY, and ..data one to a directory that is
    replaced as a whole."""

    def __init__(self, directory):
        self.directory = directory
        self.versions = 0
        directory.mkdir()

    def write(self, **values):
        self.versions += 1
        version = self.directory / f"..version_{self.versions}"
        version.mkdir()
        for key, value in values.items():
            (version / key).write_text(value)
        link = self.directory / "..data_tmp"
        link.symlink_to(version.name)
        link.rename(self.directory / "..data")
        for key in values:
            path = self.directory / key
            if not path.is_symlink():
                path.symlink_to(f"..data/{key}")

    def settings(self):
        return {"MYSQL_USER": None, "MYSQL_PASSWORD": None,
                "MYSQL_USER_FILE": self.directory / "user",
                "MYSQL_PASSWORD_FILE": self.directory / "password"}


@pytest.fixture
def secret(directory, database):
    secret = Secret(directory / "secret")
    secret.write(user=database.user + "\n", password=database.password + "\n")
    return secret


@pytest.fixture
def connection(directory):
    """connection() connects to the sidecar."""
    return lambda: producer.connect(directory / "events.sock")


@pytest.fixture
def sidecar(new_sidecar, directory, secret):
    return new_sidecar(EVENT_SOURCE=f"unix-listen:{directory}/events.sock", **secret.settings())


def moment(record):
    return datetime.fromisoformat(record["time"])


def job(number):
    return stream.line(events.added(events.job(f"job-{number}")))


def change_password(server, database, password):
    server.query(f"ALTER USER {database.user}@'%%' IDENTIFIED BY %s", (password,))


def connection_ids(server, database):
    return {row["id"] for row in server.query(
        "SELECT id FROM information_schema.processlist WHERE user = %s", (database.user,))}


def test_a_secret_that_changes_leaves_the_connection_alone(sidecar, connection, secret, server,
                                                           database):
    sidecar.start()
    with connection() as socket:
        socket.sendall(job(1))
        sidecar.wait_until_written(1)
        before = connection_ids(server, database)
        secret.write(user=database.user, password="not yet the server's")
        until(lambda: sidecar.records("file has changed: the next connection is made with it"),
              "it sees the change")
        socket.sendall(job(2))
        sidecar.wait_until_written(2)
        assert connection_ids(server, database) == before
    assert sidecar.stop() == 0
    assert not sidecar.records(FAILED)


def test_a_password_that_is_rotated_is_used_when_the_connection_is_lost(
        sidecar, connection, secret, server, database):
    sidecar.start()
    with connection() as socket:
        socket.sendall(job(1))
        sidecar.wait_until_written(1)
        new = "n3w " + database.password
        secret.write(user=database.user, password=new)
        change_password(server, database, new)
        database.kill_connections()
        socket.sendall(job(2))
        sidecar.wait_until_written(2)
    assert sidecar.stop() == 0
    assert not sidecar.records(FAILED), "the new password was there when it was needed"


def test_a_secret_that_is_put_right_ends_the_back_off(sidecar, connection, secret, server,
                                                      database):
    secret.write(user=database.user, password="wrong")
    sidecar.start()
    with connection() as socket:
        socket.sendall(job(1))
        failed = sidecar.wait_for_record(FAILED, failures=3)  # then it waits for 10 s or more
        assert "1045" in failed["error"]
        secret.write(user=database.user, password=database.password)
        again = sidecar.wait_for_record("the store takes rows again")
        sidecar.wait_until_written(1)
    assert sidecar.stop() == 0
    assert moment(again) - moment(failed) < timedelta(milliseconds=failed["retry_in_ms"])


@pytest.mark.parametrize("spoil, says", [
    (lambda path: path.unlink(), "No such file"),
    (lambda path: path.write_text(""), "is empty"),
    (lambda path: (path.unlink(), path.mkdir()), "is not a file"),
    (lambda path: path.write_text("x" * 2000), "is longer than"),
    (lambda path: path.write_text("Open\nSesame"), "control character"),
], ids=["missing", "empty", "directory", "too long", "two lines"])
def test_a_file_that_cannot_be_used_is_told_and_tried_again(spoil, says, new_sidecar, directory,
                                                            connection, database):
    path = directory / "password"
    path.write_text(database.password)
    spoil(path)
    sidecar = new_sidecar(EVENT_SOURCE=f"unix-listen:{directory}/events.sock",
                          MYSQL_PASSWORD=None, MYSQL_PASSWORD_FILE=path).start()
    error = sidecar.wait_for_record(FAILED)["error"]
    assert says in error and "MYSQL_PASSWORD_FILE" in error and str(path) in error
    with connection() as socket:
        socket.sendall(job(1))
        if path.is_dir():
            path.rmdir()
        path.write_text(database.password)
        sidecar.wait_until_written(1)
    assert sidecar.stop() == 0
    assert "Sesame" not in sidecar.log_text()


def test_both_forms_are_an_error(new_sidecar, database, directory):
    sidecar = new_sidecar(EVENT_SOURCE="-", MYSQL_PASSWORD_FILE=directory / "password").start()
    assert sidecar.wait() == 2
    assert "MYSQL_PASSWORD_FILE: MYSQL_PASSWORD is set as well" in sidecar.log_text()
    assert database.password not in sidecar.log_text()


# Where a password must not be


def memory_holds(pid, needle):
    """Whether the writable memory of a process holds these bytes. For root."""
    found = 0
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            if not rights.startswith("rw"):
                continue
            start, end = (int(part, 16) for part in span.split("-"))
            try:
                memory.seek(start)
                found += memory.read(end - start).count(needle)
            except OSError:
                continue  # such as [vvar]
    return found > 0


def test_the_environment_is_wiped(new_sidecar, connection, directory, database):
    sidecar = new_sidecar(EVENT_SOURCE=f"unix-listen:{directory}/events.sock").start()
    with connection() as socket:
        socket.sendall(job(1))
        sidecar.wait_until_written(1)
        if os.geteuid() == 0:  # for others it is unreadable, as the next test shows
            environment = Path(f"/proc/{sidecar.pid}/environ").read_bytes()
            assert b"MYSQL_USER=" in environment
            assert database.password[-16:].encode() not in environment
    assert sidecar.stop() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="looks into the memory of another process")
@pytest.mark.skipif("asan" in os.environ.get("SHIPPER", ""), reason="ASan keeps what was freed")
def test_a_password_from_a_file_is_not_kept_in_memory(sidecar, connection, server, database):
    sidecar.start()
    with connection() as socket:
        socket.sendall(job(1))
        sidecar.wait_until_written(1)
        assert memory_holds(sidecar.pid, database.user.encode()), "this test can see its memory"
        assert not memory_holds(sidecar.pid, database.password[-16:].encode())
    assert sidecar.stop() == 0


def allow_core(pid):
    resource.prlimit(pid, resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@pytest.mark.skipif(os.geteuid() != 0, reason="raises a limit of another process")
def test_a_crash_leaves_no_core(new_sidecar, connection, directory, database):
    other = subprocess.Popen(["sleep", "1000"], cwd=directory)
    allow_core(other.pid)
    other.send_signal(signal.SIGABRT)
    if not os.WCOREDUMP(os.waitpid(other.pid, 0)[1]):
        pytest.skip("no process leaves one here")
    sidecar = new_sidecar(EVENT_SOURCE=f"unix-listen:{directory}/events.sock").start()
    with connection() as socket:
        socket.sendall(job(1))
        sidecar.wait_until_written(1)
        allow_core(sidecar.pid)
        sidecar.signal(signal.SIGABRT)
        assert sidecar.wait() == -signal.SIGABRT
    assert not sidecar.dumped_core


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a second user")
def test_its_environment_is_closed_to_its_own_user(directory):
    os.chmod(directory, 0o755)
    *wrapper, program = command()
    copy = shutil.copy(program, directory)  # the clone may be in a home that is closed to others
    as_nobody = {"user": 65532, "group": 65532, "extra_groups": []}
    process = subprocess.Popen([*wrapper, copy, "replay", "-"], stdin=subprocess.PIPE,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env={"MYSQL_USER": "u", "MYSQL_PASSWORD": "s3cret"}, **as_nobody)
    look = ["cat", f"/proc/{process.pid}/environ"]

    def is_closed():
        return subprocess.run(look, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              **as_nobody).returncode != 0

    until(is_closed, "its environment is closed to its own user")
    assert process.poll() is None
    process.kill()
    process.wait()
