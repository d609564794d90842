"""Where the trouble is, as PagerDuty has it: source, component, group and class, from labels.

The rest of an event is `event`'s.
"""

from collections.abc import Mapping, Sequence
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from alert_router.markdown import visible
from alert_router.model import Alert, AlertGroup
from alert_router.notify.links import is_web
from alert_router.notify.summary import one_line

Name = Literal["source", "component", "group", "class"]
Names = tuple[str, ...]

_MAX_FIELD = 255  # characters; no limit is documented
_LOOKED_AT = 4 * _MAX_FIELD  # of a value that may be megabytes

FIELDS: Mapping[Name, Names] = {
    "source": ("instance", "node", "host", "hostname", "pod", "service", "job", "cluster"),
    "component": ("component", "service", "app", "deployment", "statefulset", "container", "job"),
    "group": ("namespace", "environment", "cluster"),
    "class": ("alertname",),
}


class Labels(BaseModel):
    """The labels that each field is taken from, instead of the built-in ones."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    source: Names = FIELDS["source"]
    component: Names = FIELDS["component"]
    group: Names = FIELDS["group"]
    class_: Names = Field(FIELDS["class"], alias="class")

    def of(self, field: Name) -> Names:
        """The names of a field's labels, the first wanted first."""
        found: Names = getattr(self, "class_" if field == "class" else field)
        return found


def fields(group: AlertGroup, alerts: Sequence[Alert], labels: Labels) -> dict[str, str]:
    """The fields there are labels for, over these alerts of the group; a source in any case."""
    found: dict[str, str] = {}
    for field in FIELDS:
        names = labels.of(field)
        values = dict.fromkeys(filter(None, (_first(alert, names) for alert in alerts)))
        if values:
            more = f" and {len(values) - 1} more" if len(values) > 1 else ""
            first = next(iter(values))
            found[field] = one_line(visible(first[:_LOOKED_AT]), _MAX_FIELD - len(more)) + more
    return {"source": _sender(group)} | found


def _first(alert: Alert, names: Sequence[str]) -> str:
    """The first of these labels that the alert has."""
    return next((value for name in names if (value := alert.labels.get(name, "").strip())), "")


def _sender(group: AlertGroup) -> str:
    """Where an alert without any telling label comes from; PagerDuty wants a source."""
    host = urlsplit(group.external_url).hostname if is_web(group.external_url) else None
    return (host or "Alertmanager")[:_MAX_FIELD]
