"""A message's links: a silence already filled in, the pages that alerts name, and the sender's.

URLs come from alerts and are for people to follow, never for the router.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from alert_router.fields import LONGEST_URL, is_web_url
from alert_router.model import Alert, AlertGroup, common
from alert_router.notification import Notification
from alert_router.notify import wording

_MOST = 10  # links of a message
_MOST_ALIKE = 3  # with the same words, for different alerts
_MOST_SILENCES = 5
_MAX_WORDS = 80  # characters of a link's words
_MOST_ALERTS = 15  # whose pages are linked

# What Grafana adds to an alert.
_GRAFANA = {"panelURL": "Panel", "dashboardURL": "Dashboard", "imageURL": "Image"}
_RUNBOOK = "Runbook"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,40}")
_SUFFIX = re.compile(r"[_.-]?(?:url|uri|link)$", re.IGNORECASE)
_BETWEEN_WORDS = re.compile(r"[_.-]+|(?<=[a-z])(?=[A-Z])")
_ABBREVIATION = 3  # letters of a word that is written in capitals: SOP

Found = tuple[str, str, Alert | None]  # words, URL, the alert that it is about


def links(notification: Notification) -> list[tuple[str, str]]:
    """Pairs of words and URL, the most wanted first: the group's page, what readers can
    do with a link, a runbook that is not one of
    the router's, a silence, the pages of the alerts, the query, the sender. Only those that exist,
    all http or https. Words are plain text and may hold labels."""
    group = notification.group
    # Firing alerts first: the query behind a resolved one shows nothing.
    alerts = (*group.firing, *group.resolved)
    shown = alerts[:_MOST_ALERTS]
    without = {alert.fingerprint for alert in notification.without_runbook}
    pages = [each for alert in shown for each in _pages(alert, alert.fingerprint in without)]
    query = alerts[0].generator_url
    found: list[Found] = [
        *_own_page(notification),
        *((words, url, None) for words, url in notification.actions),
        *(page for page in pages if page[0] == _RUNBOOK),
        *_silences(notification),
        *(page for page in pages if page[0] != _RUNBOOK),
        (_query_words(query), query, None),
        ("Grafana" if _is_grafana(group) else "Alertmanager", group.external_url, None),
    ]
    return _named(found, notification)[:_MOST]


def _own_page(notification: Notification) -> Iterator[Found]:
    """The router's page of the group, with the steps and who does what."""
    if notification.groups and notification.external_url:
        base = notification.external_url.rstrip("/")
        words = "Steps" if notification.runbooks else "Details"
        yield words, f"{base}/groups/{quote(notification.groups[-1], safe='')}", None


def _named(found: Iterable[Found], notification: Notification) -> list[tuple[str, str]]:
    """Each URL once; where several have the same words, the subject of the alert follows them."""
    urls: dict[str, dict[str, Alert | None]] = {}
    seen: set[str] = set()
    for words, url, alert in found:
        if url not in seen and is_web_url(url):
            seen.add(url)
            urls.setdefault(words, {})[url] = alert
    pairs = []
    for words, alike in urls.items():
        for url, alert in list(alike.items())[:_MOST_ALIKE]:
            about = wording.subject(alert, notification) if alert and len(alike) > 1 else ""
            pairs.append((wording.one_line(f"{words} {about}", _MAX_WORDS), url))
    return pairs


def _pages(alert: Alert, without_runbook: bool) -> Iterator[Found]:
    """The pages that an alert's sender and its annotations name."""
    for name, words in _GRAFANA.items():
        if isinstance(url := alert.added(name), str):
            yield words, url, alert
    for name, url in alert.annotations.items():
        if url[:8].lower().startswith(("http://", "https://")) and _is_page(name):
            words = _words(name)
            if words != _RUNBOOK or without_runbook:
                yield words, url, alert


def _is_page(annotation: str) -> bool:
    return annotation not in wording.TEXTS and bool(_NAME.fullmatch(annotation))


def _words(name: str) -> str:
    """`dashboard_url` is `Dashboard`, `sop_url` is `SOP`, `grafanaPanel` is `Grafana panel`."""
    words = _BETWEEN_WORDS.sub(" ", _SUFFIX.sub("", name)).split() or ["Link"]
    first, *rest = (word.upper() if len(word) <= _ABBREVIATION else word.lower() for word in words)
    return " ".join((first[:1].upper() + first[1:], *rest))


def _query_words(url: str) -> str:
    """The page behind `generatorURL`: Prometheus links the query, vmalert and Grafana others."""
    if "/vmalert/" in url:
        return "Alert"
    return "Rule" if "/alerting/" in url else "Query"


def _is_grafana(group: AlertGroup) -> bool:
    return any(group.alerts[0].added(name) for name in ("silenceURL", *_GRAFANA))


def _silences(notification: Notification) -> Iterator[Found]:
    """A silence for what all alerts share if that names the alert; otherwise one for each firing
    alert, since a silence for a severity or a namespace would cover what is not in the group."""
    group = notification.group
    if not group.firing:
        return
    labels = common([alert.labels for alert in group.alerts])
    if group.truncated_alerts:  # the alerts that were left out may differ more
        labels = {name: v for name, v in labels.items() if group.common_labels.get(name) == v}
    if labels.get("alertname"):
        yield "Silence", _silence(group, labels), None
        return
    for alert in group.firing[:_MOST_SILENCES]:
        about = wording.subject(alert, notification)
        yield f"Silence {about}".strip(), _silence(group, alert.labels), None


def _silence(group: AlertGroup, labels: Mapping[str, str]) -> str:
    if not _is_grafana(group):
        return silence(group.external_url, labels)
    given = next(filter(None, (alert.added("silenceURL") for alert in group.firing)), None)
    if not isinstance(given, str) or not is_web_url(given) or _is_long(labels):
        return ""
    if not _is_same_host(given, group.external_url):
        return ""
    if len(group.alerts) == 1:
        return given
    # The page of one alert, with the matchers of the group.
    page, _, query = given.partition("?")
    kept = [(name, value) for name, value in parse_qsl(query) if name in ("alertmanager", "orgId")]
    matchers = [
        ("matcher", f"{name}={value}")
        for name, value in labels.items()
        if not name.startswith("__") or name == "__alert_rule_uid__"
    ]
    url = f"{page}?{urlencode([*kept, *matchers], errors='replace')}"
    return url if len(url) <= LONGEST_URL else ""


def _is_same_host(url: str, other: str) -> bool:
    return is_web_url(other) and urlsplit(url).hostname == urlsplit(other).hostname


def silence(alertmanager: str, labels: Mapping[str, str]) -> str:
    """Alertmanager's page for a new silence on exactly these labels, to be reviewed before it is
    created; empty where there is no Alertmanager or the URL would be too long. The form of the
    filter is that of Alertmanager's user interface (`#/silences/new?filter=`)."""
    return _filtered(alertmanager, "silences/new", labels) if labels else ""


def alerts(group: AlertGroup) -> str:
    """The sender's page of all alerts with the group's labels, or of all alerts where that URL
    would be too long; empty where there is no sender."""
    url = group.external_url
    if _is_grafana(group):
        return f"{url.rstrip('/')}/alerting/list" if is_web_url(url) else ""
    return _filtered(url, "alerts", group.group_labels) or _filtered(url, "alerts", {})


def _is_long(labels: Mapping[str, str]) -> bool:
    # A URL only grows from here on, and encoding a label of megabytes takes seconds.
    return sum(map(len, chain(labels, labels.values()))) > LONGEST_URL


def _filtered(alertmanager: str, page: str, labels: Mapping[str, str]) -> str:
    if _is_long(labels):
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
