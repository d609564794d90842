"""The notifier `email`: one message for all of its recipients, threaded by group."""

from alert_router.notify.email.notifier import EmailNotifier

__all__ = ["EmailNotifier"]
