"""A recorded stream through the socket: the tables tell what was true in the cluster, however the
stream gets there."""

import os
import signal

import pytest

from harness import expected, kubedl, producer, stream
from harness.wait import until

NAME = "stream-a"


@pytest.fixture(scope="module")
def wanted():
    return expected.rows(stream.events(NAME))


def check(database, wanted):
    """The tables hold exactly the rows that the model wants, and say what was true."""
    jobs, pods = wanted
    wrong = expected.differences(jobs, database.jobs())
    wrong += expected.differences(pods, database.pods())
    assert not wrong, "\n".join(wrong)
    check_truth(database)


def check_truth(database):
    """By the cluster's own word, without the model: uids, states and times."""
    true_jobs, true_pods = stream.truth(NAME)
    jobs, pods = database.jobs(), database.pods()
    seen = {stream.uid_of(event): event for event in stream.events(NAME)}
    for uid in set(true_jobs) & set(seen):
        check_true_job(jobs[uid], true_jobs[uid])
    for uid, true in true_pods.items():
        if uid in seen and true["owner_kind"] is not None:
            check_true_pod(pods[uid], true)
    assert set(jobs) <= set(true_jobs)
    assert set(pods) <= {uid for uid, true in true_pods.items() if true["owner_kind"]}


def check_true_job(row, true):
    row = expected.comparable(row)
    assert (row["name"], row["namespace"], row["kind"]) == (
        true["name"], true["namespace"], true["kind"])
    assert row["gmt_created"] == true["creationTimestamp"]
    assert row["deleted"] == (not true["exists"])
    assert row["is_in_etcd"] == true["exists"]
    tenant, owner, _ = expected.tenancy(true["annotations_tenancy"])
    assert (row["tenant"], row["owner"]) == (tenant, owner)
    if true["exact"]:
        assert row["version"] == true["resourceVersion_last_known"]
        assert row["status"] == (true["last_condition"] or "Created")
        assert row["gmt_job_finished"] == true["completionTime"]
    else:
        assert row["status"] in {"Succeeded", "Failed", "Stopped"}
        assert row["gmt_job_finished"] is not None
        if true["last_condition"] in expected.FINAL:
            assert row["status"] == true["last_condition"]
    assert set(row["resources"]) >= set(true["replicaStatuses"] or {})


def check_true_pod(row, true):
    row = expected.comparable(row)
    assert (row["name"], row["namespace"]) == (true["name"], true["namespace"])
    assert row["job_id"] == true["owner_uid"]
    assert row["replica_type"] == true["labels"]["replica-type"]
    assert row["gmt_created"] == true["creationTimestamp"]
    assert row["deleted"] == (not true["exists"])
    assert row["is_in_etcd"] == true["exists"]
    assert row["image"] in true["images"]
    if true["podIP"]:
        assert (row["pod_ip"], row["host_ip"]) == (true["podIP"], true["hostIP"])
    if true["exact"]:
        assert row["version"] == true["resourceVersion_last_known"]
        assert row["status"] == true["phase"]
    else:
        assert row["status"] in {"Succeeded", "Failed", "Stopped"}
        assert row["gmt_finished"] is not None
        if true["phase"] in expected.FINAL:
            assert row["status"] == true["phase"]


def ship(sidecar, listener, *connections):
    """Starts the sidecar, sends it each of `connections` (bytes) over a connection of its own, and
    ends it when all is written."""
    sidecar.start()
    for data in connections:
        with listener.accept() as connection:
            connection.sendall(data)
    sidecar.wait_until_written(sum(data.count(b"\n") for data in connections))
    assert sidecar.stop() == 0, sidecar.log_tail()
    return sidecar.accounts()


@pytest.fixture
def listener(directory):
    with producer.Listener(directory / "events.sock") as instance:
        yield instance


@pytest.fixture
def sidecar(new_sidecar, listener):
    return new_sidecar(EVENT_SOURCE=f"unix:{listener.path}")


def test_stream_ends_in_the_true_tables(sidecar, listener, database, wanted):
    sidecar.start()
    with listener.accept() as connection:
        connection.sendall(b"".join(stream.lines(NAME)))
        until(lambda: not expected.differences(wanted[0], database.jobs())
              and not expected.differences(wanted[1], database.pods()),
              "the tables are as they should be while the stream is still open")
        assert sidecar.stop() == 0
    check(database, wanted)
    accounts = sidecar.accounts()
    assert accounts["received"] == len(stream.lines(NAME))
    assert accounts["invalid"] == accounts["dead_lettered"] == accounts["cut_lines"] == 0
    # KubeDL's console fails on a NULL owner, tenant or creation time.
    for table in ("job_info", "replica_info"):
        assert database.count(table, "gmt_created IS NULL OR gmt_modified IS NULL") == 0
    assert database.count("job_info", "owner IS NULL OR tenant IS NULL") == 0


def test_a_stream_seen_twice_changes_nothing(sidecar, listener, database, wanted):
    data = b"".join(stream.lines(NAME))
    sidecar.start()
    with listener.accept() as connection:
        connection.sendall(data)
    sidecar.wait_until_written(len(stream.lines(NAME)))
    before = database.jobs(), database.pods()
    with listener.accept() as connection:
        connection.sendall(data)
    sidecar.wait_until_written(2 * len(stream.lines(NAME)))
    assert sidecar.stop() == 0
    assert sidecar.accounts()["received"] == 2 * len(stream.lines(NAME))
    check(database, wanted)
    assert (database.jobs(), database.pods()) == before


def test_cut_at_random_bytes_over_many_connections(sidecar, listener, database, wanted, rng):
    pieces = list(producer.pieces_cut_at_random(stream.lines(NAME), 25, rng))
    accounts = ship(sidecar, listener, *pieces)
    check(database, wanted)
    cut = sum(not piece.endswith(b"\n") for piece in pieces)
    assert accounts["cut_lines"] == cut > 0
    assert accounts["invalid"] == 0


def test_several_producers_each_cut_at_random_bytes(new_sidecar, directory, database, wanted, rng):
    path = directory / "events.sock"
    sidecar = new_sidecar(EVENT_SOURCE=f"unix-listen:{path}").start()
    hands = [list(producer.pieces_cut_at_random(hand, 8, rng))
             for hand in stream.dealt_among(stream.lines(NAME), 3, rng)]
    open_connections = [producer.connect(path) for _ in hands]
    for turn in range(max(map(len, hands))):
        for number, hand in enumerate(hands):
            if turn < len(hand):
                open_connections[number].sendall(hand[turn])
                open_connections[number].close()
                open_connections[number] = producer.connect(path)
        # What comes over two connections has no order: a producer's next one waits for this.
        sidecar.wait_until_received(sum(piece.count(b"\n") for hand in hands
                                        for piece in hand[:turn + 1]))
    for connection in open_connections:
        connection.close()
    sidecar.wait_until_written(len(stream.lines(NAME)))
    assert sidecar.stop() == 0
    check(database, wanted)
    assert sidecar.accounts()["invalid"] == 0


def test_shuffled_across_objects(sidecar, listener, database, wanted, rng):
    ship(sidecar, listener, b"".join(stream.shuffled_across_objects(stream.lines(NAME), rng)))
    check(database, wanted)


def test_small_batches_over_many_connections_to_the_database(new_sidecar, listener, database,
                                                             wanted, rng):
    sidecar = new_sidecar(EVENT_SOURCE=f"unix:{listener.path}", DB_CONNECTIONS=4,
                          BATCH_MAX_ROWS=3, BATCH_LINGER_MS=0)
    ship(sidecar, listener, b"".join(stream.shuffled_across_objects(stream.lines(NAME), rng)))
    check(database, wanted)


def test_killed_at_random_and_restarted_from_the_beginning(new_sidecar, listener, database, wanted,
                                                           rng):
    lines = stream.lines(NAME)
    for _ in range(6):
        sidecar = new_sidecar(EVENT_SOURCE=f"unix:{listener.path}").start()
        until_line = rng.randrange(1, len(lines))
        with listener.accept() as connection:
            connection.sendall(b"".join(lines[:until_line]))
            # Killed with something in the socket, in the outbox and in the database.
            until(lambda: database.count("job_info") + database.count("replica_info") > 0,
                  "the first rows are written")
            os.kill(sidecar.pid, signal.SIGKILL)
            assert sidecar.wait() == -signal.SIGKILL
    sidecar = new_sidecar(EVENT_SOURCE=f"unix:{listener.path}")
    ship(sidecar, listener, b"".join(lines))
    check(database, wanted)


def test_against_tables_that_kubedl_made_and_half_filled(sidecar, listener, database, wanted, rng):
    kubedl.create_tables(database)
    recorded = list(stream.events(NAME))
    kubedl.fill_with_duplicates(database, recorded[: len(recorded) // 2], rng)
    assert database.count("job_info") > 10 and database.count("replica_info") > 30
    ship(sidecar, listener, b"".join(stream.lines(NAME)))
    check(database, wanted)


@pytest.mark.parametrize("resource", ["tfjobs", "pods"])
def test_a_watch_list_with_bookmarks(sidecar, listener, database, resource):
    """The same cluster watched with sendInitialEvents: a burst of what is there, a BOOKMARK that
    ends it, then what happens."""
    name = f"watchlist-a-{resource}"
    accounts = ship(sidecar, listener, b"".join(stream.lines(name)))
    recorded = list(stream.events(name))
    bookmarks = [event for event in recorded if event["type"] == "BOOKMARK"]
    jobs, pods = expected.rows(event for event in recorded if event["type"] != "BOOKMARK")
    assert not expected.differences(jobs, database.jobs())
    assert not expected.differences(pods, database.pods())
    assert jobs or pods
    assert sidecar.fates()["bookmark"] == len(bookmarks) > 0
    assert accounts["invalid"] == 0
