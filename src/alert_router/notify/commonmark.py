"""Markdown for chats: words, code and links in which nothing formats, links or pings by itself.

Which characters and words a chat would obey is data of its own (`Syntax`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from alert_router.markdown import Emphasis, Strike, Strong, visible
from alert_router.notify.chatmarkup import Flavour
from alert_router.notify.links import encoded

CHANGED = "(A command that would be changed here: see the runbook's page.)"

_FENCES = re.compile("`{3,}")
_LANGUAGE = re.compile(r"[a-z0-9+_.-]{1,20}")
# Characters that begin a list, a quote, a heading, a table, or underline one.
_BEGINNING = re.compile(r"[-+>#=|]|\d+[.)]")
_ADDRESS = re.compile(r"https?://[^/]|mailto:.", re.IGNORECASE)
_IN_ADDRESS = str.maketrans({mark: f"%{ord(mark):02X}" for mark in "()[]*'!$"})
# Not every chat takes escapes within a link's words, so look-alikes stand for what it would obey.
_IN_LABEL = str.maketrans("\\`*~|[]<>@#$!&", "＼ˋ∗∼¦［］‹›＠＃＄ǃ＆")
_FOUND_IN_LABEL = re.compile(r"[:;](?=\S)|(?<=www)\.|\.(?=\w+/)", re.IGNORECASE)
_BORDER = re.compile(r"(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])")


@dataclass(frozen=True, slots=True)
class Syntax:
    """One chat's Markdown.

    `special` finds the characters that a backslash makes plain, or the entity that stands for one
    in `entities`. `obeyed` finds in a word what no escape keeps from linking or pinging: the word
    is shown as code. `rewritten` finds what the chat would change wherever it stands, in code
    too. `longest_url` is in characters, encoded.
    """

    special: re.Pattern[str]
    rewritten: re.Pattern[str]
    obeyed: re.Pattern[str] | None = None
    entities: Mapping[str, str] = field(default_factory=dict)
    schemes: tuple[str, ...] = ("http:", "https:")
    longest_url: int = 1800

    @property
    def flavour(self) -> Flavour:
        """The same as a chat's markup."""
        return Flavour(
            marks={Strong: "**", Emphasis: "*", Strike: "~~"},
            literal=self.literal,
            code_span=self.code_span,
            code_block=self.code_block,
            link=self.link,
            begun=self.begun,
            markup=re.compile(r"[*~\n]"),
            # Four spaces would be code, and a chat drops those that begin a line.
            indent="\u2003",
            # A list's own numbers would begin anew behind each code block.
            numbered="{}\\.",
        )

    def literal(self, text: str) -> str:
        """Words on one line that are only themselves."""
        words = re.sub(r"\S+", lambda found: self._word(found[0]), _on_one_line(text))
        # What follows may be a link, and would be a picture.
        return f"{words[:-1]}\\!" if words.endswith("!") else words

    def code_span(self, text: str) -> str:
        """Words as code on a line."""
        words = _on_one_line(text)
        if not words.strip():
            return words
        if "`" not in words:
            return f"`{words}`"
        # Three would begin a block, so that there is no way to write two within.
        return f"`` {words.replace('``', 'ˋˋ')} ``"

    def code_block(self, text: str, language: str = "") -> str:
        """A whole code block, or a sentence where it would not be shown exactly."""
        shown = visible(text)
        if self.rewritten.search(shown):
            return CHANGED
        fence = "`" * (max((len(run) for run in _FENCES.findall(shown)), default=2) + 1)
        info = language if _LANGUAGE.fullmatch(language) else ""
        return f"{fence}{info}\n{shown}\n{fence}"

    def link(self, url: str, label: str) -> str:
        """`[label](url)`; only the label where the address is none for a browser."""
        address = encoded(url).translate(_IN_ADDRESS)
        is_address = _ADDRESS.match(address) and address.lower().startswith(self.schemes)
        if not is_address or len(address) > self.longest_url:
            return self.literal(label)
        words = _FOUND_IN_LABEL.sub(_apart, _on_one_line(label)).translate(_IN_LABEL)
        return f"[{_BORDER.sub('ˍ', words).strip() or 'link'}]({address})"

    def begun(self, line: str) -> str:
        """A line that begins nothing, whatever its first characters are."""
        words = line.lstrip(" ")
        return f"\u200b{words}" if _BEGINNING.match(words) else words

    def kept(self, piece: str) -> str:
        """A finished line in which the chat would change nothing; a code block as it is."""
        is_safe = piece.startswith("```") or not self.rewritten.search(piece)
        return piece if is_safe else piece.replace("<", "‹")

    def _word(self, word: str) -> str:
        if self.obeyed and self.obeyed.search(word):
            return self.code_span(word)
        return self.special.sub(lambda found: self.entities.get(found[0], f"\\{found[0]}"), word)


def _apart(found: re.Match[str]) -> str:
    return {":": "∶", ";": "；", ".": "․"}[found[0]]


def _on_one_line(text: str) -> str:
    return visible(text.replace("\r", " ").replace("\n", " ").replace("\t", " "))
