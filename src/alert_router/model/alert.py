"""The payload model: an Alertmanager webhook body as an AlertGroup of Alerts.

Tolerant of what senders really send, strict where meaning would be lost.
"""

from codecs import BOM_UTF8
from collections import Counter
from datetime import UTC, datetime
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from alert_router.model.limits import BodyLimits, trim
from alert_router.model.normalize import (
    Labels,
    PayloadError,
    Status,
    normalize_group,
    parse_json,
)

# Bodies up to this size are parsed quickly whatever they contain; larger ones need a thread.
SMALL_BODY = 32 * 1024


class Alert(BaseModel):
    """One alert. Times stay as received: identity and forwarding need them exact."""

    model_config = ConfigDict(frozen=True, extra="allow")

    status: Status
    labels: dict[str, str]
    annotations: dict[str, str] = Field(default_factory=dict)
    starts_at: str = Field("", alias="startsAt")
    ends_at: str = Field("", alias="endsAt")
    generator_url: str = Field("", alias="generatorURL")
    fingerprint: str = Field(min_length=1)
    # Of the group's route. Not a private attribute of pydantic's, whose every use is slow.
    _route_labels: ClassVar[Labels] = MappingProxyType({})

    @property
    def matching_labels(self) -> Labels:
        """What routing matches: the alert's labels, and those of Alertmanager's route that the
        alert does not have itself."""
        return {**self._route_labels, **self.labels} if self._route_labels else self.labels

    @property
    def route_runbook(self) -> str:
        """The runbook that Alertmanager's route names in its label `runbook`; or empty."""
        return self._route_labels.get("runbook", "")

    @property
    def name(self) -> str:
        """The `alertname` label, or empty."""
        return self.labels.get("alertname", "")

    @property
    def firing(self) -> bool:
        """Whether the alert fires."""
        return self.status is Status.FIRING

    @property
    def started(self) -> datetime | None:
        """When it started to fire, UTC."""
        return parse_time(self.starts_at)

    def added(self, name: str) -> Any:
        """What a sender such as Grafana adds under this name; None if it does not."""
        return (self.model_extra or {}).get(name)

    @property
    def ended(self) -> datetime | None:
        """When it was resolved, UTC; None while it fires."""
        return None if self.firing else parse_time(self.ends_at)


class Cut(NamedTuple):
    """How much was cut from a body to fit the limits: alerts, labels and annotations, values."""

    alerts: int = 0
    labels: int = 0
    values: int = 0


class AlertGroup(BaseModel):
    """A webhook body: alerts that Alertmanager sends as one notification."""

    model_config = ConfigDict(frozen=True, extra="allow", coerce_numbers_to_str=True)

    version: str = "4"
    group_key: str = Field(alias="groupKey", min_length=1)
    truncated_alerts: int = Field(0, alias="truncatedAlerts", ge=0)
    status: Status
    receiver: str = ""
    group_labels: dict[str, str] = Field(default_factory=dict, alias="groupLabels")
    common_labels: dict[str, str] = Field(default_factory=dict, alias="commonLabels")
    common_annotations: dict[str, str] = Field(default_factory=dict, alias="commonAnnotations")
    route_labels: dict[str, str] = Field(default_factory=dict, alias="routeLabels")
    external_url: str = Field("", alias="externalURL")
    notification_reason: str = ""
    alerts: tuple[Alert, ...] = Field(min_length=1)

    def model_post_init(self, _: Any) -> None:
        """The alerts know the labels of the route, since they are matched one by one."""
        if self.route_labels:
            for alert in self.alerts:
                vars(alert)["_route_labels"] = self.route_labels

    @classmethod
    def from_bytes(cls, raw: bytes) -> "AlertGroup":
        """The group in a request body. Raises PayloadError with what was expected and found."""
        try:
            return cls.model_validate_json(raw)
        except ValidationError:
            pass  # not Alertmanager's own form: normalize it, or report what is wrong
        data = normalize_group(parse_json(raw))
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise PayloadError("an Alertmanager webhook body", f"{where}: {first['msg']}") from None

    @classmethod
    def within(cls, limits: BodyLimits, raw: bytes) -> "tuple[AlertGroup, bytes]":
        """The group in a request body, and the body, both cut to the limits. No object over the
        limits is built, except from a small body. Raises PayloadError."""
        raw = raw.removeprefix(BOM_UTF8)
        if len(raw) <= SMALL_BODY:
            group = cls.from_bytes(raw)
            if len(raw) <= limits.value and group._is_within(limits):
                return group, raw
        body = trim(raw, limits)
        return cls.from_bytes(body), body

    def _is_within(self, limits: BodyLimits) -> bool:
        maps = [self.group_labels, self.common_labels, self.common_annotations, self.route_labels]
        for alert in self.alerts:
            maps += (alert.labels, alert.annotations)
        names: set[str] = set().union(*maps)  # nearly the same in all alerts
        return (
            len(self.alerts) <= limits.alerts
            and max(map(len, maps)) <= limits.labels
            # In characters, each of which has at most 4 bytes.
            and max(map(len, names), default=0) <= limits.name // 4
        )

    @property
    def cut(self) -> Cut:
        """How much a router cut from its body."""
        found = (self.model_extra or {}).get("alertRouterCut")
        counts = [found.get(name) for name in Cut._fields] if isinstance(found, dict) else ()
        return Cut(*(it if isinstance(it, int) and it > 0 else 0 for it in counts))

    @cached_property
    def firing(self) -> tuple[Alert, ...]:
        """The firing alerts, in order."""
        return tuple(alert for alert in self.alerts if alert.firing)

    @cached_property
    def resolved(self) -> tuple[Alert, ...]:
        """The resolved alerts, in order."""
        return tuple(alert for alert in self.alerts if not alert.firing)

    @cached_property
    def distinct(self) -> dict[str, int]:
        """How many values each label has among the alerts; no label at all counts as a value."""
        values: dict[str, set[str]] = {}
        counts: Counter[str] = Counter()
        for alert in self.alerts:
            counts.update(alert.labels.keys())
            for name, value in alert.labels.items():
                values.setdefault(name, set()).add(value)
        missing = {name for name, count in counts.items() if count < len(self.alerts)}
        return {name: len(found) + (name in missing) for name, found in values.items()}

    def only(self, fingerprints: frozenset[str]) -> "AlertGroup":
        """The group with only these alerts."""
        if all(alert.fingerprint in fingerprints for alert in self.alerts):
            return self
        return self.with_alerts(
            tuple(alert for alert in self.alerts if alert.fingerprint in fingerprints)
        )

    def with_alerts(self, alerts: tuple[Alert, ...]) -> "AlertGroup":
        """The group with other alerts; status, common labels and annotations follow from them."""
        firing = any(alert.firing for alert in alerts)
        group = self.model_copy(
            update={
                "alerts": alerts,
                "status": Status.FIRING if firing else Status.RESOLVED,
                "common_labels": common([alert.labels for alert in alerts]),
                "common_annotations": common([alert.annotations for alert in alerts]),
            }
        )
        for known in (
            "firing",
            "resolved",
            "distinct",
        ):  # a copy keeps the cached properties of the original
            group.__dict__.pop(known, None)
        return group

    def as_json(self) -> dict[str, Any]:
        """The group in the keys and order of Alertmanager's body, extra keys kept."""
        without = None if self.route_labels else {"route_labels"}
        return self.model_dump(mode="json", by_alias=True, exclude=without)


def common(maps: list[dict[str, str]]) -> dict[str, str]:
    """The entries that are equal in all maps."""
    if not maps:
        return {}
    first, *rest = maps
    return {
        name: value
        for name, value in first.items()
        if all(other.get(name) == value for other in rest)
    }


def parse_time(text: str) -> datetime | None:
    """An RFC 3339 time, UTC; None for Alertmanager's zero time, 1970, or invalid text."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):  # a year-0001 time with an offset overflows
        return None
    return moment if moment.year > 1970 else None
