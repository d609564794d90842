"""What every notifier is: a frozen model that renders a notification and sends the payload; the
outcomes of that, the reference to a message that is updated, and settings by severity.

A message is updated from when its group fires until all of it is resolved; a group that fires again
after that gets a new message.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass, replace
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import aiohttp
from pydantic import BeforeValidator, ConfigDict, Field
from pydantic_core import from_json, to_json

from alert_router.fields import (
    Duration,
    RateField,
    WithSecrets,
)
from alert_router.notification import Detail, Notification
from alert_router.notify import wording
from alert_router.notify.egress import EVERYWHERE, Guard, Resolve, system
from alert_router.notify.templates import TemplateField


class Reason(StrEnum):
    """Why a send failed; the same closed set is the metric's label."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    MISCONFIGURED = "misconfigured"  # 401, 403, 404, 405, 410, ..., or no readable secret
    REJECTED = "rejected"  # this message is refused as it is: 400
    TOO_LARGE = "too_large"  # 413
    REDIRECTED = "redirected"
    BAD_ANSWER = "bad_answer"  # 2xx, but the body says otherwise
    INTERNAL = "internal"  # our own rendering or code failed
    EXPIRED = "expired"
    DISCARDED = "discarded"


class Remedy(StrEnum):
    """What to do about a failure."""

    RETRY = "retry"  # later, with back-off
    SMALLER = "smaller"  # once, with less detail; then it is a dead letter
    HOLD = "hold"  # the destination is misconfigured: retry slowly, alert the operator
    GIVE_UP = "give_up"  # a dead letter at once


@dataclass(frozen=True, slots=True)
class Delivered:
    """The destination has the message. `reference` names it there, for a later update."""

    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The destination does not have the message, or (`in_doubt`) may have it.

    `message` is for people and holds no secret. `retry_after` is seconds, already capped.
    """

    reason: Reason
    message: str
    remedy: Remedy = Remedy.RETRY
    in_doubt: bool = False
    retry_after: float | None = None


Outcome = Delivered | Failed


def misconfigured(message: str) -> Failed:
    """A failure that is true of every message: a person has to change something."""
    return Failed(Reason.MISCONFIGURED, message, Remedy.HOLD)


@dataclass(frozen=True, slots=True)
class Sending:
    """What a notifier may use to send: the shared HTTP session, the id that a resend keeps, the
    reference that the last delivery of this lane left, for connections outside the session the
    egress guard and the resolver, and the header that continues Alertmanager's trace, or "". With
    `only_change` an existing message is changed without a notification, or nothing is done."""

    session: aiohttp.ClientSession
    id: str
    reference: str | None = None
    guard: Guard = EVERYWHERE
    resolve: Resolve = system
    traceparent: str = ""
    only_change: bool = False


def reference(place: Mapping[str, str | int], *, over: bool) -> str:
    """The reference to a message at this place; `over` once its group is resolved."""
    return to_json(dict(place) | {"over": over}).decode()


def continued(left: str | None, names: set[str], *, over: bool) -> dict[str, Any] | None:
    """The place, with these names, of the message to update; None where a new one is due: no
    delivery left a reference, or the group was resolved and fires again."""
    try:
        data = from_json(left or "")
    except ValueError:
        return None
    if not isinstance(data, dict) or not names | {"over"} <= data.keys():
        return None
    return None if data["over"] and not over else {name: data[name] for name in sorted(names)}


DEFAULT = "default"
RESOLVED = "resolved"
_DETAILS = {
    "full": Detail.FULL,
    "steps": Detail.FIRST_STEPS,
    "titles": Detail.TITLES,
    "link": Detail.MINIMAL,
}
_MAX_MENTIONS = 8  # of one severity
_NAMED = re.compile(r"(?P<name>[^<>*_`~\[\]{}\\\n]{1,60}) <(?P<id>[^<>\s]{1,100})>")

T = TypeVar("T")

Mentions = Mapping[str, tuple[str, ...]]


def for_severity(settings: Mapping[str, T], notification: Notification, otherwise: T) -> T:
    """The setting for the worst severity that fires (`resolved` if none does), else `default`."""
    grade, scale = wording.grade(notification), notification.scale
    for key, setting in settings.items():
        if key == grade.word.lower() or scale.find(key) == grade:
            return setting
    return settings.get(DEFAULT, otherwise)


def mentioning(notification: Notification, mention: Mentions) -> Notification:
    """The notification with whom to mention; no mentions once all alerts are resolved."""
    if not mention or not notification.group.firing:
        return notification
    return replace(notification, mentions=for_severity(mention, notification, ()))


def _detail(value: Any) -> Any:
    if isinstance(value, Detail):
        return value
    if not isinstance(value, str) or value not in _DETAILS:
        raise ValueError(f"expected one of {', '.join(_DETAILS)}")
    return _DETAILS[value]


def _by_severity(read: Callable[[Any], Any]) -> BeforeValidator:
    def check(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return {DEFAULT: read(value)}
        return {str(key).lower(): read(each) for key, each in value.items()}

    return BeforeValidator(check)


# One for all severities, or one for each.
DetailField = Annotated[Mapping[str, Detail], _by_severity(_detail)]


def mention_names(markup: Callable[[str], str | None], expected: str) -> BeforeValidator:
    """Reads a notifier's `mention`. `markup` makes the destination's own markup of a name, None if
    it is not valid; `expected` describes valid ones."""

    def names(value: Any) -> tuple[str, ...]:
        given = value if isinstance(value, list | tuple) else [value]
        found = [markup(str(each).strip()) for each in given]
        if None in found or len(found) > _MAX_MENTIONS:
            raise ValueError(f"expected up to {_MAX_MENTIONS} of: {expected}")
        return tuple(each for each in found if each is not None)

    return _by_severity(names)


def named(text: str) -> tuple[str, str] | None:
    """The name and the id in `Ann Smith <id>`; None if it has another form."""
    found = _NAMED.fullmatch(text)
    return (found["name"].strip(), found["id"]) if found else None


class Notifier(WithSecrets, ABC):
    """One configured destination of a receiver.

    Subclasses add `type: Literal[...]` and their fields.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, hide_input_in_errors=True
    )

    type: str
    """The kind of destination, one of those below."""
    name: str = ""
    """Unique within the receiver; the `type` if not set. A new name leaves pending deliveries
    behind."""
    send_resolved: bool = True
    """Whether resolved alerts are sent."""
    min_severity: str = ""
    """Send only alerts of at least this severity; all if not set."""
    rate_limit: RateField | None = None
    """At most this many messages in a second, minute or hour."""
    fold: bool = True
    """Whether pending notifications of a group go out as one current message."""
    concurrency: int = Field(4, ge=1, le=256)
    """How many messages are sent at a time."""
    timeout: Duration = Field(10.0, gt=0, le=300, description="for one attempt")
    """Time for one attempt."""
    firing_sections: tuple[str, ...] = ("Detection", "Mitigation")
    """The sections of a runbook that are sent with firing alerts."""
    resolved_sections: tuple[str, ...] = ("Verification", "Post-Incident")
    """The sections of a runbook that are sent with resolved alerts."""
    fallback: str = ""
    """Another receiver that is notified as well while this destination is failing."""
    fallback_after: Duration = Field(600.0, gt=0)
    """For how long every attempt must have failed before `fallback` is used."""
    title: TemplateField | None = None
    """A [template](notifiers/templates.md) for the title; built in if not set."""
    template: TemplateField | None = None
    """A [template](notifiers/templates.md) that replaces the list of alerts; built in if not
    set."""
    detail: DetailField = Field(default_factory=dict)
    """[How much a message says](notifiers/README.md#how-much-detail-a-message-has), for all
    severities or for each; `full` if not set."""

    @abstractmethod
    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> Any:
        """The payload for `notify`, within the destination's limits and with at most `detail`.

        Pure, and fails for no label and no runbook. Subclasses name the payload's type.
        """

    @abstractmethod
    async def notify(self, payload: Any, sending: Sending) -> Outcome:
        """Send what `render` returned. Never raises for anything the destination does; raises
        SecretUnavailable where a secret cannot be read or used."""

    def most_detail(self, notification: Notification) -> Detail:
        """How much detail its readers want."""
        return for_severity(self.detail, notification, Detail.FULL)

    @property
    def changes_messages(self) -> bool:
        """Whether it can change a message that it sent."""
        return False

    def readable(self, payload: Any) -> Any:
        """The payload for `preview`: text, or data for JSON."""
        if isinstance(payload, bytes):
            return from_json(payload)
        return asdict(payload) if is_dataclass(payload) else payload  # type: ignore[arg-type]

    def invalid_urls(self) -> Sequence[str]:
        """The keys with a URL in the configuration itself that can never be used."""
        return ()

    def host(self) -> str:
        """The host that it connects to, as far as the configuration says now; empty if unknown."""
        return ""

    @property
    def identity(self) -> str:
        """The notifier's name in its receiver: `name`, or the type."""
        return self.name or self.type
