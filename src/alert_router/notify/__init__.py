"""The notifiers: one module each, and their union. Adding one is one name in that union."""

from typing import Annotated

from pydantic import Field

from alert_router.notify.apprise import AppriseNotifier
from alert_router.notify.base import Notifier
from alert_router.notify.console import ConsoleNotifier
from alert_router.notify.discord import DiscordNotifier
from alert_router.notify.email import EmailNotifier
from alert_router.notify.googlechat import GoogleChatNotifier
from alert_router.notify.mattermost import MattermostNotifier
from alert_router.notify.ntfy import NtfyNotifier
from alert_router.notify.pagerduty import PagerDutyNotifier
from alert_router.notify.slack import SlackNotifier
from alert_router.notify.teams import TeamsNotifier
from alert_router.notify.telegram import TelegramNotifier
from alert_router.notify.webhook import WebhookNotifier

AnyNotifier = Annotated[
    AppriseNotifier
    | ConsoleNotifier
    | DiscordNotifier
    | EmailNotifier
    | GoogleChatNotifier
    | MattermostNotifier
    | NtfyNotifier
    | PagerDutyNotifier
    | SlackNotifier
    | TeamsNotifier
    | TelegramNotifier
    | WebhookNotifier,
    Field(discriminator="type"),
]

__all__ = [
    "AnyNotifier",
    "AppriseNotifier",
    "ConsoleNotifier",
    "DiscordNotifier",
    "EmailNotifier",
    "GoogleChatNotifier",
    "MattermostNotifier",
    "Notifier",
    "NtfyNotifier",
    "PagerDutyNotifier",
    "SlackNotifier",
    "TeamsNotifier",
    "TelegramNotifier",
    "WebhookNotifier",
]
