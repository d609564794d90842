"""Microsoft Teams: the notifier, its cards, their elements, and Markdown as runs of text."""

from alert_router.notify.teams.notifier import TeamsNotifier

__all__ = ["TeamsNotifier"]
