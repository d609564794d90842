"""Coverage: which alerting rules' alerts get a runbook, by which way, and which receivers.

Reading rules is `rules`; how the answer looks is the commands'.
"""

from alert_router.checks.coverage.cover import Routing, cover
from alert_router.checks.coverage.external import CUSTOMARY, with_external
from alert_router.checks.coverage.labels import labels_by_runbook
from alert_router.checks.coverage.model import AlertCoverage, Annotation, State
from alert_router.checks.coverage.totals import Totals, by_file, by_severity, totals

__all__ = [
    "CUSTOMARY",
    "AlertCoverage",
    "Annotation",
    "Routing",
    "State",
    "Totals",
    "by_file",
    "by_severity",
    "cover",
    "labels_by_runbook",
    "totals",
    "with_external",
]
