"""The visitors of a Markdown tree. A destination supplies what each block and each span becomes."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from copy import copy
from typing import Generic, Self, TypeVar

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

T = TypeVar("T")


class Renderer(ABC, Generic[T]):
    """Each block becomes any number of pieces."""

    margin = ""  # of nested blocks, for renderers that indent

    def blocks(self, blocks: Sequence[Block]) -> list[T]:
        """The blocks, in order."""
        return [piece for block in blocks for piece in self.block(block)]

    def block(self, block: Block) -> Iterable[T]:
        """One block."""
        match block:
            case Paragraph():
                return self.paragraph(block)
            case Code():
                return self.code(block)
            case ListBlock():
                return self.list_block(block)
            case Heading():
                return self.heading(block)
            case Quote():
                return self.quote(block)
            case Table():
                return self.table(block)
            case Rule():
                return self.rule(block)

    def nested(self, margin: str) -> Self:
        """The same renderer with another margin, for what is nested in a block."""
        inner = copy(self)
        inner.margin = margin
        return inner

    @abstractmethod
    def paragraph(self, block: Paragraph, /) -> Iterable[T]: ...
    @abstractmethod
    def code(self, block: Code, /) -> Iterable[T]: ...
    @abstractmethod
    def list_block(self, block: ListBlock, /) -> Iterable[T]: ...
    @abstractmethod
    def heading(self, block: Heading, /) -> Iterable[T]: ...
    @abstractmethod
    def quote(self, block: Quote, /) -> Iterable[T]: ...
    @abstractmethod
    def table(self, block: Table, /) -> Iterable[T]: ...
    @abstractmethod
    def rule(self, block: Rule, /) -> Iterable[T]: ...


class SpanRenderer(ABC, Generic[T]):
    """Spans become one T."""

    def spans(self, spans: Sequence[Inline]) -> T:
        """The spans, joined."""
        return self.joined(map(self.span, spans))

    def span(self, span: Inline) -> T:
        """One span."""
        match span:
            case Text(text):
                return self.text(text)
            case CodeSpan(text):
                return self.code_span(text)
            case Break(hard):
                return self.line_break(hard)
            case Link(url, children):
                return self.link(url, children)
            case Strong() | Emphasis() | Strike():
                return self.marked(span)

    @abstractmethod
    def text(self, text: str) -> T: ...
    @abstractmethod
    def code_span(self, text: str) -> T: ...
    @abstractmethod
    def line_break(self, hard: bool) -> T: ...
    @abstractmethod
    def link(self, url: str, children: Sequence[Inline]) -> T: ...
    @abstractmethod
    def marked(self, span: Strong | Emphasis | Strike) -> T: ...
    @abstractmethod
    def joined(self, spans: Iterable[T]) -> T: ...
