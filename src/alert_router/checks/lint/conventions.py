"""What the runbooks of a collection have in common, and so what is expected of each.

A collection that follows the ten standard sections is checked against them. One with sections of
its own (Meaning, Impact, Diagnosis, Mitigation) is checked against what most of its runbooks have.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from alert_router.markdown import plain
from alert_router.runbook import STANDARD_SECTIONS, Runbook

FIELDS = (
    *("title", "category", "severity", "owner"),
    *("last_updated", "review_interval", "tags"),
)
SHOWN = ("Detection", "Mitigation")  # what a firing notification shows
SIDES = frozenset((*SHOWN, "Investigation"))  # any of them says what to do

_MANY = 10  # runbooks
_STANDARD = 6  # of the ten sections: a runbook with as many follows the standard
_SOME_FIELDS = 3
_MOST = 0.7
_NEARLY_ALL = 0.8


@dataclass(frozen=True, slots=True)
class Conventions:
    """The sections and metadata fields expected of each runbook; `steps` are the sections that
    must have steps. `ordered`: sections must be in the standard order. `titles` are the commonest
    headings of the sections, by name, if most runbooks have them. `for_alerts`: most runbooks say
    what to do for an alert, or there are few."""

    sections: tuple[str, ...]
    fields: tuple[str, ...]
    steps: tuple[str, ...]
    ordered: bool
    titles: Mapping[str, str]
    for_alerts: bool


def conventions(runbooks: Iterable[Runbook]) -> Conventions:
    """What is expected of these runbooks."""
    known = list(runbooks)
    ordered = _half(known, lambda runbook: len(names(runbook)) >= _STANDARD)
    shared = _in_most(names(runbook) for runbook in known)
    with_fields = _half(known, lambda runbook: len(fields(runbook)) >= _SOME_FIELDS)
    some = [fields(runbook) for runbook in known if fields(runbook)]
    common = _in_most(some) if 4 * len(some) >= len(known) else set()
    own_sections = tuple(name for name in STANDARD_SECTIONS if name in shared)
    return Conventions(
        sections=STANDARD_SECTIONS if ordered else own_sections,
        fields=FIELDS if with_fields else tuple(name for name in FIELDS if name in common),
        steps=SHOWN if ordered else tuple(n for n in SHOWN if _usually_steps(known, n)),
        ordered=ordered,
        titles={} if ordered else _titles(known),
        for_alerts=len(known) < _MANY or _half(known, lambda it: not SIDES.isdisjoint(names(it))),
    )


def names(runbook: Runbook) -> set[str]:
    """The standard names of a runbook's sections."""
    return {section.name for section in runbook.sections if section.name}


def fields(runbook: Runbook) -> set[str]:
    """The known metadata fields that have a value. A title alone is for a site generator."""
    return {name for name in FIELDS if runbook.metadata.get(name)} - {"title"}


def value_of(metadata: Mapping[str, str], name: str) -> str:
    """The value of a field without surrounding white space; "" if it is missing."""
    return metadata.get(name, "").strip()


def _half(runbooks: list[Runbook], holds: Callable[[Runbook], bool]) -> bool:
    return bool(runbooks) and 2 * sum(map(holds, runbooks)) >= len(runbooks)


def _in_most(sets: Iterable[set[str]]) -> set[str]:
    known = list(sets)
    counted = Counter(name for one in known for name in one)
    return {name for name, number in counted.items() if number >= _MOST * len(known)}


def _titles(runbooks: list[Runbook]) -> dict[str, str]:
    titles: dict[str, Counter[str]] = {}
    for runbook in runbooks:
        for section in runbook.sections:
            if section.name:
                title = plain(section.title).strip()
                titles.setdefault(section.name, Counter())[title] += 1
    return {
        name: title
        for name, counted in titles.items()
        for title, number in counted.most_common(1)
        if 2 * number >= len(runbooks)
    }


def _usually_steps(runbooks: list[Runbook], name: str) -> bool:
    having = [section for runbook in runbooks if (section := runbook.section(name))]
    return sum(bool(section.steps) for section in having) >= _NEARLY_ALL * max(len(having), 1)
