"""Markdown as plain text, for destinations without markup: commands stand between fences, not
indented, so that they are copied as they were written."""

import re
from collections.abc import Iterable, Iterator, Sequence

from alert_router.markdown import (
    Block,
    Code,
    Inline,
    Item,
    ListBlock,
    Paragraph,
    Quote,
    to_text,
    visible,
)
from alert_router.notify import message, wording
from alert_router.notify.render import MessageRenderer

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
