"""Text that its author meant to replace: TODO, "insert site specific", lorem ipsum."""

import re
from collections.abc import Iterator

from alert_router.checks.lint.source import RunbookSource
from alert_router.markdown import CodeSpan
from alert_router.model.problem import Problem

# Markers are in upper case: "todo" is a word in other languages, "xxx" may mean digits.
_MARKERS = re.compile(
    r"(?<![\w/.-])(?:TODO|FIXME|TBD|TBC|TBA|XXX)(?=\s*(?:[:;,(.)\]!?*]|\Z))(?!\.\w)"
    r"|\A(?:TODO|FIXME|TBD)\b(?![/-])"
    r"|(?i:\b(?:lorem ipsum|fill (?:this|me) in|placeholder text|coming soon|work in progress)\b"
    r"|(?:\A|(?<=[.:(] ))to be (?:written|filled in|completed|documented|added)\b(?=\s*(?:[.)]|\Z))"
    r"|\b(?:insert|put|enter|write) (?:your |any )?"
    r"(?:site|team|company|environment|organi[sz]ation)[- ]specific\b"
    r"|\binsert (?:your )?(?:text|description|content|details|link|command)s? here\b)"
    r"|\A\[(?:\.\.\.|…)\]\Z"
)
_SIGNS = (
    *(
        "todo",
        "fixme",
        "tbd",
        "tbc",
        "tba",
        "xxx",
        "lorem",
        "fill ",
        "placeholder text",
        "coming soon",
    ),
    *("work in progress", "to be ", "specific", "insert ", "[...]", "[…]"),
)
_IN_COMMENT = re.compile(
    r"(?:^|\s)(?:#|//|--)[^\n]*?\b(?P<word>TODO|FIXME|TBD|XXX)\b(?=[:\s(]|$)", re.MULTILINE
)


def check(source: RunbookSource) -> Iterator[Problem]:
    """Markers in a runbook's prose and in the comments of its code."""
    for spot in source.spots(_MARKERS, _SIGNS):
        if not isinstance(spot.leaf, CodeSpan):
            yield _problem(source, spot.match[0], spot.line, spot.column)
    for code in source.codes:
        for match in _IN_COMMENT.finditer(code.text):
            yield _problem(source, match["word"], *source.in_code(code, match.start("word")))


def _problem(source: RunbookSource, marker: str, line: int, column: int) -> Problem:
    message = f"leftover text `{marker}`"
    hint = "Replace it, or remove it."
    return source.problem("runbook-leftover", message, line, column, hint=hint)
