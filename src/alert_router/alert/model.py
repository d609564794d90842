"""The payload model: an Alertmanager webhook body as an AlertGroup of Alerts.

Tolerant of what senders really send, strict where meaning would be lost. What becomes of a
group (routing, identity in the store) is decided elsewhere.
"""

from datetime import datetime
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from alert_router.alert.basics import PayloadError, Status, parse_time
from alert_router.alert.mend import mend_group, parse_json


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
        data = mend_group(parse_json(raw))
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
        group = self.model_copy(
            update={
                "alerts": alerts,
                "status": Status.FIRING if firing else Status.RESOLVED,
                "common_labels": common([alert.labels for alert in alerts]),
                "common_annotations": common([alert.annotations for alert in alerts]),
            }
        )
        for known in ("firing", "resolved"):  # a copy keeps what was computed of the original
            group.__dict__.pop(known, None)
        return group

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
