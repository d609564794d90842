"""A message's links: the query behind the alert, Alertmanager, and a silence already filled in."""

from collections.abc import Mapping
from urllib.parse import quote

from alert_router.fields import LONGEST_URL, is_web_url
from alert_router.notification import Notification


def links(notification: Notification) -> list[tuple[str, str]]:
    """Pairs of words and URL, the most wanted first: Silence, Query, Alertmanager. Only those that
    exist, all http or https, and no silence for what is resolved. URLs come from the alerts and
    are for people to follow, never for the router."""
    group = notification.group
    # Firing alerts first: the query behind a resolved one shows nothing.
    alerts = (*group.firing, *group.resolved)
    found = [
        ("Silence", silence(group.external_url, group.common_labels) if group.firing else ""),
        ("Query", alerts[0].generator_url),
        ("Alertmanager", group.external_url),
    ]
    return [(words, url) for words, url in found if is_web_url(url)]


def silence(alertmanager: str, labels: Mapping[str, str]) -> str:
    """Alertmanager's page for a new silence on exactly these labels, to be reviewed before it is
    created; empty where there is no Alertmanager or the URL would be too long. The form of the
    filter is that of Alertmanager's user interface (`#/silences/new?filter=`)."""
    return _filtered(alertmanager, "silences/new", labels) if labels else ""


def alerts(alertmanager: str, labels: Mapping[str, str]) -> str:
    """Alertmanager's page of all alerts with these labels, or of all alerts where that URL would
    be too long; empty where there is no Alertmanager."""
    return _filtered(alertmanager, "alerts", labels) or _filtered(alertmanager, "alerts", {})


def _filtered(alertmanager: str, page: str, labels: Mapping[str, str]) -> str:
    # The URL only grows from here on, and encoding a label of megabytes takes seconds.
    if sum(map(len, (*labels, *labels.values()))) > LONGEST_URL:
        return ""
    matchers = ",".join(f"{_name(name)}={_quoted(value)}" for name, value in labels.items())
    wanted = f"?filter={quote(f'{{{matchers}}}', safe='', errors='replace')}" if labels else ""
    url = f"{alertmanager.rstrip('/')}/#/{page}{wanted}"
    return url if is_web_url(alertmanager) and len(url) <= LONGEST_URL else ""


def encoded(url: str) -> str:
    """The URL in ASCII: characters that no URL has are percent-encoded, others stay."""
    return quote(url, safe="%/:=&?~#+!$,;'@()*[]-._", errors="replace")


def _name(name: str) -> str:
    plain = (
        bool(name) and name.isascii() and name.replace("_", "a").isalnum() and not name[0].isdigit()
    )
    return name if plain else _quoted(name)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
