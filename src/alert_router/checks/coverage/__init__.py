"""Coverage: which runbook and which receivers the alerts of each alerting rule get, and why."""

from alert_router.checks.coverage.counters import Totals, by_file, by_severity, totals
from alert_router.checks.coverage.cover import (
    AlertCoverage,
    Annotation,
    RoutingRules,
    cover,
    labels_by_runbook,
    unknown_sections,
)
from alert_router.checks.coverage.partial_match import CUSTOMARY, with_external

__all__ = [
    "CUSTOMARY",
    "AlertCoverage",
    "Annotation",
    "RoutingRules",
    "Totals",
    "by_file",
    "by_severity",
    "cover",
    "labels_by_runbook",
    "totals",
    "unknown_sections",
    "with_external",
]
