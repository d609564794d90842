"""Commands that delete, overwrite or cut off, and of which nothing before them warns.

Which commands those are is `dangers`'. Words of warning count in the step, in its section before
the first step, and in comments of the same fence.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from alert_router.checks.lint import codes
from alert_router.checks.lint.dangers import dangers
from alert_router.checks.lint.page import Page
from alert_router.checks.lint.walk import codes as codes_of
from alert_router.checks.lint.walk import flat
from alert_router.markdown import Block, Code, Heading, Paragraph, Table, plain
from alert_router.model.problem import Problem
from alert_router.runbook import Section

_WARNING = re.compile(
    r"\bwarn|\bcaution|\bcareful|\bdanger|\bdestructi|\birreversib|\birrevocab|\bpermanent"
    r"|\bno (?:way|going) back|\bpoint of no return|\bdata[ -]?loss|\bdowntime|\boutage|\brisk"
    r"|\bdisrupt|\binterrupt|\b(?:can ?not|can't|never) be (?:undone|reversed|recovered|restored)"
    r"|\blast resort|\blos(?:e|es|ing|t)\b|\bunavailable|⚠|\[!(?:WARNING|CAUTION|IMPORTANT)\]"
    r"|\b(?:will|would|may|can) (?:\w+ )?(?:delete|remove|drop|wipe|kill|terminate|evict|break|cut)"
    r"|\b(?:deletes|removes|drops|wipes|kills|terminates|evicts|breaks|cuts|throws|discards)\b",
    re.IGNORECASE,
)
_COMMENT = re.compile(r"(?:^|[ \t])(?:#|--)[^\n]*", re.MULTILINE)


def check(page: Page) -> Iterator[Problem]:
    """Every such command of one runbook, each kind once a step."""
    if not _dangerous(page.runbook.blocks):
        return
    blocks = page.runbook.blocks
    starts = [section.line for section in page.runbook.sections]
    before = [block for block in blocks if not starts or block.line < starts[0]]
    yield from _in(page, before, warned=False)
    for section in page.runbook.sections:
        yield from _section(page, section)


def _dangerous(blocks: Iterable[Block]) -> bool:
    return any(next(dangers(code), None) is not None for code in codes_of(blocks))


def _section(page: Page, section: Section) -> Iterator[Problem]:
    parts = (section.intro, *(step.blocks for step in section.steps))
    if not any(map(_dangerous, parts)):
        return
    warned = _warns(plain(section.title))
    yield from _in(page, section.intro, warned)
    warned = warned or any(_warns_in(block) for block in flat(section.intro))
    for step in section.steps:
        yield from _in(page, step.blocks, warned or _warns(step.title))


def _in(page: Page, blocks: Sequence[Block], warned: bool) -> Iterator[Problem]:
    told: set[str] = set()
    for block in flat(blocks):
        if warned:
            return
        if not isinstance(block, Code):
            warned = _warns_in(block)
            continue
        for danger in dangers(block):
            if danger.name in told or _warns(_comments(block.text[: danger.end])):
                continue
            told.add(danger.name)
            yield page.problem(
                codes.DESTRUCTIVE,
                f"nothing before it warns of `{danger.name}`",
                *page.in_code(block, danger.start),
                hint="Say above it, in this step, what is lost or cut off, and whether it can be "
                'undone: a sentence that begins with "Warning:".',
            )


def _comments(text: str) -> str:
    return " ".join(match[0] for match in _COMMENT.finditer(text))


def _warns(text: str) -> bool:
    return _WARNING.search(text) is not None


def _warns_in(block: Block) -> bool:
    match block:
        case Heading() | Paragraph():
            return _warns(plain(block.children))
        case Table(header, rows):
            return any(_warns(plain(cell)) for row in (header, *rows) for cell in row)
        case _:
            return False
