"""plain_writer: what a user would write instead: events from a socket, upserts with PyMySQL.

    plain_writer.py SOCKET HOST PORT USER PASSWORD DATABASE

Reads to the end of the stream. It makes the same rows of pods and jobs as far as a script of a page
does, in batches of 256, and has none of the rest: no spool, no dead letters, no retries, no sweep.
"""

import json
import socket
import sys

import pymysql

BATCH_ROWS = 256
COLUMNS = {
    "replica_info": ("name", "namespace", "pod_id", "version", "status", "image", "job_id",
                     "replica_type", "resources", "host_ip", "pod_ip", "deleted", "is_in_etcd",
                     "gmt_created", "gmt_started", "gmt_finished", "cluster_id"),
    "job_info": ("name", "namespace", "job_id", "version", "status", "kind", "resources", "deleted",
                 "is_in_etcd", "gmt_created", "gmt_job_finished", "cluster_id"),
}
NEWER = ("(CHAR_LENGTH(VALUES(version)) > CHAR_LENGTH(version) OR (CHAR_LENGTH(VALUES(version)) ="
         " CHAR_LENGTH(version) AND VALUES(version) >= version))")


def upsert(table):
    columns = [column for column in COLUMNS[table] if column != "version"] + ["version"]
    changes = ", ".join(f"{c} = IF({NEWER}, VALUES({c}), {c})" for c in columns)
    return (f"INSERT INTO {table} ({', '.join(COLUMNS[table])})"
            f" VALUES ({', '.join(['%s'] * len(COLUMNS[table]))})"
            f" ON DUPLICATE KEY UPDATE {changes}")


def time_of(text):
    return text[:19].replace("T", " ") if text else None


def resources_of(containers):
    found = {}
    for container in containers:
        for what, amounts in container.get("resources", {}).items():
            if isinstance(amounts, dict):
                found.setdefault(what, {}).update(amounts)
    return json.dumps(found)


def pod_row(pod, gone):
    meta, spec, status = pod["metadata"], pod["spec"], pod.get("status", {})
    owner = next((o for o in meta.get("ownerReferences", ()) if o.get("controller")), None)
    if owner is None or not owner["kind"].endswith("Job"):
        return None
    state = (status.get("containerStatuses") or [{}])[0].get("state", {})
    ended = state.get("terminated", {})
    running = state.get("running", ended)
    return (meta["name"], meta["namespace"], meta["uid"], meta["resourceVersion"],
            status.get("phase", "Unknown"), spec["containers"][0]["image"], owner["uid"],
            meta.get("labels", {}).get("replica-type"), resources_of(spec["containers"]),
            status.get("hostIP"), status.get("podIP"), int(gone), int(not gone),
            time_of(meta["creationTimestamp"]), time_of(running.get("startedAt")),
            time_of(ended.get("finishedAt")), "bench")


def job_row(job, gone):
    meta, status = job["metadata"], job.get("status", {})
    specs = next((v for k, v in job["spec"].items() if k.endswith("ReplicaSpecs")), None) or {}
    resources = {name: {"replicas": (spec or {}).get("replicas", 0)}
                 for name, spec in specs.items()}
    conditions = status.get("conditions") or [{"type": "Created"}]
    return (meta["name"], meta["namespace"], meta["uid"], meta["resourceVersion"],
            conditions[-1]["type"], job["kind"], json.dumps(resources), int(gone), int(not gone),
            time_of(meta["creationTimestamp"]), time_of(status.get("completionTime")), "bench")


def main():
    path, host, port, user, password, database = sys.argv[1:]
    connection = pymysql.connect(host=host, port=int(port), user=user, password=password,
                                 database=database, charset="utf8mb4")
    cursor = connection.cursor()
    statements = {table: upsert(table) for table in COLUMNS}
    waiting = {table: [] for table in COLUMNS}

    def flush(table):
        if waiting[table]:
            cursor.executemany(statements[table], waiting[table])
            connection.commit()
            waiting[table].clear()

    with socket.socket(socket.AF_UNIX) as stream:
        stream.connect(path)
        for line in stream.makefile("rb"):
            event = json.loads(line)
            thing, gone = event["object"], event["type"] == "DELETED"
            if thing["kind"] == "Pod":
                table, row = "replica_info", pod_row(thing, gone)
            elif thing["kind"].endswith("Job"):
                table, row = "job_info", job_row(thing, gone)
            else:
                continue
            if row is not None:
                waiting[table].append(row)
            if len(waiting[table]) == BATCH_ROWS:
                flush(table)
    for table in COLUMNS:
        flush(table)


main()
