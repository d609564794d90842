"""The notifiers that exist: each is one line here, its module's name and its class.

The name is the notifier's `type`. Everything that lists notifiers is derived from this.
"""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field

from alert_router.notify.base import Notifier

_CLASSES = {
    "apprise": "AppriseNotifier",
    "console": "ConsoleNotifier",
    "discord": "DiscordNotifier",
    "email": "EmailNotifier",
    "googlechat": "GoogleChatNotifier",
    "mattermost": "MattermostNotifier",
    "ntfy": "NtfyNotifier",
    "pagerduty": "PagerDutyNotifier",
    "slack": "SlackNotifier",
    "teams": "TeamsNotifier",
    "telegram": "TelegramNotifier",
    "webhook": "WebhookNotifier",
}

NOTIFIERS: Mapping[str, type[Notifier]] = MappingProxyType(
    {
        type_: getattr(import_module(f"alert_router.notify.{type_}"), name)
        for type_, name in _CLASSES.items()
    }
)

if TYPE_CHECKING:
    AnyNotifier = Notifier
else:
    AnyNotifier = Annotated[Union[tuple(NOTIFIERS.values())], Field(discriminator="type")]  # noqa: UP007
