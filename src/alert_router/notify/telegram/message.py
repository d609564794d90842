"""A notification as Telegram's message: text and entities within their limits. Pure.

How a message gets there is `notifier`'s.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from alert_router.notification import Detail, Notification
from alert_router.notify.links import is_web
from alert_router.notify.outline import (
    RESENT,
    AlertLine,
    Body,
    Links,
    Message,
    More,
    Note,
    Part,
    RunbookTitle,
    SectionTitle,
    StepLine,
    Title,
    fit,
    outline,
)
from alert_router.notify.telegram.marked import (
    Marked,
    code,
    emphasised,
    is_linked,
    joined,
    link,
    literal,
    trimmed,
)
from alert_router.notify.telegram.markup import pieces, words

# core.telegram.org/bots/api#sendmessage: 4,096 after entities are parsed, in UTF-16 code units;
# core.telegram.org/api/entities: of more than 100 entities the rest counts for nothing.
MAX_UNITS = 4096
MAX_ENTITIES = 100
_MAX_ADDRESSES = 10_000  # characters; that there is a limit is known (ENTITIES_TOO_LONG), not which

_URGENT = "Mitigation"
_CUT = Marked("There is more than fits into a message of Telegram.")


def message(notification: Notification, detail: Detail) -> dict[str, Any]:
    """The message with as much detail as fits, and what room is left used for further steps."""
    level, parts = fit(
        detail,
        lambda level: (level, list(outline(notification, level))),
        lambda made: _fits(_whole(_pieces(made[1]))),
    )
    if level < detail:
        parts = _filled(parts, outline(notification, detail))
    return _as_json(list(_pieces(parts)))


def change(notification: Notification) -> dict[str, Any]:
    """What is replied to a message that was changed: how things stand now."""
    found = [
        piece
        for part in outline(notification, Detail.MINIMAL)
        if isinstance(part, Title | AlertLine | More) or part == Note(RESENT)
        for piece in _part(part)
    ]
    return _as_json([*found, Marked("")])


def _as_json(found: list[Marked]) -> dict[str, Any]:
    whole = _cut(found)
    return {
        "text": whole.text,
        "entities": [entity.as_json() for entity in whole.entities],
        # Telegram would otherwise fetch what links lead to.
        "link_preview_options": {"is_disabled": True},
    }


def _whole(found: Iterable[Marked]) -> Marked:
    return trimmed(joined(found, "\n"))


def _fits(whole: Marked) -> bool:
    return (
        whole.units <= MAX_UNITS
        and len(whole.entities) <= MAX_ENTITIES
        and whole.addresses <= _MAX_ADDRESSES
    )


def _cost(pieces: Iterable[Marked]) -> tuple[int, int, int]:
    """What pieces take of the three limits, each with a line feed. It only adds up, so that what
    fits is found in one go."""
    found = list(pieces)
    return (
        sum(piece.units + 1 for piece in found),
        sum(len(piece.entities) for piece in found),
        sum(piece.addresses for piece in found),
    )


def _left(pieces: Iterable[Marked]) -> list[int]:
    """What these pieces leave of the three limits."""
    limits = (MAX_UNITS, MAX_ENTITIES, _MAX_ADDRESSES)
    return [limit - cost for limit, cost in zip(limits, _cost(pieces), strict=True)]


def _filled(parts: list[Part], full: Iterable[Part]) -> list[Part]:
    """The parts with as many steps as fit told as they are in `full`: the first of each section,
    then the others, Mitigation's before any."""
    told = (part for part in full if isinstance(part, StepLine))
    section, steps = "", []
    for index, part in enumerate(parts):
        if isinstance(part, SectionTitle):
            section = part.text
        elif isinstance(part, StepLine):
            order = (part.number > 1, section != _URGENT, index)
            steps.append((order, index, next(told)))
    filled, left = list(parts), _left(_pieces(parts))
    for _, index, step in sorted(steps, key=lambda each: each[0]):
        more = zip(left, _cost(_part(parts[index])), _cost(_part(step)), strict=True)
        rest = [room + before - after for room, before, after in more]
        if min(rest) >= 0:
            filled[index], left = step, rest
    return filled


def _cut(found: list[Marked]) -> Marked:
    """As many pieces as fit, and always the last, the links."""
    whole = _whole(found)
    if _fits(whole):
        return whole
    *body, foot = found
    left, kept = _left((foot, _CUT)), 0
    for piece in body:
        left = [room - cost for room, cost in zip(left, _cost((piece,)), strict=True)]
        if min(left) < 0:
            break
        kept += 1
    return _whole([*body[:kept], _CUT, foot])


def _pieces(parts: list[Part]) -> Iterator[Marked]:
    """Lines and whole code blocks, the links last."""
    found: list[tuple[str, str]] = []
    runbooks = [part for part in parts if isinstance(part, RunbookTitle)]
    for part in parts:
        match part:
            case Links(pairs):
                found += pairs
            case _:
                yield from _part(part)
        if isinstance(part, RunbookTitle) and part is not runbooks[0] and not is_linked(part.url):
            yield link(part.url, "")  # the first one's address stands among the links
    places = [*(("Runbook", part.url) for part in runbooks[:1]), *found]
    shown = [link(url, text) for text, url in places if is_web(url)]
    # One whose address is too long for Telegram is only words by now.
    row = joined((each for each in shown if each.entities), " · ")
    yield joined((Marked("\n"), row)) if row.text else row


def _part(part: Part) -> Iterator[Marked]:
    match part:
        case Title(grade):
            title = emphasised("bold", literal(str(part)))
            yield joined((Marked(f"{grade.emoji} "), title))
        case AlertLine(text):
            yield joined((Marked("• "), literal(text)))
            if part.labels:
                yield joined((Marked("    "), code(part.pairs())))
        case More(_, url) if is_linked(url):
            yield link(url, str(part))
        case Note(text):
            yield joined((Marked("⚠ "), literal(text)))
        case Message(blocks) | Body(blocks):
            yield from pieces(blocks)
        case RunbookTitle():
            title = link(part.url, part.text) if is_linked(part.url) else literal(part.text)
            yield joined((Marked("\n"), emphasised("bold", title)))
            about = "; ".join(filter(None, (part.provenance, part.about)))
            yield emphasised("italic", literal(about))
        case SectionTitle(text):
            yield joined((Marked("\n"), emphasised("bold", literal(text))))
        case StepLine(number, first, blocks):
            yield joined((Marked(f"{number}. "), words(first)))
            yield from pieces(blocks)
        case _:
            yield literal(str(part))
