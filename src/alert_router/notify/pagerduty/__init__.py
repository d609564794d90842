"""PagerDuty: the notifier, its events, their details as text, and its four severities."""

from alert_router.notify.pagerduty.notifier import PagerDutyNotifier

__all__ = ["PagerDutyNotifier"]
