"""Which runbook an alert gets, and why. Nothing here stops an alert from being sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from alert_router.model import Alert, Labels
from alert_router.routing import RunbookEntry
from alert_router.runbook import Catalogue
from alert_router.runbook.catalogue import MAX_REFERENCE

ChosenBy = Literal["table", "annotation", "name", "default", "none"]

ANNOTATIONS = ("runbook", "runbook_url")  # the first that leads to a runbook wins
_SHOWN = 5


class EntryTable(Protocol):
    """A RunbookTable, as far as it is used here."""

    @property
    def entries(self) -> Sequence[RunbookEntry]: ...

    def match(self, labels: Labels) -> int | None:
        """The index of the first entry that matches."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The runbook's id or None, how it was found, the index of the table entry that matched, and
    a message about what was skipped on the way. `no_section`: the runbook has sections for other
    alerts only, and a link is all that is sent of it."""

    runbook: str | None
    way: ChosenBy
    entry: int | None = None
    problem: str | None = None
    no_section: bool = False


def select_runbook(
    alert: Alert, table: EntryTable, catalogue: Catalogue, default: str | None
) -> Choice:
    """The runbook for an alert: that of Alertmanager's route, else the table's, else its
    annotation's, else the one named like it, else the default. References to missing or broken
    runbooks are skipped. In a file that describes several alerts it is the alert's section."""
    problems: list[str] = []

    def usable(id: str, origin: str) -> bool:
        if catalogue.get(id) is not None:
            return True
        problems.append(f"{origin} names the runbook {id}, which is missing or cannot be read")
        return False

    def single(ids: Sequence[str], origin: str) -> str | None:
        if len(ids) > 1:
            shown = ", ".join(ids[:_SHOWN]) + (", ..." if len(ids) > _SHOWN else "")
            problems.append(f"{origin} fits {len(ids)} runbooks ({shown})")
            return None
        return ids[0] if ids and usable(ids[0], origin) else None

    def choice(runbook: str | None, way: ChosenBy) -> Choice:
        found = catalogue.get(runbook) if runbook is not None else None
        no_section = found is not None and bool(found.alerts) and not found.own_sections
        if no_section:
            problems.append(f"the runbook {runbook} has sections for other alerts, none for this")
        name = alert.name or "An alert without a name"
        problem = f"{name}: {'; '.join(problems)}." if problems else None
        return Choice(runbook, way, entry, problem, no_section)

    entry = None
    if 0 < len(alert.route_runbook) <= MAX_REFERENCE:
        on_route = catalogue.named(alert.route_runbook, alert.name)
        if usable(on_route, "the label runbook of its route"):
            return choice(on_route, "table")
    entry = table.match(alert.matching_labels)
    if entry is not None:
        named = table.entries[entry].runbook
        wanted = None if named is None else catalogue.named(named, alert.name)
        if wanted is None or usable(wanted, "the runbook table"):
            return choice(wanted, "table")
    for annotation in ANNOTATIONS:
        reference = alert.annotations.get(annotation, "")
        origin = f"its annotation {annotation}"
        if len(reference) > MAX_REFERENCE:
            problems.append(f"{origin} is ignored: it is longer than {MAX_REFERENCE} characters")
        elif reference and (found := single(catalogue.by_reference(reference, alert.name), origin)):
            return choice(found, "annotation")
    if alert.name and (found := single(catalogue.by_name(alert.name), "its name")):
        return choice(found, "name")
    default = None if default is None else catalogue.named(default, alert.name)
    if default is not None and usable(default, "default_runbook"):
        return choice(default, "default")
    return choice(None, "none")
