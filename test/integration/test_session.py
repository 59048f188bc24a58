"""Whatever the administrator of a server has set for its sessions, rows are written as they are."""

import json

import pytest

from harness import cases, events, kubedl, sidecar
from harness.stream import line
from harness.stripper import Stripper

NAMES = "06-init-connect-set-names"
STATEMENT = "08-binlog-statement"


def pairs(name):
    return [line(event) for event in cases.events(name)]


@pytest.fixture
def server_with(server):
    """server_with(option, ...): it runs with these options until the end of the test."""
    yield server.restart
    server.restart()


@pytest.fixture
def set_global(server):
    """set_global("name = value"): until the end of the test."""
    before = []

    def change(assignment):
        name = assignment.split(" ")[0]
        value = server.query(f"SELECT @@GLOBAL.{name} AS value")[0]["value"]
        before.append((name, value))
        server.query(f"SET GLOBAL {assignment}")

    yield change
    for name, value in reversed(before):
        server.query(f"SET GLOBAL {name} = %s", (value,))


def message_of(event):
    status = event["object"]["status"]["containerStatuses"][0]
    return status["state"]["terminated"]["message"]


@pytest.mark.parametrize("options", cases.server_options(NAMES), ids=["utf8", "latin1", "server's"])
def test_case_init_connect_set_names(options, server, server_with, database, ship, directory):
    if not server.is_mariadb and options[-1].startswith("--skip"):
        pytest.skip("MySQL has no such option any more")
    server_with(*options)
    ship(cases.lines(NAMES), SPOOL_DIR=directory)
    wanted = {event["object"]["metadata"]["uid"]: message_of(event)
              for event in cases.events(NAMES)}
    database.query("SET NAMES utf8mb4")  # for this connection, too
    found = {uid: row["remark"] for uid, row in database.pods().items()}
    assert {uid for uid, text in found.items() if wanted[uid] not in (text or "")} == set(), found
    assert len(found) == len(wanted)
    assert charset_finding(database)["status"] == "ok"


def findings(database, **settings):
    result = sidecar.run("check", "--json", settings={**database.environment(),
                                                      "EVENT_SOURCE": "-", **settings})
    return {one["name"]: one for one in json.loads(result.stdout)["checks"]}


def charset_finding(database):
    return findings(database)["charset"]


def test_case_binlog_statement(server, server_with, database, ship):
    """Servers that log statements refuse READ COMMITTED; so there, rows are written without it."""
    server_with(*cases.server_options(STATEMENT)[0])
    shipped = ship(cases.lines(STATEMENT), DB_CONNECTIONS=2)
    assert len(database.jobs()) == 1 and len(database.pods()) == 5
    told = [record for record in shipped.records() if "STATEMENT" in record["msg"]]
    assert len(told) == 1 and "binlog_format" in told[0]["advice"]
    found = findings(database)["binlog"]
    assert found["status"] == "warn" and "binlog_format" in found["advice"][0]


def test_the_log_of_statements_is_migrated_by_too(server, server_with, database, ship):
    server_with(*cases.server_options(STATEMENT)[0])
    kubedl.create_tables(database)
    ship([line(events.added(events.job("u-1")))])
    assert set(database.jobs()) == {"u-1"}


def test_a_proxy_that_does_not_pass_on_set_names(server, database, new_sidecar, directory):
    with Stripper(server.port, instead=(b"SET NAMES utf8mb4", b"SET NAMES latin1 ")) as proxy:
        settings = {**database.environment(), "MYSQL_PORT": str(proxy.port)}
        sidecar = new_sidecar(EVENT_SOURCE=f"unix-listen:{directory}/events.sock", **settings).start()
        record = sidecar.wait_for_record("the store takes no rows")
        assert record["class"] == "operator" and "SET NAMES" in record["error"]
        found = findings(database, **settings)["charset"]
        assert found["status"] == "fail" and "proxy" in found["advice"][0]
        assert sidecar.stop() == 0


# What an administrator may set for all sessions, each of which would spoil something.
SESSIONS = (
    "sql_safe_updates = 1",      # an UPDATE by no key is refused
    "sql_select_limit = 1",      # of the columns that there are, one is seen
    "max_join_size = 1",         # a SELECT of several rows is refused
    "sql_mode = 'ANSI'",         # what does not fit is cut off
    "autocommit = 0",            # what is acknowledged is rolled back
    "completion_type = 1",       # the same: with each COMMIT, a transaction begins
    "unique_checks = 0",         # a row may be there twice
    "foreign_key_checks = 0",
    "sql_auto_is_null = 1",
    "time_zone = '+05:00'",
    "lc_messages = 'de_DE'",     # which row is at fault is not understood
    "max_statement_time = 0.001",
    "max_execution_time = 1",
    "sql_big_selects = 0",
)

WANTED = {
    "sql_safe_updates": 0, "sql_select_limit": 2**64 - 1, "sql_big_selects": 1,
    "sql_mode": "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION", "autocommit": 1,
    "completion_type": "NO_CHAIN", "unique_checks": 1, "foreign_key_checks": 1,
    "sql_auto_is_null": 0, "time_zone": "+00:00", "lc_messages": "en_US",
    "character_set_client": "utf8mb4", "character_set_results": "utf8mb4",
    "character_set_connection": "utf8mb4",
}


def show_sessions(database):
    """Makes a table whose trigger tells what the sessions are set to that write."""
    columns = ", ".join(f"{name} TEXT" for name in WANTED)
    values = ", ".join(f"@@SESSION.{name}" for name in WANTED)
    database.query(f"CREATE TABLE sessions (id INT PRIMARY KEY AUTO_INCREMENT, {columns})")
    database.query("CREATE TRIGGER shows BEFORE INSERT ON job_info FOR EACH ROW"
                   f" INSERT INTO sessions ({', '.join(WANTED)}) VALUES ({values})")


@pytest.mark.parametrize("assignment", SESSIONS, ids=[one.split(" ")[0] for one in SESSIONS])
def test_what_is_set_for_all_sessions_is_not_for_ours(assignment, server, set_global, database,
                                                      ship):
    name = assignment.split(" ")[0]
    if not server.query("SHOW VARIABLES LIKE %s", (name,)):
        pytest.skip(f"the server has no {name}")
    kubedl.create_tables(database)
    database.query("INSERT INTO job_info (job_id, version) VALUES ('u-0', '1'), ('u-0', '2')")
    set_global("init_connect = 'SET SESSION " + assignment.replace("'", "''") + "'")
    uids = {f"u-{number}" for number in range(1, 9)}
    ship([line(events.added(events.job(uid))) for uid in sorted(uids)])
    assert set(database.jobs()) == uids | {"u-0"}
    again = ship([line(events.added(events.job("u-9")))])
    assert not again.records("migrating")
    assert "u-9" in database.jobs()
    result = sidecar.run("jobs", settings=database.environment())
    assert result.returncode == 0 and "train" in result.stdout, result.stdout + result.stderr
    assert findings(database)["tables"]["status"] == "ok"


def test_a_session_is_what_it_should_be(set_global, database, ship):
    """All at once; a trigger tells what the session is that writes."""
    ship([line(events.added(events.job("u-1")))])
    show_sessions(database)
    set_global("init_connect = 'SET NAMES latin1; SET sql_safe_updates = 1, sql_select_limit = 1,"
               " sql_mode = \"ANSI\", autocommit = 0, completion_type = 1, unique_checks = 0,"
               " foreign_key_checks = 0, sql_auto_is_null = 1, lc_messages = \"de_DE\"'")
    ship([line(events.added(events.job("u-2")))])
    row, = database.query(f"SELECT {', '.join(WANTED)} FROM sessions")
    # A trigger has the sql_mode that it was made with.
    assert {name: text for name, text in row.items() if name != "sql_mode"} == {
        name: str(value) for name, value in WANTED.items() if name != "sql_mode"}
