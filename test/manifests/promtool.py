"""promtool, and the alerts as it wants them."""

import functools
import subprocess

import yaml
from combinations import MANIFESTS, ROOT
from render import load

MONITORING = MANIFESTS / "components" / "monitoring"


@functools.lru_cache
def program():
    """Where promtool is; brings it if it is not installed."""
    script = ROOT / "test" / "integration" / "prometheus-folder.sh"
    folder = subprocess.run([script], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    return f"{folder}/promtool"


def groups():
    """The groups of rules."""
    (resource,) = load(MONITORING / "alerts.yaml")
    return resource["spec"]["groups"]


def alerts():
    """The alerts by name."""
    rules = [rule for group in groups() for rule in group["rules"]]
    named = {rule["alert"]: rule for rule in rules}
    assert len(named) == len(rules)
    return named


def write(path, content):
    path.write_text(yaml.safe_dump(content))
    return path


def check_rules(directory, rules):
    """An AssertionError says what is wrong with the groups."""
    path = write(directory / "rules.yaml", {"groups": rules})
    result = subprocess.run([program(), "check", "rules", path], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def firing_test(name, series, at, expected):
    """A test that after `at` of the series exactly the expected alerts fire. Its name is in the expression
    because promtool prints that when it fails."""
    return {
        "interval": "1m",
        "input_series": [{"series": one, "values": values} for one, values in series.items()],
        "promql_expr_test": [{
            "expr": f'count by (alertname) (ALERTS{{alertstate="firing"}}) > bool 0 # {name}',
            "eval_time": at,
            "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1}
                            for alert in sorted(expected)],
        }],
    }


def check_tests(directory, tests):
    """An AssertionError says which of the tests fail."""
    write(directory / "rules.yaml", {"groups": groups()})
    path = write(directory / "tests.yaml", {
        "rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests})
    result = subprocess.run([program(), "test", "rules", path], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
