"""A message in a chat's markup: lines and whole code blocks in which no value formats, links or
pings."""

import re
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

from alert_router.fields import LONGEST_URL, is_web_url
from alert_router.markdown import (
    Break,
    CodeSpan,
    Emphasis,
    Inline,
    Link,
    Strike,
    Strong,
    Text,
    plain,
    visible,
)
from alert_router.notify import message, wording
from alert_router.notify.links import encoded
from alert_router.notify.render import LineRenderer, fence

_BORDER = re.compile(r"[ .,;:!?()\"'—–-]?")
ADDRESS = re.compile(r"https?://[^/]|mailto:.", re.IGNORECASE)


class ChatRenderer(LineRenderer[str, str]):
    """One chat's markup.

    `marks` stand on both sides of bold, italic and struck words; `markup` finds in text what could
    meet a mark beside it.
    """

    service: str
    marks: ClassVar[Mapping[type, str]]
    markup: re.Pattern[str]

    def pieces(self, parts: Iterable[message.OutlinePart]) -> list[str]:
        """Lines and whole code blocks, the links last."""
        parts = list(parts)
        links = (self.linked(url, words) for words, url in message.all_links(parts))
        # A link whose URL is too long for the chat is only words by now.
        return [*self.parts(parts), "\n" + " · ".join(each for each in links if each[0] in "<[")]

    @abstractmethod
    def linked(self, url: str, label: str) -> str:
        """A link; only the label where the URL is not one for a browser."""

    @abstractmethod
    def plain_line(self, line: str) -> str:
        """A line that begins no list and no quote, whatever its first characters are."""

    def line(self, text: str, lead: str = "", *, is_continued: bool = False) -> str:
        return f"{self.margin}{lead}{text}"

    def bold(self, text: str) -> str:
        return self.strong(self.text(text).strip())

    def strong(self, markup: str) -> str:
        """Markup in bold."""
        return f"{self.marks[Strong]}{markup}{self.marks[Strong]}" if markup else ""

    def value(self, text: str) -> str:
        return self.code_span(text)

    def title(self, part: message.Title) -> Iterator[str]:
        grade = part.grade
        yield f"{grade.emoji} {self.bold(f'{grade.word}:')} {self.text(part.text)}"

    def facts(self, part: message.AlertLine) -> str:
        return self.joined_facts(str(part.when), part)

    def joined_facts(self, when: str, part: message.AlertLine) -> str:
        """The time, which is markup of our own, and the value."""
        return " · ".join(filter(None, (when, self.prose(part.value))))

    def prose(self, text: str) -> str:
        return self.plain_line(self.text(text))

    def mention(self, names: Sequence[str]) -> Iterator[str]:
        yield " ".join(names)

    def more(self, part: message.More) -> Iterator[str]:
        yield self.linked(part.url, str(part))

    def runbook(self, part: message.RunbookTitle) -> Iterator[str]:
        is_web = is_web_url(part.url)
        words = self.linked(part.url, part.text) if is_web else self.text(part.text).strip()
        yield f"\n{self.strong(words)}" if words else ""
        about = "; ".join(filter(None, (part.provenance, part.about)))
        yield self.plain_line(self.text(about))

    def step(self, part: message.StepLine) -> Iterator[str]:
        words = "\n".join(self.lines(part.words))
        yield f"{self.number.format(part.number)} {words}"
        yield from self.below_step(part.blocks)

    def links(self, pairs: Sequence[tuple[str, str]]) -> Iterable[str]:
        return ()  # they are the last line

    def lines(self, spans: Sequence[Inline]) -> list[str]:
        lines = self.spans(spans).split("\n")
        return [self.plain_line(line) for line in lines if line.strip()]

    def spans(self, spans: Sequence[Inline]) -> str:
        return self._spans(spans, is_marked=False, before="", after="")

    def _spans(self, spans: Sequence[Inline], *, is_marked: bool, before: str, after: str) -> str:
        """Spans as markup; `before` and `after` are the characters beside them, if any."""
        found = ""
        for number, span in enumerate(spans):
            if isinstance(span, Strong | Emphasis | Strike):
                left = _edge(spans[:number], last=True) or before
                right = _edge(spans[number + 1 :], last=False) or after
                markup = self._marked(span, is_marked, left, right)
            else:
                markup = self.span(span)
            # Two codes side by side would be one with backticks in it, or none.
            found += f"\u200b{markup}" if found[-1:] == markup[:1] == "`" else markup
        return found

    def _marked(
        self, span: Strong | Emphasis | Strike, is_marked: bool, before: str, after: str
    ) -> str:
        inner = self._spans(span.children, is_marked=True, before=before, after=after)
        words = inner.strip()
        # Chats format whole words within a line. Elsewhere, and with marks in marks, they may
        # show the marks themselves.
        is_whole = _BORDER.fullmatch(before) and _BORDER.fullmatch(after)
        if is_marked or not is_whole or not words or self.markup.search(words):
            return inner
        mark = self.marks[type(span)]
        return f"{mark}{words}{mark}"

    def line_break(self, hard: bool) -> str:
        return "\n" if hard else " "

    def link(self, url: str, children: Sequence[Inline]) -> str:
        return self.linked(url, plain(children))

    def marked(self, span: Strong | Emphasis | Strike) -> str:
        return self.spans((span,))

    def joined(self, spans: Iterable[str]) -> str:
        return "".join(spans)


def _edge(spans: Sequence[Inline], *, last: bool) -> str:
    """The first or last character of spans, as far as it matters to marks beside it."""
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


def on_one_line(text: str) -> str:
    """Text whose line breaks are spaces."""
    return visible(text.replace("\r", " ").replace("\n", " "))


def cut(pieces: list[str], size: Callable[[str], int], room: int, service: str) -> list[str]:
    """As many pieces as fit into the room, and always the last, the links; with a note where some
    were left out. `size` is that of a piece with a line feed behind it."""
    if sum(map(size, pieces)) <= room:
        return pieces
    *body, foot = pieces
    note = wording.cut_note(service)
    left = room - size(foot) - size(note)
    kept = 0
    while size(body[kept]) <= left:
        left -= size(body[kept])
        kept += 1
    return [*body[:kept], note, foot]


_LANGUAGE = re.compile(r"[a-z0-9+_.-]{1,20}")
# Characters that begin a list, a quote, a heading, a table, or underline one.
_BEGINNING = re.compile(r"[-+>#=|]|\d+[.)]")
_IN_URL = str.maketrans({mark: f"%{ord(mark):02X}" for mark in "()[]*'!$"})
# Not every chat knows escapes within a link's words, so look-alikes replace what it would obey.
_IN_LABEL = str.maketrans("\\`*~|[]<>@#$!&", "＼ˋ∗∼¦［］‹›＠＃＄ǃ＆")
_FOUND_IN_LABEL = re.compile(r"[:;](?=\S)|(?<=www)\.|\.(?=\w+/)", re.IGNORECASE)
_UNDERSCORE = re.compile(r"(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])")


class MarkdownRenderer(ChatRenderer):
    """A chat whose markup is Markdown.

    `special` finds the characters that a backslash makes plain, or the entity that `entities` has
    for one. `obeyed` finds in a word what no escape keeps from linking or pinging: the word is
    shown as code. `rewritten` finds what the chat would change wherever it stands, in code too.
    `longest_url` is in characters, encoded.
    """

    special: re.Pattern[str]
    rewritten: re.Pattern[str]
    obeyed: re.Pattern[str] | None = None
    entities: ClassVar[Mapping[str, str]] = {}
    schemes: tuple[str, ...] = ("http:", "https:")
    longest_url = LONGEST_URL

    marks: ClassVar = {Strong: "**", Emphasis: "*", Strike: "~~"}
    markup = re.compile(r"[*~\n]")
    # Four spaces would be code, and a chat drops those that begin a line.
    indent = "\u2003"
    # A list's own numbers would start again after each code block.
    number = "{}\\."

    def pieces(self, parts: Iterable[message.OutlinePart]) -> list[str]:
        return list(map(self._unchanged, super().pieces(parts)))

    def title(self, part: message.Title) -> Iterator[str]:
        yield from map(self._unchanged, super().title(part))

    def _unchanged(self, piece: str) -> str:
        """A finished line in which the chat would change nothing; a code block as it is."""
        is_safe = piece.startswith("```") or not self.rewritten.search(piece)
        return piece if is_safe else piece.replace("<", "‹")

    def text(self, text: str) -> str:
        words = re.sub(r"\S+", lambda found: self._word(found[0]), _without_tabs(text))
        # What follows may be a link, and would be a picture.
        return f"{words[:-1]}\\!" if words.endswith("!") else words

    def _word(self, word: str) -> str:
        if self.obeyed and self.obeyed.search(word):
            return self.code_span(word)
        return self.special.sub(lambda found: self.entities.get(found[0], f"\\{found[0]}"), word)

    def code_span(self, text: str) -> str:
        words = _without_tabs(text)
        if not words.strip():
            return words
        if "`" not in words:
            return f"`{words}`"
        # Three would begin a block, so that there is no way to write two within.
        return f"`` {words.replace('``', 'ˋˋ')} ``"

    def code_block(self, text: str, language: str) -> str:
        shown = visible(text)
        if self.rewritten.search(shown):
            return wording.would_change(self.service)
        info = language if _LANGUAGE.fullmatch(language) else ""
        return f"{fence(shown)}{info}\n{shown}\n{fence(shown)}"

    def linked(self, url: str, label: str) -> str:
        address = encoded(url).translate(_IN_URL)
        is_linked = ADDRESS.match(address) and address.lower().startswith(self.schemes)
        if not is_linked or len(address) > self.longest_url:
            return self.text(label)
        words = _FOUND_IN_LABEL.sub(_look_alike, _without_tabs(label)).translate(_IN_LABEL)
        return f"[{_UNDERSCORE.sub('ˍ', words).strip() or 'link'}]({address})"

    def plain_line(self, line: str) -> str:
        words = line.lstrip(" ")
        return f"\u200b{words}" if _BEGINNING.match(words) else words


def _look_alike(found: re.Match[str]) -> str:
    return {":": "∶", ";": "；", ".": "․"}[found[0]]


def _without_tabs(text: str) -> str:
    return on_one_line(text.replace("\t", " "))
