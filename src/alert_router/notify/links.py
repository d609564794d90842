"""Where a message leads: the query behind it, Alertmanager, and a silence already filled in.

How a link looks, and which addresses a destination takes, is each notifier's.
"""

import re
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from alert_router.notification import Notification

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST = 1800  # characters; browsers and chats take 2,000


def links(notification: Notification) -> list[tuple[str, str]]:
    """Pairs of words and address, in the order in which they are wanted: Silence, Query,
    Alertmanager. Only those there are, all http or https, and no silence for what is over;
    addresses come from the alerts and are for people to follow, never for the router."""
    group = notification.group
    # What fires is asked for first: the query behind an alert that is over shows nothing.
    alerts = (*group.firing, *group.resolved)
    found = [
        ("Silence", silence(group.external_url, group.common_labels) if group.firing else ""),
        ("Query", alerts[0].generator_url),
        ("Alertmanager", group.external_url),
    ]
    return [(words, url) for words, url in found if is_web(url)]


def silence(alertmanager: str, labels: Mapping[str, str]) -> str:
    """Alertmanager's page for a new silence on exactly these labels, to be looked at before it is
    made; empty where there is no Alertmanager or the address would be too long. The form of the
    filter is that of Alertmanager's own user interface (`#/silences/new?filter=`)."""
    return _filtered(alertmanager, "silences/new", labels) if labels else ""


def alerts(alertmanager: str, labels: Mapping[str, str]) -> str:
    """Alertmanager's page of all alerts with these labels; of all there are, where that address
    would be too long; empty where there is no Alertmanager."""
    return _filtered(alertmanager, "alerts", labels) or _filtered(alertmanager, "alerts", {})


def _filtered(alertmanager: str, page: str, labels: Mapping[str, str]) -> str:
    # An address only grows from here on, and to encode a label of megabytes takes seconds.
    if sum(map(len, (*labels, *labels.values()))) > _LONGEST:
        return ""
    matchers = ",".join(f"{_name(name)}={_quoted(value)}" for name, value in labels.items())
    wanted = f"?filter={quote(f'{{{matchers}}}', safe='', errors='replace')}" if labels else ""
    url = f"{alertmanager.rstrip('/')}/#/{page}{wanted}"
    return url if is_web(alertmanager) and len(url) <= _LONGEST else ""


def is_web(url: str) -> bool:
    """Whether a browser goes there: http or https, with a host, no space or control character,
    and not absurdly long."""
    if len(url) > _LONGEST or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme.lower() in ("http", "https") and bool(parts.netloc)


def encoded(url: str) -> str:
    """The address in ASCII: what is no part of a URL is percent-encoded, what is stays."""
    return quote(url, safe="%/:=&?~#+!$,;'@()*[]-._", errors="replace")


def _name(name: str) -> str:
    plain = (
        bool(name) and name.isascii() and name.replace("_", "a").isalnum() and not name[0].isdigit()
    )
    return name if plain else _quoted(name)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
