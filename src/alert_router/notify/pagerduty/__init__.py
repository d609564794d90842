"""The notifier `pagerduty`: events of the Events API v2, one key per group or alert."""

from alert_router.notify.pagerduty.notifier import PagerDutyNotifier

__all__ = ["PagerDutyNotifier"]
