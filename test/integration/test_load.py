"""A long stream, whole. What it costs is printed at the end of the report, not judged."""

import time
from concurrent.futures import ThreadPoolExecutor

from harness import events, expected, producer, stream
from harness import sidecar as program

NAME = "stream-c"


def test_long_stream_is_shipped_completely(new_sidecar, directory, database, record_cost):
    lines = stream.lines(NAME)
    path = directory / "events.sock"
    with producer.Listener(path) as listener:
        sidecar = new_sidecar(EVENT_SOURCE=f"unix:{path}").start()
        with listener.accept() as connection:
            begin = time.monotonic()
            for at in range(0, len(lines), 100):
                connection.sendall(b"".join(lines[at:at + 100]))
        sidecar.wait_until_written(len(lines))
        seconds = time.monotonic() - begin
        assert sidecar.stop() == 0
    record_cost(f"{NAME}: {len(lines)} events ({sum(map(len, lines)) >> 20} MiB) in {seconds:.2f} s"
                f" = {len(lines) / seconds:.0f} events/s; sidecar: {sidecar.cpu_seconds():.2f} CPU"
                f" seconds, {sidecar.peak_kib / 1024:.1f} MiB at the most")

    accounts = sidecar.accounts()
    assert accounts["received"] == len(lines) == 20510
    assert accounts["invalid"] == accounts["dead_lettered"] == accounts["cut_lines"] == 0
    jobs, pods = expected.rows(stream.events(NAME))
    wrong = expected.differences(jobs, database.jobs())
    wrong += expected.differences(pods, database.pods())
    assert not wrong, "\n".join(wrong[:20])
    check_truth(database)


def test_unfinished_events_of_many_producers_take_bounded_memory(new_sidecar, directory, database,
                                                               record_cost):
    """30 events of 15 MiB at the same time: one after the other gets finished."""
    count = 30
    big = events.job("job-1")
    big["metadata"]["annotations"] = {"big": "x" * (15 << 20)}
    line = stream.line(events.added(big))
    path = directory / "events.sock"
    sidecar = new_sidecar(EVENT_SOURCE=f"unix-listen:{path}", OUTBOX_MAX_BYTES="64MiB").start()
    connections = [producer.connect(path) for _ in range(count)]
    with ThreadPoolExecutor(count) as pool:
        for sent in [pool.submit(connection.sendall, line) for connection in connections]:
            sent.result()
    sidecar.wait_until_received(count)
    assert sidecar.stop() == 0
    for connection in connections:
        connection.close()
    record_cost(f"{count} events of 15 MiB at once: {sidecar.peak_kib / 1024:.0f} MiB at the most")
    assert sidecar.accounts()["invalid"] == 0
    if not program.sanitized():
        assert sidecar.peak_kib < 250 << 10, "all of them together would take 450 MiB"


def check_truth(database):
    """By the cluster's own word."""
    true_jobs, true_pods = stream.truth(NAME)
    jobs, pods = database.jobs(), database.pods()
    assert set(jobs) == set(true_jobs)
    assert set(pods) == set(true_pods)
    for true, row in [*((true, jobs[uid]) for uid, true in true_jobs.items()),
                      *((true, pods[uid]) for uid, true in true_pods.items())]:
        status = true["phase"] if "phase" in true else true["last_condition"] or "Created"
        assert row["deleted"] == (not true["exists"])
        if true["exact"] and true.get("owner_kind", "job") is not None:
            assert row["status"] == status
            assert row["version"] == true["resourceVersion_last_known"]
        elif status in expected.FINAL:
            assert row["status"] == status
        assert expected.time_text(row["gmt_created"]) == true["creationTimestamp"]
