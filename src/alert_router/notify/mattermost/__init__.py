"""Mattermost: the notifier, its messages, and Mattermost's Markdown."""

from alert_router.notify.mattermost.notifier import MattermostNotifier

__all__ = ["MattermostNotifier"]
