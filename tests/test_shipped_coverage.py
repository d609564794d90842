"""The example rules that ship are covered by the table alone: whatever annotations say, and
whatever labels Prometheus adds."""

from pathlib import Path

import pytest

from alert_router.checks.coverage import AlertCoverage, RoutingRules, cover, totals
from alert_router.checks.rules import read_rules
from alert_router.config import load
from tests.shipped import CATALOGUE
from tests.test_shipped_config import OWNER

CONFIG = Path(__file__).parent.parent / "config"
LOADED = load(CONFIG / "alert-router.yaml")
RULES = read_rules([str(CONFIG / "prometheus-rules.yaml")])
COVERED = cover(
    RULES.alerts,
    RoutingRules(LOADED.table, LOADED.tree, LOADED.default_runbook, CATALOGUE),
    {},
)

every_rule = pytest.mark.parametrize(
    "covered", COVERED, ids=lambda it: f"{it.rule.name}-{it.severity}"
)


def test_the_rules_are_read_without_a_problem():
    assert [problem.show() for problem in RULES.problems] == []
    assert len(COVERED) == 35
    assert totals(COVERED).percent == 100


@every_rule
def test_the_table_alone_leads_to_its_runbook(covered: AlertCoverage):
    (choice,) = covered.choices
    assert (choice.runbook, choice.way) == (OWNER[covered.rule.name], "table")


@every_rule
def test_it_surely_reaches_one_receiver(covered: AlertCoverage):
    assert covered.receivers == ((("oncall",) if covered.severity == "critical" else ("default",)),)


@every_rule
def test_its_own_word_agrees(covered: AlertCoverage):
    assert [note.value for note in covered.annotations if note.agreement != "agrees"] == []
