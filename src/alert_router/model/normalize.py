"""Normalizes webhook bodies: what other senders omit or write differently is repaired if its
meaning is clear, and rejected otherwise.
"""

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic_core import from_json, to_json

Labels = Mapping[str, str]

_FNV_OFFSET = 14695981039346656037
_FNV_PRIME = 1099511628211
_MASK = 2**64 - 1


class PayloadError(ValueError):
    """Not an alert group. `expected` and `found` are phrases for the sender."""

    def __init__(self, expected: str, found: str) -> None:
        self.expected = expected
        self.found = found
        super().__init__(f"expected {expected}; found {found}")


class Status(StrEnum):
    """Of an alert, and of a group: a group fires if any of its alerts does."""

    FIRING = "firing"
    RESOLVED = "resolved"


def fingerprint(labels: Labels) -> str:
    """The 16 hex digits by which Prometheus and Alertmanager identify a label set.

    FNV-1a over the sorted names and values, each ended by 0xFF
    (prometheus/common, model/fingerprinting.go).
    """
    total = _FNV_OFFSET
    for name in sorted(labels):
        for part in (name, labels[name]):
            for byte in (*part.encode("utf-8", "replace"), 255):
                total = ((total ^ byte) * _FNV_PRIME) & _MASK
    return f"{total:016x}"


# A JSON escape: a proper surrogate pair, a lone surrogate, or anything else. Matching every
# escape keeps the scan in step, so that the text `\\ud800` (an escaped backslash) is left alone.
_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\."
)


def parse_json(raw: bytes) -> Any:
    """The JSON in a body, lone surrogates replaced and a byte order mark removed. Raises
    PayloadError."""
    raw = raw.removeprefix(BOM_UTF8)
    if raw.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        raise PayloadError("a JSON object in UTF-8", "invalid JSON: it is UTF-16")
    try:
        return from_json(raw)
    except ValueError:
        repaired = _without_lone_surrogates(raw)
    try:
        return from_json(repaired)
    except ValueError as error:
        raise PayloadError(
            "a JSON object in UTF-8", f"invalid JSON: {_plain(str(error), 200)}"
        ) from None


def _without_lone_surrogates(raw: bytes) -> bytes:
    """Steps from backslash to backslash, so that other threads run even for a long body."""
    pieces, done = [], 0
    at = raw.find(b"\\")
    while at >= 0 and (escape := _ESCAPE.match(raw, at)):
        if escape["lone"]:
            pieces += [raw[done:at], b"\\ufffd"]
            done = escape.end()
        at = raw.find(b"\\", escape.end())
    pieces.append(raw[done:])
    return b"".join(pieces)


def normalize_group(data: Any) -> dict[str, Any]:
    """The body as Alertmanager would write it. Raises PayloadError if it is not an alert group."""
    if not isinstance(data, dict):
        raise PayloadError(_EXPECTED, _describe(data))
    given = data.get("alerts")
    if "groupKey" not in data and not _is_alert_list(given):
        raise PayloadError(_EXPECTED, _describe(data))
    if given is not None and not isinstance(given, list):
        raise PayloadError("`alerts` to be a list of alerts", f"`alerts` is {_kind(given)}")
    group = {name: value for name, value in data.items() if value is not None}
    for name in ("groupLabels", "commonLabels", "commonAnnotations", "routeLabels"):
        group[name] = _strings(data.get(name), name)
    for name in ("version", "groupKey", "receiver", "externalURL", "notification_reason"):
        if name in group:
            group[name] = _text(group[name])
    group["truncatedAlerts"] = _count(data.get("truncatedAlerts"))
    status = _status(data.get("status"), "status")
    alerts = [_alert(alert, index, status) for index, alert in enumerate(given or [])]
    if not alerts:
        # A group without alerts still reports that something fires: one alert represents it.
        alerts = [_alert({"labels": group["groupLabels"] | group["commonLabels"]}, 0, status)]
    group["alerts"] = alerts
    if status is None:
        fires = any(alert["status"] == Status.FIRING for alert in alerts)
        status = Status.FIRING if fires else Status.RESOLVED
    group["status"] = status
    if not group.get("groupKey"):
        labels = group["groupLabels"] or group["commonLabels"] or alerts[0]["labels"]
        group["groupKey"] = "{}:" + to_json(dict(sorted(labels.items()))).decode()
    return group


def _alert(data: Any, index: int, group_status: Status | None) -> dict[str, Any]:
    where = f"alerts.{index}"
    if not isinstance(data, dict):
        raise PayloadError(f"`{where}` to be an alert, a JSON object", _kind(data))
    alert = {name: value for name, value in data.items() if value is not None}
    alert["status"] = _status(data.get("status"), f"{where}.status") or group_status or "firing"
    for name in ("labels", "annotations"):
        alert[name] = _strings(data.get(name), f"{where}.{name}")
    for name in ("startsAt", "endsAt", "generatorURL", "fingerprint"):
        alert[name] = _text(data.get(name))
    alert["fingerprint"] = alert["fingerprint"] or fingerprint(alert["labels"])
    return alert


def _strings(value: Any, where: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise PayloadError(f"`{where}` to be an object of strings", f"{_kind(value)}")
    return {name: _text(item) for name, item in value.items()}


def _count(value: Any) -> int:
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
    """Whether a list certainly has alerts: objects with labels."""
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
    """What a body seems to be instead of an alert group."""
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
