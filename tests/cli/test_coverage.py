"""`alert-router coverage`."""

import pytest

from alert_router.markdown import parse, to_text
from tests.cli.junit_rules import check_junit

RULES = """\
groups:
  - name: redis
    rules:
      - alert: RedisDown
        expr: sum(redis_up) == 0
        labels: {severity: critical, component: redis}
        annotations:
          runbook_url: https://wiki.example.org/alerts/redis-issues
      - alert: CacheCold
        expr: sum(hits) < 1
        labels: {component: cache, severity: info}
      - alert: Strange
        expr: up == 0
        labels: {severity: warning}
"""

TEXT = """\
rules.yaml
  ✓ RedisDown  critical  alerts/redis-issues  entry 1 at routing.yaml:2:5\
  → pager, oncall  its runbook_url agrees  line 4
  - CacheCold  info      none wanted          entry 2 at routing.yaml:4:5  → oncall  line 9
  ? Strange    warning   none wanted or none  depends on label component  → oncall  line 12


 Severity   Alerts   Covered   Depends   Without   None wanted   %
 ─────────────────────────────────────────────────────────────────────
 critical   1        1         0         0         0             100 %
 info       1        0         0         0         1             100 %
 warning    1        0         1         0         0             0 %

3 alerts: 1 with a runbook, 1 where it depends, 1 with none wanted; 50 % covered
"""


@pytest.fixture
def rules(router):
    return router.write("rules.yaml", RULES).name


def test_each_alert_has_a_line_with_runbook_reason_and_receivers(router, rules):
    result = router.run("coverage", rules)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == TEXT


def test_json_lists_every_possible_runbook_with_its_place(router, rules):
    answer = router.json("coverage", rules)
    redis, cache, strange = answer["alerts"]
    assert redis == {
        "alert": "RedisDown",
        "group": "redis",
        "file": "rules.yaml",
        "line": 4,
        "severity": "critical",
        "state": "covered",
        "choices": [
            {
                "runbook": "alerts/redis-issues",
                "way": "table",
                "entry": 0,
                "file": "routing.yaml",
                "line": 2,
                "problem": None,
                "says": True,
                "reason": "",
            }
        ],
        "depends_on": [],
        "template": None,
        "receivers": [["pager", "oncall"]],
        "receivers_depend_on": [],
        "annotations": [
            {
                "name": "runbook_url",
                "value": "https://wiki.example.org/alerts/redis-issues",
                "agreement": "agrees",
                "line": 8,
            }
        ],
    }
    assert cache["state"] == "none-wanted"
    assert (strange["state"], strange["depends_on"]) == ("depends", ["component"])
    whole = {"alerts": 3, "covered": 1, "depends": 1, "uncovered": 0, "none_wanted": 1}
    assert answer["totals"] == {**whole, "percent": 50.0}
    assert answer["by_file"] == {"rules.yaml": answer["totals"]}
    assert list(answer["by_severity"]) == ["critical", "info", "warning"]
    assert (answer["fail_under"], answer["problems"]) == (None, [])


@pytest.mark.parametrize(("percent", "code"), [("50", 0), ("50.1", 1), ("0", 0), ("100", 1)])
def test_fail_under_counts_only_alerts_that_certainly_have_a_runbook(router, rules, percent, code):
    result = router.run("coverage", rules, "--fail-under", percent)
    assert result.exit_code == code
    assert f"required: {percent} %" in result.stdout


def test_a_given_label_decides_alerts_that_depended_on_it(router, rules):
    answer = router.json("coverage", rules, "--label", "component=redis")
    assert answer["alerts"][2]["state"] == "uncovered"
    answer = router.json("coverage", rules, "--label", "component=cache")
    assert answer["alerts"][2]["state"] == "none-wanted"
    answer = router.json("coverage", rules, "--label", "component")
    assert answer["alerts"][2]["depends_on"] == ["component"]


@pytest.mark.parametrize("label", ["=x", "alertname=x"])
def test_an_invalid_label_is_a_usage_error(router, rules, label):
    assert router.run("coverage", rules, "--label", label).exit_code == 2


def test_errors_in_rule_files_fail_and_the_readable_rules_are_reported(router, rules):
    router.write("broken.yaml", RULES.replace("sum(hits) < 1", "sum(hits < 1"))
    result = router.run("coverage", rules, "broken.yaml", "missing.yaml")
    assert result.exit_code == 1
    assert (
        "broken.yaml:10:15: error: invalid PromQL: unclosed left parenthesis"
        " [rules-promql]\n"
        "  10 |         expr: sum(hits < 1\n"
        "     |               ^\n"
    ) in result.stdout
    assert "missing.yaml: error: cannot read the file" in result.stdout
    assert "6 alerts:" in result.stdout
    codes = [it["code"] for it in router.json("coverage", "broken.yaml", exit_code=1)["problems"]]
    assert codes == ["rules-promql"]


def test_rules_are_read_from_standard_input(router):
    result = router.run("coverage", "-", input=RULES)
    assert result.stdout.startswith("-\n  ✓ RedisDown")


def test_junit_has_a_case_for_each_alert_and_an_error_for_each_problem(router, rules):
    router.write("broken.yaml", RULES.replace("sum(hits) < 1", "sum(hits < 1"))
    result = router.run("coverage", rules, "broken.yaml", "--output", "junit")
    assert result.exit_code == 1
    first, second = check_junit(result.stdout)
    assert [(case.get("name"), [child.tag for child in case]) for case in first] == [
        ("RedisDown (critical)", []),
        ("CacheCold (info)", ["skipped"]),
        ("Strange (warning)", ["failure"]),
    ]
    failure = first[2][0]
    assert failure.get("message") == "none wanted or none: depends on label component"
    assert failure.text.startswith("rules.yaml:12:16: Strange (group redis)")
    assert second[-1][0].tag == "error"
    assert "[rules-promql]" in second[-1][0].text


def test_markdown_lists_totals_and_alerts_that_may_have_no_runbook(router, rules):
    result = router.run("coverage", rules, "--output", "markdown")
    assert result.stdout.startswith(
        "### Runbook coverage\n\n3 alerts: 1 with a runbook, 1 where it depends,"
        " 1 with none wanted; 50 % covered\n\n| Severity |"
    )
    assert (
        "| `Strange` | `warning` | `none wanted or none` | `depends on label component` |"
        " `rules.yaml:12:16` |" in result.stdout
    )
    assert "RedisDown" not in result.stdout


HOSTILE = """\
groups:
  - name: g
    rules:
      - alert: "a|b`@team <img src=x>\\e[31m\\n# h"
        expr: vector(1)
        labels: {severity: "``|x"}
"""


def test_a_runbook_whose_message_says_nothing_is_reported_with_the_reason(router):
    router.write("runbooks/alerts/redis-issues.md", "# Redis issues\n\n## Mitigation\n\nTODO\n")
    name = router.write("rules.yaml", RULES).name

    text = router.run("coverage", name).stdout
    answer = router.json("coverage", name)

    note = "alerts/redis-issues: covered, but says nothing: only prose, or nothing about what to do"
    assert f"      {note}\n" in text
    assert "3 alerts: 1 with a runbook (1 say nothing), " in text
    assert answer["says_nothing"] == 1
    assert [it["says"] for it in answer["alerts"][0]["choices"]] == [False]
    assert [it["says"] for it in answer["alerts"][1]["choices"]] == [None]


def test_files_that_are_passed_over_are_reported_with_the_reason(router):
    for number in range(6):
        router.write(f"rules/values-{number}.yaml", "replicas: 1\n")
    router.write("rules/z.yaml", RULES)

    text = router.run("coverage", "rules").stdout

    assert (
        "passed over: rules/values-0.yaml, rules/values-1.yaml, rules/values-2.yaml, "
        "rules/values-3.yaml and 2 more: it has no key `alert` or `record`\n"
    ) in text
    skipped = router.json("coverage", "rules")["passed_over"]
    assert [it["file"] for it in skipped][-1] == "rules/values-5.yaml"


def test_hostile_names_stay_text_in_every_output(router):
    router.write("rules.yaml", HOSTILE)
    text = router.run("coverage", "rules.yaml").stdout
    assert "\x1b" not in text
    assert "a|b`@team <img src=x>\\x1b[31m\\n# h" in text
    markdown = router.run("coverage", "rules.yaml", "--output", "markdown").stdout
    row = next(line for line in markdown.splitlines() if "@team" in line)
    assert row.startswith("| `` a\\|b`@team <img src=x>\\x1b[31m\\n# h `` | ``` ``\\|x ``` |")
    assert "a|b`@team <img src=x>" in to_text(parse(markdown))
    check_junit(router.run("coverage", "rules.yaml", "--output", "junit").stdout)


def test_an_unusable_configuration_is_reported_problem_by_problem(router, rules):
    router.write("routing.yaml", "route: {}\n")
    result = router.run("coverage", rules)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "routing-root" in result.stderr
