"""The notifier `mattermost`: posts in Mattermost's Markdown to an incoming webhook.

Text and not an attachment: in an attachment the server looks for Slack's links across lines, and
would change commands.
"""

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from alert_router.fields import Rate, RateField, SecretField, WebUrl
from alert_router.notification import Detail, Notification
from alert_router.notify.base import (
    Mentions,
    Outcome,
    Sending,
    mention_names,
    mentioning,
    misconfigured,
)
from alert_router.notify.chat import MarkdownRenderer, cut
from alert_router.notify.http import Answer, AnswerRules, HttpNotifier
from alert_router.notify.message import fit, outline

# Characters of a post (docs.mattermost.com, "Message length"; server/public/model/post.go,
# PostMessageMaxRunesV2). A longer one is cut in two by the server, within code too.
MAX_CHARACTERS = 16_383

# Refusals that are true of every message, by the beginning of their id in the answer.
_WRONG_HOOK = (
    *("web.incoming_webhook.invalid", "web.incoming_webhook.disabled"),
    *("web.incoming_webhook.channel", "web.incoming_webhook.user"),
    *("web.incoming_webhook.permissions", "app.channel.get"),
)


class MattermostRenderer(MarkdownRenderer):
    """Names, channels, hashtags, emoji and URLs are looked for in what is left when the markup is
    read (mention_parser_standard.go of the server, text_formatting.tsx of the client), so that no
    escape helps: such a word is shown as code, where nothing is looked for."""

    service = "Mattermost"
    # What its fork of marked knows a backslash before; the others only as entities.
    special = re.compile(
        r"[\\`*~|<>\[\]$]|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])|&(?=#?\w+;)|#(?=#*(?:\s|$))"
    )
    entities: ClassVar = {
        "\\": "&#92;",
        "|": "&#124;",
        "<": "&lt;",
        ">": "&gt;",
        "$": "&#36;",
        "&": "&amp;",
    }
    obeyed = re.compile(
        r"@|:\S|(?<!\w);-?[)D]|~[\w.-]|#[^\W\d_]|www\d{0,3}\.|\w\.[^\W\d_]{2,4}/|^/|<[/]?3|^x-d$",
        re.IGNORECASE,
    )
    # Slack's mentions and links, which its server rewrites before anything is read, in code too
    # (webhook.go and slack.go: linkWithTextRegex, expandAnnouncement, replaceUserIds).
    rewritten = re.compile(r"<!(?:channel|here|all)>|<@[a-zA-Z0-9]+>|<[^\n<|>]+\|[^|\n>]+>")
    schemes = ("http:", "https:", "mailto:")


def _refused(answer: Answer) -> Outcome | None:
    """Mattermost answers 400 for a webhook that does not exist, and 501 for a disabled one."""
    data = answer.data
    if not str(data.get("id", "")).startswith(_WRONG_HOOK):
        return None
    why = data.get("message") or data["id"]
    return misconfigured(f"HTTP {answer.status}: Mattermost says: {why}")


_MENTION = re.compile(r"@[a-z0-9][a-z0-9._-]{0,63}")
_MENTIONS = mention_names(
    lambda name: name if _MENTION.fullmatch(name) else None,
    "@name of a user or a group, @here, @channel, @all",
)


class MattermostNotifier(HttpNotifier):
    """Posts to the webhook's channel, or to another that it may post to. A webhook cannot change a
    post: each notification of a group is a post of its own."""

    rules = AnswerRules(confirms=lambda answer: answer.body.strip() == b"ok", refused=_refused)

    type: Literal["mattermost"] = "mattermost"
    rate_limit: RateField | None = Rate(1, 1.0)
    url: SecretField
    """The webhook's URL."""
    channel: str = ""
    """Another channel, by its name in the URL, or `@name`; the webhook's if not set."""
    username: str = ""
    """The name that posts; the webhook's if not set."""
    icon_url: WebUrl = ""
    """Its picture; the webhook's if not set."""
    icon_emoji: str = ""
    """An emoji instead of a picture."""
    mention: Annotated[Mentions, _MENTIONS] = Field(default_factory=dict)
    """Whom to mention while alerts fire: `@name`, `@here`, `@channel`."""

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> dict[str, Any]:
        """The post."""
        notification = mentioning(notification, self.mention)

        def make(level: Detail) -> list[str]:
            return MattermostRenderer().pieces(outline(notification, level))

        pieces = fit(detail, make, lambda made: sum(map(_size, made)) <= MAX_CHARACTERS)
        text = "\n".join(cut(pieces, _size, MAX_CHARACTERS, MattermostRenderer.service))
        names = ("channel", "username", "icon_url", "icon_emoji")
        own = {name: getattr(self, name) for name in names if getattr(self, name)}
        return {"text": text} | own

    async def notify(self, payload: dict[str, Any], sending: Sending) -> Outcome:
        return await self.post(sending, self.url.read(), payload)


def _size(piece: str) -> int:
    return len(piece) + 1
