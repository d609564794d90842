"""ntfy: the notifier, and its messages as plain text within a few kilobytes."""

from alert_router.notify.ntfy.notifier import NtfyNotifier

__all__ = ["NtfyNotifier"]
