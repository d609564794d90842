"""What every notifier's conformance is tested with: one line each.

The tests themselves are test_conformance.py (renderings) and test_conformance_http.py (answers).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
from tests.notify import (
    apprise_rules,
    console_rules,
    discord_rules,
    email_rules,
    googlechat_rules,
    mattermost_rules,
    ntfy_rules,
    pagerduty_rules,
    slack_rules,
    teams_rules,
    telegram_rules,
    webhook_rules,
)

# Every secret of the tests has this word in each of its parts.
WORD = "SECRET"
PATH = f"/services/T0{WORD}/B0{WORD}?token=x{WORD}"


@dataclass(frozen=True)
class Case:
    """A notifier under test: `make` takes its URL and further keys; `keeps_rules` asserts on what
    `readable` tells of a payload; `ok` is the answer it takes for a success. One that does not
    speak HTTP has `over_http=False` and is spared its table; one whose address is not a secret of
    its own has `any_url=False`. `patience` is how many seconds it waits after a 429 that
    does not say."""

    name: str
    make: Callable[..., Notifier]
    keeps_rules: Callable[[Any], None]
    ok: bytes = b""
    over_http: bool = True
    any_url: bool = True
    patience: float | None = None


CASES = [
    Case("console", lambda url, **k: ConsoleNotifier(**k), console_rules.check, over_http=False),
    Case(
        "email",
        lambda url, **k: EmailNotifier.model_validate(
            {
                "to": "sre@example.org",
                "from": "alerts@example.org",
                "smarthost": "mail.example.org:587",
                "auth_username": "router",
                "auth_password": f"p{WORD}",
            }
            | k
        ),
        email_rules.check,
        over_http=False,
    ),
    Case(
        "webhook",
        lambda url, **k: WebhookNotifier(
            url=url, bearer_token=f"b{WORD}", headers={"X-Key": f"h{WORD}"}, **k
        ),
        webhook_rules.check,
    ),
    Case("slack", lambda url, **k: SlackNotifier(url=url, **k), slack_rules.check, ok=b"ok"),
    Case(
        "slack-bot",
        lambda url, **k: SlackNotifier(
            bot_token=f"xoxb-{WORD}", channel="#alerts", api_url=url.replace(PATH, "/api"), **k
        ),
        slack_rules.check_bot,
        ok=b'{"ok": true, "channel": "C1", "ts": "1764000000.000100"}',
        any_url=False,
    ),
    *(
        Case(
            f"pagerduty-{dedup}",
            lambda url, dedup=dedup, **k: PagerDutyNotifier(
                routing_key=f"k{WORD}", url=url.replace(PATH, "/v2/enqueue"), dedup=dedup, **k
            ),
            pagerduty_rules.check,
            ok=pagerduty_rules.SUCCESS,
            any_url=False,
            patience=60.0,
        )
        for dedup in ("group", "alert")
    ),
    Case(
        "ntfy",
        lambda url, **k: NtfyNotifier(
            topic=f"t{WORD}", token=f"tk_{WORD}", url=url.replace(PATH, ""), **k
        ),
        ntfy_rules.check,
        ok=ntfy_rules.OK,
        any_url=False,
    ),
    Case("teams", lambda url, **k: TeamsNotifier(url=url, **k), teams_rules.check),
    Case(
        "googlechat",
        lambda url, **k: GoogleChatNotifier(url=url, **k),
        googlechat_rules.check,
        ok=googlechat_rules.SUCCESS,
    ),
    Case(
        "telegram",
        lambda url, **k: TelegramNotifier(
            bot_token=f"123:{WORD}", chat_id=-100123, api_url=url.replace(PATH, ""), **k
        ),
        telegram_rules.check,
        ok=telegram_rules.SUCCESS,
        any_url=False,
    ),
    Case(
        "apprise",
        lambda url, **k: AppriseNotifier(url=url.replace("http", "json", 1), **k),
        apprise_rules.check,
        over_http=False,
    ),
    Case(
        "discord",
        lambda url, **k: DiscordNotifier(url=url, **k),
        discord_rules.check,
        ok=discord_rules.SUCCESS,
    ),
    Case(
        "mattermost",
        lambda url, **k: MattermostNotifier(url=url, **k),
        mattermost_rules.check,
        ok=mattermost_rules.SUCCESS,
    ),
]
