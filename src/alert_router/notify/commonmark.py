"""What chats that read Markdown have in common: code, links, and lines that begin nothing.

Which characters of plain words a chat would obey is each chat's own affair.
"""

import re
from collections.abc import Callable

from alert_router.markdown import Emphasis, Strike, Strong, visible
from alert_router.notify.chatmarkup import Flavour
from alert_router.notify.links import encoded, is_web

_TICKS = re.compile(r"`+")
_LANGUAGE = re.compile(r"[a-z0-9+#-]{1,20}")
_BEGINNING = re.compile(r"(?=\s*(?:[-+]|-#|>|\d+[.)])(?:\s|$))")
_PARENTHESES = str.maketrans({"(": "%28", ")": "%29"})
_LONGEST_URL = 1800  # characters, encoded


def code_span(text: str) -> str:
    """Words as code on a line, between more backticks than are in it (CommonMark 6.1)."""
    words = visible(text.replace("\r", " ").replace("\n", " "))
    if not words.strip():
        return words
    ticks = "`" * (_longest(words) + 1)
    room = " " if words[0] in "` " or words[-1] in "` " else ""
    return f"{ticks}{room}{words}{room}{ticks}"


def code_block(text: str, language: str = "", least: int = 3) -> str:
    """A whole code block between more backticks than are in it, `least` or more."""
    fence = "`" * max(least, _longest(visible(text)) + 1)
    known = language if _LANGUAGE.fullmatch(language) else ""
    return f"{fence}{known}\n{visible(text)}\n{fence}"


def begun(line: str) -> str:
    """A line that is no item of a list and no quote, whatever its first characters are."""
    return _BEGINNING.sub("\u200b", line, count=1) if _BEGINNING.match(line) else line


def flavour(literal: Callable[[str], str], block: Callable[[str, str], str]) -> Flavour:
    """The markup of a chat with such words and code blocks."""

    def link(url: str, label: str) -> str:
        words = literal(label).strip()
        address = encoded(url).translate(_PARENTHESES)
        if not is_web(url) or len(address) > _LONGEST_URL:
            return words
        return f"[{words or 'link'}]({address})"

    return Flavour(
        marks={Strong: "**", Emphasis: "_", Strike: "~~"},
        literal=literal,
        code_span=code_span,
        code_block=block,
        link=link,
        begun=begun,
        markup=re.compile(r"\n"),
        # Four spaces would be code, and a chat drops those that begin a line.
        indent="\u2003",
        # A list's own numbers would begin anew behind each code block.
        numbered="{}\\.",
    )


def _longest(text: str) -> int:
    """The longest run of backticks."""
    return max(map(len, _TICKS.findall(text)), default=0)
