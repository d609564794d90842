"""A tree with other words in it: every text, code and address passed through a function.

The shape of the tree stays, so that no word can become markup. What the words are is the
caller's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from alert_router.markdown.tree import (
    Block,
    Break,
    Code,
    CodeSpan,
    Heading,
    Inline,
    ListBlock,
    Paragraph,
    Quote,
    Rule,
    Table,
    Text,
)
from alert_router.markdown.tree import Link as LinkSpan

Words = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What becomes of the words of a text, of code (inline or block), and of addresses."""

    text: Words
    code: Words
    url: Words

    def blocks(self, blocks: Sequence[Block]) -> tuple[Block, ...]:
        """The blocks with other words."""
        return tuple(self._block(block) for block in blocks)

    def inlines(self, spans: Sequence[Inline]) -> tuple[Inline, ...]:
        """The spans with other words."""
        return tuple(self._span(span) for span in spans)

    def _block(self, block: Block) -> Block:
        match block:
            case Heading() | Paragraph():
                return replace(block, children=self.inlines(block.children))
            case Code():
                return replace(block, text=self.code(block.text), info=self.code(block.info))
            case ListBlock():
                items = (replace(item, blocks=self.blocks(item.blocks)) for item in block.items)
                return replace(block, items=tuple(items))
            case Quote():
                return replace(block, blocks=self.blocks(block.blocks))
            case Table():
                header, *rows = (
                    tuple(self.inlines(cell) for cell in row) for row in (block.header, *block.rows)
                )
                return replace(block, header=header, rows=tuple(rows))
            case Rule():
                return block

    def _span(self, span: Inline) -> Inline:
        match span:
            case Text():
                return Text(self.text(span.text))
            case CodeSpan():
                return CodeSpan(self.code(span.text))
            case LinkSpan():
                return LinkSpan(self.url(span.url), self.inlines(span.children))
            case Break():
                return span
            case _:
                return replace(span, children=self.inlines(span.children))
