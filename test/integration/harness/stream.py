"""stream: recorded watch streams, and ways to send them otherwise than they were recorded."""

import json
import subprocess
from functools import lru_cache
from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "data"

JOB_KINDS = {"TFJob", "PyTorchJob", "XGBoostJob", "XDLJob", "MarsJob", "MPIJob", "ElasticDLJob",
             "ElasticBatchJob"}


def unpack(name):
    """The bytes of test/data/NAME.zst."""
    path = DATA / f"{name}.zst"
    return subprocess.run(["zstd", "-dcq", path], stdout=subprocess.PIPE, check=True).stdout


@lru_cache(maxsize=None)
def lines(name):
    """The lines of a recorded stream as a tuple of bytes, each with its newline."""
    return tuple(unpack(f"{name}.ndjson").splitlines(keepends=True))


def events(name):
    """The same, decoded one after the other."""
    return map(json.loads, lines(name))


def truth(name):
    """What was true in the cluster at the end, by uid: (jobs, pods). From the log of the program
    that drove it and from final lists, not from the stream."""
    return tuple(
        {entry["uid"]: entry
         for entry in map(json.loads, unpack(f"{name}.{part}.jsonl").splitlines())}
        for part in ("truth_jobs", "truth_pods")
    )


def line(event):
    """An event (or anything else) as a line of the stream."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def uid_of(event):
    return event["object"].get("metadata", {}).get("uid")


def dealt_among(stream_lines, hands, rng):
    """The lines dealt to `hands` producers; all lines of one object go to the same one."""
    dealt = [[] for _ in range(hands)]
    hand_of = {}
    for one in stream_lines:
        uid = uid_of(json.loads(one))
        dealt[hand_of.setdefault(uid, rng.randrange(hands))].append(one)
    return dealt


def shuffled_across_objects(stream_lines, rng):
    """The lines in a random order, but those of one object in theirs."""
    of_object = {}
    for one in stream_lines:
        of_object.setdefault(uid_of(json.loads(one)), []).append(one)
    uids = [uid for uid, own in of_object.items() for _ in own]
    rng.shuffle(uids)
    queues = {uid: iter(own) for uid, own in of_object.items()}
    return [next(queues[uid]) for uid in uids]
