"""Which runbook an alert gets, and why.

The table and the catalogue only answer questions; the order of asking, and what is a problem,
is decided here. Nothing found here keeps an alert from going out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from alert_router.model import Alert, Labels
from alert_router.runbook.catalogue import MAX_REFERENCE
from alert_router.runbook.model import Runbook

Way = Literal["table", "annotation", "name", "default", "none"]

ANNOTATIONS = ("runbook", "runbook_url")  # the first that leads to a runbook counts
_SHOWN = 5


class TableEntry(Protocol):
    """An entry of the runbook table; `runbook` is an id, None where none is wanted."""

    @property
    def runbook(self) -> str | None: ...


class Table(Protocol):
    """The runbook table of routing.yaml."""

    @property
    def entries(self) -> Sequence[TableEntry]: ...

    def match(self, labels: Labels) -> int | None:
        """The index of the first entry that matches."""


class Runbooks(Protocol):
    """The catalogue."""

    def get(self, id: str) -> Runbook | None:
        """The runbook, if it is there and could be read."""

    def by_reference(self, reference: str) -> list[str]:
        """The ids that a `runbook` or `runbook_url` annotation may mean."""

    def by_name(self, alertname: str) -> list[str]:
        """The ids of files named like the alert."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The runbook's id, None for none; the way it was found; the table's entry that matched,
    counted from 0; and a sentence about what was passed over on the way."""

    runbook: str | None
    way: Way
    entry: int | None = None
    problem: str | None = None


def choose(alert: Alert, table: Table, catalogue: Runbooks, default: str | None) -> Choice:
    """The runbook for an alert: the table's, else its annotation's, else the one file named like
    it, else the default. What names a runbook that cannot be had is passed over."""
    problems: list[str] = []
    entry = table.match(alert.labels)
    if entry is not None:
        wanted = table.entries[entry].runbook
        if wanted is None or _usable(wanted, catalogue, "the runbook table", problems):
            return Choice(wanted, "table", entry)
    for annotation in ANNOTATIONS:
        reference = alert.annotations.get(annotation, "")
        if reference:
            origin = f"its annotation {annotation}"
            if len(reference) > MAX_REFERENCE:
                problems.append(
                    f"{origin} is ignored: it is longer than {MAX_REFERENCE} characters"
                )
                continue
            found = _single(catalogue.by_reference(reference), catalogue, origin, problems)
            if found:
                return Choice(found, "annotation", entry, _sentence(alert, problems))
    if alert.name:
        found = _single(catalogue.by_name(alert.name), catalogue, "its name", problems)
        if found:
            return Choice(found, "name", entry, _sentence(alert, problems))
    if default is not None and _usable(default, catalogue, "default_runbook", problems):
        return Choice(default, "default", entry, _sentence(alert, problems))
    return Choice(None, "none", entry, _sentence(alert, problems))


def _single(
    ids: Sequence[str], catalogue: Runbooks, origin: str, problems: list[str]
) -> str | None:
    if len(ids) > 1:
        shown = ", ".join(ids[:_SHOWN]) + (", ..." if len(ids) > _SHOWN else "")
        problems.append(f"{origin} fits {len(ids)} runbooks ({shown})")
        return None
    if ids and _usable(ids[0], catalogue, origin, problems):
        return ids[0]
    return None


def _usable(id: str, catalogue: Runbooks, origin: str, problems: list[str]) -> bool:
    if catalogue.get(id) is not None:
        return True
    problems.append(f"{origin} names the runbook {id}, which is missing or cannot be read")
    return False


def _sentence(alert: Alert, problems: list[str]) -> str | None:
    if not problems:
        return None
    return f"{alert.name or 'An alert without a name'}: {'; '.join(problems)}."
