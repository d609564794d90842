"""`alert-router test --update` and its output for CI."""

from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router.checks.routing_tests import CannotRecord, load_cases, recorded

WRONG = """\
# What the pager is for.
cases:
  - name: "quoted: stays"   # so does this
    labels: {alertname: RedisDown, component: redis, severity: critical}
    runbook: ~
    receivers: [oncall]  # who is notified
  - name: lists of lines
    labels:
      alertname: RedisDown
      component: redis
      severity: critical
    receivers:
      - a
      # in between
      - b
    # after the list
    runbook:
  - labels: {alertname: Nobody}
    name: right already
    receivers: [ oncall ]
"""

RIGHT = """\
# What the pager is for.
cases:
  - name: "quoted: stays"   # so does this
    labels: {alertname: RedisDown, component: redis, severity: critical}
    runbook: alerts/redis-issues
    receivers: [pager, oncall]  # who is notified
  - name: lists of lines
    labels:
      alertname: RedisDown
      component: redis
      severity: critical
    receivers:
      - pager
      - oncall
    # after the list
    runbook: alerts/redis-issues
  - labels: {alertname: Nobody}
    name: right already
    receivers: [ oncall ]
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_update_writes_the_results_and_keeps_everything_else(router, end):
    path = router.write("cases.yaml", "")
    path.write_bytes(WRONG.replace("\n", end).encode())

    result = router.run("test", "cases.yaml", "--update")

    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "3 cases, 2 updated"
    assert path.read_bytes().decode() == RIGHT.replace("\n", end)
    assert router.run("test", "cases.yaml").stdout == "3 cases, all passed\n"


def test_update_does_not_touch_files_that_pass(router):
    path = router.write("cases.yaml", RIGHT)
    before = path.stat().st_mtime_ns
    assert router.run("test", "cases.yaml", "--update").stdout == "3 cases, all passed\n"
    assert path.stat().st_mtime_ns == before


def test_update_refuses_a_value_from_an_alias_and_writes_nothing(router):
    text = (
        "cases:\n  - {name: a, labels: &l {alertname: RedisDown}, runbook: &r x}\n"
        "  - {name: b, labels: *l, runbook: *r}\n"
    )
    path = router.write("cases.yaml", text)
    result = router.run("test", "cases.yaml", "--update")
    assert result.exit_code == 1
    assert "cases.yaml: case 2: `runbook` comes from a YAML alias" in result.stderr
    assert path.read_text() == text


def test_update_refuses_a_key_from_a_merge():
    text = "cases:\n  - &a {name: a, labels: {}, runbook: x}\n  - {<<: *a, name: b}\n"
    with pytest.raises(CannotRecord, match="case 2: `runbook`"):
        recorded(text, {1: {"runbook": None}})


_names = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(
    runbook=st.none() | _names,
    receivers=st.lists(_names, max_size=3),
    flow=st.booleans(),
)
def test_any_recorded_value_can_be_read_back(tmp_path_factory, runbook, receivers, flow):
    there = "[x, y]" if flow else "\n      - x\n      - y"
    text = f"cases:\n  - name: n\n    labels: {{}}\n    receivers: {there}\n    runbook: z # c\n"
    path = tmp_path_factory.mktemp("cases") / "cases.yaml"
    written = recorded(text, {0: {"runbook": runbook, "receivers": receivers}})
    path.write_text(written, encoding="utf-8")
    (case,) = load_cases(path)
    assert (case.runbook, case.receivers) == (runbook, tuple(receivers))
    assert case.checks_runbook
    assert "# c" in written


def test_junit_says_which_case_failed_where_and_why(router):
    router.write("cases.yaml", WRONG.replace("right already", '"\\x01 <&> \\e"'))
    result = router.run("test", "cases.yaml", "--output", "junit")
    assert result.exit_code == 1
    root = ElementTree.fromstring(result.stdout)
    (suite,) = root
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == (
        "cases.yaml",
        "3",
        "2",
    )
    first, _, last = suite
    (failure,) = first
    assert failure.get("type") == "runbook and receivers"
    assert failure.text.splitlines() == [
        "cases.yaml:3:5",
        "runbook: expected none, found alerts/redis-issues",
        "receivers: expected [oncall], found [pager, oncall]",
    ]
    assert list(last) == []
