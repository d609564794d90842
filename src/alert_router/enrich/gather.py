"""From an alert group to a notification: alerts gathered by runbook, runbooks filled.

Nothing in here may lose an alert: trouble with one runbook is a note, and its alerts go out with
its title and a link.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain
from urllib.parse import quote

from alert_router.enrich.choose import Choice
from alert_router.enrich.fill import filling
from alert_router.enrich.placeholder import AlertLabels
from alert_router.markdown import Heading, Text, plain
from alert_router.model import Alert, AlertGroup, common
from alert_router.notification import Notification, RunbookPart
from alert_router.runbook.model import Runbook, Section

# Characters of labels and annotations in one group for which runbooks are chosen: a table is asked
# about each alert, and others wait for their messages.
_BUDGET = 2_000_000

_LAST = datetime.max.replace(tzinfo=UTC)


def enrich(
    bare: Notification,
    *,
    choose: Callable[[Alert], Choice],
    runbook: Callable[[str], Runbook | None],
    firing_sections: Sequence[str],
    resolved_sections: Sequence[str],
) -> Notification:
    """The notification with the runbooks of its group, and notes on what went wrong. Sections
    are given by standard name, in the order to show.

    Each runbook comes once, with its alerts, in the order of their first firing alert; those all
    of whose alerts are resolved come last, and in a firing group without sections.
    """
    group, base = bare.group, bare.external_url.rstrip("/")
    gathered = _gather(group, choose)
    firing = bool(group.firing)
    wanted = firing_sections if firing else resolved_sections
    parts = []
    for runbook_id, alerts in gathered.by_runbook.items():
        about = [alert for alert in alerts if alert.firing] if firing else alerts
        part = RunbookPart(
            id=runbook_id,
            title=runbook_id,
            url=f"{base}/runbooks/{quote(runbook_id, errors='replace')}",
            alerts=tuple(alerts),
        )
        try:
            part = _fill(part, runbook(runbook_id), about, wanted, firing)
        except MemoryError:  # nothing is wrong with the runbook: it is tried again
            raise
        except Exception as error:
            gathered.note(f"The runbook {runbook_id} could not be shown: {type(error).__name__}.")
            part = _titled(part, runbook)
        parts.append(part)
    return replace(
        bare,
        runbooks=tuple(parts),
        without_runbook=tuple(gathered.without),
        notes=(*bare.notes, *gathered.notes),
    )


@dataclass(slots=True)
class _Gathered:
    by_runbook: dict[str, list[Alert]] = field(default_factory=dict)
    without: list[Alert] = field(default_factory=list)
    notes: dict[str, None] = field(default_factory=dict)

    def note(self, sentence: str) -> None:
        """Add a note, once."""
        self.notes[sentence] = None


def _gather(group: AlertGroup, choose: Callable[[Alert], Choice]) -> _Gathered:
    gathered = _Gathered()
    chosen: dict[str, list[Alert]] = {}
    left = _BUDGET
    for number, alert in enumerate(group.alerts):
        left -= sum(map(len, chain(alert.labels.values(), alert.annotations.values())))
        if left < 0 and number:
            rest = group.alerts[number:]
            gathered.note(
                f"No runbook was chosen for {len(rest):,} of the alerts: the group is too large."
            )
            gathered.without += rest
            break
        try:
            choice = choose(alert)
        except MemoryError:
            raise
        except Exception as error:
            gathered.note(f"{alert.name}: no runbook could be chosen: {type(error).__name__}.")
            gathered.without.append(alert)
            continue
        if choice.problem:
            gathered.note(choice.problem)
        if choice.runbook is None:
            gathered.without.append(alert)
        else:
            chosen.setdefault(choice.runbook, []).append(alert)
    firing = [id for id, alerts in chosen.items() if any(alert.firing for alert in alerts)]
    firing.sort(key=lambda id: _first_firing(chosen[id], group))
    gathered.by_runbook = {id: chosen[id] for id in dict.fromkeys((*firing, *chosen))}
    return gathered


def _first_firing(alerts: Sequence[Alert], group: AlertGroup) -> int:
    first = next(alert for alert in alerts if alert.firing)
    return next(index for index, alert in enumerate(group.alerts) if alert is first)


def _fill(
    part: RunbookPart,
    runbook: Runbook | None,
    about: Sequence[Alert],
    wanted: Sequence[str],
    firing: bool,
) -> RunbookPart:
    """The part with its title and, for the alerts that it is about, its sections."""
    if runbook is None:
        raise LookupError(part.id)
    sections: tuple[Section, ...] = ()
    commands_for = None
    if about:
        oldest = min(about, key=lambda alert: alert.started or _LAST)
        labels = AlertLabels(oldest.labels)
        prepared = filling(runbook, part.url)
        sections = tuple(
            prepared.section(section, labels) for section in _pick(runbook, wanted, firing)
        )
        shared = common([alert.labels for alert in about])
        if not labels.used <= shared.keys():
            commands_for = oldest
    return RunbookPart(
        id=part.id,
        title=runbook.title or part.id,
        url=part.url,
        alerts=part.alerts,
        sections=sections,
        commands_for=commands_for,
        owner=runbook.metadata.get("owner", ""),
        last_updated=runbook.metadata.get("last_updated", ""),
    )


def _titled(part: RunbookPart, runbook: Callable[[str], Runbook | None]) -> RunbookPart:
    """The part with no more than its title."""
    try:
        found = runbook(part.id)
        title = found.title if found else ""
    except Exception:
        title = ""
    return RunbookPart(part.id, title or part.id, part.url, part.alerts)


def _pick(runbook: Runbook, wanted: Sequence[str], firing: bool) -> list[Section]:
    """The wanted sections that the runbook has; for a firing alert at least something."""
    picked = [
        section
        for name in dict.fromkeys(wanted)
        for section in runbook.sections
        if _is_called(section, name)
    ]
    if picked or not wanted or not firing:
        return picked
    if runbook.sections:
        return [next((s for s in runbook.sections if s.steps), runbook.sections[0])]
    blocks = tuple(
        block for block in runbook.blocks if not (isinstance(block, Heading) and block.level == 1)
    )
    return [Section("", (Text(runbook.title),), blocks)] if blocks else []


def _is_called(section: Section, name: str) -> bool:
    given = section.name or plain(section.title).strip()
    return given.casefold() == name.casefold()
