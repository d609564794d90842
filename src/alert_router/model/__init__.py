"""Alertmanager's webhook body: alerts and alert groups."""

from alert_router.model.alert import SMALL_BODY, Alert, AlertGroup, Cut, common, parse_time
from alert_router.model.limits import BodyLimits
from alert_router.model.normalize import Labels, PayloadError, Status, fingerprint

__all__ = [
    "SMALL_BODY",
    "Alert",
    "AlertGroup",
    "BodyLimits",
    "Cut",
    "Labels",
    "PayloadError",
    "Status",
    "common",
    "fingerprint",
    "parse_time",
]
