"""Where the trouble is, as PagerDuty has it: source, component, group and class, from labels.

The rest of an event is `event`'s.
"""

from collections.abc import Mapping, Sequence
from typing import Literal
from urllib.parse import urlsplit

from alert_router.alert import Alert, AlertGroup
from alert_router.markdown import visible
from alert_router.notify.links import is_web
from alert_router.notify.summary import one_line

Field = Literal["source", "component", "group", "class"]

_MAX_FIELD = 255  # characters; no limit is documented
_LOOKED_AT = 4 * _MAX_FIELD  # of a value that may be megabytes

FIELDS: Mapping[Field, tuple[str, ...]] = {
    "source": ("instance", "node", "host", "hostname", "pod", "service", "job", "cluster"),
    "component": ("component", "service", "app", "deployment", "statefulset", "container", "job"),
    "group": ("namespace", "environment", "cluster"),
    "class": ("alertname",),
}


def fields(
    group: AlertGroup, alerts: Sequence[Alert], labels: Mapping[Field, tuple[str, ...]]
) -> dict[str, str]:
    """The fields there are labels for, over these alerts of the group; a source in any case.
    `labels` come before the built-in ones."""
    found = {}
    for field, usual in FIELDS.items():
        names = labels.get(field, usual)
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
