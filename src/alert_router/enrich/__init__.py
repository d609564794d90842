"""Enrichment: an alert group becomes a notification with what to do in it.

Which runbook an alert gets is `choose`, and `remember` what it got before; gathering is `gather`;
filling placeholders is `fill` and, by language, `shell`, `promql` and `link`.
"""

from alert_router.enrich.choose import ANNOTATIONS, Choice, Way, choose
from alert_router.enrich.fill import Filling, filling
from alert_router.enrich.gather import enrich
from alert_router.enrich.placeholder import AlertLabels
from alert_router.enrich.remember import remembering

__all__ = [
    "ANNOTATIONS",
    "AlertLabels",
    "Choice",
    "Filling",
    "Way",
    "choose",
    "enrich",
    "filling",
    "remembering",
]
