"""Enrichment: an alert group becomes a notification with its runbooks.

`select` finds an alert's runbook, `fill` puts the alert's labels into it, by language (`shell`,
`promql`, `link`), and `build` makes the notification.
"""

from alert_router.enrich.build import enrich
from alert_router.enrich.fill import Filling, filling
from alert_router.enrich.placeholder import AlertLabels
from alert_router.enrich.select import ANNOTATIONS, Choice, ChosenBy, select_runbook

__all__ = [
    "ANNOTATIONS",
    "AlertLabels",
    "Choice",
    "ChosenBy",
    "Filling",
    "enrich",
    "filling",
    "select_runbook",
]
