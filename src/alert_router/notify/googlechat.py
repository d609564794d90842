"""The notifier `googlechat`: text in Chat's markup to an incoming webhook of a space, a thread for
each group. Text and not a card: only text has code blocks."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from pydantic_core import to_json

from alert_router.fields import LONGEST_URL, Rate, RateField, SecretField
from alert_router.markdown import Emphasis, Strike, Strong, visible
from alert_router.notification import Detail, Notification
from alert_router.notify import wording
from alert_router.notify.base import Mentions, Outcome, Sending, mention_names, mentioning
from alert_router.notify.chat import ADDRESS, ChatRenderer, cut, on_one_line
from alert_router.notify.http import Answer, AnswerRules, HttpNotifier, with_query
from alert_router.notify.links import encoded
from alert_router.notify.message import fit, outline

# Bytes of a message with everything in it (developers.google.com, Chat, spaces.messages.create);
# counted here as they are sent, which is never fewer.
MAX_BYTES = 32_000

# Parameters of the request that are ours, whatever the URL has of them.
_OURS = frozenset(("requestId", "messageReplyOption", "threadKey"))
# developers.google.com, Chat, "Format messages": what formats, and what links and mentions.
_LOOKALIKES = str.maketrans({"*": "∗", "~": "∼", "`": "ˋ"})
_IN_LABEL = str.maketrans({"<": "‹", ">": "›", "|": "¦"})
_UNDERSCORE = re.compile(r"(?<!\w)_|_(?!\w)")
_OPENING = re.compile(r"<(?!\s+\S)")  # spaces at the end of a text may be removed
_OBEYED = re.compile(r"<(?=\s*(?:users/|customEmojis/|https?:|mailto:))", re.IGNORECASE)
_BEGINNING = re.compile(r"^(?=\s*[->])")


class GoogleChatRenderer(ChatRenderer):
    """Chat has no escapes, so a character that would format is replaced by one that looks like it,
    and a code block that cannot be shown exactly is left to the runbook page."""

    service = "Google Chat"
    marks: ClassVar = {Strong: "*", Emphasis: "_", Strike: "~"}
    markup = re.compile(r"[*~`<\n]|(?<!\w)_|_(?!\w)")

    def text(self, text: str) -> str:
        words = on_one_line(text).translate(_LOOKALIKES)
        return _OPENING.sub("‹", _UNDERSCORE.sub("ˍ", words))

    def code_span(self, text: str) -> str:
        # There is no way to write a backtick in it.
        words = _OBEYED.sub("‹", on_one_line(text).replace("`", "ˋ"))
        return f"`{words}`" if words.strip() else words

    def code_block(self, text: str, language: str) -> str:
        shown = visible(text)
        if "```" in shown or _OBEYED.search(shown):
            return wording.would_change(self.service)
        return f"```\n{shown}\n```"

    def linked(self, url: str, label: str) -> str:
        words = self.text(label).translate(_IN_LABEL).strip()
        address = encoded(url)
        if not ADDRESS.match(url) or len(address) > LONGEST_URL:
            return words
        return f"<{address}|{words}>" if words else f"<{address}>"

    def plain_line(self, line: str) -> str:
        return _BEGINNING.sub("\u200b", line)


def _wrong_key(answer: Answer) -> bool:
    """Whether a 400 is about the URL's `key`, which every message has."""
    return b"API_KEY_INVALID" in answer.body or b"API key not valid" in answer.body


_MENTION = re.compile(r"<?users/([0-9]{1,30}|all)>?")
_MENTIONS = mention_names(
    lambda name: f"<users/{found[1]}>" if (found := _MENTION.fullmatch(name)) else None,
    "users/ID, users/all",
)


class GoogleChatNotifier(HttpNotifier):
    """Posts to one space. A request sent twice is the same message to Chat, so that a resend
    does no harm."""

    # Chat answers with the message it made.
    rules = AnswerRules(
        confirms=lambda answer: "/messages/" in str(answer.data.get("name")),
        is_misconfigured=_wrong_key,
    )

    type: Literal["googlechat"] = "googlechat"
    rate_limit: RateField | None = Rate(1, 1.0)  # a space accepts 60 a minute, from all apps
    url: SecretField
    """The webhook's URL, with its `key` and `token`."""
    mention: Annotated[Mentions, _MENTIONS] = Field(default_factory=dict)
    """Whom to mention while alerts fire: `users/ID`, `users/all`."""

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> dict[str, Any]:
        """The message with the key of its thread."""
        notification = mentioning(notification, self.mention)
        # Chat recognizes a resend by its id, so that a note about it would be wrong.
        notification = replace(notification, resent=False)
        # A webhook's default may be either syntax.
        frame = {
            "markupSyntax": "MARKUP_SYNTAX_CHAT",
            "thread": {"threadKey": _thread(notification)},
        }

        def whole(pieces: Iterable[str]) -> dict[str, Any]:
            return {"text": "\n".join(pieces)} | frame

        def make(level: Detail) -> list[str]:
            return GoogleChatRenderer().pieces(outline(notification, level))

        pieces = fit(detail, make, lambda made: len(to_json(whole(made))) <= MAX_BYTES)
        room = MAX_BYTES - len(to_json(whole(())))
        return whole(cut(pieces, _size, room, GoogleChatRenderer.service))

    async def notify(self, payload: dict[str, Any], sending: Sending) -> Outcome:
        # In a space without threads the message is a message of its own.
        reply = "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"
        query = {"messageReplyOption": reply, "requestId": sending.id}
        headers = {"Content-Type": "application/json; charset=UTF-8"}
        url = with_query(self.url.read(), query, _OURS)
        return await self.post(sending, url, payload, headers=headers)


def _size(piece: str) -> int:
    return len(to_json(piece + "\n")) - len('""')


def _thread(notification: Notification) -> str:
    """The key of the group's thread, the same for every notification of it by this notifier."""
    place = (notification.receiver, notification.notifier, notification.group.group_key)
    return hashlib.sha256(to_json([ascii(part) for part in place])).hexdigest()[:32]
