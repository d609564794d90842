"""Enrichment: an alert group becomes a notification with its runbooks.

`select` finds an alert's runbook, `fill` puts the alert's labels into its `placeholders`, by
language (`shell`, `promql`), and `build` makes the notification.
"""

from alert_router.enrich.build import enrich
from alert_router.enrich.fill import Filling, FillOutcome, FoundPlaceholder, filling
from alert_router.enrich.placeholders import DEFAULT_RULES, AlertLabels, LabelRules, label_rules
from alert_router.enrich.select import ANNOTATIONS, Choice, ChosenBy, select_runbook

__all__ = [
    "ANNOTATIONS",
    "DEFAULT_RULES",
    "AlertLabels",
    "Choice",
    "ChosenBy",
    "FillOutcome",
    "Filling",
    "FoundPlaceholder",
    "LabelRules",
    "enrich",
    "filling",
    "label_rules",
    "select_runbook",
]
