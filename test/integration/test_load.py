"""A long stream, whole. What it costs is printed at the end of the report, not judged."""

import time

from harness import expected, producer, stream

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
