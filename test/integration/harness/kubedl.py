"""kubedl: the tables as KubeDL itself makes and fills them."""

from datetime import datetime, timezone

from . import expected

TABLES = (
    """CREATE TABLE job_info (id bigint unsigned AUTO_INCREMENT NOT NULL, name varchar(128),
       namespace varchar(128), job_id varchar(64), version varchar(32), status varchar(32),
       kind varchar(32), resources text, deploy_region varchar(64), tenant varchar(255),
       owner varchar(255), deleted tinyint(4), is_in_etcd tinyint(4), remark text,
       gmt_created datetime, gmt_modified datetime, gmt_job_running datetime,
       gmt_job_finished datetime, PRIMARY KEY (id))""",
    """CREATE TABLE replica_info (id bigint unsigned AUTO_INCREMENT NOT NULL, name varchar(128),
       namespace varchar(128), pod_id varchar(64), version varchar(32), status varchar(32),
       image varchar(255), job_id varchar(64), replica_type varchar(32), resources varchar(1024),
       host_ip varchar(64), pod_ip varchar(64), deploy_region varchar(64), deleted tinyint(4),
       is_in_etcd tinyint(4), remark text, gmt_created datetime, gmt_modified datetime,
       gmt_started datetime, gmt_finished datetime, PRIMARY KEY (id))""",
)


def create_tables(database):
    for statement in TABLES:
        database.query(statement)


def fill_with_duplicates(database, events, rng):
    """Rows such as KubeDL leaves them: of many objects more than one, of several versions, in no
    order; some without an owner, some without a version. Deletions it does not record."""
    jobs, pods = [], []
    for moment in expected.moments(e for e in events if e["type"] != "DELETED"):
        if rng.random() < 0.5:
            (jobs if "kind" in moment else pods).append(moment)
    for row in jobs:
        if row["owner"] == "" and rng.random() < 0.5:
            row["owner"] = row["tenant"] = None
    _insert(database, "job_info", jobs, rng)
    _insert(database, "replica_info", pods, rng)


def _insert(database, table, rows, rng):
    rng.shuffle(rows)
    for row in rows:
        if rng.random() < 0.05:
            row["version"] = None
        for column, value in row.items():
            if value == expected.RECEIVED:
                row[column] = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
            elif column.startswith("gmt_") and value is not None:
                row[column] = value.rstrip("Z")
        row["resources"] = expected.resources_text(row["resources"]())
    columns = list(rows[0])
    database.execute_many(
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})",
        [tuple(row[column] for column in columns) for row in rows])
