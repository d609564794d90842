"""The notifier `slack`: an incoming webhook, or a bot that updates one message per group."""

from alert_router.notify.slack.notifier import SlackNotifier

__all__ = ["SlackNotifier"]
