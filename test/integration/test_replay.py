"""kubedl-shipper replay: what was recorded, or what kubectl prints, ends in the tables."""

import gzip
import json
import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest

from harness import events, expected, producer, stream
from harness import sidecar as program
from harness.wait import until

NAME = "stream-a"
SETTINGS = {"MYSQL_USER": "kubedl", "MYSQL_HOST": "127.0.0.1:1"}


@pytest.fixture
def replay(new_sidecar):
    """replay(file, NAME=value, ...) runs the command to its end. file: a path or an open file."""

    def run(file, status=0, **settings):
        sidecar = new_sidecar(**settings)
        if isinstance(file, (str, os.PathLike)):
            sidecar.start("replay", str(file))
        else:
            sidecar.start("replay", "-", stdin=file)
        assert sidecar.wait() == status, sidecar.log_tail()
        return sidecar

    return run


@pytest.fixture
def recording(directory):
    path = directory / "recording.ndjson"
    path.write_bytes(b"".join(stream.lines(NAME)))
    return path


def final_objects():
    """What a list of stream-a's cluster shows at its end."""
    alive = {}
    for event in stream.events(NAME):
        if event["type"] == "DELETED":
            alive.pop(stream.uid_of(event), None)
        else:
            alive[stream.uid_of(event)] = event["object"]
    return list(alive.values())


def printed(objects):
    """As kubectl get -o json prints them."""
    listing = {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""},
               "items": objects}
    return json.dumps(listing, indent=4, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def check(database, recorded):
    jobs, pods = expected.rows(recorded)
    wrong = expected.differences(jobs, database.jobs())
    wrong += expected.differences(pods, database.pods())
    assert not wrong, "\n".join(wrong)
    assert jobs or pods


def check_listed(database, objects):
    check(database, map(events.added, objects))


def result(sidecar):
    """The line for a person."""
    lines = [line for line in sidecar.log_text().splitlines() if not line.startswith("{")]
    assert len(lines) == 1, lines
    return lines[0]


# What is shipped

CASE = program.ROOT / "test/data/cases/17-utf16-replay/pods.json"


def test_case_utf16_replay(replay, database):
    """What Windows PowerShell writes is refused in one line, and nothing is shipped."""
    sidecar = replay(CASE, status=1)
    assert len(sidecar.records(level="error")) == 1
    assert "is UTF-16: write it as UTF-8" in sidecar.records(level="error")[0]["msg"]
    assert sidecar.accounts()["received"] == 0
    assert result(sidecar).startswith("0 documents")


def test_utf16_written_as_utf8_with_its_mark_is_shipped(replay, directory, database):
    path = directory / "pods.json"
    path.write_text(CASE.read_text("utf-16"), "utf-8-sig")
    accounts = replay(path).accounts()
    assert (accounts["received"], accounts["totals"]) == (1, "since the process was started")
    assert set(database.pods())


def test_a_recording_gives_the_tables_of_its_stream(replay, recording, database):
    sidecar = replay(recording)
    check(database, stream.events(NAME))
    accounts = sidecar.accounts()
    assert accounts["received"] == len(stream.lines(NAME))
    assert accounts["invalid"] == accounts["cut_lines"] == 0
    assert result(sidecar).startswith(f"{accounts['received']} documents, ")
    assert f" {accounts['written']} written, " in result(sidecar)


@pytest.mark.parametrize("layout", ["pretty", "compact", "first column"])
def test_a_list_gives_a_row_for_each_of_its_items(layout, replay, directory, database):
    objects = final_objects()
    path = directory / "list.json"
    path.write_bytes({
        "pretty": lambda: printed(objects),
        "compact": lambda: stream.line({"apiVersion": "v1", "items": objects, "kind": "List"}),
        "first column": lambda: json.dumps({"items": objects, "kind": "List"}, indent=0).encode(),
    }[layout]())
    sidecar = replay(path)
    check_listed(database, objects)
    assert sidecar.accounts()["received"] == len(objects) > 0
    assert sidecar.accounts()["invalid"] == 0


def test_a_list_through_a_pipe(replay, directory, database):
    objects = final_objects()
    path = directory / "list.json"
    path.write_bytes(printed(objects))
    with subprocess.Popen(["cat", path], stdout=subprocess.PIPE) as kubectl:
        replay(kubectl.stdout)
    check_listed(database, objects)


def test_an_api_list_whose_items_do_not_say_what_they_are(replay, directory, database):
    pods = [thing for thing in final_objects() if thing["kind"] == "Pod"]
    bare = [{key: value for key, value in pod.items() if key not in ("kind", "apiVersion")}
            for pod in pods]
    path = directory / "pods.json"
    path.write_bytes(stream.line({"kind": "PodList", "apiVersion": "v1",
                                  "metadata": {"resourceVersion": "7"}, "items": bare}))
    assert replay(path).accounts()["received"] == len(pods) > 0
    check_listed(database, pods)


def test_single_objects_one_after_the_other(replay, directory, database):
    objects = final_objects()
    path = directory / "objects.json"
    path.write_bytes(b"".join(json.dumps(thing, indent=4).encode() + b"\n" for thing in objects))
    replay(path)
    check_listed(database, objects)


def test_a_list_closes_nothing(replay, directory, database):
    """It shows what there is, but it is no snapshot of all there is."""
    path = directory / "list.json"
    for uid in ("job-1", "job-2"):
        path.write_bytes(printed([events.job(uid)]))
        replay(path, CLUSTER_ID="here")
    assert [row["is_in_etcd"] for row in database.jobs().values()] == [1, 1]


def test_an_old_list_does_not_overwrite_newer_rows(replay, directory, ship, database):
    ship([stream.line(events.modified(events.job("job-1", version="9", conditions=("Created",
                                                                                   "Running"))))])
    path = directory / "list.json"
    path.write_bytes(printed([events.job("job-1", version="8")]))
    replay(path)
    assert database.jobs()["job-1"]["status"] == "Running"


# Bounds


PODS = 20_000
PEAK_KIB = 64 * 1024


def test_memory_is_bounded_however_long_a_list_is(replay, directory, database, record_cost):
    path = directory / "pods.json"
    with open(path, "wb") as file:
        file.write(b'{"kind":"PodList","apiVersion":"v1","items":[')
        for n in range(PODS):
            pod = events.pod(f"pod-{n:05}", name=f"train-worker-{n}", phase="Running",
                             annotations={"note": "x" * 4000})
            file.write((b"," if n > 0 else b"") + json.dumps(pod, indent=4).encode())
        file.write(b"]}")
    size_kib = path.stat().st_size >> 10
    # ASan keeps freed memory for a while, if it is not told otherwise.
    options = f"{os.environ.get('ASAN_OPTIONS', '')}:quarantine_size_mb=4"
    sidecar = replay(path, OUTBOX_MAX_ROWS=2000, ASAN_OPTIONS=options)
    record_cost(f"replay of a list of {PODS} pods, {size_kib >> 10} MiB: "
                f"{sidecar.peak_kib / 1024:.1f} MiB at the most")
    assert sidecar.accounts()["written"] == PODS
    assert database.count("replica_info") == PODS
    assert sidecar.peak_kib < PEAK_KIB < size_kib


def test_an_item_that_is_too_long_is_skipped(replay, directory, database):
    objects = [events.job(f"job-{n}") for n in (1, 2, 3)]
    objects[1]["status"]["note"] = "x" * 5000
    path = directory / "list.json"
    path.write_bytes(printed(objects))
    sidecar = replay(path, MAX_DOCUMENT_BYTES=4096)
    assert set(database.jobs()) == {"job-1", "job-3"}
    assert sidecar.fates() == {"too_long": 1}
    assert sidecar.records("document skipped: longer than MAX_DOCUMENT_BYTES")[0]["uid"] == "job-2"


# Damage


def test_what_is_whole_in_a_damaged_recording_is_shipped(replay, directory, database, rng):
    lines = list(stream.lines(NAME))
    whole = [json.loads(line) for line in lines]
    damaged = sorted(rng.sample(range(len(lines)), 20))
    for at in damaged:
        whole[at] = None
        # A newline is lost with what was behind it only where the disk was full.
        lines[at] = lines[at][:rng.randrange(1, len(lines[at]) - 2)] + b"\n"
    path = directory / "damaged.ndjson"
    path.write_bytes(b"not JSON at all\n" + b"".join(lines))
    sidecar = replay(path)
    check(database, [event for event in whole if event is not None])
    assert sidecar.accounts()["received"] == len(lines) + 1
    assert sidecar.accounts()["invalid"] == len(damaged) + 1
    assert f" {len(damaged) + 1} invalid" in result(sidecar)


@pytest.mark.parametrize("whole, broken", [
    (b'"namespace": "team",', b'"namespace": "team,'), (b'"metadata": {', b'"metadata": {{'),
    (b'"spec": {', b'"spec": '), (b"        },\n", b"        ,\n"), (b'"kind": ', b'"kind" '),
])
def test_a_damaged_item_costs_at_most_what_is_behind_it(whole, broken, new_sidecar, directory,
                                                        database):
    objects = [events.job(f"job-{n}") for n in range(5)]
    text = printed(objects)
    at = text.index(whole, text.index(b"job-1"))
    path = directory / "list.json"
    path.write_bytes(text[:at] + broken + text[at + len(whole):])
    sidecar = new_sidecar().start("replay", str(path))
    sidecar.wait()
    shipped = set(database.jobs())
    assert "job-0" in shipped and shipped < {f"job-{n}" for n in range(5)}
    accounts = sidecar.accounts()
    assert accounts["invalid"] + accounts["cut_lines"] >= 1


def test_a_list_that_was_cut_off_is_said(replay, directory, database):
    text = printed([events.job("job-1"), events.job("job-2")])
    path = directory / "list.json"
    path.write_bytes(text[:text.index(b"job-2")])
    sidecar = replay(path, status=1)
    assert set(database.jobs()) == {"job-1"}
    assert sidecar.accounts()["cut_lines"] == 1


# Start and stop


def test_a_wrong_file_is_said_in_one_line(replay, directory, database):
    listing = printed([events.job("job-1")])
    path = directory / "file"
    for content, told in (
            (b"", "is empty"), (b"\n \r\n", "is empty"),
            (gzip.compress(listing), "compressed by gzip: unpack it, as by zcat"),
            (b"apiVersion: v1\nitems:\n- kind: Pod\n", "is YAML: write it as JSON"),
            (b"NAME   READY\njob-1  1/1\n", "a table for people: write it as JSON"),
            (Path("/bin/true").read_bytes(), "is binary: give the JSON")):
        path.write_bytes(content)
        sidecar = replay(path, status=1)
        record, = sidecar.records(level="error")
        assert told in record["msg"]
        assert sidecar.accounts()["received"] == 0
        sidecar.log.unlink()
    assert database.jobs() == {}


def test_a_file_without_a_document_that_can_be_read_is_said(directory, database):
    """Each refusal tells its line; a list whose text is not JSON is one document."""
    path = directory / "file"
    for content, lines in ((b"hello\n\nworld\n", [1, 3]),
                           (b"{'kind': 'List',\n 'items': [\n  {'kind': 'Pod'}\n]}\n", [1])):
        path.write_bytes(content)
        outcome = program.run("replay", str(path), settings=database.environment())
        assert outcome.returncode == 1
        *log, last = outcome.stderr.splitlines()
        assert last.startswith("kubedl-shipper: none of the documents is an object or a watch event")
        assert [record["line"] for record in map(json.loads, log)
                if record["msg"] == "document refused"] == lines


def test_nothing_to_write_is_no_failure(new_sidecar, directory, database):
    """Although rows could not be written: the password is wrong, which a person has to mend."""
    path = directory / "list.json"
    sidecar = new_sidecar(MYSQL_PASSWORD="wrong")
    for listing in ([], [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
            "name": "a", "namespace": "b", "uid": "c", "resourceVersion": "1"}}]):
        path.write_bytes(printed(listing))
        outcome = program.run("replay", str(path), settings=sidecar.settings)
        assert (outcome.returncode, outcome.stderr.count("giving up")) == (0, 0)
        assert outcome.stdout.startswith(f"{len(listing)} documents, {len(listing)} of them not")


def test_rows_that_waited_before_are_told_apart(new_sidecar, spool, directory, database, server):
    path = directory / "list.json"
    settings = {**database.environment(), "SPOOL_DIR": str(spool.directory)}
    server.stop()
    sidecar = new_sidecar(**settings).start("replay", "-", stdin=subprocess.DEVNULL)
    assert sidecar.wait() == 1  # /dev/null is empty
    assert {record["waiting"] for record in sidecar.records("the store takes no rows")} == {0}
    waiting = new_sidecar(**settings, EVENT_SOURCE=f"unix-listen:{directory}/socket").start()
    with producer.connect(directory / "socket") as connection:
        connection.sendall(b"".join(stream.line(events.added(events.job(f"old-{n}"))) for n in range(3)))
        until(lambda: spool.count() == 3, "they are in the spool")
    waiting.kill()
    server.start()
    path.write_bytes(printed([events.job("job-1"), events.job("job-2")]))
    outcome = program.run("replay", str(path), settings=settings)
    assert outcome.returncode == 0
    first, second = outcome.stdout.splitlines()
    assert first.startswith("2 documents, ") and " 5 written, " in first
    assert second == "3 of these rows had been waiting in the spool before this run"
    records = [json.loads(line) for line in outcome.stderr.splitlines()]
    last = next(record for record in records if record["msg"] == "stopped")
    assert (last["received"], last["totals"]) == (5, "since the spool was made")


@pytest.mark.parametrize("arguments, problem", [([], "FILE|- is missing"),
                                                (["a", "b"], "one argument too many: b")])
def test_it_takes_one_file(arguments, problem):
    outcome = program.run("replay", *arguments, settings=SETTINGS)
    assert outcome.returncode == 2
    assert problem in outcome.stderr


@pytest.mark.parametrize("name, reason", [("", "Is a directory"), ("none", "No such file")])
def test_a_file_that_cannot_be_read(name, reason, directory):
    path = directory / name
    outcome = program.run("replay", str(path), settings=SETTINGS)
    assert outcome.returncode == 1
    assert outcome.stderr.startswith(f"kubedl-shipper: cannot read {path}: {reason}")
    assert outcome.stdout == ""


def test_standard_input_that_is_a_directory(replay, directory):
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        sidecar = replay(descriptor, status=1)
    finally:
        os.close(descriptor)
    assert "standard input" in sidecar.records("cannot start")[0]["error"]


def test_to_be_stopped_before_the_end_is_to_fail(new_sidecar, database):
    reading, writing = os.pipe()
    sidecar = new_sidecar().start("replay", "-", stdin=reading)
    os.close(reading)
    os.write(writing, printed([events.job("job-1"), events.job("job-2")])[:-20])
    sidecar.wait_until_received(2)
    assert sidecar.stop() == 1
    os.close(writing)
    assert set(database.jobs()) == {"job-1", "job-2"}


def test_what_the_database_does_not_take_is_in_the_spool(new_sidecar, spool, recording, database,
                                                         server):
    server.stop()
    sidecar = new_sidecar(SPOOL_DIR=spool.directory).start("replay", str(recording))
    sidecar.wait_for_record("end of the stream: writing what waits")
    assert sidecar.stop() == 0
    server.start()
    later = new_sidecar(SPOOL_DIR=spool.directory, EVENT_SOURCE="-").start()
    assert later.wait() == 0
    check(database, stream.events(NAME))


def test_beside_a_sidecar_that_uses_the_spool(replay, new_sidecar, spool, recording, directory,
                                              database):
    """As in `kubectl exec`: with all the settings of the running one."""
    settings = {"SPOOL_DIR": spool.directory, "EVENT_SOURCE": f"unix-listen:{directory}/socket"}
    running = new_sidecar(**settings).start()
    until(lambda: spool.path.exists(), "it has its spool")
    replay(recording, **settings)
    check(database, stream.events(NAME))
    assert running.stop() == 0


# Progress


def run_on_a_terminal(path, settings):
    """What stderr shows, stdout and the exit status."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*program.command(), "replay", str(path)], env=program.environment(settings),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:
        pass  # it has closed its end
    os.close(ours)
    stdout, _ = process.communicate()
    return shown.decode(), stdout.decode(), process.returncode


def test_a_terminal_shows_how_far_it_is(recording, database):
    shown, stdout, status = run_on_a_terminal(recording, {**database.environment(),
                                                          "LOG_LEVEL": "error"})
    assert status == 0
    drawn = shown.split("\r\x1b[K")
    assert drawn[0] == "" and drawn[-1] == ""  # nothing is left on the screen
    size = recording.stat().st_size / 2**20
    total = len(stream.lines(NAME))
    assert drawn[1].startswith(f"  0% [{' ' * 20}] 0.0/{size:.1f} MiB, 0 documents, 0 rows written")
    assert drawn[-2].startswith(f"100% [{'=' * 20}] {size:.1f}/{size:.1f} MiB, {total} documents, ")
    assert all(line.endswith("\r") and "\n" not in line and len(line) <= 80
               for line in drawn[1:-1])
    assert stdout.startswith(f"{total} documents, ") and stdout.count("\n") == 1


def test_nothing_is_drawn_where_there_is_no_terminal(replay, recording):
    sidecar = replay(recording)
    text = sidecar.log_text()
    assert "\r" not in text and "\x1b" not in text and "%" not in result(sidecar)
