"""E-mail: the notifier, its messages, their MIME form, and the talk with the server."""

from alert_router.notify.email.notifier import EmailNotifier

__all__ = ["EmailNotifier"]
