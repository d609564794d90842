"""Severities that the scale does not have."""

from alert_router.checks.rules import read_rules_text
from alert_router.checks.severities import in_routing, in_rules
from alert_router.model.severity import INFO, STANDARD, Scale
from alert_router.yaml_source import read

RULES = """\
groups:
  - name: g
    rules:
      - {alert: A, expr: up == 0, labels: {severity: sev-1}}
      - {alert: B, expr: up == 0, labels: {severity: purple}}
      - {alert: C, expr: up == 0, labels: {severity: "{{ $labels.severity }}"}}
      - {alert: D, expr: up == 0}
"""


def test_a_rule_with_an_unknown_severity_is_named():
    rules = read_rules_text(RULES, "rules.yaml").alerts
    (found,) = in_rules(rules, STANDARD)
    assert found.place.line == 5
    assert "`purple`" in found.message
    assert list(in_rules(rules, Scale(label="priority"))) == []


def test_a_matcher_with_an_unknown_severity_is_named(tmp_path):
    path = tmp_path / "routing.yaml"
    path.write_text(
        "route:\n  receiver: r\n  routes:\n"
        "    - {matchers: ['severity=~\"crit|rot|p.*\"', 'team=\"rot\"'], receiver: r}\n"
        "    - {matchers: ['severity!=\"\"'], receiver: r}\n",
        encoding="utf-8",
    )
    (found,) = in_routing(read(path), STANDARD)
    assert "`rot`" in found.message
    assert len(list(in_routing(read(path), Scale((INFO,), INFO)))) == 2
