"""A Markdown tree as the markup of a chat, a line or a whole code block at a time.

What the words, the code and the links of a chat look like is its `Flavour`; how much fits is the
message's.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from alert_router.markdown import (
    Block,
    Break,
    Code,
    CodeSpan,
    Emphasis,
    Heading,
    Inline,
    Item,
    Link,
    ListBlock,
    Paragraph,
    Quote,
    Strike,
    Strong,
    Table,
    Text,
    plain,
    to_text,
)
from alert_router.notify import summary

_DEEPEST = 40  # characters of indentation
_QUOTE = "▏ "
_BORDER = re.compile(r"[ .,;:!?()\"'—–-]?")


@dataclass(frozen=True, slots=True)
class Flavour:
    """One chat's markup.

    `marks` are what stands on both sides of bold, italic and struck words; `literal` makes words
    in which nothing formats, links or pings; `code_span` and `code_block` (of a text and its
    language) code that is copied as it was; `link` a link of an address and its words; `begun`
    keeps a line from being an item of a list or a quote by its first characters. `markup` finds
    in literal words what could meet a mark beside it. `indent` is one step inwards, `numbered` a
    number before its item.
    """

    marks: Mapping[type, str]
    literal: Callable[[str], str]
    code_span: Callable[[str], str]
    code_block: Callable[[str, str], str]
    link: Callable[[str, str], str]
    begun: Callable[[str], str]
    markup: re.Pattern[str]
    indent: str
    numbered: str = "{}."

    def bold(self, text: str) -> str:
        """Words in bold, none of them markup."""
        words = self.literal(text).strip()
        return self.strong(words) if words else ""

    def strong(self, markup: str) -> str:
        """Markup in bold."""
        return f"{self.marks[Strong]}{markup}{self.marks[Strong]}"

    def lines(self, spans: Sequence[Inline]) -> list[str]:
        """Spans as markup, a text for each line; none begins a list or a quote."""
        found = self._inline(spans, marked=False, before="", after="").split("\n")
        return [self.begun(line) for line in found if line.strip()]

    def pieces(self, blocks: Sequence[Block], indent: str = "") -> Iterator[str]:
        """Blocks as lines and whole code blocks, in order."""
        for block in blocks:
            match block:
                case Code():
                    yield from self._code(block)
                case Paragraph(children):
                    yield from (indent + line for line in self.lines(children))
                case Heading(_, children):
                    yield indent + self.bold(plain(children))
                case ListBlock():
                    for number, item in enumerate(block.items, block.start):
                        bullet = self.numbered.format(number) if block.ordered else "•"
                        yield from self._item(item, bullet, indent)
                case Quote(inner):
                    yield from self.pieces(inner, _deeper(indent, _QUOTE))
                case Table():
                    yield from self._code(Code(to_text((block,))))
                case _:
                    continue

    def _inline(self, spans: Sequence[Inline], *, marked: bool, before: str, after: str) -> str:
        """Spans as markup; `before` and `after` are the characters beside them, if there are
        any."""
        found = ""
        for number, span in enumerate(spans):
            left = _edge(spans[:number], last=True) or before
            right = _edge(spans[number + 1 :], last=False) or after
            told = self._span(span, marked, left, right)
            # Two codes side by side would be one with backticks in it, or none.
            found += f"\u200b{told}" if found[-1:] == told[:1] == "`" else told
        return found

    def _span(self, span: Inline, marked: bool, before: str, after: str) -> str:
        match span:
            case Text(text):
                return self.literal(text)
            case CodeSpan(text):
                return self.code_span(text)
            case Link(url, children):
                return self.link(url, plain(children))
            case Break(hard):
                return "\n" if hard else " "
            case Strong(children) | Emphasis(children) | Strike(children):
                mark = self.marks[type(span)]
                inner = self._inline(children, marked=True, before=before, after=after)
                words = inner.strip()
                # Chats format whole words within a line. Elsewhere, and with marks in marks, they
                # may show the marks themselves.
                whole = _BORDER.fullmatch(before) and _BORDER.fullmatch(after)
                plain_words = words and not self.markup.search(words)
                return f"{mark}{words}{mark}" if whole and not marked and plain_words else inner

    def _code(self, block: Code) -> Iterator[str]:
        text = block.text.strip("\n")
        if text.strip():
            yield self.code_block(text, block.language)
        for name, value in block.values:
            yield self.code_span(summary.shown_value(name, value))

    def _item(self, item: Item, bullet: str, indent: str) -> Iterator[str]:
        if item.checked is not None:
            bullet = "☑" if item.checked else "☐"
        first, rest = item.blocks[:1], item.blocks[1:]
        if first and isinstance(first[0], Paragraph):
            told, *more = self.lines(first[0].children) or [""]
            yield f"{indent}{bullet} {told}"
            yield from (_deeper(indent, self.indent) + line for line in more)
        else:
            yield f"{indent}{bullet}"
            rest = item.blocks
        yield from self.pieces(rest, _deeper(indent, self.indent))


def _edge(spans: Sequence[Inline], *, last: bool) -> str:
    """The first or last character of spans as far as it matters to marks beside it."""
    for span in reversed(spans) if last else spans:
        match span:
            case Text(text):
                edge = text[-1:] if last else text[:1]
            case Break():
                edge = " "
            case CodeSpan() | Link():
                edge = "x"
            case _:
                edge = _edge(span.children, last=last)
        if edge:
            return edge
    return ""


def _deeper(indent: str, by: str) -> str:
    return (indent + by)[:_DEEPEST]
