"""Alerts and dashboard hold what they need: metrics that exist, runbooks, and tests by Prometheus' own tool."""

import json
import re
import subprocess

import pytest
import yaml

from stack import LIMIT, PENSTOCK, ROOT

FOLDER = ROOT / "deploy/observability"
# What Prometheus adds, and what a query may always speak of.
EVERYWHERE = {"instance", "job"}


@pytest.fixture(scope="module")
def listed():
    result = subprocess.run([PENSTOCK, "metrics", "--format", "json"], check=True, capture_output=True, text=True, timeout=LIMIT)
    return {metric["name"]: metric for metric in json.loads(result.stdout)["metrics"]}


def rules():
    for group in yaml.safe_load((FOLDER / "penstock.rules.yml").read_text())["groups"]:
        yield from group["rules"]


def panels():
    yield from (p for p in json.loads((FOLDER / "dashboard.json").read_text())["panels"] if p["type"] != "row")


def promtool(*arguments):
    """Prometheus' own tool; deploy/install has it. A machine without it fails here."""
    result = subprocess.run(["promtool", *map(str, arguments)], cwd=FOLDER, capture_output=True, text=True, timeout=LIMIT)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def problems(expression, spoken, listed):
    """What an expression, and the texts beside it, say of metrics that is not so."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    used = set(spoken) | set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", bare))
    dropped = set()
    for word, labels in re.findall(r"\b(by|without|on|ignoring)\s*\(([^)]*)\)", bare):
        (dropped if word == "without" else used).update(label.strip() for label in labels.split(",") if label.strip())
    names = set(re.findall(r"\b(?:penstock_\w+|up)\b", bare))
    if not names:
        yield "it names no metric"
    # What is dropped has to be there somewhere in the expression.
    anywhere = EVERYWHERE.union(*(listed[name]["labels"] for name in names if name in listed))
    if names <= set(listed) and dropped - anywhere:
        yield f"nothing has {sorted(dropped - anywhere)}"
    for name in names - {"up"}:
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        metric = listed.get(name) or listed.get(base)
        if metric is None or (name != base and name not in listed and metric["kind"] != "histogram"):
            yield f"{name} is no metric"
            continue
        if metric["kind"] == "histogram" and name == base:
            yield f"{name} is a histogram, and has no series of that name"
        known = set(metric["labels"]) | EVERYWHERE | ({"le"} if name.endswith("_bucket") else set())
        if used - known:
            yield f"{name} has no {sorted(used - known)}"
        grows = name != base or metric["kind"] == "counter"
        if grows != bool(re.search(rf"\b(rate|increase)\({name}\b", bare)):
            yield f"{name} is a {metric['kind']}, and its rate is {'not ' if grows else ''}asked for"


def test_every_rule_speaks_of_metrics_that_exist_and_has_a_runbook(listed):
    runbooks = (ROOT / "Sources/Penstock.docc/Runbooks.md").read_text()
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", runbooks, re.M | re.S))
    wrong = {}
    for rule in rules():
        name = rule["alert"]
        texts = " ".join(rule["annotations"].values())
        found = list(problems(rule["expr"], re.findall(r"\$labels\.(\w+)", texts), listed))
        if rule["labels"]["severity"] not in ("info", "warning", "critical"):
            found.append("its severity")
        if set(rule["annotations"]) != {"summary", "description", "runbook_url"}:
            found.append("its annotations")
        if not rule["annotations"]["runbook_url"].endswith(f"/runbooks#{name}"):
            found.append("its runbook_url")
        section = sections.pop(name, "")
        found += [part for part in ("Meaning", "Impact", "Diagnosis", "Mitigation") if f"**{part}" not in section]
        if found:
            wrong[name] = found
    assert wrong == {} and sections == {}, (wrong, sorted(sections))


def test_every_query_of_the_dashboard_speaks_of_metrics_that_exist(listed):
    wrong = {}
    for panel in panels():
        for target in panel["targets"]:
            spoken = re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])
            found = list(problems(target["expr"], spoken, listed))
            if panel["datasource"]["uid"] != "${datasource}" or target["datasource"]["uid"] != "${datasource}":
                found.append("its data source")
            if found:
                wrong[panel["title"], target["expr"]] = found
    assert wrong == {}
    document = json.loads((FOLDER / "dashboard.json").read_text())
    variables = {variable["name"]: variable for variable in document["templating"]["list"]}
    assert set(variables) == {"datasource", "pipeline"}
    metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variables["pipeline"]["definition"]).groups()
    assert label in listed[metric]["labels"]
    ids = [panel["id"] for panel in document["panels"]]
    assert len(set(ids)) == len(ids)


def test_queries_of_the_dashboard_are_understood_by_prometheus(tmp_path):
    group = [{"record": f"panel:{number}", "expr": target["expr"].replace("$__rate_interval", "5m").replace("$pipeline", ".*")}
             for number, target in enumerate(t for panel in panels() for t in panel["targets"])]
    path = tmp_path / "dashboard.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": group}]}))
    promtool("check", "rules", path)


def test_rules_do_what_they_say_and_each_is_tried_both_ways():
    promtool("check", "rules", "penstock.rules.yml")
    promtool("check", "config", "prometheus.yml")
    promtool("test", "rules", "penstock.rules.test.yml")
    tried = {}
    for test in yaml.safe_load((FOLDER / "penstock.rules.test.yml").read_text())["tests"]:
        for look in test["alert_rule_test"]:
            tried.setdefault(look["alertname"], set()).add(bool(look.get("exp_alerts")))
    alerts = {rule["alert"] for rule in rules()}
    assert tried == {alert: {True, False} for alert in alerts}


@pytest.mark.parametrize("expression, spoken, word", [
    ("penstock_nothing > 0", [], "no metric"),
    ("penstock_open_cases_count > 0", [], "no metric"),
    ("sum by (topic) (penstock_open_cases)", [], "has no"),
    ('penstock_open_cases{code="a"}', [], "has no"),
    ("max without (instance, code) (penstock_open_cases)", [], "nothing has"),
    ("penstock_open_cases", ["sink"], "has no"),
    ("rate(penstock_open_cases[5m])", [], "is asked for"),
    ("penstock_late_cases_total > 0", [], "not asked for"),
    ("rate(penstock_case_wait_seconds[5m])", [], "histogram"),
    ("1 > 0", [], "names no metric"),
])
def test_what_is_wrong_in_a_query_is_found(listed, expression, spoken, word):
    assert any(word in problem for problem in problems(expression, spoken, listed))
