"""Whether a message takes so long to make that the router should not wait for it.

What is then done is `attempt`'s.
"""

from collections.abc import Sequence
from itertools import chain

from alert_router.markdown import (
    Block,
    Code,
    CodeSpan,
    Heading,
    Inline,
    Item,
    ListBlock,
    Paragraph,
    Quote,
    Table,
    Text,
)
from alert_router.model import SMALL_BODY, Alert
from alert_router.notification import Notification

_ALERTS = 50
# Blocks, spans and lines of code. A usual runbook's sections have a few hundred; a message of a
# thousand takes some destinations a tenth of a second.
_PIECES = 1_000
_WORDS = 100  # characters that count as another piece


def is_heavy(notification: Notification) -> bool:
    """Whether there are so many alerts or so much of runbooks. Looks no further than it has to."""
    alerts = notification.group.alerts
    if len(alerts) > _ALERTS or sum(map(_characters, alerts)) > SMALL_BODY:
        return True
    left = _PIECES
    for part in notification.runbooks:
        for section in part.sections:
            waiting: list[Block | Item] = [*section.intro]
            for step in section.steps:
                waiting += step.blocks
            left -= 1 + len(section.steps)
            while waiting and left >= 0:
                block = waiting.pop()
                left -= _pieces(block)
                if isinstance(block, ListBlock):
                    waiting += block.items
                elif isinstance(block, Quote | Item):
                    waiting += block.blocks
            if left < 0:
                return True
    return False


def _characters(alert: Alert) -> int:
    return sum(map(len, chain(alert.labels.values(), alert.annotations.values())))


def _pieces(block: Block | Item) -> int:
    match block:
        case Code(text):
            return 1 + text.count("\n") + len(text) // _WORDS
        case Table(_, rows):
            return 1 + sum(map(_spans, chain.from_iterable(rows)))
        case Heading(_, children) | Paragraph(children):
            return 1 + _spans(children)
        case _:
            return 1


def _spans(children: Sequence[Inline]) -> int:
    return len(children) + sum(
        len(span.text) // _WORDS for span in children if isinstance(span, Text | CodeSpan)
    )
