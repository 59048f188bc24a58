"""Grafana can show the dashboard, and what it asks Prometheus for is there."""

import itertools
import json

import metrics
import promtool
import pytest

TIME_SPANS = {"$__rate_interval": "5m", "$namespace": "kubedl-system", "$pod": "kubedl-a"}


@pytest.fixture(scope="module")
def dashboard():
    return json.loads((promtool.MONITORING / "dashboard.json").read_text())


def expressions(dashboard):
    """With what Grafana puts in the places of its variables."""
    found = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    for variable, value in TIME_SPANS.items():
        found = [expression.replace(variable, value) for expression in found]
    assert found and not any("$" in expression for expression in found)
    return found


def test_prometheus_takes_its_expressions(dashboard, tmp_path):
    rules = [{"record": f"panel:number:{number}", "expr": expression}
             for number, expression in enumerate(expressions(dashboard))]
    promtool.check_rules(tmp_path, [{"name": "dashboard", "rules": rules}])


def test_shows_metrics_that_there_are(dashboard, program):
    variables = [variable["query"]["query"] for variable in dashboard["templating"]["list"]
                 if variable["type"] == "query"]
    for expression in expressions(dashboard) + variables:
        named = metrics.named(expression)
        assert named and named <= metrics.exposed(program)


def cells(panel):
    place = panel["gridPos"]
    return set(itertools.product(range(place["x"], place["x"] + place["w"]),
                                 range(place["y"], place["y"] + place["h"])))


def test_panels_do_not_overlap(dashboard):
    taken = set()
    for panel in dashboard["panels"]:
        here = cells(panel)
        assert not taken & here, panel["title"]
        assert max(x for x, _ in here) < 24
        taken |= here


def test_panels_have_numbers_of_their_own(dashboard):
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(numbers) == len(set(numbers))


def test_each_panel_says_what_it_shows(dashboard):
    for panel in dashboard["panels"]:
        assert panel["title"] and (panel["type"] == "row" or panel["description"])
