"""Alertmanager's webhook body, read: alerts and alert groups."""

from alert_router.alert.basics import Labels, PayloadError, Status, fingerprint, parse_time
from alert_router.alert.model import Alert, AlertGroup, common

__all__ = [
    "Alert",
    "AlertGroup",
    "Labels",
    "PayloadError",
    "Status",
    "common",
    "fingerprint",
    "parse_time",
]
