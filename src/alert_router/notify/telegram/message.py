"""A notification as Telegram messages: text and entities within their limits."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from alert_router.markdown import Emphasis, Inline, Strike, Strong, plain
from alert_router.notification import Detail, Notification
from alert_router.notify import message, wording
from alert_router.notify.message import fit, outline
from alert_router.notify.render import LineRenderer
from alert_router.notify.telegram.entities import (
    Marked,
    code,
    emphasised,
    is_linked,
    joined,
    link,
    literal,
    mentioned,
    trimmed,
)

# core.telegram.org/bots/api#sendmessage: 4,096 after entities are parsed, in UTF-16 code units;
# core.telegram.org/api/entities: of more than 100 entities the rest is ignored.
MAX_UNITS = 4096
MAX_ENTITIES = 100
_MAX_URLS = 10_000  # characters; that there is a limit is known (ENTITIES_TOO_LONG), not which

_URGENT = "Mitigation"  # the standard name of a section
_CUT = Marked(wording.cut_note("Telegram"))
_KINDS = {Strong: "bold", Emphasis: "italic", Strike: "strikethrough"}


def render(notification: Notification, detail: Detail) -> dict[str, Any]:
    """The message with as much detail as fits, and with further steps in the room that is left."""
    level, parts = fit(
        detail,
        lambda level: (level, list(outline(notification, level))),
        lambda made: _fits(_whole(_pieces(made[1]))),
    )
    if level < detail:
        parts = _filled(parts, outline(notification, detail))
    return _as_json(_pieces(parts))


def render_change(notification: Notification) -> dict[str, Any]:
    """The reply to a message that was changed: the current state."""
    parts = [
        part
        for part in outline(notification, Detail.MINIMAL)
        if isinstance(part, message.REPLIED) or part == message.Note(message.RESENT)
    ]
    return _as_json([*TelegramRenderer().parts(parts), Marked("")])


def _as_json(pieces: list[Marked]) -> dict[str, Any]:
    whole = _cut(pieces)
    return {
        "text": whole.text,
        "entities": [entity.as_json() for entity in whole.entities],
        # Telegram would otherwise fetch what links lead to.
        "link_preview_options": {"is_disabled": True},
    }


def _whole(pieces: Iterable[Marked]) -> Marked:
    return trimmed(joined(pieces, "\n"))


def _fits(whole: Marked) -> bool:
    sizes = (whole.units, len(whole.entities), whole.urls)
    limits = (MAX_UNITS, MAX_ENTITIES, _MAX_URLS)
    return all(size <= limit for size, limit in zip(sizes, limits, strict=True))


def _cost(pieces: Iterable[Marked]) -> tuple[int, int, int]:
    """How much of the three limits pieces take, each with a line feed. It only adds up, so that
    what fits is found in one go."""
    found = list(pieces)
    return (
        sum(piece.units + 1 for piece in found),
        sum(len(piece.entities) for piece in found),
        sum(piece.urls for piece in found),
    )


def _left(pieces: Iterable[Marked]) -> list[int]:
    """How much of the three limits these pieces leave."""
    limits = (MAX_UNITS, MAX_ENTITIES, _MAX_URLS)
    return [limit - cost for limit, cost in zip(limits, _cost(pieces), strict=True)]


def _filled(
    parts: list[message.OutlinePart], full: Iterable[message.OutlinePart]
) -> list[message.OutlinePart]:
    """The parts with as many steps as fit shown as they are in `full`: the first of each section,
    then the others, Mitigation's before any."""
    full_steps = {id(part.step): part for part in full if isinstance(part, message.StepLine)}
    steps = [
        ((part.number > 1, part.section != _URGENT, index), index, full_steps[id(part.step)])
        for index, part in enumerate(parts)
        if isinstance(part, message.StepLine)
    ]
    renderer = TelegramRenderer()
    filled, left = list(parts), _left(_pieces(parts))
    for _, index, step in sorted(steps, key=lambda each: each[0]):
        costs = _cost(renderer.part(parts[index])), _cost(renderer.part(step))
        rest = [room + before - after for room, before, after in zip(left, *costs, strict=True)]
        if min(rest) >= 0:
            filled[index], left = step, rest
    return filled


def _cut(pieces: list[Marked]) -> Marked:
    """As many pieces as fit, and always the last, the links."""
    whole = _whole(pieces)
    if _fits(whole):
        return whole
    *body, foot = pieces
    left, kept = _left((foot, _CUT)), 0
    for piece in body:
        left = [room - cost for room, cost in zip(left, _cost((piece,)), strict=True)]
        if min(left) < 0:
            break
        kept += 1
    return _whole([*body[:kept], _CUT, foot])


def _pieces(parts: Sequence[message.OutlinePart]) -> list[Marked]:
    """Lines and whole code blocks, the links last."""
    renderer = TelegramRenderer()
    pieces: list[Marked] = []
    is_first = True
    for part in parts:
        pieces += renderer.part(part)
        if isinstance(part, message.RunbookTitle):
            if not is_first and not is_linked(part.url):
                pieces.append(link(part.url, ""))  # the first one's URL stands among the links
            is_first = False
    links = (link(url, words) for words, url in message.all_links(parts))
    # A link whose URL is too long for Telegram is only words by now.
    row = joined((each for each in links if each.entities), " · ")
    return [*pieces, joined((Marked("\n"), row)) if row.text else row]


class TelegramRenderer(LineRenderer[Marked, Marked]):
    """Spans and blocks as texts with entities."""

    def title(self, part: message.Title) -> Iterator[Marked]:
        yield self.line(self.bold(str(part)), f"{part.grade.emoji} ")

    def mention(self, names: Sequence[str]) -> Iterator[Marked]:
        yield joined(map(mentioned, names), " ")

    def more(self, part: message.More) -> Iterator[Marked]:
        yield link(part.url, str(part)) if is_linked(part.url) else literal(str(part))

    def runbook(self, part: message.RunbookTitle) -> Iterator[Marked]:
        title = link(part.url, part.text) if is_linked(part.url) else literal(part.text)
        yield self.line(emphasised("bold", title), "\n")
        about = "; ".join(filter(None, (part.provenance, part.about)))
        yield emphasised("italic", literal(about))

    def step(self, part: message.StepLine) -> Iterator[Marked]:
        yield self.line(self.spans(part.words), f"{part.number}. ")
        yield from self.below_step(part.blocks)

    def links(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Marked]:
        return ()  # they are the last line

    def line(self, text: Marked, lead: str = "", *, is_continued: bool = False) -> Marked:
        return joined((Marked(self.margin + lead), text))

    def bold(self, text: str) -> Marked:
        return emphasised("bold", literal(text))

    def code_block(self, text: str, language: str) -> Marked:
        return code(text, "pre", language)

    def value(self, text: str) -> Marked:
        return code(text)

    def text(self, text: str) -> Marked:
        return literal(text)

    def code_span(self, text: str) -> Marked:
        return code(text)

    def link(self, url: str, children: Sequence[Inline]) -> Marked:
        return link(url, plain(children))

    def line_break(self, hard: bool) -> Marked:
        return Marked("\n" if hard else " ")

    def marked(self, span: Strong | Emphasis | Strike) -> Marked:
        return emphasised(_KINDS[type(span)], self.spans(span.children))

    def joined(self, spans: Iterable[Marked]) -> Marked:
        return joined(spans)
