"""The payload model: an Alertmanager webhook body as an AlertGroup of Alerts.

Tolerant of what senders really send, strict where meaning would be lost. What becomes of a
group (routing, identity in the store) is decided elsewhere.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json, to_json

Labels = Mapping[str, str]

_FNV_OFFSET = 14695981039346656037
_FNV_PRIME = 1099511628211
_MASK = 2**64 - 1

# A JSON escape: a proper surrogate pair, a lone surrogate, or anything else. Matching every
# escape keeps the scan in step, so that the text `\\ud800` (an escaped backslash) is left alone.
_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\."
)


class PayloadError(ValueError):
    """A body that is no alert group. `expected` and `found` are sentences for its sender."""

    def __init__(self, expected: str, found: str) -> None:
        self.expected = expected
        self.found = found
        super().__init__(f"expected {expected}; found {found}")


class Status(StrEnum):
    """Of an alert, and of a group: a group fires while any of its alerts does."""

    FIRING = "firing"
    RESOLVED = "resolved"


def fingerprint(labels: Labels) -> str:
    """The 16 hex digits by which Prometheus and Alertmanager know a label set.

    FNV-1a over the sorted names and values, each ended by 0xFF
    (prometheus/common, model/fingerprinting.go).
    """
    total = _FNV_OFFSET
    for name in sorted(labels):
        for part in (name, labels[name]):
            for byte in (*part.encode("utf-8", "replace"), 255):
                total = ((total ^ byte) * _FNV_PRIME) & _MASK
    return f"{total:016x}"


def parse_time(text: str) -> datetime | None:
    """An RFC 3339 time, UTC; None for Alertmanager's zero time, 1970, or what is no time."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):  # a year-0001 time with an offset overflows
        return None
    return moment if moment.year > 1970 else None


class Alert(BaseModel):
    """One alert. Times stay the strings that came: identity and forwarding need them exact."""

    model_config = ConfigDict(frozen=True, extra="allow")

    status: Status
    labels: dict[str, str]
    annotations: dict[str, str] = Field(default_factory=dict)
    starts_at: str = Field("", alias="startsAt")
    ends_at: str = Field("", alias="endsAt")
    generator_url: str = Field("", alias="generatorURL")
    fingerprint: str = Field(min_length=1)

    @property
    def name(self) -> str:
        """The `alertname` label; empty where there is none."""
        return self.labels.get("alertname", "")

    @property
    def firing(self) -> bool:
        """Whether the alert fires."""
        return self.status is Status.FIRING

    @property
    def started(self) -> datetime | None:
        """When it began to fire, UTC."""
        return parse_time(self.starts_at)

    @property
    def ended(self) -> datetime | None:
        """When it was resolved, UTC; None while it fires."""
        return None if self.firing else parse_time(self.ends_at)


class AlertGroup(BaseModel):
    """A webhook body: the alerts that Alertmanager grouped and sends as one notification."""

    model_config = ConfigDict(frozen=True, extra="allow", coerce_numbers_to_str=True)

    version: str = "4"
    group_key: str = Field(alias="groupKey", min_length=1)
    truncated_alerts: int = Field(0, alias="truncatedAlerts", ge=0)
    status: Status
    receiver: str = ""
    group_labels: dict[str, str] = Field(default_factory=dict, alias="groupLabels")
    common_labels: dict[str, str] = Field(default_factory=dict, alias="commonLabels")
    common_annotations: dict[str, str] = Field(default_factory=dict, alias="commonAnnotations")
    external_url: str = Field("", alias="externalURL")
    notification_reason: str = ""
    alerts: tuple[Alert, ...] = Field(min_length=1)

    @classmethod
    def from_bytes(cls, raw: bytes) -> "AlertGroup":
        """The group in a request's body.

        Raises PayloadError, with what was expected and what was found, if it is none.
        """
        try:
            return cls.model_validate_json(raw)
        except ValidationError:
            pass  # not as Alertmanager writes it: read it the tolerant way, or say what is wrong
        data = _mend_group(_parse(raw))
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise PayloadError("an Alertmanager webhook body", f"{where}: {first['msg']}") from None

    @cached_property
    def firing(self) -> tuple[Alert, ...]:
        """The alerts that fire, in the order they came."""
        return tuple(alert for alert in self.alerts if alert.firing)

    @cached_property
    def resolved(self) -> tuple[Alert, ...]:
        """The alerts that are over, in the order they came."""
        return tuple(alert for alert in self.alerts if not alert.firing)

    def only(self, fingerprints: frozenset[str]) -> "AlertGroup":
        """The group as if only these alerts were in it."""
        if all(alert.fingerprint in fingerprints for alert in self.alerts):
            return self
        return self.with_alerts(
            tuple(alert for alert in self.alerts if alert.fingerprint in fingerprints)
        )

    def with_alerts(self, alerts: tuple[Alert, ...]) -> "AlertGroup":
        """The group with other alerts: status and what is common computed over them."""
        firing = any(alert.firing for alert in alerts)
        return self.model_copy(
            update={
                "alerts": alerts,
                "status": Status.FIRING if firing else Status.RESOLVED,
                "common_labels": common([alert.labels for alert in alerts]),
                "common_annotations": common([alert.annotations for alert in alerts]),
            }
        )

    def as_json(self) -> dict[str, Any]:
        """The group in the keys and order of Alertmanager's body, extra keys kept."""
        return self.model_dump(mode="json", by_alias=True)


def common(maps: list[dict[str, str]]) -> dict[str, str]:
    """What is equal in all of the maps."""
    if not maps:
        return {}
    first, *rest = maps
    return {
        name: value
        for name, value in first.items()
        if all(other.get(name) == value for other in rest)
    }


def _parse(raw: bytes) -> Any:
    mended = _ESCAPE.sub(lambda m: b"\\ufffd" if m["lone"] else m[0], raw)
    try:
        return from_json(mended)
    except ValueError as error:
        raise PayloadError(
            "a JSON object in UTF-8", f"invalid JSON: {_plain(str(error), 200)}"
        ) from None


def _mend_group(data: Any) -> dict[str, Any]:
    """The body with what other senders leave out or write otherwise put right."""
    if not isinstance(data, dict):
        raise PayloadError(_EXPECTED, _describe(data))
    given = data.get("alerts")
    if "groupKey" not in data and not _is_alert_list(given):
        raise PayloadError(_EXPECTED, _describe(data))
    if given is not None and not isinstance(given, list):
        raise PayloadError("`alerts` to be a list of alerts", f"`alerts` is {_kind(given)}")
    group = {name: value for name, value in data.items() if value is not None}
    for name in ("groupLabels", "commonLabels", "commonAnnotations"):
        group[name] = _mend_map(data.get(name), name)
    for name in ("version", "groupKey", "receiver", "externalURL", "notification_reason"):
        if name in group:
            group[name] = _text(group[name])
    group["truncatedAlerts"] = _mend_count(data.get("truncatedAlerts"))
    status = _status(data.get("status"), "status")
    alerts = [_mend_alert(alert, index, status) for index, alert in enumerate(given or [])]
    if not alerts:
        # A group that names no alert still says that something fires: one alert stands for it.
        alerts = [_mend_alert({"labels": group["groupLabels"] | group["commonLabels"]}, 0, status)]
    group["alerts"] = alerts
    if status is None:
        fires = any(alert["status"] == Status.FIRING for alert in alerts)
        status = Status.FIRING if fires else Status.RESOLVED
    group["status"] = status
    if not group.get("groupKey"):
        labels = group["groupLabels"] or group["commonLabels"] or alerts[0]["labels"]
        group["groupKey"] = "{}:" + to_json(dict(sorted(labels.items()))).decode()
    return group


def _mend_alert(data: Any, index: int, group_status: Status | None) -> dict[str, Any]:
    where = f"alerts.{index}"
    if not isinstance(data, dict):
        raise PayloadError(f"`{where}` to be an alert, a JSON object", _kind(data))
    alert = {name: value for name, value in data.items() if value is not None}
    alert["status"] = _status(data.get("status"), f"{where}.status") or group_status or "firing"
    for name in ("labels", "annotations"):
        alert[name] = _mend_map(data.get(name), f"{where}.{name}")
    for name in ("startsAt", "endsAt", "generatorURL", "fingerprint"):
        alert[name] = _text(data.get(name))
    alert["fingerprint"] = alert["fingerprint"] or fingerprint(alert["labels"])
    return alert


def _mend_map(value: Any, where: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise PayloadError(f"`{where}` to be an object of strings", f"{_kind(value)}")
    return {name: _text(item) for name, item in value.items()}


def _mend_count(value: Any) -> int:
    return value if isinstance(value, int) and value >= 0 else 0


def _status(value: Any, where: str) -> Status | None:
    if value is None or value == "":
        return None
    try:
        return Status(str(value).lower())
    except ValueError:
        raise PayloadError(
            f'`{where}` to be "firing" or "resolved"', _plain(repr(value), 60)
        ) from None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else to_json(value).decode()


def _is_alert_list(value: Any) -> bool:
    """Whether a list is one of alerts beyond doubt: objects that carry labels."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, dict) and isinstance(item.get("labels"), dict) for item in value)
    )


_EXPECTED = (
    "an Alertmanager webhook body: a JSON object with `groupKey`, `status` and a list `alerts` "
    "whose items have `labels`"
)


def _describe(data: Any) -> str:
    """What a body that is no alert group seems to be."""
    if isinstance(data, list):
        if data and all(isinstance(item, dict) and "labels" in item for item in data):
            return "a bare list of alerts, as for Alertmanager's own /api/v2/alerts"
        return "a JSON list"
    if not isinstance(data, dict):
        return _kind(data)
    if isinstance(data.get("labels"), dict):
        return "a single alert without its group"
    names = ", ".join(_plain(repr(name), 40) for name in list(data)[:8])
    return f"a JSON object with the keys {names}" if names else "an empty JSON object"


def _kind(value: Any) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string"}
    if isinstance(value, dict):
        return "a JSON object"
    if isinstance(value, list):
        return "a JSON list"
    return "null" if value is None else names.get(type(value), type(value).__name__)


def _plain(text: str, limit: int) -> str:
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
