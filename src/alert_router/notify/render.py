"""Rendering a message's parts, and the Markdown in them, as the pieces of a destination, or as
plain text, in which commands stand between fences, not indented, so that they can be copied."""

import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Self, TypeVar

from alert_router.markdown import (
    Block,
    Code,
    Heading,
    Inline,
    Item,
    ListBlock,
    Paragraph,
    Quote,
    Renderer,
    Rule,
    SpanRenderer,
    Table,
    plain,
    rows_as_list,
    to_text,
    visible,
)
from alert_router.notify import message, wording

T = TypeVar("T")
Piece = TypeVar("Piece")

_DEEPEST = 40  # characters of indentation


class MessageRenderer(Renderer[Piece]):
    """Each part of a message becomes any number of pieces. Nested ones are indented by `indent`."""

    indent = "    "

    def parts(self, parts: Iterable[message.OutlinePart]) -> list[Piece]:
        """The parts, in order."""
        return [piece for part in parts for piece in self.part(part)]

    def part(self, part: message.OutlinePart) -> Iterable[Piece]:
        """One part."""
        match part:
            case message.Title():
                return self.title(part)
            case message.Mention(names):
                return self.mention(names)
            case message.CommonFacts():
                return self.shared(part)
            case message.AlertLine():
                return self.alert(part)
            case message.More():
                return self.more(part)
            case message.Note(text):
                return self.note(text)
            case message.TemplateText(blocks):
                return self.template_text(blocks)
            case message.Body(blocks):
                return self.body(blocks)
            case message.RunbookTitle():
                return self.runbook(part)
            case message.SectionTitle(text):
                return self.section(text)
            case message.StepLine():
                return self.step(part)
            case message.Links(pairs):
                return self.links(pairs)

    def below_step(self, blocks: Sequence[Block]) -> list[Piece]:
        """What follows the first words of a step. Lists are indented: their numbers are not those
        of steps."""
        inner = self.deeper(self.indent)
        return [
            piece
            for block in blocks
            for piece in (inner if isinstance(block, ListBlock) else self).block(block)
        ]

    def deeper(self, by: str) -> Self:
        """The same renderer, for what is nested."""
        return self.nested((self.margin + by)[:_DEEPEST])

    def template_text(self, blocks: Sequence[Block]) -> Iterable[Piece]:
        """What the notifier's template says."""
        return self.blocks(blocks)

    def body(self, blocks: Sequence[Block]) -> Iterable[Piece]:
        """What a section says before its first step."""
        return self.blocks(blocks)

    def mention(self, names: Sequence[str]) -> Iterable[Piece]:
        """Whom the notifier mentions; nobody where that does not exist."""
        return ()

    @abstractmethod
    def title(self, part: message.Title) -> Iterable[Piece]: ...
    @abstractmethod
    def shared(self, part: message.CommonFacts) -> Iterable[Piece]: ...
    @abstractmethod
    def alert(self, part: message.AlertLine) -> Iterable[Piece]: ...
    @abstractmethod
    def more(self, part: message.More) -> Iterable[Piece]: ...
    @abstractmethod
    def note(self, text: str) -> Iterable[Piece]: ...
    @abstractmethod
    def runbook(self, part: message.RunbookTitle) -> Iterable[Piece]: ...
    @abstractmethod
    def section(self, text: str) -> Iterable[Piece]: ...
    @abstractmethod
    def step(self, part: message.StepLine) -> Iterable[Piece]: ...
    @abstractmethod
    def links(self, pairs: Sequence[tuple[str, str]]) -> Iterable[Piece]: ...


class LineRenderer(MessageRenderer[Piece], SpanRenderer[T]):
    """Markdown as lines of text and whole code blocks. Quoted lines are indented by `quote_mark`;
    `number` is the form of a list's numbers."""

    quote_mark = "▏ "
    number = "{}."

    @abstractmethod
    def line(self, text: T, lead: str = "", *, is_continued: bool = False) -> Piece:
        """A line of text behind the margin and `lead` (a bullet, or other plain characters);
        `is_continued` for the further lines of a list item."""

    @abstractmethod
    def bold(self, text: str) -> T:
        """Plain text in bold."""

    @abstractmethod
    def code_block(self, text: str, language: str) -> Piece:
        """A whole code block."""

    @abstractmethod
    def value(self, text: str) -> Piece:
        """A line with a value that was not filled into the code above it."""

    def lines(self, spans: Sequence[Inline]) -> Sequence[T]:
        """T as lines of text, for destinations whose pieces are single lines."""
        return [self.spans(spans)]

    def paragraph(self, block: Paragraph) -> Iterator[Piece]:
        yield from map(self.line, self.lines(block.children))

    def heading(self, block: Heading) -> Iterator[Piece]:
        yield self.line(self.bold(plain(block.children)))

    def code(self, block: Code) -> Iterator[Piece]:
        text = block.text.strip("\n")
        if text.strip():
            yield self.code_block(text, block.language)
        for name, value in block.values:
            yield self.value(wording.shown_value(name, value))

    def list_block(self, block: ListBlock) -> Iterator[Piece]:
        for number, item in enumerate(block.items, block.start):
            bullet = self.number.format(number) if block.ordered else "•"
            yield from self._item(item, bullet)

    def _item(self, item: Item, bullet: str) -> Iterator[Piece]:
        if item.checked is not None:
            bullet = "☑" if item.checked else "☐"
        blocks, inner = item.blocks, self.deeper(self.indent)
        if blocks and isinstance(blocks[0], Paragraph):
            lines = self.lines(blocks[0].children) or [self.text("")]
            yield self.line(lines[0], f"{bullet} ")
            yield from (inner.line(line, is_continued=True) for line in lines[1:])
            blocks = blocks[1:]
        else:
            yield self.line(self.text(""), bullet)
        yield from inner.blocks(blocks)

    def quote(self, block: Quote) -> Iterable[Piece]:
        return self.deeper(self.quote_mark).blocks(block.blocks)

    def table(self, block: Table) -> Iterable[Piece]:
        as_list = rows_as_list(block)
        return self.list_block(as_list) if as_list else self.code(Code(to_text((block,))))

    def rule(self, block: Rule) -> Iterable[Piece]:
        return ()

    def note(self, text: str) -> Iterator[Piece]:
        yield self.line(self.text(text), "⚠ ")

    def section(self, text: str) -> Iterator[Piece]:
        yield self.line(self.bold(text), "\n")

    def shared(self, part: message.CommonFacts) -> Iterator[Piece]:
        yield from (self.line(self.prose(text)) for text in part.texts)
        if part.labels:
            yield self.line(self.joined((self.text("All: "), self.code_span(part.pairs()))))

    def alert(self, part: message.AlertLine) -> Iterator[Piece]:
        if part.text:
            yield self.line(self.text(part.text), "• ")
        if part.labels:
            yield self.line(self.code_span(part.pairs()), self.indent if part.text else "• ")
        if part.description:
            yield self.line(self.prose(part.description), self.indent)
        if facts := self.facts(part):
            yield self.line(facts, self.indent)

    def facts(self, part: message.AlertLine) -> T | None:
        """When an alert began and what it measured."""
        return self.prose(facts) if (facts := part.facts()) else None

    def prose(self, text: str) -> T:
        """Text of an alert that begins a line."""
        return self.text(text)


def utf16_units(text: str) -> int:
    """UTF-16 code units of a text, as some destinations count lengths: an emoji is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


_BOXES = {None: "", True: "[x] ", False: "[ ] "}
_BACKTICKS = re.compile("`{3,}")


def fence(text: str) -> str:
    """A fence longer than any run of backticks in the text."""
    return "`" * (max((len(run) for run in _BACKTICKS.findall(text)), default=2) + 1)


def text_lines(spans: Sequence[Inline]) -> list[str]:
    """Spans as at least one line; a link's URL stands behind its words."""
    text = to_text((Paragraph(tuple(spans)),))
    return [wording.one_line(line) for line in text.split("\n")]


class PlainTextRenderer(MessageRenderer[str]):
    """Each part, and each block, is a text of one or more lines. Code has no margin."""

    indent = "   "

    def literal(self, text: str) -> str:
        """Text of an alert or a runbook, in which no character has an effect."""
        return visible(text)

    def title(self, part: message.Title) -> Iterable[str]:
        yield self.literal(str(part))

    def shared(self, part: message.CommonFacts) -> Iterable[str]:
        yield from map(self.literal, part.lines())

    def alert(self, part: message.AlertLine) -> Iterable[str]:
        yield "\n  ".join(map(self.literal, part.lines()))

    def more(self, part: message.More) -> Iterable[str]:
        yield str(part)

    def note(self, text: str) -> Iterable[str]:
        yield self.literal(text)

    def runbook(self, part: message.RunbookTitle) -> Iterable[str]:
        texts = (self.literal(part.text), part.url)
        notes = map(self.literal, (part.provenance, part.about))
        yield "\n" + "\n".join(filter(None, (*texts, *notes)))

    def section(self, text: str) -> Iterable[str]:
        yield f"\n{self.literal(text.upper())}"

    def links(self, pairs: Sequence[tuple[str, str]]) -> Iterable[str]:
        yield "\n" + "\n".join(f"{self.literal(words)}: {url}" for words, url in pairs)

    def joined_blocks(self, blocks: Sequence[Block]) -> str:
        """Blocks with a blank line between them."""
        return "\n\n".join(filter(None, self.blocks(blocks)))

    def body(self, blocks: Sequence[Block]) -> Iterator[str]:
        yield self.joined_blocks(blocks)

    def step(self, part: message.StepLine) -> Iterator[str]:
        first, *more = text_lines(part.words)
        head = "\n".join([f"{part.number}. {first}", *(f"{self.indent}{line}" for line in more)])
        yield "\n".join(filter(None, (head, "\n\n".join(self.below_step(part.blocks)))))

    def code(self, block: Code) -> Iterator[str]:
        text = visible(block.text).strip("\n")
        lines = [f"{fence(text)}\n{text}\n{fence(text)}"] if text.strip() else []
        lines += (visible(wording.shown_value(name, value)) for name, value in block.values)
        yield "\n".join(lines)

    def list_block(self, block: ListBlock) -> Iterator[str]:
        yield "\n".join(
            self._item(item, f"{number}." if block.ordered else "-")
            for number, item in enumerate(block.items, block.start)
        )

    def _item(self, item: Item, mark: str) -> str:
        head = f"{self.margin}{mark} {_BOXES[item.checked]}"
        inner = self.nested(self.margin + "  ")
        texts = ["".join(inner.block(block)) for block in item.blocks]
        if texts and not _has_code(item.blocks[0]):
            head, texts = head + texts[0].lstrip(), texts[1:]
        else:
            head = head.rstrip()
        return "\n".join([head, *texts])

    def quote(self, block: Quote) -> Iterator[str]:
        yield "\n\n".join(self.nested(self.margin + "> ").blocks(block.blocks))

    def _as_text(self, block: Block, /) -> Iterator[str]:
        text = to_text((block,)).strip("\n")
        yield "\n".join((self.margin + line).rstrip() for line in text.split("\n"))

    paragraph = heading = table = rule = _as_text


def _has_code(block: Block) -> bool:
    match block:
        case Code():
            return True
        case ListBlock(_, items):
            return any(_has_code(inner) for item in items for inner in item.blocks)
        case Quote(blocks):
            return any(map(_has_code, blocks))
        case _:
            return False
