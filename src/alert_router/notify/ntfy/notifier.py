"""The notifier `ntfy`: a push message to the phones that listen to a topic.

What messages look like is `message`'s.
"""

import hashlib
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import from_json, to_json

from alert_router.fields import Secret, SecretUnavailable
from alert_router.notification import Detail, Notification
from alert_router.notify import authorization
from alert_router.notify.answers import Dialect
from alert_router.notify.base import Failed, Outcome, Reason, Remedy, Sending
from alert_router.notify.links import is_web
from alert_router.notify.ntfy.message import message
from alert_router.notify.overhttp import HttpNotifier
from alert_router.notify.secrets import SecretField

URL = "https://ntfy.sh"
_MAX_TAG = 64
_NAMES = {"min": 1, "low": 2, "default": 3, "high": 4, "max": 5, "urgent": 5}
_WRONG_TOPIC = frozenset((40009, 40010))  # no topic, or a name that is reserved
_DAILY = 42908  # all messages of a day are used up
_WAITS = {42901: 5.0, _DAILY: 900.0}  # seconds; a request comes back every five


def _number(value: Any) -> Any:
    number = _NAMES.get(value.lower(), value) if isinstance(value, str) else value
    if str(number) not in {"1", "2", "3", "4", "5"}:
        raise ValueError(f"expected 1 to 5, or {', '.join(_NAMES)}")
    return number


def _tag(text: str) -> str:
    if not text or len(text) > _MAX_TAG or "," in text or len(text.split()) != 1:
        raise ValueError(f"expected a word of at most {_MAX_TAG} characters, without a comma")
    return text


def _server(text: str) -> str:
    url = text.rstrip("/")
    if not is_web(url) or "?" in url or "#" in url:
        raise ValueError("expected a server's address, as https://ntfy.example.org")
    return url


Priority = Annotated[int, BeforeValidator(_number)]
Tag = Annotated[str, AfterValidator(_tag)]


class NtfyNotifier(HttpNotifier):
    """Publishes to one topic."""

    type: Literal["ntfy"] = "ntfy"
    url: Annotated[str, AfterValidator(_server)] = URL
    topic: SecretField
    token: SecretField | None = None
    username: str = ""
    password: SecretField | None = None
    priority: dict[str, Priority] = Field(default_factory=dict)
    tags: tuple[Tag, ...] = Field((), max_length=5)

    @model_validator(mode="after")
    def _one_authentication(self) -> Self:
        authorization.check("token", self.token, self.username, self.password, headers=self.headers)
        return self

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> bytes:
        """The message as JSON, without the topic, which is a secret."""
        priorities = {name.lower(): number for name, number in self.priority.items()}
        return to_json(message(notification, detail, priorities, self.tags))

    async def notify(self, payload: bytes, sending: Sending) -> Outcome:
        try:
            topic, headers = (
                self.topic.read(),
                authorization.header(self.token, self.username, self.password),
            )
        except SecretUnavailable as error:
            return Failed(Reason.MISCONFIGURED, str(error), Remedy.HOLD)
        # Servers from 2.16 on put a message with the same one in the earlier's place.
        sequence = hashlib.sha256(sending.id.encode()).hexdigest()[:32]
        body = {"topic": topic, "sequence_id": sequence} | from_json(payload)
        return await self.post(
            sending, Secret(plain=self.url), to_json(body), headers=headers, dialect=_DIALECT
        )


def _parsed(answer: bytes) -> dict[str, Any]:
    try:
        data = from_json(answer)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _agrees(answer: bytes) -> str | None:
    """ntfy says the message back, with an id."""
    data = _parsed(answer)
    if data.get("event") == "message" and data.get("id"):
        return None
    return answer.decode("utf-8", "replace") or "empty answer"


def _wait(answer: bytes) -> float | None:
    return _WAITS.get(_code(answer))


def _wrong_topic(answer: bytes) -> bool:
    return _code(answer) in _WRONG_TOPIC


def _code(answer: bytes) -> int:
    """ntfy's own number of an error; 0 for none."""
    code = _parsed(answer).get("code")
    return code if isinstance(code, int) else 0


_DIALECT = Dialect(agrees=_agrees, wait=_wait, wrong_destination=_wrong_topic)
