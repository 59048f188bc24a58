"""The tables come to what they should be, from every state that KubeDL, a person or a migration that
was cut off may have left them in; and no row is lost on the way."""

import itertools
import threading

import pymysql
import pytest

from harness import events, kubedl, previous, producer
from harness.stream import line
from harness.wait import until

EVENT = line(events.added(events.job("job-new")))
STORE_FAILS = "the store takes no rows"

# (uid, version, owner, gmt_created, gmt_modified, gmt_job_running), as found ...
ROWS = [
    ("u-a", "9", "o", "2024-01-01", "2024-01-02", "0000-00-00"),
    ("u-a", "10", "o", "2024-01-01", "2024-01-02", "0001-01-01"),
    ("u-a", "10", None, "2024-01-01", "2024-01-02", None),
    ("u-a", None, None, "2024-01-01", "2024-01-02", None),
    ("u-a", "", None, "2024-01-01", "2024-01-02", None),
    (None, "5", None, None, "2024-01-02", "2024-01-03"),
    ("", "5", None, "0000-00-00", "2024-01-02", None),
    ("u-b", "123456789012345678901234567890", "x", "2024-01-01", "2024-01-02", None),
    ("u-b", "99999999999999999999999999999", "y", "2024-01-01", "2024-01-02", None),
    ("u-c", "7", "über", "0001-01-01", "2024-01-02", "2024-01-03"),
]
# ... and as they should be, by uid: (version, owner, tenant, created, running)
REPAIRED = {
    "u-a": ("10", "", "", "2024-01-01 00:00:00", None),
    "kubedl-row-6": ("5", "", "", "2024-01-02 00:00:00", "2024-01-03 00:00:00"),
    "kubedl-row-7": ("5", "", "", "2024-01-02 00:00:00", None),
    "u-b": ("123456789012345678901234567890", "x", "", "2024-01-01 00:00:00", None),
    "u-c": ("7", "über", "", "2024-01-02 00:00:00", "2024-01-03 00:00:00"),
}


def fill(database):
    with database.server.connect(database=database.name) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SET sql_mode = ''")
            cursor.executemany(
                "INSERT INTO job_info (job_id, version, owner, gmt_created, gmt_modified,"
                " gmt_job_running) VALUES (%s, %s, %s, %s, %s, %s)", ROWS)


def repaired(database):
    rows = database.query(
        "SELECT job_id, version, owner, tenant, CAST(gmt_created AS CHAR) AS created,"
        " CAST(gmt_job_running AS CHAR) AS running FROM job_info WHERE job_id <> 'job-new'")
    by_uid = {row.pop("job_id"): tuple(row.values()) for row in rows}
    assert len(by_uid) == len(rows)
    return by_uid


def shape(database):
    """What is to be compared of the tables: all but the order of columns and the collations."""
    columns = database.query(
        "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, CHARACTER_SET_NAME,"
        " COLUMN_DEFAULT, EXTRA FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()")
    indexes = database.query(
        "SELECT TABLE_NAME, INDEX_NAME, NON_UNIQUE, SEQ_IN_INDEX, COLUMN_NAME, SUB_PART"
        " FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE()")
    return (sorted(str(tuple(row.values())) for row in columns),
            sorted(str(tuple(row.values())) for row in indexes))


def steps(sidecar):
    return [(record["table"], record["reason"]) for record in sidecar.records("migrated")]


def statements(sidecar):
    return [record["statement"] for record in sidecar.records("migrating")]


def for_dba(sidecar):
    """The statements of the first time; it may have tried again by now."""
    texts = [record["statement"] for record in sidecar.records("statement for your DBA")]
    again = [at for at, text in enumerate(texts) if at > 0 and text == texts[0]]
    return texts[:again[0]] if again else texts


def execute_as_dba(database, texts):
    """In a session with the server's own settings, and no database chosen."""
    with database.server.connect() as connection, connection.cursor() as cursor:
        for text in texts:
            cursor.execute(text)


def session_of(database):
    return [f"USE `{database.name}`",
            "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'"]


def by_hand(database, *texts):
    """As somebody who does not mind zero dates."""
    execute_as_dba(database, [f"USE `{database.name}`", "SET sql_mode = ''", *texts])


@pytest.fixture
def described(server, ship):
    """The shape of tables that the sidecar made itself."""
    database = server.new_database()
    ship([EVENT], **database.environment())
    result = shape(database)
    database.drop()
    return result


@pytest.fixture(params=["latin1", "utf8mb3", "utf8mb4"])
def charset(request, server, database):
    server.query(f"ALTER DATABASE {database.name} CHARACTER SET {request.param}")


@pytest.fixture
def old_tables(database):
    kubedl.create_tables(database)
    fill(database)


def test_tables_that_kubedl_made(charset, old_tables, database, ship, described):
    sidecar = ship([EVENT])
    assert shape(database) == described
    assert repaired(database) == REPAIRED
    assert len(steps(sidecar)) == len(statements(sidecar)) > 10
    assert database.query("SELECT version, oldest_writer FROM kubedl_shipper_schema") == [
        {"version": 1, "oldest_writer": 1}]


def test_tables_that_the_version_before_made(database, ship, described):
    """Columns are added. What has none of them yet gets them with the next event of its object."""
    previous.create_tables(database)
    for uid in ("job-new", "job-old"):
        database.query("INSERT INTO job_info (job_id, version, kind, owner, gmt_created,"
                       " is_in_etcd) VALUES (%s, '1', 'TFJob', '', NOW(), 1)", (uid,))
    assert steps(ship([EVENT])) == [
        ("job_info", "deploy_region_version is missing, gmt_job_running_version is missing, "
                     "api_group is missing, stated_version is missing"),
        ("replica_info", "host_ip_version is missing, pod_ip_version is missing, "
                         "stated_version is missing")]
    assert shape(database) == described
    assert {uid: row["api_group"] for uid, row in database.jobs().items()} == {
        "job-new": "training.kubedl.io", "job-old": None}


def test_second_start_finds_nothing_to_do(old_tables, database, ship):
    ship([EVENT])
    before = shape(database)
    assert steps(ship([EVENT])) == []
    assert shape(database) == before
    assert repaired(database) == REPAIRED


def test_cut_off_behind_each_step(database, ship, described):
    """Whatever has been done before, the rest is done, and the end is the same."""
    kubedl.create_tables(database)
    fill(database)
    texts = statements(ship([EVENT]))
    for done in range(1, len(texts) + 1):
        database.query("DROP TABLE job_info, replica_info, kubedl_shipper_schema")
        kubedl.create_tables(database)
        fill(database)
        execute_as_dba(database, session_of(database) + texts[:done])
        ship([EVENT])
        assert shape(database) == described, f"{done} steps were done"
        assert repaired(database) == REPAIRED, f"{done} steps were done"


@pytest.fixture
def start(new_sidecar, directory):
    """start(NAME=value, ...) starts a sidecar that has one event to ship."""
    path = directory / "event"
    path.write_bytes(EVENT)

    def run(**settings):
        with open(path, "rb") as stdin:
            return new_sidecar(EVENT_SOURCE="-", **settings).start(stdin=stdin)

    return run


def test_killed_at_the_begin_of_each_step(old_tables, database, start, described):
    for _ in range(100):
        sidecar = start()
        until(lambda: sidecar.records("migrating") or sidecar.poll() is not None,
              sidecar.log_tail)
        if sidecar.poll() is not None:
            break
        sidecar.kill()
    assert sidecar.wait() == 0
    assert shape(database) == described
    assert repaired(database) == REPAIRED


def test_several_sidecars_at_once(old_tables, database, start, described):
    sidecars = [start() for _ in range(4)]
    assert [sidecar.wait() for sidecar in sidecars] == [0] * 4
    done = [step for sidecar in sidecars for step in steps(sidecar)]
    assert len(done) == len(set(done)), "a step was done twice"
    assert shape(database) == described
    assert repaired(database) == REPAIRED


def test_waits_for_another_one_that_migrates(old_tables, database, start):
    with database.server.connect(database=database.name) as other, other.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(CONCAT('kubedl-shipper.schema:', DATABASE()), 60)")
        sidecar = start()
        record = sidecar.wait_for_record(STORE_FAILS)
        assert "are being migrated over another connection" in record["error"]
        assert record["class"] == "wait"
        assert statements(sidecar) == []
    assert sidecar.wait() == 0
    assert repaired(database) == REPAIRED


def test_lock_is_given_back(old_tables, database, ship):
    ship([EVENT])
    assert database.query("SELECT IS_FREE_LOCK(CONCAT('kubedl-shipper.schema:', DATABASE())) AS x"
                          ) == [{"x": 1}]


def test_table_that_somebody_holds(old_tables, database, start):
    """An ALTER TABLE that waits makes all others wait behind it: so it gives way, and comes back."""
    with database.server.connect(database=database.name) as holder, holder.cursor() as cursor:
        holder.begin()
        cursor.execute("SELECT COUNT(*) FROM job_info")
        sidecar = start(DB_TIMEOUT_MS=600000)
        until(lambda: [process for process in database.query("SHOW PROCESSLIST")
                       if process["State"] == "Waiting for table metadata lock"], sidecar.log_tail)
        with database.server.connect(database=database.name, read_timeout=60) as other:
            with other.cursor() as query:
                query.execute("SELECT COUNT(*) FROM job_info")
        assert sidecar.records("migrated", table="job_info") == []
    assert sidecar.wait() == 0
    assert repaired(database) == REPAIRED


def test_kubedl_writes_duplicates_meanwhile(old_tables, database, ship, described):
    """Until the unique key comes, which then refuses them."""
    refused = []
    ended = threading.Event()

    def write():
        with database.server.connect(database=database.name) as connection:
            with connection.cursor() as cursor:
                for number in itertools.count():
                    try:
                        cursor.execute("INSERT INTO job_info (job_id, version, owner)"
                                       " VALUES ('u-twice', %s, '')", (number,))
                    except pymysql.Error as error:
                        refused.append(error.args[0])
                        return
                    if ended.wait(0.05):
                        return

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        ship([EVENT])
    finally:
        ended.set()
        writer.join()
    assert refused in ([], [1062])
    assert shape(database) == described
    assert {**REPAIRED, "u-twice": None}.keys() == repaired(database).keys()


def test_many_rows_in_slices(database, ship, rng):
    """More rows than a slice has, with gaps between the ids: of each uid the newest stays."""
    kubedl.create_tables(database)
    rows, number = [], 0
    for _ in range(25000):
        number += rng.choice((1, 1, 1, 7, 1000))
        rows.append((number, f"u-{rng.randrange(9000)}", str(rng.randrange(1, 200))))
    database.execute_many("INSERT INTO job_info (id, job_id, version) VALUES (%s, %s, %s)", rows)
    newest = {}
    for number, uid, version in rows:
        newest[uid] = max(newest.get(uid, (0, 0)), (int(version), number))
    ship([EVENT])
    found = database.query("SELECT id, job_id, version, owner FROM job_info"
                           " WHERE job_id <> 'job-new'")
    assert {row["job_id"]: (int(row["version"]), row["id"]) for row in found} == newest
    assert len(found) == len(newest)
    assert {row["owner"] for row in found} == {""}


READ_AND_WRITE = "SELECT, INSERT, UPDATE"


@pytest.fixture
def account_with(database):
    """account_with(grants) makes an account and returns the settings for it."""
    name = f"{database.name}_other"

    def new(grants):
        database.new_user(name, "pass", grants)
        return {"MYSQL_USER": name, "MYSQL_PASSWORD": "pass"}

    yield new
    database.server.query(f"DROP USER IF EXISTS {name}@'%'")


@pytest.fixture
def poor(account_with):
    """The settings of an account that may not change tables."""
    return account_with(READ_AND_WRITE)


def test_rights_that_the_advice_names_are_enough(
        old_tables, database, ship, account_with, described):
    ship([EVENT], **account_with(f"{READ_AND_WRITE}, CREATE, ALTER, INDEX, DELETE"))
    assert shape(database) == described
    assert repaired(database) == REPAIRED


@pytest.mark.parametrize("tables", ["none", "KubeDL's"])
def test_without_the_right_to_alter_a_dba_gets_the_statements(
        tables, database, start, poor, described):
    if tables != "none":
        kubedl.create_tables(database)
        fill(database)
    sidecar = start(**poor)
    record = sidecar.wait_for_record(STORE_FAILS)
    assert record["class"] == "operator"
    assert "have a DBA run the statements in the log" in record["error"]
    assert not sidecar.records("the tables are not as they should be, but can be written to")
    texts = for_dba(sidecar)
    assert texts[0] == f"USE `{database.name}`"
    execute_as_dba(database, texts)
    assert sidecar.wait() == 0
    assert shape(database) == described
    if tables != "none":
        assert repaired(database) == REPAIRED


def test_without_the_right_to_alter_complete_tables_will_do(database, ship, poor):
    ship([EVENT])
    sidecar = ship([EVENT], **poor)
    assert for_dba(sidecar) == statements(sidecar) == []


def test_what_is_only_useful_does_not_keep_rows_from_being_written(database, ship, poor):
    ship([EVENT])
    database.query("ALTER TABLE job_info DROP INDEX idx_gmt_created")
    sidecar = ship([line(events.added(events.job("job-2")))], **poor)
    assert set(database.jobs()) == {"job-new", "job-2"}
    assert sidecar.records("the tables are not as they should be, but can be written to",
                           table="job_info", reason="no index on (gmt_created)")
    assert for_dba(sidecar)[-1] == "ALTER TABLE `job_info` ADD INDEX idx_gmt_created (gmt_created)"


@pytest.mark.parametrize("spoil, repair, advice", [
    ("ALTER TABLE job_info ADD UNIQUE KEY mine (namespace, name)",
     "ALTER TABLE job_info DROP INDEX mine", "ALTER TABLE `job_info` DROP INDEX `mine`"),
    ("ALTER TABLE job_info ADD COLUMN cost int NOT NULL",
     "ALTER TABLE job_info ALTER COLUMN cost SET DEFAULT 0", "give it a default value"),
    ("ALTER TABLE job_info CHANGE COLUMN id number bigint unsigned NOT NULL AUTO_INCREMENT",
     "ALTER TABLE job_info CHANGE COLUMN number id bigint unsigned NOT NULL AUTO_INCREMENT",
     "has no column id"),
    ("CREATE TABLE kubedl_shipper_schema (version int, oldest_writer int) SELECT 99 AS version,"
     " 99 AS oldest_writer", "DROP TABLE kubedl_shipper_schema", "upgrade kubedl-shipper"),
])
def test_what_a_person_must_decide(spoil, repair, advice, old_tables, database, start, described):
    database.query(spoil)
    sidecar = start()
    record = sidecar.wait_for_record(STORE_FAILS)
    assert advice in record["error"]
    assert record["class"] == "operator"
    assert statements(sidecar) == []
    database.query(repair)
    assert sidecar.wait() == 0
    assert repaired(database) == REPAIRED


def test_column_wider_than_ours_stays(old_tables, database, ship):
    by_hand(database,
            "ALTER TABLE job_info MODIFY name varchar(512) CHARACTER SET latin1,"
            " MODIFY remark mediumtext CHARACTER SET latin1, MODIFY deleted int,"
            " MODIFY gmt_created datetime(3), ADD COLUMN note varchar(9) CHARACTER SET latin1",
            "UPDATE job_info SET name = REPEAT('ü', 512), note = 'ü' WHERE job_id = 'u-c'")
    ship([EVENT])
    types = {row["COLUMN_NAME"]: (row["COLUMN_TYPE"], row["CHARACTER_SET_NAME"])
             for row in database.query("SELECT COLUMN_NAME, COLUMN_TYPE, CHARACTER_SET_NAME"
                                       " FROM information_schema.COLUMNS"
                                       " WHERE TABLE_SCHEMA = DATABASE()"
                                       " AND TABLE_NAME = 'job_info'")}
    assert types["name"] == ("varchar(512)", "utf8mb4")
    assert types["remark"] == ("mediumtext", "utf8mb4")
    assert types["deleted"][0] in ("int(11)", "int")
    assert types["gmt_created"][0] == "datetime(3)"
    assert types["note"] == ("varchar(9)", "latin1")
    row = database.jobs()["u-c"]
    assert (row["name"], row["note"]) == ("ü" * 512, "ü")


def test_tables_made_by_hand(old_tables, database, ship, described):
    """Another engine, a small id, narrow and other types, and NOT NULL where rows have NULL."""
    by_hand(database,
            "UPDATE job_info SET deleted = 0, remark = '', job_id = 'u-d', kind = ''",
            "ALTER TABLE job_info ENGINE=MyISAM, MODIFY id int NOT NULL AUTO_INCREMENT,"
            " MODIFY deleted bit(1) NOT NULL, MODIFY remark varchar(10) NOT NULL,"
            " MODIFY kind enum('', 'TFJob'), MODIFY gmt_modified timestamp NULL,"
            " ADD KEY mine (job_id, version)")
    ship([EVENT])
    assert set(database.jobs()) == {"u-d", "job-new"}
    database.query("ALTER TABLE job_info DROP INDEX mine")
    assert shape(database) == described
    engine = database.query("SELECT ENGINE FROM information_schema.TABLES"
                            " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'job_info'")
    assert list(engine[0].values()) == ["InnoDB"]


def test_unique_key_made_by_hand_is_taken(database, ship):
    kubedl.create_tables(database)
    database.query("ALTER TABLE job_info ADD UNIQUE KEY mine (job_id)")
    sidecar = ship([EVENT])
    keys = database.query("SELECT DISTINCT INDEX_NAME AS name FROM information_schema.STATISTICS"
                          " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'job_info'"
                          " AND NON_UNIQUE = 0")
    assert sorted(key["name"] for key in keys) == ["PRIMARY", "mine"]
    assert not [sql for sql in statements(sidecar) if sql.startswith("DELETE `old` FROM `job_info`")]


# What a table has been made with


@pytest.fixture
def default_row_format(server):
    """default_row_format(name): what new tables are, and those that are written again."""
    variable = "innodb_default_row_format"
    before = server.query(f"SELECT @@GLOBAL.{variable} AS x")[0]["x"]
    yield lambda name: server.query(f"SET GLOBAL {variable} = {name}")
    server.query(f"SET GLOBAL {variable} = {before}")


def row_formats(database):
    return {row["t"]: row["f"] for row in database.query(
        "SELECT TABLE_NAME AS t, ROW_FORMAT AS f FROM information_schema.TABLES"
        " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN ('job_info', 'replica_info')")}


@pytest.mark.parametrize("row_format", ["COMPACT", "REDUNDANT"])
def test_old_row_formats(row_format, charset, old_tables, database, ship, described):
    """Their indexes hold 767 bytes of a column: 191 characters of utf8mb4."""
    for table in ("job_info", "replica_info"):
        database.query(f"ALTER TABLE {table} ROW_FORMAT={row_format}")
    ship([EVENT])
    assert shape(database) == described
    assert repaired(database) == REPAIRED
    assert set(row_formats(database).values()) == {"Dynamic"}


@pytest.mark.parametrize("tables", ["none", "KubeDL's", "KubeDL's, when it was another"])
def test_an_old_row_format_as_the_servers_own(tables, database, default_row_format, ship,
                                              described):
    if tables == "KubeDL's, when it was another":
        kubedl.create_tables(database)
    default_row_format("compact")
    if tables == "KubeDL's":
        kubedl.create_tables(database)
    ship([EVENT])
    assert shape(database) == described
    assert set(row_formats(database).values()) == {"Dynamic"}


def test_a_useful_step_that_is_refused_holds_up_no_required_one(old_tables, database, ship):
    """The character set of `owner` cannot change below an index of the administrator's own, nor can
    the other changes that would be made together with it; and what is refused is not laid to rights."""
    by_hand(database, "ALTER TABLE job_info CONVERT TO CHARACTER SET latin1",
            "ALTER TABLE job_info ADD COLUMN note VARCHAR(2000) CHARACTER SET latin1,"
            " ADD KEY mine (note, owner, tenant)")
    sidecar = ship([EVENT, line(events.added(events.pod("p-1")))])
    assert "job-new" in database.jobs() and "p-1" in database.pods()
    record = sidecar.records("the tables are not as they should be, but can be written to")[0]
    assert record["table"] == "job_info" and "rights" not in record["error"]
    assert for_dba(sidecar)[0] == f"USE `{database.name}`"
    again = ship([EVENT])
    assert "job-new" in database.jobs() and again.wait() == 0


def test_a_table_that_is_partitioned_by_another_column(database, start):
    kubedl.create_tables(database)
    database.query("ALTER TABLE job_info DROP PRIMARY KEY, ADD PRIMARY KEY (id, gmt_created)")
    database.query("ALTER TABLE job_info PARTITION BY RANGE (TO_DAYS(gmt_created))"
                   " (PARTITION p0 VALUES LESS THAN (738000), PARTITION p1 VALUES LESS THAN MAXVALUE)")
    sidecar = start()
    record = sidecar.wait_for_record(STORE_FAILS)
    assert record["class"] == "operator" and "REMOVE PARTITIONING" in record["error"]
    assert "rights" not in record["error"]
    database.query("ALTER TABLE job_info REMOVE PARTITIONING")
    database.query("ALTER TABLE job_info DROP PRIMARY KEY, ADD PRIMARY KEY (id)")
    assert sidecar.wait() == 0
    assert "job-new" in database.jobs()


def test_a_unique_key_that_is_dropped_meanwhile(database, new_sidecar, directory):
    """Each event would become a row of its own: that is noticed, and said, and mended."""
    path = directory / "events.sock"
    sidecar = new_sidecar(EVENT_SOURCE=f"unix-listen:{path}", DB_CONNECTIONS=1).start()
    versions = itertools.count(1)
    with producer.connect(path) as connection:
        def send():
            event = events.modified(events.job("u-1", version=str(next(versions))))
            connection.sendall(line(event))
            return True

        send()
        sidecar.wait_until_written(1)
        database.query("ALTER TABLE job_info DROP INDEX uk_job_id")
        until(lambda: send() and sidecar.records("somebody has changed the tables: they are migrated"
                                                 " again"), sidecar.log_tail)
        until(lambda: send() and sidecar.records("migrated", reason="job_id has no unique key,"
                                                 " kubedl_shipper_uid has done its work"),
              sidecar.log_tail)
        sent = next(versions)
        connection.sendall(line(events.modified(events.job("u-1", version=str(sent)))))
        sidecar.wait_until_written(sent)
    assert sidecar.stop() == 0
    assert [row["version"] for row in database.jobs().values()] == [str(sent)]
