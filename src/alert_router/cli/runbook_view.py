"""A runbook as data for machines, and as blocks for people."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from alert_router.enrich import AlertLabels, filling
from alert_router.markdown import (
    Block,
    Code,
    Heading,
    ListBlock,
    Quote,
    plain,
    to_text,
)
from alert_router.model import Labels
from alert_router.model.problem import Problem
from alert_router.runbook import Catalogue
from alert_router.runbook.model import Runbook, Section


def list_rows(catalogue: Catalogue) -> list[dict[str, Any]]:
    """What a list tells of each runbook, those that cannot be used included; keys are stable."""
    rows = []
    for id in sorted({*catalogue.runbooks, *catalogue.broken}):
        runbook = catalogue.get(id)
        metadata = runbook.metadata if runbook else {}
        sections = runbook.sections if runbook else ()
        rows.append(
            {
                "id": id,
                "title": runbook.title if runbook else "",
                "category": metadata.get("category") or id.rpartition("/")[0],
                "severity": metadata.get("severity", ""),
                "last_updated": metadata.get("last_updated", ""),
                "owner": metadata.get("owner", ""),
                "sections": len(sections),
                "steps": sum(len(section.steps) for section in sections),
                "problems": [problem.as_json() for problem in problems_of(catalogue, id)],
            }
        )
    return rows


def problems_of(catalogue: Catalogue, id: str) -> list[Problem]:
    """What is wrong with one runbook of the catalogue."""
    file = str(catalogue.root / f"{id}.md")
    return [problem for problem in catalogue.problems if problem.place.file == file]


def as_json(runbook: Runbook, sections: Sequence[Section]) -> dict[str, Any]:
    """A runbook and these sections of it; keys are stable."""
    return {
        "id": runbook.id,
        "title": runbook.title,
        "metadata": dict(runbook.metadata),
        "sections": [_section(section) for section in sections],
        "problems": [problem.as_json() for problem in runbook.problems],
    }


def named(runbook: Runbook, name: str) -> list[Section]:
    """The sections of that standard name or heading, case aside."""
    wanted = name.strip().casefold()
    return [
        section
        for section in runbook.sections
        if wanted in (section.name.casefold(), plain(section.title).strip().casefold())
    ]


def filled(runbook: Runbook, labels: Labels) -> Runbook:
    """The runbook with its placeholders filled, as in a notification about such an alert."""
    prepared = filling(runbook)
    alert = AlertLabels(labels)
    return replace(
        runbook,
        blocks=prepared.blocks(runbook.blocks, alert),
        sections=tuple(prepared.section(section, alert) for section in runbook.sections),
    )


def title_of(section: Section) -> str:
    """The heading as plain text, the standard name where it has no words."""
    return plain(section.title).strip() or section.name


def blocks_of(runbook: Runbook, section: Section) -> tuple[Block, ...]:
    """The section as it stands in the runbook: its heading, and all until the next section."""
    starts = {other.line for other in runbook.sections}
    found: list[Block] = []
    for block in runbook.blocks:
        if isinstance(block, Heading) and block.line in starts:
            if found:
                break
            if block.line != section.line:
                continue
        elif not found:
            continue
        found.append(block)
    return tuple(found)


def _section(section: Section) -> dict[str, Any]:
    return {
        "name": section.name,
        "title": title_of(section),
        "text": to_text(section.intro),
        "commands": _commands(section.intro),
        "steps": [
            {
                "title": step.title,
                "text": to_text(step.blocks),
                "commands": _commands(step.blocks),
            }
            for step in section.steps
        ],
    }


def _commands(blocks: Iterable[Block]) -> list[dict[str, Any]]:
    return [
        {"language": code.language, "text": code.text, "values": dict(code.values)}
        for code in _codes(blocks)
    ]


def _codes(blocks: Iterable[Block]) -> Iterator[Code]:
    for block in blocks:
        match block:
            case Code():
                yield block
            case Quote(inner):
                yield from _codes(inner)
            case ListBlock():
                for item in block.items:
                    yield from _codes(item.blocks)
            case _:
                pass
