"""Settings of a notifier that depend on the severity: how much detail, and whom to mention."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator

from alert_router.notification import Detail, Notification
from alert_router.notify import wording

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
    """The notification with whom to mention; nobody once all alerts are resolved."""
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
