"""The words that every destination shares: titles, alerts in short, provenance, notes."""

import re
from collections.abc import Sequence
from datetime import datetime
from itertools import islice

from alert_router.markdown import Block, Paragraph, plain
from alert_router.model import Alert, AlertGroup
from alert_router.model.severity import Grade
from alert_router.notification import Detail, Notification, RunbookPart
from alert_router.runbook.model import Step

# Labels that identify what is affected, in the order in which people ask; others follow.
_IDENTIFYING = ("namespace", "pod", "container", "instance", "node", "job", "service", "component")
_NOISE = ("alertname", "severity", "prometheus", "uid", "endpoint")
# Annotations that say what an alert is about, the shortest first.
TEXTS = ("summary", "message", "description")
_VALUES = ("value", "current_value")
_MOST_VALUES = 5  # of one alert
_VALUE_STRING = re.compile(r"(?:var|metric)='([^'\n]{1,40})'[^\[\]]{0,400}?\bvalue=([^\s\]]{1,40})")
_MOST_ALERTS = {Detail.FULL: 15, Detail.FIRST_STEPS: 10, Detail.TITLES: 10, Detail.MINIMAL: 5}
_LONGEST_VALUE = 500  # characters
_LONGEST_LINE = 16_384  # characters; an annotation may hold megabytes of lines
_LONGEST_TEXT = 500  # characters of a description
_MAX_SHOWN = 60  # characters of a name or a value where there is little room
_MOST_SUBJECTS = 3

NO_RUNBOOK = "No runbook is mapped to this."


def cut_note(service: str) -> str:
    """The line for what was left out of a message."""
    return f"This is more than a {service} message can hold: see the runbook page."


def too_long(service: str) -> str:
    """What is shown instead of a command that does not fit, since half of one is worse."""
    return f"(A command too long for {service}: see the runbook page.)"


def would_change(service: str) -> str:
    """What is shown instead of a command that the service would not show exactly."""
    return f"(A command that {service} would change: see the runbook page.)"


def one_line(text: str, limit: int | None = None) -> str:
    """Text on one line and, with a limit, at most that many characters."""
    # Alerts may hold megabytes: do not process what is cut off.
    line = " ".join((text if limit is None else text[: 4 * limit]).split())
    return line if limit is None or len(line) <= limit else line[: limit - 1] + "…"


def grade(notification: Notification) -> Grade:
    """The worst severity that fires; `resolved` if none does."""
    return notification.scale.worst(notification.group.firing)


def title(notification: Notification) -> str:
    """`KubePodCrashLooping (2 firing, 1 resolved)`; counts only where there is more than one.
    A template's title replaces it."""
    if notification.title:
        return notification.title
    group = notification.group
    names = list(dict.fromkeys(name_of(alert) for alert in group.alerts))
    shown = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
    counts = [
        f"{len(alerts)} {word}"
        for alerts, word in ((group.firing, "firing"), (group.resolved, "resolved"))
        if alerts
    ]
    if group.truncated_alerts:
        counts.append(f"{group.truncated_alerts} more left out")
    return f"{shown} ({', '.join(counts)})" if len(group.alerts) > 1 or len(counts) > 1 else shown


def name_of(alert: Alert) -> str:
    """The alert's name, on one line; a placeholder where it has none."""
    return one_line(alert.name, 200) or "alert without a name"


def texts(alert: Alert) -> tuple[str, str]:
    """An alert's summary, and what else it says of itself on one line; its name without both."""
    given = (alert.annotations.get(name, "")[:_LONGEST_LINE].strip() for name in TEXTS)
    first, *others = [*filter(None, given)] or [name_of(alert)]
    headline, *rest = first.splitlines()
    more = (one_line(text, _LONGEST_TEXT) for text in (" ".join(rest), *others))
    return headline, " ".join(dict.fromkeys(text for text in more if text not in ("", headline)))


def headline(alert: Alert) -> str:
    """An alert's summary, else its description's first line, else its name."""
    return texts(alert)[0]


def value(alert: Alert) -> str:
    """`value 97.2`, `value B=97.2, C=1`: what the alert measured, empty if it does not say."""
    for name in _VALUES:
        if text := one_line(alert.annotations.get(name, ""), _MAX_SHOWN):
            return f"value {text}"
    values = alert.added("values")
    pairs: list[tuple[str, object]] = []
    if isinstance(values, dict):
        pairs = [(str(name), each) for name, each in values.items() if not isinstance(each, dict)]
    elif isinstance(text := alert.added("valueString"), str):
        pairs = [*_VALUE_STRING.findall(text[: 4 * _LONGEST_TEXT])]
    shown = [
        one_line(f"{name}={each:.6g}" if isinstance(each, float) else f"{name}={each}", _MAX_SHOWN)
        for name, each in pairs[:_MOST_VALUES]
    ]
    return f"value {', '.join(shown)}" if shown else ""


def subject(alert: Alert, notification: Notification, most: int = 2) -> str:
    """What an alert is about, in short: `namespace=prod pod=a-1`, of labels that tell it apart."""
    names = differing(notification.group)
    if len(notification.group.alerts) == 1:
        names = [name for name, _ in labels(alert, notification.telling)]
    names = [name for name in names if name == "alertname" or name not in _NOISE]
    pairs = ((name, alert.labels[name]) for name in names if alert.labels.get(name))
    return " ".join(
        f"{one_line(name, _MAX_SHOWN)}={one_line(text, _MAX_SHOWN)}"
        for name, text in islice(pairs, most)
    )


def push(notification: Notification, limit: int) -> str:
    """What a phone shows of a message: severity, name, summary and subject, on one line."""
    group = notification.group
    text = f"{grade(notification).word}: {title(notification)}"
    if notification.title:
        return one_line(text, limit)
    summaries = list(dict.fromkeys(map(headline, alerts(notification, Detail.MINIMAL)[0])))
    if summaries[0] != name_of(group.alerts[0]):
        text += f": {one_line(summaries[0], limit)}" + ("; ..." if len(summaries) > 1 else "")
    subjects = dict.fromkeys(
        subject(alert, notification) for alert in group.alerts[:_MOST_SUBJECTS]
    )
    if about := ", ".join(filter(None, subjects)):
        more = ", ..." if len(group.alerts) > _MOST_SUBJECTS else ""
        text += f" ({about}{more})"
    return one_line(text, limit)


def line(alert: Alert, summary: str) -> str:
    """The summary; for a resolved alert that it is, and after how long."""
    if alert.firing:
        return summary
    lasted = duration(alert.started, alert.ended)
    after = f" (after {lasted})" if lasted else ""
    return f"resolved: {summary}{after}" if summary else f"resolved{after}"


def alerts(notification: Notification, detail: Detail) -> tuple[tuple[Alert, ...], int]:
    """The alerts to show, firing ones first, and how many more there are."""
    group, most = notification.group, _MOST_ALERTS[detail]
    return (*group.firing, *group.resolved)[:most], max(len(group.alerts) - most, 0)


def without_runbook(notification: Notification) -> str:
    """Which alerts have no runbook, where others have one."""
    names = dict.fromkeys(name_of(alert) for alert in notification.without_runbook)
    return f"No runbook is mapped to {one_line(', '.join(names), 200)}."


def labels(alert: Alert, telling: Sequence[str] = ()) -> list[tuple[str, str]]:
    """The labels that identify the alert, the most useful first: `telling`, then others."""
    others = sorted((name for name in alert.labels if _is_shown(name)), key=_order)
    first = [name for name in telling if name in alert.labels]
    return [(name, alert.labels[name]) for name in dict.fromkeys((*first, *others))]


def differing(group: AlertGroup) -> list[str]:
    """The labels in which the alerts of a group differ, those with the most values first."""
    counts = {name: count for name, count in group.distinct.items() if count > 1}
    return sorted(
        (name for name in counts if not name.startswith("__")),
        key=lambda name: (name != "alertname", name in _NOISE, -counts[name], _order(name)),
    )


def shared(group: AlertGroup) -> list[tuple[str, str]]:
    """The labels that all alerts of a group have alike, the most useful first."""
    return [pair for pair in labels(group.alerts[0]) if group.distinct[pair[0]] == 1]


def _order(name: str) -> tuple[int, str]:
    return (_IDENTIFYING.index(name) if name in _IDENTIFYING else len(_IDENTIFYING), name)


def _is_shown(name: str) -> bool:
    # Grafana's own labels begin with two underscores.
    return name not in _NOISE and not name.startswith("__")


def provenance(part: RunbookPart) -> str:
    """A runbook's id, date and owner: `alerts/x, last updated 2026-11-23, SRE Team`."""
    parts = [part.id]
    if part.last_updated:
        parts.append(f"last updated {part.last_updated}")
    if part.owner:
        parts.append(part.owner)
    return ", ".join(parts)


def about(part: RunbookPart, notification: Notification) -> str:
    """Which alerts a runbook is for, and which alert its commands are filled for; empty where
    there is only one answer."""
    parts: list[str] = []
    if len(part.alerts) < len(notification.group.alerts):
        names = dict.fromkeys(name_of(alert) for alert in part.alerts)
        parts.append(f"for {', '.join(names)} ({len(part.alerts)})")
    if part.commands_for is not None:
        which = subject(part.commands_for, notification, 4)
        parts.append(f"commands are for {name_of(part.commands_for)} {which}".rstrip())
    return one_line("; ".join(parts))


def is_whole(number: int, detail: Detail) -> bool:
    """Whether the step of that number, from 1, is shown in full."""
    return detail is Detail.FULL or (detail is Detail.FIRST_STEPS and number == 1)


def shown_value(name: str, value: str) -> str:
    """A value that was not filled into the command above it, on one line."""
    # Spaces stay as they are: the reader types what is shown.
    shown = value.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    if len(shown) > _LONGEST_VALUE:
        shown = shown[: _LONGEST_VALUE - 1] + "…"
    return f"{name} = {shown}"


def opening(step: Step) -> tuple[Paragraph | None, tuple[Block, ...]]:
    """The paragraph that a step's title was taken from, to be shown instead of the title, and
    what follows it. None where the title is separate (a heading)."""
    if not step.blocks:
        return None, ()
    first, rest = step.blocks[0], step.blocks[1:]
    if isinstance(first, Paragraph):
        words = " ".join(plain(first.children).split())
        if words.startswith(step.title.removesuffix("…")):
            return first, rest
    return None, step.blocks


def duration(start: datetime | None, end: datetime | None) -> str:
    """`1h 4m`, `12s`; empty where a time is missing."""
    if start is None or end is None or end < start:
        return ""
    seconds = int((end - start).total_seconds())
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"
