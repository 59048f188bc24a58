"""cases: small inputs of what once went wrong, in test/data/cases/NAME/."""

import json

from .stream import DATA


def lines(name):
    """The lines of its stream, each with its newline."""
    return (DATA / "cases" / name / "events.ndjson").read_bytes().splitlines(keepends=True)


def events(name):
    return [json.loads(line) for line in lines(name)]


def server_options(name):
    """One list of options of the database server for each way to run the case."""
    text = (DATA / "cases" / name / "server.args").read_text()
    return [_split(line) for line in text.splitlines() if line]


def _split(line):
    """At blanks before "--": a value may have blanks in it."""
    return ["--" + option for option in f" {line}".split(" --")[1:]]
