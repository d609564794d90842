"""A Markdown tree as elements of a card: lines of runs, and code blocks.

Nothing is written as Markdown again: bold, links and code are properties of runs.
"""

from collections.abc import Iterable, Iterator, Sequence

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
from alert_router.notify.teams.elements import BOLD, MONOSPACE, Element, Look, Run, code, line, link

_INDENT = "\N{NO-BREAK SPACE}" * 4  # a browser makes one space of several usual ones
_QUOTE = "▏ "
_DEEPEST = 40  # characters of indentation
_LOOKS: dict[type, Look] = {
    Strong: BOLD,
    Emphasis: {"italic": True},
    Strike: {"strikethrough": True},
}


def lines(spans: Iterable[Inline]) -> list[list[Run]]:
    """Spans as runs, a list for each line."""
    found: list[list[Run]] = [[]]
    for text, look in _runs(spans, {}):
        if text == "\n":
            found.append([])
        elif found[-1] and found[-1][-1][1] == look:
            found[-1][-1] = (found[-1][-1][0] + text, look)
        elif text:
            found[-1].append((text, look))
    return found


def _runs(spans: Iterable[Inline], look: Look) -> Iterator[Run]:
    for span in spans:
        match span:
            case Text(text):
                yield _on_one_line(text), look
            case CodeSpan(text):
                yield _on_one_line(text), look | MONOSPACE
            case Link(url, children):
                yield _on_one_line(plain(children)) or url, look | link(url)
            case Break(hard):
                yield "\n" if hard else " ", look
            case Strong(children) | Emphasis(children) | Strike(children):
                yield from _runs(children, look | _LOOKS[type(span)])


def _on_one_line(text: str) -> str:
    """Words whose line breaks are spaces: a line begins only where the tree says so."""
    return text.replace("\r", " ").replace("\n", " ")


def elements(blocks: Sequence[Block], *, twice: bool, indent: str = "") -> Iterator[Element]:
    """Blocks as elements, in order; `twice` says code again for clients without CodeBlock."""
    for block in blocks:
        match block:
            case Code():
                yield from _code(block, twice)
            case Paragraph(children):
                for runs in lines(children):
                    yield line([(indent, {}), *runs])
            case Heading(_, children):
                yield line([(indent, {}), (_on_one_line(plain(children)), BOLD)])
            case ListBlock():
                for number, item in enumerate(block.items, block.start):
                    bullet = f"{number}. " if block.ordered else "• "
                    yield from _item(item, bullet, twice, indent)
            case Quote(inner):
                yield from elements(inner, twice=twice, indent=_deeper(indent, _QUOTE))
            case Table():
                yield from _code(Code(to_text((block,))), twice)
            case _:
                continue


def _code(block: Code, twice: bool) -> Iterator[Element]:
    text = block.text.strip("\n")
    if text.strip():
        yield code(text, block.language, twice=twice)
    for name, value in block.values:
        yield line([(summary.shown_value(name, value), MONOSPACE)])


def _item(item: Item, bullet: str, twice: bool, indent: str) -> Iterator[Element]:
    if item.checked is not None:
        bullet = "☑ " if item.checked else "☐ "
    first, rest = item.blocks[:1], item.blocks[1:]
    head: list[Run] = [(indent + bullet, {})]
    if first and isinstance(first[0], Paragraph):
        told, *more = lines(first[0].children)
        yield line([*head, *told], spacing="Small")
        for runs in more:
            yield line([(_deeper(indent), {}), *runs], spacing="None")
    else:
        yield line(head, spacing="Small")
        rest = item.blocks
    yield from elements(rest, twice=twice, indent=_deeper(indent))


def _deeper(indent: str, by: str = _INDENT) -> str:
    return (indent + by)[:_DEEPEST]
