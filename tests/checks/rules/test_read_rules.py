"""Rule files and PrometheusRule resources: what is read, with places, and what is wrong."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router.checks.rules import read_rules, read_rules_text
from alert_router.model.problem import Place, ProblemsError

PLAIN = """\
groups:
  - name: api
    labels: {team: web, component: none}
    rules:
      - record: job:errors:rate5m
        expr: sum by (job) (rate(errors_total[5m]))
      - alert: HighErrorRate
        expr: job:errors:rate5m > 0.05
        for: 5m
        labels:
          severity: critical
          component: api
        annotations:
          runbook_url: https://example.org/alerts/high-error-rate
"""

RESOURCES = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: other}
---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
spec:
  groups:
    - name: one
      rules:
        - alert: One
          expr: up == 0
---
kind: List
items:
  - kind: PrometheusRule
    spec:
      groups:
        - name: two
          rules:
            - alert: Two
              expr: up == 0
"""


def names(found):
    return [alert.name for alert in found.alerts]


def shown(text):
    """The problems of a rule file, as people see them."""
    return [problem.show() for problem in read_rules_text(text, "rules.yaml").problems]


def rule(lines):
    """A file with one rule of these lines."""
    first, *others = lines.splitlines()
    body = "\n".join([f"      - {first}", *(f"        {line}" for line in others)])
    return f"groups:\n  - name: g\n    rules:\n{body}\n"


def test_a_rule_is_read_with_the_place_of_each_part():
    found = read_rules_text(PLAIN, "rules.yaml")
    (alert,) = found.alerts
    assert found.problems == ()
    assert (alert.name, alert.group, alert.file) == ("HighErrorRate", "api", "rules.yaml")
    assert alert.place == Place("rules.yaml", 7, 16)
    assert alert.expression == "job:errors:rate5m > 0.05"
    assert alert.labels == {"team": "web", "component": "api", "severity": "critical"}
    assert alert.annotation_places == {"runbook_url": Place("rules.yaml", 14, 24)}


def test_rules_are_read_from_resources_lists_and_several_documents():
    found = read_rules_text(RESOURCES, "rules.yaml")
    assert (names(found), found.problems) == (["One", "Two"], ())
    assert [alert.place.line for alert in found.alerts] == [11, 21]


def test_directories_patterns_and_standard_input_are_read_each_file_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.yaml", "sub/a.yml", ".hidden/c.yaml", "d.txt"):
        path = tmp_path / "rules" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PLAIN.replace("HighErrorRate", f"From{path.stem.upper()}"))
    assert names(read_rules(["rules"])) == ["FromB", "FromA"]
    assert names(read_rules(["rules/**/*.y*ml", "rules/b.yaml", "rules"])) == ["FromB", "FromA"]
    assert names(read_rules(["rules/d.txt"])) == ["FromD"]
    piped = read_rules(["-"], PLAIN.encode)
    assert (names(piped), piped.alerts[0].place.file) == (["HighErrorRate"], "-")


def test_other_files_in_a_directory_are_skipped(tmp_path):
    (tmp_path / "rules.yaml").write_text(PLAIN)
    (tmp_path / "values.yaml").write_text("alertmanager: {enabled: true}\n")
    (tmp_path / "deployment.yaml").write_text("{{- if .Values.enabled }}\nkind: Deployment\n")
    (tmp_path / "alerts.libsonnet").write_text("{alert: 'X'}\n")
    (tmp_path / "receiver.json").write_text('{"panels": [{"alert": {"name": "X"}}]}')
    found = read_rules([str(tmp_path)])
    assert (names(found), found.problems) == (["HighErrorRate"], ())
    assert [(Path(it.file).name, it.reason) for it in found.passed_over] == [
        ("alerts.libsonnet", "it is a template: render it first"),
        ("deployment.yaml", "it has no key `alert` or `record`"),
        ("receiver.json", "it has neither `groups` nor a PrometheusRule"),
        ("values.yaml", "it has no key `alert` or `record`"),
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yaml", "groups: [{name: a, rules: [{alert: One, expr: up == 0}]}]\n"),
        ("a.yml", "groups:\n- {name: a, rules: [{expr: up == 0, 'alert': One}]}\n"),
        ("a.json", '{"groups":[{"name":"a","rules":[{"alert":"One","expr":"up == 0"}]}]}'),
        ("a.rules", 'groups:\n- name: a\n  rules:\n  - "alert": One\n    "expr": up == 0\n'),
        (
            "a.yaml",
            '{"kind": "PrometheusRule",\n"spec": {"groups": [{"name": "a",\n'
            '"rules": [\n{\n"alert" : "One", "expr": "up == 0"}]}]}}',
        ),
    ],
)
def test_rules_in_a_directory_are_found_in_any_style(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    found = read_rules([str(tmp_path)])
    assert (names(found), found.problems, found.passed_over) == (["One"], (), ())


def test_an_unrendered_template_is_reported_even_in_a_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "{{- if .Values.alerts }}\nkind: PrometheusRule\n{{- end }}\n"
    (tmp_path / "alerts.yaml").write_text(text)
    for given_name in ("alerts.yaml", "."):
        (problem,) = read_rules([given_name]).problems
        assert problem.show() == (
            "alerts.yaml:1:1: error: this is a template, not YAML [rules-template]\n"
            "  1 | {{- if .Values.alerts }}\n"
            "    | ^\n"
            "  render it first, for example with `helm template`"
        )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("none.yaml", "none.yaml: error: cannot read the file: No such file or directory"),
        ("no*.yaml", "no*.yaml: error: no file matches this pattern [rules-no-file]"),
        (
            "empty",
            "empty: error: no .yaml, .yml, .json or .rules file in this directory [rules-no-file]",
        ),
        ("other.yaml", "other.yaml: error: no rules in this file"),
        ("records.yaml", "records.yaml: error: no alerting rules found"),
        ("broken.yaml", "broken.yaml:2:1: error: not valid YAML"),
        ("bytes.yaml", "bytes.yaml:1: error: the file is not UTF-8 text"),
    ],
)
def test_sources_without_rules_are_reported(tmp_path, monkeypatch, name, expected):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "other.yaml").write_text("route: {receiver: x}\n")
    (tmp_path / "records.yaml").write_text(rule("record: a:b\nexpr: up"))
    (tmp_path / "broken.yaml").write_text("a: [1, {\n")
    (tmp_path / "bytes.yaml").write_bytes(b"a: \xff\n")
    (problem,) = read_rules([name]).problems
    assert expected.split(":")[0] == problem.place.file
    assert expected in problem.show()


WRONG = {
    "expr: up": "rules.yaml:4:9: error: this rule has neither `alert` nor `record` [rules-no-name]",
    "alert: A\nrecord: b\nexpr: up": "rules.yaml:4:9: error: this rule has both `alert` and"
    " `record` [rules-no-name]",
    "alert: A": "rules.yaml:4:9: error: this rule has no `expr` [rules-no-expr]",
    "alert: A\nexpr:": "rules.yaml:5:14: error: this rule has no `expr` [rules-no-expr]",
    "alert: A\nexpr: [up]": "rules.yaml:5:15: error: `expr` must be a PromQL string [rules-shape]",
    "alert: [A]\nexpr: up": "rules.yaml:4:16: error: `alert` must be the alert's name"
    " [rules-shape]",
    "alert: A\nexpr: sum(up": "rules.yaml:5:15: error: invalid PromQL: unclosed left"
    " parenthesis [rules-promql]",
    "record: a:b\nexpr: sum(up": "rules.yaml:5:15: error: invalid PromQL: unclosed left"
    " parenthesis [rules-promql]",
    "alert: A\nexpr: up\nlabels: [a]": "rules.yaml:6:17: error: `labels` must be a mapping of names"
    " to strings [rules-shape]",
    "alert: A\nexpr: up\nlabels: {a: {b: c}}": "rules.yaml:6:21: error: `a` in `labels` must be"
    " a string [rules-shape]",
    "alert: A\nexpr: up\nanotations: {}": "rules.yaml:6:9: warning: unknown key `anotations` in a"
    " rule [rules-unknown-key]",
}


@pytest.mark.parametrize(("lines", "expected"), WRONG.items())
def test_an_invalid_rule_is_reported_with_its_place(lines, expected):
    (problem,) = shown(rule(lines))
    assert problem.splitlines()[0] == expected


def test_a_misspelled_key_has_a_suggestion_and_keys_of_other_rulers_are_accepted():
    (problem,) = shown(rule("alert: A\nexpr: up\nanotations: {}"))
    assert problem.endswith("did you mean `annotations`?")
    assert shown(rule("alert: A\nexpr: up\ndebug: true\nupdate_entries_limit: 5")) == []


def test_duplicate_groups_and_alerts_are_reported():
    twice = rule("alert: A\nexpr: up\nlabels: {severity: critical}")
    text = twice + twice.removeprefix("groups:\n")
    assert [line.splitlines()[0] for line in shown(text)] == [
        "rules.yaml:7:11: error: duplicate group `g`; the first is at rules.yaml:2:11"
        " [rules-duplicate-group]",
        "rules.yaml:9:16: warning: duplicate alert `A` with the same labels; first at"
        " rules.yaml:4:16 [rules-duplicate-alert]",
    ]
    other = twice.removeprefix("groups:\n").replace("critical", "warning").replace(": g", ": h")
    assert shown(twice + other) == []


def test_a_rule_with_invalid_promql_keeps_its_own_labels():
    text = rule("alert: A\nexpr: sum(up\nlabels: {severity: critical}")
    (alert,) = read_rules_text(text, "rules.yaml").alerts
    assert alert.possible_labels.of("severity") == {"critical"}
    assert alert.possible_labels.of("job") is None


@pytest.mark.parametrize(
    "deep", ["(" * 20_000 + "up", "-" * 20_000 + "up", "up" + " + up" * 20_000]
)
def test_an_expression_too_deep_for_the_parser_is_reported(deep):
    (problem,) = shown(rule(f"alert: A\nexpr: {deep if deep[0] != '-' else repr(deep)}"))
    assert "it has more than 1,000 operators and brackets [rules-promql]" in problem


def test_operators_in_strings_do_not_count_as_nesting():
    pattern = "a|(b)|" * 800
    assert shown(rule(f"alert: A\nexpr: up{{job=~'{pattern}'}}")) == []


@settings(deadline=None, max_examples=150)
@given(
    st.recursive(
        st.sampled_from(["x", "up == 0", "", "1", "{{ $labels.a }}", "sum("]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["groups", "rules", "alert", "record", "expr", "labels", "annotations", "name"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=14,
    )
)
def test_any_yaml_is_read_or_reported_with_a_place(value):
    try:
        found = read_rules_text(json.dumps({"groups": value}), "rules.yaml")
    except ProblemsError:
        return
    assert all(problem.place.line or "no rules" in problem.message for problem in found.problems)
