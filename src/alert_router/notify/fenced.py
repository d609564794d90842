"""A tree as plain text for destinations that show text as it is: commands stand between fences,
flush left, so that they are copied as they were written.

How much fits somewhere, and what else a message says, is each notifier's.
"""

import re
from collections.abc import Iterable, Iterator

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
from alert_router.notify import summary

_BOXES = {None: "", True: "[x] ", False: "[ ] "}
_TICKS = re.compile(r"`{3,}")


def fenced(blocks: Iterable[Block]) -> str:
    """Blocks as text, a blank line between them."""
    return "\n\n".join(text for text in map(_block, blocks) if text)


def words(inlines: tuple[Inline, ...]) -> str:
    """Spans on one line; a link's address stands behind its words."""
    return summary.one_line(to_text((Paragraph(inlines),)))


def step(number: int, title: tuple[Inline, ...], blocks: Iterable[Block]) -> str:
    """A numbered step: its first words, and under them what follows."""
    return "\n".join(text for text in (f"{number}. {words(title)}", fenced(blocks)) if text)


def _block(block: Block) -> str:
    match block:
        case Code():
            return "\n".join(_code(block))
        case ListBlock(ordered, items, start):
            marks = (f"{n}." if ordered else "-" for n in range(start, start + len(items)))
            return "\n".join(_item(item, mark) for mark, item in zip(marks, items, strict=True))
        case Quote(inner):
            return "\n\n".join(
                _block(each) if _has_code(each) else _indented(_block(each), "> ") for each in inner
            )
        case _:
            return to_text((block,)).strip("\n")


def _code(block: Code) -> Iterator[str]:
    text = visible(block.text).strip("\n")
    if text.strip():
        # A fence is longer than any run of backticks within it.
        longest = max((len(run) for run in _TICKS.findall(text)), default=2)
        fence = "`" * (longest + 1)
        yield f"{fence}\n{text}\n{fence}"
    for name, value in block.values:
        yield visible(summary.shown_value(name, value))


def _item(item: Item, mark: str) -> str:
    parts = [_block(block) if _has_code(block) else _indented(_block(block), "  ")
             for block in item.blocks]  # fmt: skip
    first = parts[0].lstrip() if parts and not _has_code(item.blocks[0]) else None
    head = f"{mark} {_BOXES[item.checked]}"
    if first is None:
        return "\n".join([head.rstrip(), *parts])
    return "\n".join([head + first, *parts[1:]])


def _has_code(block: Block) -> bool:
    match block:
        case Code():
            return True
        case ListBlock(_, items):
            return any(_has_code(inner) for item in items for inner in item.blocks)
        case Quote(inner):
            return any(map(_has_code, inner))
        case _:
            return False


def _indented(text: str, by: str) -> str:
    return "\n".join((by + line).rstrip() for line in text.split("\n"))
