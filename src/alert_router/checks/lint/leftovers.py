"""Text that its author meant to replace: TODO, "insert site specific", lorem ipsum."""

import re
from collections.abc import Iterator

from alert_router.checks.lint import codes
from alert_router.checks.lint.page import Page
from alert_router.markdown import CodeSpan
from alert_router.model.problem import Problem

# Marks are upper case: "todo" is a word of other languages, "xxx" stands for digits.
_WORDS = re.compile(
    r"(?<![\w/.-])(?:TODO|FIXME|TBD|TBC|TBA|XXX)(?=\s*(?:[:;,(.)\]!?*]|\Z))(?!\.\w)"
    r"|\A(?:TODO|FIXME|TBD)\b(?![/-])"
    r"|(?i:\b(?:lorem ipsum|fill (?:this|me) in|placeholder text|coming soon|work in progress)\b"
    r"|(?:\A|(?<=[.:(] ))to be (?:written|filled in|completed|documented|added)\b(?=\s*(?:[.)]|\Z))"
    r"|\b(?:insert|add|put|enter|write) (?:your |any )?"
    r"(?:site|team|company|environment|organi[sz]ation)[- ]specific\b"
    r"|\binsert (?:your )?(?:text|description|content|details|link|command)s? here\b)"
    r"|(?<![\w\])])\[(?:\.\.\.|…)\](?![(\[])"
)
_SIGNS = (
    *("todo", "fixme", "tbd", "tbc", "tba", "xxx", "lorem", "fill this", "fill me", "placeholder"),
    *("coming soon", "work in progress", "to be ", "specific", " here", "[...]", "[…]"),
)
_COMMENTED = re.compile(
    r"(?:^|\s)(?:#|//|--)[^\n]*?\b(?P<word>TODO|FIXME|TBD|XXX)\b(?=[:\s(]|$)", re.MULTILINE
)


def check(page: Page) -> Iterator[Problem]:
    """Everything left over in one runbook's prose and in the comments of its code."""
    for spot in page.spots(_WORDS, *_SIGNS):
        if not isinstance(spot.leaf, CodeSpan):
            yield _problem(page, spot.match[0], spot.line, spot.column)
    for code in page.codes:
        for match in _COMMENTED.finditer(code.text):
            yield _problem(page, match["word"], *page.in_code(code, match.start("word")))


def _problem(page: Page, words: str, line: int, column: int) -> Problem:
    return page.problem(
        codes.LEFTOVER,
        f"`{words}` was left over",
        line,
        column,
        hint="Write what belongs here, or take it out.",
    )
