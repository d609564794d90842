"""The parts of a message as lines of a chat's markup, whole code blocks among them.

What the markup is stands in the chat's `Flavour`; limits and what surrounds the text are each
notifier's.
"""

from collections.abc import Callable, Iterator, Sequence

from alert_router.notify.chatmarkup import Flavour
from alert_router.notify.links import is_web
from alert_router.notify.outline import (
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
)


def title(part: Title, flavour: Flavour) -> str:
    """The first line: emoji, the severity in bold, and what it is called."""
    return f"{part.grade.emoji} {flavour.bold(f'{part.grade.word}:')} {flavour.literal(part.text)}"


def pieces(parts: Sequence[Part], flavour: Flavour) -> Iterator[str]:
    """Lines and whole code blocks, the links last."""
    found: list[tuple[str, str]] = []
    for part in parts:
        match part:
            case Links(pairs):
                found += pairs
            case _:
                yield from _part(part, flavour)
    runbooks = [("Runbook", part.url) for part in parts if isinstance(part, RunbookTitle)]
    shown = [flavour.link(url, words) for words, url in (*runbooks[:1], *found) if is_web(url)]
    # One whose address is too long for the chat is only words by now.
    yield "\n" + " · ".join(each for each in shown if each[0] in "<[")


def cut(found: list[str], size: Callable[[str], int], room: int, note: str) -> list[str]:
    """As many pieces as fit into the room, and always the last, the links; the note where some
    were left out. `size` is that of a piece with a line feed behind it."""
    if sum(map(size, found)) <= room:
        return found
    *body, foot = found
    left = room - size(foot) - size(note)
    kept = 0
    while size(body[kept]) <= left:
        left -= size(body[kept])
        kept += 1
    return [*body[:kept], note, foot]


def _part(part: Part, flavour: Flavour) -> Iterator[str]:
    match part:
        case Title():
            yield title(part, flavour)
        case AlertLine(text):
            yield f"• {flavour.literal(text)}"
            if part.labels:
                yield f"{flavour.indent}{flavour.code_span(part.pairs())}"
        case More(_, url) if is_web(url):
            yield flavour.link(url, str(part))
        case Note(text):
            yield f"⚠ {flavour.literal(text)}"
        case Message(blocks) | Body(blocks):
            yield from flavour.pieces(blocks)
        case RunbookTitle():
            yield from _runbook(part, flavour)
        case SectionTitle(text):
            yield f"\n{flavour.bold(text)}"
        case StepLine(number, words, blocks):
            told = flavour.lines(words) or [""]
            yield "\n".join((f"{flavour.numbered.format(number)} {told[0]}", *told[1:]))
            yield from flavour.pieces(blocks)
        case _:
            yield flavour.literal(str(part))


def _runbook(part: RunbookTitle, flavour: Flavour) -> Iterator[str]:
    is_linked = is_web(part.url)
    words = flavour.link(part.url, part.text) if is_linked else flavour.literal(part.text).strip()
    yield f"\n{flavour.strong(words)}" if words else ""
    about = "; ".join(filter(None, (part.provenance, part.about)))
    yield flavour.begun(flavour.literal(about))
