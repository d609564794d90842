"""Values from elsewhere in Markdown that commands write: shown as they are, never obeyed."""

import re

from alert_router.cli.output import clean

_TICKS = re.compile("`+")


def code(text: str) -> str:
    """The text as a code span: in one, nothing is markup and nobody is mentioned."""
    shown = clean(text)
    if not shown.strip():
        return ""
    fence = "`" * (max(map(len, _TICKS.findall(shown)), default=0) + 1)
    gap = " " if shown.startswith("`") or shown.endswith("`") or fence != "`" else ""
    return f"{fence}{gap}{shown}{gap}{fence}"


def cell(text: str) -> str:
    """A code span for a cell of a table, in which a bar would end the cell."""
    return code(text).replace("|", "\\|")
