"""Slack: the notifier, its messages, Block Kit, mrkdwn, and the Web API's answers."""

from alert_router.notify.slack.notifier import SlackNotifier

__all__ = ["SlackNotifier"]
