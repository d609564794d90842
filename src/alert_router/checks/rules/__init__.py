"""Prometheus's rules: the alerting rules of files, and what labels their alerts carry.

What an alert is given for them (a runbook, receivers) is `coverage`'s.
"""

from alert_router.checks.rules.carried import ABSENT, Carried, Values, either
from alert_router.checks.rules.codes import SEVERITIES
from alert_router.checks.rules.model import AlertRule, RuleSet, is_template
from alert_router.checks.rules.promql import PromqlError, parse_promql
from alert_router.checks.rules.read import read_rules, read_rules_text
from alert_router.checks.rules.yields import yielded_labels

__all__ = [
    "ABSENT",
    "SEVERITIES",
    "AlertRule",
    "Carried",
    "PromqlError",
    "RuleSet",
    "Values",
    "either",
    "is_template",
    "parse_promql",
    "read_rules",
    "read_rules_text",
    "yielded_labels",
]
