"""Files of routing test cases."""

import pytest

from alert_router.checks.routing_tests import load_cases
from alert_router.model.problem import Place, ProblemsError

FILE = """\
cases:
  - name: a Redis alert
    labels: {alertname: RedisConnectionErrors, code: 0755}
    annotations: {on: yes}
    runbook: alerts/redis-issues
    receivers: [oncall, yes]
  - name: none is wanted
    labels: {alertname: Watchdog}
    runbook: null
  - name: only that it is read
    labels: {}
    receivers: []
"""


@pytest.fixture
def file(tmp_path):
    return tmp_path / "cases.yaml"


def test_a_case_says_what_is_expected_and_what_is_not_checked(file):
    file.write_text(FILE, encoding="utf-8")
    redis, none, free = load_cases(file)
    assert redis.labels == {"alertname": "RedisConnectionErrors", "code": "0755"}
    assert redis.annotations == {"on": "yes"}
    assert (redis.checks_runbook, redis.runbook) == (True, "alerts/redis-issues")
    assert redis.receivers == ("oncall", "yes")
    assert redis.place == Place(str(file), 2, 5)
    assert (none.checks_runbook, none.runbook, none.receivers) == (True, None, None)
    assert (free.checks_runbook, free.receivers) == (False, ())


def test_every_mistake_in_a_file_of_cases_is_told(file):
    file.write_text(
        "cases:\n  - label: {a: b}\n    name: [x]\n  - {name: b, labels: {a: }, reciever: c}\n",
        encoding="utf-8",
    )
    with pytest.raises(ProblemsError) as raised:
        load_cases(file)
    assert [
        f"{p.place.line}:{p.place.column} {p.message}. {p.hint}" for p in raised.value.problems
    ] == [
        "2:5 `labels` is missing. ",
        "2:5 unknown key `label`. did you mean `labels`?",
        "3:11 `name`: expected text, found a list. ",
        "4:24 `a`: expected text, found nothing. ",
        "4:30 unknown key `reciever`. did you mean `receivers`?",
    ]
