"""Apprise: the notifier for the long tail, and what keeps a library that blocks, logs and connects
on its own within our bounds."""

from alert_router.notify.apprise.notifier import AppriseNotifier

__all__ = ["AppriseNotifier"]
