"""Alertmanager's webhook body, read: alerts and alert groups."""

from alert_router.alert.basics import Labels, PayloadError, Status, fingerprint, parse_time
from alert_router.alert.model import SMALL_BODY, Alert, AlertGroup, Cut, common
from alert_router.alert.trim import BodyLimits

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
