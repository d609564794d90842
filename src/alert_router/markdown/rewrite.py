"""A tree with other words in it: every text, code and address passed through a function.

The shape of the tree stays, so that no word can become markup.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from alert_router.markdown.renderer import Renderer, SpanRenderer
from alert_router.markdown.tree import (
    Block,
    Break,
    Code,
    CodeSpan,
    Emphasis,
    Heading,
    Inline,
    Link,
    ListBlock,
    Paragraph,
    Quote,
    Rule,
    Strike,
    Strong,
    Table,
    Text,
)

Change = Callable[[str], str]
Cells = tuple[tuple[Inline, ...], ...]


@dataclass
class Rewrite(Renderer[Block], SpanRenderer[tuple[Inline, ...]]):
    """How the words of a text, code (inline or block), and addresses change."""

    words: Change
    code_text: Change
    url: Change

    def paragraph(self, block: Paragraph) -> Iterator[Block]:
        yield replace(block, children=self.spans(block.children))

    def heading(self, block: Heading) -> Iterator[Block]:
        yield replace(block, children=self.spans(block.children))

    def code(self, block: Code) -> Iterator[Block]:
        yield replace(block, text=self.code_text(block.text), info=self.code_text(block.info))

    def list_block(self, block: ListBlock) -> Iterator[Block]:
        items = (replace(item, blocks=tuple(self.blocks(item.blocks))) for item in block.items)
        yield replace(block, items=tuple(items))

    def quote(self, block: Quote) -> Iterator[Block]:
        yield replace(block, blocks=tuple(self.blocks(block.blocks)))

    def table(self, block: Table) -> Iterator[Block]:
        yield replace(block, header=self._row(block.header), rows=tuple(map(self._row, block.rows)))

    def _row(self, row: Cells) -> Cells:
        return tuple(map(self.spans, row))

    def rule(self, block: Rule) -> Iterator[Block]:
        yield block

    def text(self, text: str) -> tuple[Inline, ...]:
        return (Text(self.words(text)),)

    def code_span(self, text: str) -> tuple[Inline, ...]:
        return (CodeSpan(self.code_text(text)),)

    def line_break(self, hard: bool) -> tuple[Inline, ...]:
        return (Break(hard),)

    def link(self, url: str, children: Sequence[Inline]) -> tuple[Inline, ...]:
        return (Link(self.url(url), self.spans(children)),)

    def marked(self, span: Strong | Emphasis | Strike) -> tuple[Inline, ...]:
        return (replace(span, children=self.spans(span.children)),)

    def joined(self, spans: Iterable[tuple[Inline, ...]]) -> tuple[Inline, ...]:
        return tuple(chain.from_iterable(spans))
