"""From an alert group to a notification: alerts grouped by runbook, runbooks filled.

Nothing here may lose an alert: trouble with one runbook is a note, and its alerts are sent with its
title and a link.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from urllib.parse import quote

from alert_router.enrich.fill import filling
from alert_router.enrich.placeholders import DEFAULT_RULES, AlertLabels, LabelRules
from alert_router.enrich.select import Choice
from alert_router.markdown import plain
from alert_router.model import Alert, AlertGroup, common
from alert_router.notification import Notification, RunbookPart
from alert_router.runbook.alert_sections import with_own_rows
from alert_router.runbook.model import Runbook, Section
from alert_router.runbook.sections import has_commands, has_steps

# Characters of labels and annotations in one group for which runbooks are chosen: the table is
# asked about each alert, and other notifications wait meanwhile.
_BUDGET = 2_000_000

_SIDES = ("detection", "mitigation")  # what a firing notification is to say, in lower case

_LAST_RESORT = ("Prerequisites", "Verification", "Escalation")  # better than nothing

_LAST = datetime.max.replace(tzinfo=UTC)


def enrich(
    bare: Notification,
    *,
    choose: Callable[[Alert], Choice],
    runbook: Callable[[str], Runbook | None],
    firing_sections: Sequence[str],
    resolved_sections: Sequence[str],
    rules: LabelRules = DEFAULT_RULES,
) -> Notification:
    """The notification with the runbooks of its group, and notes on what failed. Sections are
    given by standard name, in the order to show; `rules` say which labels placeholders mean.

    Each runbook comes once, with its alerts, in the order of its first firing alert. Those whose
    alerts are all resolved come last, and in a firing group without sections.
    """
    group, base = bare.group, bare.external_url.rstrip("/")
    notes: dict[str, None] = {}
    chosen = _by_runbook(group, choose, notes)
    without = chosen.pop(None, ())
    wanted = firing_sections if group.firing else resolved_sections
    parts = []
    for id, alerts in chosen.items():
        assert id is not None
        url = _page_url(base, id)
        part = RunbookPart(id, id, url, tuple(alerts))
        try:
            found = runbook(id)
            if found is None:
                raise LookupError(id)
            if found.parent is not None:
                anchor = quote(id.removeprefix(f"{found.parent.id}#"), errors="replace")
                page = _page_url(base, found.parent.id, is_index=found.parent.is_index)
                part = replace(part, url=f"{page}#{anchor}")
            elif found.is_index:
                part = replace(part, url=_page_url(base, id, is_index=True))
            part = replace(part, title=found.title or id)
            part = _filled(part, found, wanted, firing=bool(group.firing), rules=rules)
        except MemoryError:  # the runbook is not the cause: try again
            raise
        except Exception as error:
            notes[f"The runbook {id} could not be shown: {type(error).__name__}."] = None
        parts.append(part)
    return replace(
        bare,
        runbooks=tuple(parts),
        without_runbook=tuple(without),
        notes=(*bare.notes, *notes),
    )


def _page_url(base: str, id: str, *, is_index: bool = False) -> str:
    """The URL of a file's page, to which the links in it are relative."""
    return f"{base}/runbooks/{quote(id, errors='replace')}{'/' if is_index else ''}"


def _by_runbook(
    group: AlertGroup, choose: Callable[[Alert], Choice], notes: dict[str, None]
) -> dict[str | None, list[Alert]]:
    """The alerts by runbook id, None for no runbook, the ids in the order to show."""
    chosen: dict[str | None, list[Alert]] = {}
    firing: dict[str | None, None] = {}
    left = _BUDGET
    for number, alert in enumerate(group.alerts):
        left -= sum(map(len, chain(alert.labels.values(), alert.annotations.values())))
        if left < 0 and number:
            rest = group.alerts[number:]
            notes[f"No runbook was chosen for {len(rest):,} alerts: the group is too large."] = None
            chosen.setdefault(None, []).extend(rest)
            break
        try:
            choice = choose(alert)
        except MemoryError:
            raise
        except Exception as error:
            choice = Choice(
                None,
                "none",
                problem=f"{alert.name}: no runbook could be chosen: {type(error).__name__}.",
            )
        if choice.problem:
            notes[choice.problem] = None
        chosen.setdefault(choice.runbook, []).append(alert)
        if alert.firing:
            firing[choice.runbook] = None
    return {id: chosen[id] for id in (firing | dict.fromkeys(chosen))}


def _filled(
    part: RunbookPart, runbook: Runbook, wanted: Sequence[str], *, firing: bool, rules: LabelRules
) -> RunbookPart:
    """The part with metadata and, unless all its alerts are resolved in a firing group, sections
    filled for the oldest alert."""
    part = replace(
        part,
        owner=runbook.metadata.get("owner", ""),
        last_updated=runbook.metadata.get("last_updated", ""),
    )
    alerts = [alert for alert in part.alerts if alert.firing or not firing]
    if not alerts:
        return part
    oldest = min(alerts, key=lambda alert: alert.started or _LAST)
    labels = AlertLabels(oldest.labels, rules)
    prepared = filling(runbook, part.url, rules)
    names = {alert.name for alert in alerts}
    sections = tuple(
        with_own_rows(prepared.section(section, labels), names)
        for section in _pick(runbook, wanted, firing)
    )
    shared = common([alert.labels for alert in alerts])
    commands_for = None if labels.used <= shared.keys() else oldest
    return replace(part, sections=sections, commands_for=commands_for)


def _pick(runbook: Runbook, wanted: Sequence[str], firing: bool) -> list[Section]:
    """The wanted sections that the runbook has, in the order of `wanted`. Sections of other alerts
    are never among them.

    For a firing alert, Investigation replaces a missing Detection. If Detection or Mitigation is
    still missing, sections of other names that have steps or commands are added; if both are, all
    sections that say what to do; and if no section so far has commands, those that have. Then all
    are in the order of the file.
    """
    sections = runbook.own_sections
    picked = {name.casefold(): _named(sections, name) for name in wanted}
    if firing and wanted and not picked.get("detection", True):
        picked["detection"] = _named(sections, "Investigation")
    found = [section for chosen in picked.values() for section in chosen]
    missing = [name for name in _SIDES if not picked.get(name, found)]
    bare = any(name in picked for name in _SIDES) and not any(map(has_commands, found))
    if not firing or not wanted or not (missing or bare):
        return found
    shown = set(map(id, found))
    lead = [] if runbook.lead is None or runbook.by_alerts else [runbook.lead]
    for section in (*lead, *sections):
        if section.reference or section.name not in ("", "Investigation"):
            continue
        if missing:
            is_prose = _is_body(section, runbook) or (not found and section is not runbook.lead)
            adds = has_steps(section) or (is_prose and bool(section.intro))
        else:
            adds = has_commands(section)
        if adds:
            shown.add(id(section))
    if not shown:
        shown = {id(s) for s in sections if s.name in _LAST_RESORT and has_steps(s)}
    if len(shown) == len(found):
        return found
    return [section for section in (*lead, *runbook.sections) if id(section) in shown]


def _named(sections: Sequence[Section], name: str) -> list[Section]:
    """The sections of a name that say something."""
    return [
        section
        for section in sections
        if (section.name or plain(section.title).strip()).casefold() == name.casefold()
        and (section.intro or section.steps)
    ]


def _is_body(section: Section, runbook: Runbook) -> bool:
    """Whether the text before the sections is more than an introduction: a section of one alert
    begins with what to do, and a page without sections is nothing else."""
    is_lead = section is runbook.lead
    return is_lead and (runbook.parent is not None or not runbook.sections)
