"""audit: the ledger adds up, whatever happened, and says so when it does not."""

import re

import pytest

from harness import events, producer, stream
from harness import sidecar as program
from harness.spool import assert_balances, command
from harness.wait import until


@pytest.fixture
def path(directory):
    return directory / "events.sock"


@pytest.fixture
def spooling(new_sidecar, spool, path):
    def start(**settings):
        return new_sidecar(**{"SPOOL_DIR": spool.directory, "EVENT_SOURCE": f"unix-listen:{path}",
                              "SHUTDOWN_GRACE_MS": 300, **settings}).start()

    return start


def send(path, lines):
    with producer.connect(path) as connection:
        connection.sendall(b"".join(lines))


def jobs(numbers, version="1"):
    return [stream.line(events.added(events.job(f"job-{n}", version=version))) for n in numbers]


def accounts(text):
    """{"documents": {...}, "job_info": {...}, ...} of what audit prints."""
    sections, current = {}, None
    for line in text.splitlines():
        if re.match(r"\S", line):
            current = sections.setdefault(line.split()[0].lower(), {})
            received = re.search(r"(\d+) received", line)
            if received:
                current["received"] = int(received.group(1))
        elif line.strip():
            name, number = re.match(r"  (.+?) +(\d+)", line).groups()
            current[name] = int(number)
    return sections


def test_every_document_is_in_an_account(spooling, path, database):
    sidecar = spooling()
    send(path, [*jobs(range(10)), b"nonsense\n", b"{}\n",
                stream.line(events.added({**events.job("x"), "kind": "Node", "apiVersion": "v1"})),
                stream.line(events.added(events.pod("pod-1")))])
    sidecar.wait_until_written(14)
    assert sidecar.stop() == 0
    found = accounts(assert_balances(sidecar))
    assert found["documents"]["received"] == 14
    assert found["documents"]["row"] == 11
    assert sum(n for name, n in found["documents"].items() if name != "received") == 14
    assert found["job_info"]["received"] == 10
    assert found["job_info"]["written"] + found["job_info"].get("superseded", 0) == 10
    assert found["replica_info"] == {"received": 1, "written": 1}


def test_accounts_go_on_after_a_restart(spooling, path, database, server):
    server.stop()
    sidecar = spooling()
    send(path, jobs(range(10)))
    sidecar.wait_until_received(10)
    assert sidecar.stop() == 0
    found = accounts(assert_balances(sidecar))
    assert found["job_info"] == {"received": 10, "held": 10}
    assert found["spool"]["records"] == 10
    server.start()
    sidecar = spooling()
    send(path, jobs(range(5, 15), version="2"))
    sidecar.wait_until_written(20)
    assert sidecar.stop() == 0
    found = accounts(assert_balances(sidecar))
    assert found["documents"]["received"] == 20
    assert found["job_info"]["written"] + found["job_info"].get("superseded", 0) == 20


def test_what_a_kill_lost_is_said(spooling, spool, path, database, server):
    """It was not acknowledged: its producer sends it again."""
    server.stop()
    sidecar = spooling()
    send(path, jobs(range(10)))
    until(lambda: spool.count() == 10, "all is in the spool")
    assert_balances(sidecar)
    sidecar.kill()
    spool.query("DELETE FROM records WHERE uid IN ('job-1', 'job-2')")
    server.start()
    sidecar = spooling()
    sidecar.wait_until_written(10)
    assert sidecar.stop() == 0
    found = accounts(assert_balances(sidecar))
    assert (found["job_info"]["written"], found["job_info"]["unsaved"]) == (8, 2)


def test_beside_a_running_sidecar(spooling, spool, path, database, server):
    server.stop()
    sidecar = spooling()
    for n in range(10):
        send(path, jobs(range(100), version=str(n + 1)))
        assert_balances(sidecar)
    server.start()
    sidecar.wait_until_written(1000)
    assert_balances(sidecar)
    assert sidecar.stop() == 0
    assert_balances(sidecar)


@pytest.mark.parametrize("name", ["documents.row", "job_info.received", "job_info.written",
                                  "job_info.held", "replica_info.written", "replica_info.swept"])
def test_number_that_was_tampered_with(name, spooling, spool, path, database, server):
    sidecar = spooling()
    send(path, [*jobs(range(10)), stream.line(events.added(events.pod("pod-1")))])
    sidecar.wait_until_written(11)
    assert sidecar.stop() == 0
    assert_balances(sidecar)
    spool.query("UPDATE numbers SET value = value + 1 WHERE name = ?", (name,))
    result = command(sidecar, "audit")
    assert result.returncode == 1
    assert "DOES NOT BALANCE" in result.stdout or "but the tables received" in result.stdout


def test_no_spool(directory):
    settings = {"MYSQL_USER": "kubedl", "EVENT_SOURCE": "-"}
    result = program.run("audit", settings=settings)
    assert result.returncode != 0 and "SPOOL_DIR" in result.stderr
    result = program.run("audit", settings={**settings, "SPOOL_DIR": str(directory)})
    assert result.returncode == 1 and str(directory) in result.stderr
    assert list(directory.iterdir()) == []
