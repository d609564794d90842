"""The notifier `discord`: a channel's webhook that updates one message per group, in embeds of
Discord's Markdown."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from alert_router.fields import Rate, RateField, SecretField, WebUrl, written
from alert_router.model import Status
from alert_router.notification import Detail, Notification
from alert_router.notify import message, wording
from alert_router.notify.base import (
    Delivered,
    Failed,
    Mentions,
    Outcome,
    Sending,
    continued,
    mention_names,
    mentioning,
    reference,
)
from alert_router.notify.chat import MarkdownRenderer, cut
from alert_router.notify.http import Answer, AnswerRules, HttpNotifier, with_query
from alert_router.notify.message import fit, outline
from alert_router.notify.render import utf16_units

# docs.discord.com, resources/message, "Embed Limits": of a description, and of all embeds
# together. Discord counts code points; UTF-16 code units are never fewer.
MAX_DESCRIPTION = 4096
MAX_EMBEDS = 6000
# A text has 2,000 characters; one of these may be seven there, shown (`\\ud800`) and escaped.
_MAX_TITLE = 250
_MAX_MARKS = 100  # up to as many firing alerts are remembered one by one

# Error codes (discord.com/developers/docs, "Opcodes and Status Codes"): the message was deleted,
# or made by an earlier webhook.
_GONE = frozenset((10008, 50005))
# 400s that are true of every message: a forum that needs a thread, a thread of another channel.
_WRONG_PLACE = frozenset((220001, 220002, 220003, 220004))


class DiscordRenderer(MarkdownRenderer):
    """After Discord's "Markdown Text 101" and "Message Formatting"; its clients take a backslash
    before anything but letters, digits and spaces for an escape."""

    service = "Discord"
    # Marks, links, mentions and whatever else begins with `<`, and the colons of URLs and emoji.
    # An underscore within a word formats nothing.
    special = re.compile(
        r"[\\`*~|<>\[\]@]|:(?=\S)|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])|[-#](?=#*(?:\s|$))"
    )
    # There are no longer fences: three backticks end a block wherever they are.
    rewritten = re.compile("```")
    longest_url = 700  # URLs count among the 6,000 characters

    def facts(self, part: message.AlertLine) -> str:
        """The time in the reader's own zone."""
        if not part.firing or part.when.start is None:
            return super().facts(part)
        seconds = int(part.when.start.timestamp())
        return self.joined_facts(f"since <t:{seconds}:f> (<t:{seconds}:R>)", part)


MENTION = re.compile(r"<@(?:&(?P<role>[0-9]{1,20})|(?P<user>[0-9]{1,20}))>")
_NAMED = re.compile(r"(?P<kind>role|user):(?P<id>[0-9]{1,20})")


def _mention(name: str) -> str | None:
    if found := _NAMED.fullmatch(name):
        return f"<@{'&' * (found['kind'] == 'role')}{found['id']}>"
    return name if MENTION.fullmatch(name) else None


# Not @everyone: `allowed_mentions` would allow it to the text of an alert too.
_MENTIONS = mention_names(_mention, "role:ID, user:ID")


@dataclass(frozen=True, slots=True)
class DiscordPayload:
    """The message, the notice that is posted when the message is changed, which alerts fire, and
    whether the group is over."""

    message: dict[str, Any]
    notice: dict[str, Any]
    firing: str
    over: bool


def _message_id(answer: Answer) -> str | None:
    """The id of the message that was made or changed."""
    found = answer.data.get("id")
    return found if isinstance(found, str) and found.isdecimal() else None


def _wait(answer: Answer) -> float | None:
    found = answer.data.get("retry_after")
    return float(found) if isinstance(found, int | float) else None


class DiscordNotifier(HttpNotifier):
    """Posts to the webhook's channel. The message is changed when its group changes, which
    notifies nobody, so a short notice is posted too, except where alerts have merely ended."""

    rules = AnswerRules(
        confirms=lambda answer: _message_id(answer) is not None,
        is_misconfigured=lambda answer: answer.data.get("code") in _WRONG_PLACE,
        wait=_wait,
    )

    type: Literal["discord"] = "discord"
    rate_limit: RateField | None = Rate(30, 60.0)  # what a channel accepts from webhooks
    url: SecretField
    """The webhook's URL."""
    thread_id: Annotated[str, written(r"[0-9]*", "a thread's number")] = ""
    """The id of a thread of the channel; forum and media channels need one."""
    username: str = Field("", max_length=80)
    """The name that posts; the webhook's if not set."""
    avatar_url: WebUrl = ""
    """Its picture; the webhook's if not set."""
    notice: bool = True
    """Whether a short message below says that a message was changed."""
    mention: Annotated[Mentions, _MENTIONS] = Field(default_factory=dict)
    """Whom to mention while alerts fire: `role:ID`, `user:ID`."""

    @property
    def changes_messages(self) -> bool:
        """As of any notifier."""
        return True

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> DiscordPayload:
        """The message with as much detail as fits, and what a change of it needs."""
        notification = mentioning(notification, self.mention)

        def make(level: Detail) -> list[str]:
            return _pieces(outline(notification, level))

        pieces = fit(detail, make, lambda made: sum(map(_size, made)) <= MAX_EMBEDS)
        parts = outline(notification, Detail.MINIMAL)
        kept = (message.CommonFacts, message.AlertLine, message.TemplateText, message.More)
        notice = DiscordRenderer().pieces(part for part in parts if isinstance(part, kept))
        return DiscordPayload(
            message=_message(notification, cut(pieces, _size, MAX_EMBEDS, DiscordRenderer.service)),
            notice=_message(
                notification, cut(notice, _size, MAX_DESCRIPTION, DiscordRenderer.service)
            ),
            firing=_firing(notification),
            over=notification.status is Status.RESOLVED,
        )

    async def notify(self, payload: DiscordPayload, sending: Sending) -> Outcome:
        place = continued(sending.reference, {"id", "firing"}, over=payload.over)
        if place is None:
            return await self._begin(payload, sending)
        outcome, answer = await self._call(payload.message, sending, str(place["id"]))
        if answer.data.get("code") in _GONE:
            return await self._begin(payload, sending)
        if isinstance(outcome, Failed) or sending.only_change:
            return outcome
        if self.notice and not _merely_fewer(place["firing"], payload.firing):
            noticed, _ = await self._call(payload.notice, sending)
            if isinstance(noticed, Failed):
                return noticed
        return _delivered(str(place["id"]), payload)

    async def _begin(self, payload: DiscordPayload, sending: Sending) -> Outcome:
        """A new message, to be changed later."""
        if sending.only_change:
            return Delivered()
        outcome, answer = await self._call(payload.message, sending)
        found = _message_id(answer)
        if isinstance(outcome, Failed) or found is None:
            return outcome
        return _delivered(found, payload)

    async def _call(
        self, body: dict[str, Any], sending: Sending, changed: str = ""
    ) -> tuple[Outcome, Answer]:
        """A message posted, or the one with the id `changed` replaced."""
        query = {"thread_id": self.thread_id} if self.thread_id else {}
        if not changed:
            query["wait"] = "true"  # without it there is no answer that names the message
            sender = {"username": self.username, "avatar_url": self.avatar_url}
            body = body | {name: value for name, value in sender.items() if value}
        path = f"/messages/{changed}" if changed else ""
        url = with_query(self.url.read(), query, frozenset({*query, "wait"}), path)
        return await self.request(sending, url, body, method="PATCH" if changed else "POST")


def _delivered(id: str, payload: DiscordPayload) -> Delivered:
    place = {"id": id, "firing": payload.firing}
    return Delivered(reference(place, over=payload.over))


def _message(notification: Notification, pieces: list[str]) -> dict[str, Any]:
    grade = wording.grade(notification)
    text = wording.push(notification, _MAX_TITLE).removeprefix(f"{grade.word}: ")
    title = DiscordRenderer().title(message.Title(grade, text))
    color = int(grade.colour.removeprefix("#"), 16)
    found = [MENTION.fullmatch(each) for each in notification.mentions]
    return {
        # Not an embed's title: a phone's notification shows only this.
        "content": " ".join((*notification.mentions, *title)),
        "embeds": [{"description": text, "color": color} for text in _descriptions(pieces)],
        # Nobody else is pinged, whatever the text holds; also when it is edited.
        "allowed_mentions": {
            "parse": [],
            "roles": [each["role"] for each in found if each and each["role"]],
            "users": [each["user"] for each in found if each and each["user"]],
        },
    }


def _pieces(parts: Iterable[message.OutlinePart]) -> list[str]:
    others = [part for part in parts if not isinstance(part, message.Title | message.Mention)]
    return [
        text if utf16_units(text) <= MAX_DESCRIPTION else wording.too_long(DiscordRenderer.service)
        for text in DiscordRenderer().pieces(others)
    ]


def _descriptions(pieces: list[str]) -> Iterator[str]:
    """Pieces in as few descriptions as hold them, in order."""
    held = ""
    for piece in pieces:
        if held and utf16_units(held) + 1 + utf16_units(piece) > MAX_DESCRIPTION:
            yield held.strip("\n")
            held = ""
        held = f"{held}\n{piece}" if held else piece
    if held.strip():
        yield held.strip("\n")


def _size(piece: str) -> int:
    return utf16_units(piece) + 1


def _firing(notification: Notification) -> str:
    """The alerts that fire, in short: enough to tell whether others or fewer fire later."""
    marks = sorted(
        hashlib.blake2b(alert.fingerprint.encode("utf-8", "replace"), digest_size=4).hexdigest()
        for alert in notification.group.firing
    )
    if len(marks) <= _MAX_MARKS:
        return ",".join(marks)
    return hashlib.blake2b(",".join(marks).encode(), digest_size=16).hexdigest()


def _merely_fewer(before: str, now: str) -> bool:
    """Whether nothing fires that did not fire before, but something still does."""
    return bool(now) and set(now.split(",")) < set(before.split(","))
