"""Fills a runbook's tree for an alert, each place by the rules of what stands there.

It is always the tree that is filled, never Markdown text, so a value can make no markup.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from alert_router.enrich.link import fill_url, from_page
from alert_router.enrich.placeholder import (
    LONGEST,
    PLACEHOLDER,
    AlertLabels,
    Place,
    may_fill,
    name_of,
    of_environment,
)
from alert_router.enrich.promql import QUERY_LANGUAGES, fill_query
from alert_router.enrich.shell import (
    SHELL_LANGUAGES,
    compile_fences,
    compile_inline,
    own_variables,
    unfilled,
)
from alert_router.markdown import (
    Block,
    Break,
    Code,
    CodeSpan,
    Heading,
    Inline,
    Item,
    Link,
    ListBlock,
    Paragraph,
    Quote,
    Rule,
    Table,
    Text,
)
from alert_router.runbook.model import Runbook, Section, Step
from alert_router.runbook.parse import item_title

_REMEMBERED = 256  # filled sections of a runbook
_LONGEST = 256  # characters of a value; longer ones are not worth keeping, and values are hostile

# Their variables look like placeholders.
_WITH_DOLLARS: frozenset[str] = frozenset(
    (
        "php",
        "perl",
        "powershell",
        "ps1",
        "pwsh",
        "javascript",
        "js",
        "typescript",
        "ts",
        "groovy",
        "kotlin",
        "dart",
        "ruby",
        "tcl",
        "make",
        "makefile",
        "nginx",
        "graphql",
        "r",
        "scss",
        "dockerfile",
        "go",
        "gotmpl",
        "gotemplate",
        "helm",
        "jinja",
        "tpl",
        "hcl",
        "terraform",
    )
)
_JOINS = re.compile(r"[\w./:@=$-]")  # beside a placeholder, these are part of its word


class Filling:
    """A runbook made ready to be filled: the variables that it sets itself are known.

    `page` is the URL of its page, from which relative links are resolved: a message has no place
    of its own.
    """

    def __init__(self, runbook: Runbook, page: str = "") -> None:
        self._page = page
        # The runbook is kept so that no other section can come to have the id of one of its own.
        self._runbook = runbook
        self._names: dict[int, tuple[str, ...]] = {}
        self._filled: dict[tuple[int, tuple[str | None, ...]], Section] = {}
        codes = list(_codes(runbook.blocks))
        spans = list(_code_spans(runbook.blocks))
        self._variables = own_variables(
            [code.text for code in codes if code.language in SHELL_LANGUAGES],
            [
                *(c.text for c in codes if c.language not in SHELL_LANGUAGES | QUERY_LANGUAGES),
                *(span.text for span in spans),
            ],
        )

    def section(self, section: Section, labels: AlertLabels) -> Section:
        """The section for an alert. Remembered by the values it takes, since the same alerts
        come again and again."""
        names = self._names.get(id(section))
        if names is None:
            asking = labels.apart()
            self._fill(section, asking)
            names = self._names[id(section)] = tuple(sorted(asking.asked))
        values = tuple(labels.get(name) for name in names)
        if any(value and len(value) > _LONGEST for value in values):
            return self._fill(section, labels)
        key = (id(section), values)
        filled = self._filled.get(key)
        if filled is None:
            if len(self._filled) >= _REMEMBERED:
                self._filled.clear()
            filled = self._filled[key] = self._fill(section, labels)
        return filled

    def _fill(self, section: Section, labels: AlertLabels) -> Section:
        return replace(
            section,
            title=self._inlines(section.title, labels),
            intro=self.blocks(section.intro, labels),
            steps=tuple(self._step(step, labels) for step in section.steps),
        )

    def blocks(self, blocks: Sequence[Block], labels: AlertLabels) -> tuple[Block, ...]:
        """Blocks for an alert."""
        return tuple(self._block(block, labels) for block in blocks)

    def _step(self, step: Step, labels: AlertLabels) -> Step:
        blocks = self.blocks(step.blocks, labels)
        # A title made of an item's first words is made again: they may be a command.
        if step.title and step.title == item_title(step.blocks):
            return Step(item_title(blocks), blocks, step.line)
        return Step(_prose(step.title, labels), blocks, step.line)

    def _block(self, block: Block, labels: AlertLabels) -> Block:
        match block:
            case Code():
                return self._code(block, labels)
            case Heading() | Paragraph():
                return replace(block, children=self._inlines(block.children, labels))
            case ListBlock():
                items = tuple(self._item(item, labels) for item in block.items)
                return replace(block, items=items)
            case Quote():
                return replace(block, blocks=self.blocks(block.blocks, labels))
            case Table():
                rows = tuple(self._row(row, labels) for row in block.rows)
                return replace(block, header=self._row(block.header, labels), rows=rows)
            case Rule():
                return block

    def _item(self, item: Item, labels: AlertLabels) -> Item:
        return replace(item, blocks=self.blocks(item.blocks, labels))

    def _row(
        self, row: tuple[tuple[Inline, ...], ...], labels: AlertLabels
    ) -> tuple[tuple[Inline, ...], ...]:
        return tuple(self._inlines(cell, labels) for cell in row)

    def _inlines(self, spans: Sequence[Inline], labels: AlertLabels) -> tuple[Inline, ...]:
        return tuple(self._span(span, labels) for span in spans)

    def _span(self, span: Inline, labels: AlertLabels) -> Inline:
        match span:
            case Text(text):
                return Text(_prose(text, labels)) if "$" in text else span
            case CodeSpan(text):
                return CodeSpan(self._inline(text, labels)) if "$" in text else span
            case Link():
                url = from_page(fill_url(span.url, labels), self._page)
                return Link(url, self._inlines(span.children, labels))
            case Break():
                return span
            case _:
                return replace(span, children=self._inlines(span.children, labels))

    def _code(self, code: Code, labels: AlertLabels) -> Code:
        if "$" not in code.text:
            return code
        if code.language in SHELL_LANGUAGES:
            [template] = compile_fences([(code.text, code.language)], self._variables)
            filled = template.fill(labels)
        elif code.language in QUERY_LANGUAGES:
            filled = fill_query(code.text, labels)
        else:
            of_language = code.language in _WITH_DOLLARS
            template = unfilled(code.text, self._variables, only_explicit=of_language)
            filled = template.fill(labels)
        return replace(code, text=filled.text, values=_shown(filled.values))

    def _inline(self, text: str, labels: AlertLabels) -> str:
        return compile_inline(text, self._variables).fill(labels).text


class _Same:
    """A runbook as a key: the very object, for comparing trees would cost more than filling."""

    __slots__ = ("runbook",)

    def __init__(self, runbook: Runbook) -> None:
        self.runbook = runbook

    def __hash__(self) -> int:
        return id(self.runbook)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.runbook is self.runbook


def filling(runbook: Runbook, page: str = "") -> Filling:
    """The runbook made ready; remembered, since the same ones are filled again and again."""
    return _filling(_Same(runbook), page)


@lru_cache(maxsize=1024)
def _filling(same: _Same, page: str) -> Filling:
    return Filling(same.runbook, page)


def _codes(blocks: Sequence[Block]) -> Iterator[Code]:
    for block in blocks:
        match block:
            case Code():
                yield block
            case Quote():
                yield from _codes(block.blocks)
            case ListBlock():
                for item in block.items:
                    yield from _codes(item.blocks)


def _code_spans(blocks: Sequence[Block]) -> Iterator[CodeSpan]:
    for block in blocks:
        match block:
            case Heading() | Paragraph():
                yield from _spans_in(block.children)
            case Quote():
                yield from _code_spans(block.blocks)
            case ListBlock():
                for item in block.items:
                    yield from _code_spans(item.blocks)
            case Table():
                for row in (block.header, *block.rows):
                    for cell in row:
                        yield from _spans_in(cell)
            case _:
                pass


def _spans_in(spans: Sequence[Inline]) -> Iterator[CodeSpan]:
    for span in spans:
        if isinstance(span, CodeSpan):
            yield span
        elif not isinstance(span, Text | Break):
            yield from _spans_in(span.children)


def _prose(text: str, labels: AlertLabels) -> str:
    """Prose: plain values are put in, everything else stays as written."""

    def value_of(match: re.Match[str]) -> str:
        name = name_of(match)
        before, after = match.string[: match.start()], match.string[match.end() :]
        if (match["explicit"] is None and of_environment(name)) or before.endswith(("~", "\\")):
            return match[0]
        value = labels.get(name)
        joined = _JOINS.match(before[-1:]) or (_JOINS.match(after) and after[1:2].strip())
        place = Place.JOINED if joined else Place.WHOLE
        fits = value is not None and may_fill(place, value, before[-1:], after[:1])
        return value if value is not None and fits else match[0]

    return PLACEHOLDER.sub(value_of, text) if "$" in text else text


def _shown(values: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Values to be shown beside a code, each within bounds."""
    return tuple(
        (name, value if len(value) <= LONGEST else value[: LONGEST - 1] + "…")
        for name, value in values
    )
