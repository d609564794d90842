"""What every rendering says in words: title, severity, alerts in short, provenance, duration.

Wording and colours of severities stand here once; markup and limits are each notifier's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from alert_router.alert import Alert
from alert_router.markdown import Block, Paragraph, plain
from alert_router.notification import Notification, RunbookPart
from alert_router.runbook.model import Step

# Labels that say which thing it is, in the order in which people ask; others follow.
_TELLING = ("namespace", "pod", "container", "instance", "node", "job", "service", "component")
_NOISE = frozenset({"alertname", "severity", "prometheus", "uid", "endpoint"})


@dataclass(frozen=True, slots=True)
class Look:
    """How a severity is shown: a word, an emoji, a colour as #rrggbb and as a terminal has it."""

    word: str
    emoji: str
    colour: str
    terminal: str


CRITICAL = Look("CRITICAL", "🔴", "#d92d20", "red")
WARNING = Look("WARNING", "🟠", "#f79009", "yellow")
INFO = Look("INFO", "🔵", "#2e90fa", "blue")
RESOLVED = Look("RESOLVED", "🟢", "#17b26a", "green")

_LOOKS = {
    **dict.fromkeys(("critical", "page", "emergency", "fatal", "p0", "p1", "s1"), CRITICAL),
    **dict.fromkeys(("warning", "error", "p2", "p3", "s2", "s3", ""), WARNING),
    **dict.fromkeys(("info", "none", "notice", "p4", "s4"), INFO),
}


def look(notification: Notification) -> Look:
    """The look of the worst severity that fires; resolved if none does."""
    firing = notification.group.firing
    if not firing:
        return RESOLVED
    looks = [_LOOKS.get(alert.labels.get("severity", "").lower(), WARNING) for alert in firing]
    return min(looks, key=(CRITICAL, WARNING, INFO).index)


def title(notification: Notification) -> str:
    """`KubePodCrashLooping (2 firing, 1 resolved)`; counts only where there is more than one."""
    group = notification.group
    names = list(dict.fromkeys(alert.name or "alert without a name" for alert in group.alerts))
    shown = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
    counts = [
        f"{len(alerts)} {word}"
        for alerts, word in ((group.firing, "firing"), (group.resolved, "resolved"))
        if alerts
    ]
    if group.truncated_alerts:
        counts.append(f"{group.truncated_alerts} more not sent by Alertmanager")
    return f"{shown} ({', '.join(counts)})" if len(group.alerts) > 1 or len(counts) > 1 else shown


def headline(alert: Alert) -> str:
    """What an alert says of itself: its summary, else its description's first line, else its
    name."""
    for name in ("summary", "message", "description"):
        text = alert.annotations.get(name, "").strip()
        if text:
            return text.splitlines()[0]
    return alert.name or "alert without a name"


def labels(alert: Alert, besides: Sequence[str] = ()) -> list[tuple[str, str]]:
    """The labels that tell the alert from others, most telling first; those in `besides` are
    said elsewhere."""
    names = [name for name in _TELLING if name in alert.labels]
    names += sorted(set(alert.labels) - set(names) - _NOISE)
    return [(name, alert.labels[name]) for name in names if name not in besides]


def provenance(part: RunbookPart) -> str:
    """Where a runbook comes from: `alerts/x, last updated 2026-11-23, SRE Team`."""
    parts = [part.id]
    if part.last_updated:
        parts.append(f"last updated {part.last_updated}")
    if part.owner:
        parts.append(part.owner)
    return ", ".join(parts)


def about(part: RunbookPart, notification: Notification) -> str:
    """Which alerts a runbook is for and whose labels its commands carry; empty where there is
    only one answer."""
    said: list[str] = []
    if len(part.alerts) < len(notification.group.alerts):
        names = dict.fromkeys(alert.name for alert in part.alerts)
        said.append(f"for {', '.join(names)} ({len(part.alerts)})")
    if part.commands_for is not None:
        pairs = labels(part.commands_for)[:4]
        telling = " ".join(f"{name}={value}" for name, value in pairs)
        said.append(f"commands are for {part.commands_for.name} {telling}".rstrip())
    return "; ".join(said)


def opening(step: Step) -> tuple[Paragraph | None, tuple[Block, ...]]:
    """The paragraph that a step's title was taken from, to be shown in the title's place, and
    what follows it. None where the title stands apart (a heading)."""
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


def lasted(alert: Alert) -> str:
    """How long a resolved alert fired; empty where that is not known."""
    return duration(alert.started, alert.ended)
