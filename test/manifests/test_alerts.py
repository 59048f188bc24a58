"""Each alert fires when it should, and not when it should not: in promtool, over made-up series."""

import re
import subprocess
from dataclasses import dataclass, field

import metrics
import promtool
import pytest
from combinations import ROOT

POD = 'job="kubedl-system/kubedl-shipper",namespace="kubedl-system",instance="10.0.0.7:9470",pod="kubedl-a"'
OTHER = POD.replace("10.0.0.7", "10.0.0.8").replace("kubedl-a", "kubedl-b")

GIB = 2**30

BUCKETS = ("1", "10", "30", "60", "300", "+Inf")


def steady(value, minutes=180):
    """The same all the time; a sample a minute."""
    return " ".join([str(value)] * minutes)


def rising(step, minutes=180):
    """A counter that goes up by `step` a minute."""
    return f"0+{step}x{minutes - 1}"


def then(*parts):
    return " ".join(parts)


def lags(bucket, pod=POD, minutes=180):
    """The histogram of rows that all take longer than the bounds below `bucket`, but not than it."""
    series = {}
    for bound in BUCKETS:
        step = 10 if BUCKETS.index(bound) >= BUCKETS.index(bucket) else 0
        series[f'kubedl_shipper_event_to_commit_seconds_bucket{{{pod},le="{bound}"}}'] = \
            rising(step, minutes)
    return series


def metric(name, pod=POD, **labels):
    """One series of ours."""
    more = "".join(f',{label}="{value}"' for label, value in labels.items())
    return f"kubedl_shipper_{name}{{{pod}{more}}}"


def healthy(pod=POD):
    """All series that alerts look at, of a sidecar that works."""
    return {
        f"up{{{pod}}}": steady(1),
        metric("source_up", pod): steady(1),
        metric("source_paused", pod): steady(0),
        metric("leads", pod): steady(1),
        metric("database_up", pod): steady(1),
        metric("oldest_unwritten_seconds", pod): steady(0),
        metric("rows_total", pod, table="job_info", fate="written"): rising(3),
        metric("rows_total", pod, table="replica_info", fate="written"): rising(10),
        metric("dead_letters", pod): steady(0),
        metric("spool_up", pod): steady(1),
        metric("spool_lost_records", pod): steady(0),
        metric("spool_lost_transactions", pod): steady(0),
        metric("spool_bytes", pod): steady(40960),
        metric("spool_limit_bytes", pod): steady(GIB),
        metric("pending_rows", pod, table="job_info"): steady(2),
        metric("pending_rows", pod, table="replica_info"): steady(20),
        metric("pending_limit_rows", pod): steady(100000),
        metric("pending_bytes", pod): steady(22000),
        metric("pending_limit_bytes", pod): steady(GIB // 4),
        metric("spool_outage_seconds_left", pod): steady("+Inf"),
        metric("sweeps_total", pod, result="done"): rising(1),
        metric("sweeps_total", pod, result="refused"): steady(0),
        metric("ledger_balanced", pod): steady(1),
        **lags("1", pod),
    }


def standby(pod):
    """Of one that does not lead: it takes nothing in, and so has nothing to write."""
    return {
        **healthy(pod),
        metric("leads", pod): steady(0),
        metric("source_up", pod): steady(0),
        metric("rows_total", pod, table="job_info", fate="written"): steady(0),
        metric("rows_total", pod, table="replica_info", fate="written"): steady(0),
        **{name: steady(0) for name in lags("1", pod)},
    }


def unwatched(reason, values=None):
    """A kind of objects that is not watched at the API server."""
    return {metric("source_unwatched", kind="TFJob", api_group="training.kubedl.io", reason=reason):
            values or steady(1)}


SPOOL_LOST = ("spool_lost_records", "spool_lost_transactions")

NOTHING_WRITTEN = {
    metric("rows_total", table="job_info", fate="written"): steady(700),
    metric("rows_total", table="replica_info", fate="written"): steady(4200),
    **{name: steady(900) for name in lags("1")},
}

# From minute 60 on nothing is written.
ONE_HOUR = 60
OUTAGE = {
    metric("database_up"): then(steady(1, ONE_HOUR), steady(0)),
    metric("rows_total", table="job_info", fate="written"): then(rising(3, ONE_HOUR), steady(180)),
    metric("rows_total", table="replica_info", fate="written"): then(rising(10, ONE_HOUR), steady(600)),
    metric("oldest_unwritten_seconds"): then(steady(0, ONE_HOUR), rising(60)),
    **{name: then(rising(10, ONE_HOUR), steady(600)) for name in lags("1")},
}


@dataclass
class Case:
    name: str
    fires: set
    series: dict = field(default_factory=dict)  # beside those of a healthy one; None: not there
    at: str = "100m"


CASES = [
    Case("healthy", set()),
    Case("two that are healthy", set(), healthy(OTHER)),
    Case("nothing happens in the cluster", set(), NOTHING_WRITTEN),

    Case("no pod", {"KubedlShipperAbsent"}, dict.fromkeys(healthy())),
    Case("no pod for a moment", set(), {**dict.fromkeys(healthy()),
                                        f"up{{{POD}}}": then(steady(1, 95), steady("_"))}),
    Case("no answer", {"KubedlShipperDown"}, {f"up{{{POD}}}": steady(0)}),
    Case("no answer while it restarts", set(), {f"up{{{POD}}}": then(steady(1, 97), steady(0))}),

    Case("no stream", {"KubedlShipperSourceDown"}, {metric("source_up"): steady(0)}),
    Case("no stream in either of two", {"KubedlShipperSourceDown"},
         {**healthy(OTHER), metric("source_up"): steady(0), metric("source_up", OTHER): steady(0)}),
    Case("a stream in one of two", set(), {**healthy(OTHER), metric("source_up", OTHER): steady(0)}),
    Case("a standby", set(), standby(OTHER)),
    Case("a standby without a database", set(),
         {**standby(OTHER), metric("database_up", OTHER): steady(0)}),
    Case("standbys only", {"KubedlShipperSourceDown"}, {**standby(POD), **standby(OTHER)}),
    Case("an API server that is away", {"KubedlShipperSourceDown"},
         {metric("source_up"): steady(0), **unwatched("no_answer")}),
    Case("an API server that restarts", set(),
         {metric("source_up"): then(steady(1, 90), steady(0, 5), steady(1)),
          **unwatched("no_answer", then(steady("_", 90), steady(1, 5), "stale", steady("_")))}),
    Case("a kind that is forbidden", {"KubedlShipperUnwatched"}, unwatched("forbidden")),
    Case("kinds that are not installed", set(), unwatched("not_installed")),
    Case("a kind that was forbidden", set(),
         unwatched("forbidden", then(steady(1, 30), "stale", steady("_")))),
    Case("streams that come and go", set(), {metric("source_up"): then(*[steady(0, 5), steady(1, 1)] * 30)}),

    Case("database away for 10 minutes", {"KubedlShipperStuck"}, OUTAGE, "71m"),
    Case("database away for 4 minutes", set(), OUTAGE, "64m"),
    Case("database away for half an hour", {"KubedlShipperStuck", "KubedlShipperDatabaseDown"},
         OUTAGE, "90m"),
    Case("database away, and nothing to write", {"KubedlShipperDatabaseDown"},
         {**NOTHING_WRITTEN, metric("database_up"): steady(0)}),
    Case("database answers, but nothing is written", {"KubedlShipperStuck"},
         {**OUTAGE, metric("database_up"): steady(1)}),

    Case("rows are late", {"KubedlShipperLagging"}, lags("60")),
    Case("rows are late, but not much", set(), lags("30")),
    Case("rows are late after an outage", set(),
         {name: then(steady(0, 90), rising(10 if "+Inf" in name else 0)) for name in lags("1")}),
    Case("some rows are not written", {"KubedlShipperLagging"},
         {metric("oldest_unwritten_seconds"): rising(60)}),

    Case("a dead letter", {"KubedlShipperDeadLetters"}, {metric("dead_letters"): steady(1)}),
    Case("a dead letter that was dropped", set(),
         {metric("dead_letters"): then(steady(1, 30), steady(0))}),

    Case("spool half full", {"KubedlShipperRoomFilling"}, {metric("spool_bytes"): steady(0.6 * GIB)}),
    Case("spool used", set(), {metric("spool_bytes"): steady(0.4 * GIB)}),
    Case("outbox half full of rows", {"KubedlShipperRoomFilling"},
         {metric("pending_rows", table="replica_info"): steady(60000)}),
    Case("outbox half full of bytes", {"KubedlShipperRoomFilling"},
         {metric("pending_bytes"): steady(0.6 * GIB / 4)}),
    Case("outbox nearly full", {"KubedlShipperRoomFilling", "KubedlShipperRoomNearlyFull"},
         {metric("pending_rows", table="job_info"): steady(45000),
          metric("pending_rows", table="replica_info"): steady(50000)}),
    Case("spool full in 2 hours", {"KubedlShipperRoomFilling"},
         {metric("spool_outage_seconds_left"): steady(7200)}),
    Case("spool grows for a moment", set(),
         {metric("spool_outage_seconds_left"): then(steady("+Inf", 94), steady(600, 3), steady("+Inf"))}),
    Case("spool nearly full", {"KubedlShipperRoomFilling", "KubedlShipperRoomNearlyFull"},
         {metric("spool_bytes"): steady(0.95 * GIB)}),
    Case("spool full in 10 minutes", {"KubedlShipperRoomFilling", "KubedlShipperRoomNearlyFull"},
         {metric("spool_outage_seconds_left"): steady(600)}),
    Case("no spool", set(), dict.fromkeys(name for name in healthy() if "spool_" in name)),
    Case("spool on a broken disk", {"KubedlShipperSpoolBroken"}, {metric("spool_up"): steady(0)}),
    Case("spool writes again", set(), {metric("spool_up"): then(steady(0, 30), steady(1))}),
    Case("spool has lost records", {"KubedlShipperSpoolLost"},
         {metric("spool_lost_records"): then(steady(0, 90), steady(7))}),
    Case("spool has lost transactions", {"KubedlShipperSpoolLost"},
         {metric("spool_lost_transactions"): then(steady(2, 90), steady(3))}),
    Case("spool has lost records before it was first looked at", {"KubedlShipperSpoolLost"},
         {metric(name): then(steady("_", 90), steady(7)) for name in SPOOL_LOST}),
    Case("spool lost records two hours ago", set(),
         {metric("spool_lost_records"): then(steady(0, 30), steady(7))}, "150m"),
    Case("another pod has the spool that lost records", set(),
         {**healthy(OTHER),
          **{metric(name): then(steady(7, 80), "stale", steady("_")) for name in SPOOL_LOST},
          **{metric(name, OTHER): then(steady("_", 81), steady(7)) for name in SPOOL_LOST}}),
    Case("paused", {"KubedlShipperSourcePaused"}, {metric("source_paused"): steady(1)}),
    Case("paused for a moment", set(),
         {metric("source_paused"): then(steady(0, 98), steady(1))}),

    Case("a sweep refused", {"KubedlShipperSweepRefused"},
         {metric("sweep_refused_rows", kind="Pod", api_group=""): then(steady("_", 90), steady(30))}),
    Case("a sweep refused days ago", {"KubedlShipperSweepRefused"},
         {metric("sweep_refused_rows", kind="Pod", api_group=""): steady(30)}, "150m"),
    Case("a sweep refused and confirmed", set(),
         {metric("sweep_refused_rows", kind="Pod", api_group=""): then(steady(30, 95), steady(0))}),
    Case("versions went back", {"KubedlShipperVersionsWentBack"},
         {metric("versions_back_total"): then(steady(0, 90), steady(1))}),
    Case("versions went back as the first thing", {"KubedlShipperVersionsWentBack"},
         {metric("versions_back_total"): then(steady("_", 90), steady(1))}),
    Case("versions went back two hours ago", set(),
         {metric("versions_back_total"): then(steady(0, 30), steady(1))}, "150m"),
    Case("a sweep that could not ask", set(), {metric("sweeps_total", result="failed"): rising(1)}),

    Case("a lost event", {"KubedlShipperLedgerUnbalanced"}, {metric("ledger_balanced"): steady(0)}),
    Case("a ledger looked at while it is written", set(),
         {metric("ledger_balanced"): then(steady(1, 99), steady(0))}),
]


def firing_test(case, fires):
    series = {**healthy(), **case.series}
    series = {name: values for name, values in series.items() if values is not None}
    return promtool.firing_test(case.name, series, case.at, fires)


def test_in_each_case_exactly_its_alerts_fire(tmp_path):
    promtool.check_tests(tmp_path, [firing_test(case, case.fires) for case in CASES])


def test_a_case_can_fail(tmp_path):
    for case in CASES[0], next(case for case in CASES if case.fires):
        with pytest.raises(AssertionError, match=case.name):
            promtool.check_tests(tmp_path, [firing_test(case, case.fires ^ {"KubedlShipperStuck"})])


def test_each_alert_has_a_case():
    """And by the healthy one, a case in which it does not fire."""
    assert set.union(*(case.fires for case in CASES)) == set(promtool.alerts())


def test_the_rules_are_rules(tmp_path):
    promtool.check_rules(tmp_path, promtool.groups())


def test_each_alert_says_what_to_do():
    for name, rule in promtool.alerts().items():
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
        file, anchor = rule["annotations"]["runbook_url"].split("#")
        headings = re.findall(r"^#+ (.*)", (ROOT / file).read_text(), re.MULTILINE)
        assert anchor == name.lower() and name in headings


def test_alerts_name_commands_that_there_are(program):
    """The first word is a command; a word behind it is in the first line of the command's help."""
    named = {command for rule in promtool.alerts().values()
             for command in re.findall(r"`kubedl-shipper ([^`]+)`", rule["annotations"]["description"])}
    assert named
    for words in map(str.split, named):
        usage = subprocess.run([program, "help", words[0]], capture_output=True, text=True,
                               check=True).stdout.splitlines()[0]
        assert all(re.search(rf"[ \[]{word}\b", usage) for word in words), usage


def test_alerts_look_at_metrics_that_there_are(program):
    for rule in promtool.alerts().values():
        assert metrics.named(rule["expr"]) <= metrics.exposed(program)
