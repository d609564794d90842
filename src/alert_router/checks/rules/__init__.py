"""Prometheus alerting rules, and the labels that their alerts can have."""

from alert_router.checks.rules.label_inference import (
    ABSENT,
    PossibleLabels,
    ValueSet,
    infer_labels,
)
from alert_router.checks.rules.read import (
    AlertRule,
    PassedOver,
    RuleSet,
    is_template,
    read_rules,
    read_rules_text,
)

__all__ = [
    "ABSENT",
    "AlertRule",
    "PassedOver",
    "PossibleLabels",
    "RuleSet",
    "ValueSet",
    "infer_labels",
    "is_template",
    "read_rules",
    "read_rules_text",
]
