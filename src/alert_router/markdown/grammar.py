"""The Markdown dialect: CommonMark with tables, strike-through, task items and the markup of
documentation generators.

It yields markdown-it's tokens, in bounded time.
"""

import re
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from alert_router.markdown import generators

# Deeper nesting is cut off: it is never meant, and everything downstream may recurse.
MAX_NESTING = 50
# One paragraph longer than this, or brackets in a file beyond this, are taken as plain text:
# only machine-made text has them, and inline parsing costs up to MAX_NESTING times as much there.
_MAX_INLINE = 20_000
_MAX_BRACKETS = 20_000

_TASK = re.compile(r"\[(?P<mark>[ xX])\][ \t]+(?=\S)")


def tokens(text: str, *, mdx: bool = False) -> tuple[list[Token], list[tuple[int, str]]]:
    """The block tokens of a text with `\\n` line ends, and the markup that cannot be read with its
    lines, counted from 0. Task items carry `meta["checked"]`; an inline token too long to parse
    has no children."""
    env: dict[str, Any] = {}
    found = (_MDX if mdx else _DIALECT).parse(text, env)
    return found, env["unread"]


def html_tokens(text: str) -> list[Token]:
    """The inline tokens of a piece of block HTML, in which Markdown means nothing."""
    children: list[Token] = []
    _HTML.inline.parse(text, _HTML, {}, children)
    for token in children:
        if token.type == "text_special":
            token.type = "text"
    return children


def _mark_tasks(state: StateCore) -> None:
    """Before inlines are parsed, so that `[x]` is neither a link nor left in the text."""
    for item, paragraph, inline in zip(
        state.tokens, state.tokens[1:], state.tokens[2:], strict=False
    ):
        if item.type != "list_item_open" or paragraph.type != "paragraph_open":
            continue
        if match := _TASK.match(inline.content):
            item.meta["checked"] = match["mark"] != " "
            inline.content = inline.content[match.end() :]


def _parse_inlines(state: StateCore) -> None:
    """markdown-it's own rule of that name, with bounds."""
    brackets = 0
    for token in state.tokens:
        if token.type != "inline":
            continue
        brackets += token.content.count("[")
        state.env["line"] = token.map[0] if token.map else 0
        token.children = []
        if len(token.content) <= _MAX_INLINE and brackets <= _MAX_BRACKETS:
            state.md.inline.parse(token.content, state.md, state.env, token.children)


def _as_written(url: str) -> str:
    return url


def _dialect(*, mdx: bool) -> MarkdownIt:
    dialect = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING})
    dialect.enable(["table", "strikethrough"])
    dialect.core.ruler.before("inline", "tasks", _mark_tasks)
    dialect.core.ruler.at("inline", _parse_inlines)
    generators.enable(dialect, mdx=mdx)
    # Placeholders in a destination must still be found when its values are filled in.
    dialect.normalizeLink = _as_written  # type: ignore[method-assign]
    return dialect


_DIALECT = _dialect(mdx=False)
_MDX = _dialect(mdx=True)
_HTML = MarkdownIt("zero", {"html": True, "maxNesting": MAX_NESTING})
_HTML.enable(["html_inline", "entity", "newline"])
