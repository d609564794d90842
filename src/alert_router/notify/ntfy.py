"""The notifier `ntfy`: a push message to the phones that listen to a topic.

Plain text, a page behind it and up to three buttons. Markdown is never switched on, so that nothing
an alert says can format or link.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import to_json

from alert_router.fields import ApiUrl, SecretField, is_web_url
from alert_router.markdown import visible
from alert_router.model.severity import Grade
from alert_router.notification import Detail, Notification
from alert_router.notify import message, wording
from alert_router.notify.base import Outcome, Sending
from alert_router.notify.http import (
    Answer,
    AnswerRules,
    HttpNotifier,
    authorization,
    check_authorization,
)
from alert_router.notify.links import encoded, links
from alert_router.notify.render import PlainTextRenderer

# Bytes. docs.ntfy.sh, "Limitations": a message of 4,096; a longer one becomes an attachment. A
# server reads twice that of a whole JSON body, so escapes and links have to share it.
MAX_MESSAGE = 4_000
MAX_BODY = 8_000
MAX_TITLE = 500
MAX_TAGS = 512
MAX_ACTIONS = 3
_MAX_TAG = 64  # characters
_MAX_URLS = 4_000  # of the page and the buttons together
_ROOM = 150  # for the topic and the sequence id
_MAX_FIRST = 900  # what fits however it is escaped, whatever else there is

MORE = "…"

PRIORITIES: Mapping[str, int] = {"critical": 5, "error": 4, "warning": 4, "info": 2, "resolved": 3}
_NAMES = {"min": 1, "low": 2, "default": 3, "high": 4, "max": 5, "urgent": 5}

# ntfy's error codes.
_WRONG_TOPIC = frozenset((40009, 40010))  # no topic, or a name that is reserved
_DAILY = 42908  # all messages of a day are used up
_WAITS = {42901: 5.0, _DAILY: 900.0}  # seconds; a request comes back every five

_NOT_IN_TAG = re.compile(r"[^\w.:=-]+")


def _number(value: Any) -> Any:
    number = _NAMES.get(value.lower(), value) if isinstance(value, str) else value
    if str(number) not in {"1", "2", "3", "4", "5"}:
        raise ValueError(f"expected 1 to 5, or {', '.join(_NAMES)}")
    return number


def _tag(text: str) -> str:
    if not text or len(text) > _MAX_TAG or "," in text or len(text.split()) != 1:
        raise ValueError(f"expected a word of at most {_MAX_TAG} characters, without a comma")
    return text


Priority = Annotated[int, BeforeValidator(_number)]
Tag = Annotated[str, AfterValidator(_tag)]


class NtfyRenderer(PlainTextRenderer):
    """The title is a field of its own, and URLs are buttons."""

    def title(self, part: message.Title) -> Iterable[str]:
        return ()

    def runbook(self, part: message.RunbookTitle) -> Iterable[str]:
        return super().runbook(replace(part, url=""))

    def links(self, pairs: Sequence[tuple[str, str]]) -> Iterable[str]:
        return ()


def _code(answer: Answer) -> int:
    """ntfy's own number of an error; 0 for none."""
    code = answer.data.get("code")
    return code if isinstance(code, int) else 0


class NtfyNotifier(HttpNotifier):
    """Publishes to one topic."""

    # ntfy answers with the message, and its id.
    rules = AnswerRules(
        confirms=lambda answer: (
            answer.data.get("event") == "message" and bool(answer.data.get("id"))
        ),
        is_misconfigured=lambda answer: _code(answer) in _WRONG_TOPIC,
        wait=lambda answer: _WAITS.get(_code(answer)),
    )

    type: Literal["ntfy"] = "ntfy"
    url: ApiUrl = "https://ntfy.sh"
    """The server, without the topic."""
    topic: SecretField
    """The topic; a secret, since whoever knows the name of an open topic can read it."""
    token: SecretField | None = None
    """An access token, `tk_...`."""
    username: str = ""
    """The user's name, instead of a token."""
    password: SecretField | None = None
    """The user's password."""
    priority: dict[str, Priority] = Field(default_factory=dict)
    """The priority of each severity, 1 to 5 or `min`, `low`, `default`, `high`, `max`; [built
    in](notifiers/ntfy.md) if not set."""
    tags: tuple[Tag, ...] = Field((), max_length=5)
    """Further tags; the name of an emoji is shown as that emoji."""

    @model_validator(mode="after")
    def _one_authentication(self) -> Self:
        check_authorization("token", self.token, self.username, self.password, self.headers)
        return self

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> dict[str, Any]:
        """The message without the topic, which is a secret."""
        grade = wording.grade(notification)
        title = visible(f"{grade.emoji} {next(message.outline(notification, detail))}")
        frame = {
            # A server decodes such words (RFC 2047), and what comes out was never looked at here.
            "title": cut(title.replace("=?", "= ?"), MAX_TITLE),
            "priority": self._priority(grade),
            "tags": self._tags(grade, notification),
            **_urls(notification),
        }

        def whole(pieces: Sequence[str]) -> dict[str, Any]:
            return frame | {"message": "\n".join(pieces)}

        def fits(pieces: Sequence[str]) -> bool:
            made = whole(pieces)
            size = len(made["message"].encode())
            return size <= MAX_MESSAGE and len(to_json(made)) <= MAX_BODY - _ROOM

        def make(level: Detail) -> list[str]:
            return NtfyRenderer().parts(message.outline(notification, level))

        return whole(_cut_off(message.fit(detail, make, fits), fits))

    async def notify(self, payload: dict[str, Any], sending: Sending) -> Outcome:
        # Servers from 2.16 on replace an earlier message that has the same one.
        sequence = hashlib.sha256(sending.id.encode()).hexdigest()[:32]
        body = {"topic": self.topic.read(), "sequence_id": sequence} | payload
        headers = authorization(self.token, self.username, self.password)
        return await self.post(sending, self.url, body, headers=headers)

    def _priority(self, grade: Grade) -> int:
        """1 to 5, by the severity's word, else by a value that means it, else by its level."""
        own = {name.lower(): number for name, number in self.priority.items()}
        names = (grade.word.lower(), *sorted(grade.values))
        return next((own[name] for name in names if name in own), PRIORITIES[grade.level])

    def _tags(self, grade: Grade, notification: Notification) -> list[str]:
        """The configured ones, and two to filter by; a severity's word alone might be an emoji."""
        word = _NOT_IN_TAG.sub("-", grade.word.lower())
        kept = [*self.tags, notification.status.value, f"severity={word}"]
        while len(",".join(kept).encode()) > MAX_TAGS:
            kept.pop()
        return kept


def _cut_off(pieces: list[str], fits: Callable[[list[str]], bool]) -> list[str]:
    """As many pieces as fit, and a sign where there were more. Only the first is cut within."""
    kept = pieces[:]
    while not fits(kept):
        del kept[-2 if kept[-1] == MORE else -1 :]
        kept.append(MORE)
    if kept == [MORE] and "```" not in pieces[0]:
        return [cut(pieces[0], _MAX_FIRST), MORE]
    return kept


def cut(text: str, limit: int) -> str:
    """Text of at most that many bytes."""
    raw = text.encode()
    if len(raw) <= limit:
        return text
    return raw[: limit - 3].decode(errors="ignore") + "…"


def _urls(notification: Notification) -> dict[str, Any]:
    """The page that a tap opens, and the buttons, as many as there is room for."""
    runbooks = [("Runbook", part.url) for part in notification.runbooks if is_web_url(part.url)]
    others = links(notification)
    found: dict[str, Any] = {"actions": []}
    left = _MAX_URLS
    for _, url in (*runbooks, *others[-1:])[:1]:
        if len(encoded(url)) <= left:
            found["click"] = encoded(url)
            left -= len(encoded(url))
    for words, url in (*runbooks[:1], *others):
        button = {"action": "view", "label": visible(words), "url": encoded(url)}
        if len(found["actions"]) < MAX_ACTIONS and len(button["url"]) <= left:
            found["actions"].append(button)
            left -= len(button["url"])
    return found
