"""The words that every destination shares: titles, alerts in short, provenance, notes."""

from datetime import datetime

from alert_router.markdown import Block, Paragraph, plain
from alert_router.model import Alert
from alert_router.model.severity import Grade
from alert_router.notification import Detail, Notification, RunbookPart
from alert_router.runbook.model import Section, Step

# Labels that identify what is affected, in the order in which people ask; others follow.
_IDENTIFYING = ("namespace", "pod", "container", "instance", "node", "job", "service", "component")
_NOISE = frozenset({"alertname", "severity", "prometheus", "uid", "endpoint"})
_MOST_ALERTS = {Detail.FULL: 15, Detail.FIRST_STEPS: 10, Detail.TITLES: 10, Detail.MINIMAL: 5}
_LONGEST_VALUE = 500  # characters
_LONGEST_LINE = 16_384  # characters; an annotation may hold megabytes of lines

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


def headline(alert: Alert) -> str:
    """An alert's summary, else its description's first line, else its name."""
    for name in ("summary", "message", "description"):
        if text := alert.annotations.get(name, "").strip():
            return text[:_LONGEST_LINE].splitlines()[0]
    return name_of(alert)


def line(alert: Alert, limit: int) -> str:
    """The headline; for a resolved alert that it is, and after how long."""
    state = "" if alert.firing else "resolved: "
    lasted = duration(alert.started, alert.ended)
    after = f" (after {lasted})" if lasted else ""
    return f"{state}{one_line(headline(alert), limit)}{after}"


def alerts(notification: Notification, detail: Detail) -> tuple[tuple[Alert, ...], int]:
    """The alerts to show, firing ones first, and how many more there are."""
    group, most = notification.group, _MOST_ALERTS[detail]
    return (*group.firing, *group.resolved)[:most], max(len(group.alerts) - most, 0)


def without_runbook(notification: Notification) -> str:
    """Which alerts have no runbook, where others have one."""
    names = dict.fromkeys(name_of(alert) for alert in notification.without_runbook)
    return f"No runbook is mapped to {one_line(', '.join(names), 200)}."


def labels(alert: Alert) -> list[tuple[str, str]]:
    """The labels that identify the alert, the most useful first."""
    names = [name for name in _IDENTIFYING if name in alert.labels]
    names += sorted(set(alert.labels) - set(names) - _NOISE)
    return [(name, alert.labels[name]) for name in names]


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
        pairs = labels(part.commands_for)[:4]
        identifying = " ".join(f"{name}={value}" for name, value in pairs)
        parts.append(f"commands are for {name_of(part.commands_for)} {identifying}".rstrip())
    return one_line("; ".join(parts))


def heading(section: Section) -> str:
    """A section's standard name, else its heading."""
    return section.name or plain(section.title) or "Section"


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
