"""The notifier `teams`: Adaptive Cards to a webhook of Teams' Workflows."""

from alert_router.notify.teams.notifier import TeamsNotifier

__all__ = ["TeamsNotifier"]
