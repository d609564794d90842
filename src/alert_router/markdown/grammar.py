"""The Markdown dialect: CommonMark with tables, strike-through, task items and the markup of
documentation generators.

It yields markdown-it's tokens, in bounded time.
"""

import re
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import mdTrim
from markdown_it.rules_block import StateBlock
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
        if token.content and not state.md.inline.terminator_re.search(token.content):
            token.children.append(Token("text", "", 0, content=token.content))  # without markup
        elif len(token.content) <= _MAX_INLINE and brackets <= _MAX_BRACKETS:
            state.md.inline.parse(token.content, state.md, state.env, token.children)


def _prose(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A paragraph that starts with a letter, as markdown-it's own rule reads it. Most lines do: the
    other rules, which all look for a sign, are not tried for each of them."""
    if silent or end != state.lineMax or not _is_prose(state, start, end):
        return False
    before, state.parentType = state.parentType, "paragraph"
    interrupts = state.md.block.ruler.getRules("paragraph")
    stop = start + 1
    while stop < end and not state.isEmpty(stop):
        is_continued = state.sCount[stop] - state.blkIndent > 3 or state.sCount[stop] < 0
        if not is_continued and not _is_prose(state, stop, end):
            if state.src[state.bMarks[stop] + state.tShift[stop]] in "-=":  # a heading, perhaps
                state.parentType = before
                return False
            if any(rule(state, stop, end, True) for rule in interrupts):
                break
        stop += 1
    state.line = stop
    opening = state.push("paragraph_open", "p", 1)
    inline = state.push("inline", "", 0)
    opening.map = inline.map = [start, stop]
    inline.content = mdTrim(state.getLines(start, stop, state.blkIndent, False))
    inline.children = []
    state.push("paragraph_close", "p", -1)
    state.parentType = before
    return True


def _is_prose(state: StateBlock, line: int, end: int) -> bool:
    """Whether a line can be nothing but a line of a paragraph, or the first one of a heading that
    is underlined: it starts with a letter, and the next line makes no table of it."""
    at = state.bMarks[line] + state.tShift[line]
    if not state.src[at].isalpha() or state.is_code_block(line):
        return False
    after = state.bMarks[line + 1] + state.tShift[line + 1] if line + 1 < end else -1
    return after < 0 or state.src[after : after + 1] not in ("|", "-", ":")


def _as_written(url: str) -> str:
    return url


def _dialect(*, mdx: bool) -> MarkdownIt:
    dialect = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING})
    dialect.enable(["table", "strikethrough"])
    dialect.core.ruler.before("inline", "tasks", _mark_tasks)
    dialect.core.ruler.at("inline", _parse_inlines)
    generators.enable(dialect, mdx=mdx)
    if not mdx:  # which has statements that start with a letter
        dialect.block.ruler.before("table", "prose", _prose)
    # Placeholders in a destination must still be found when its values are filled in.
    dialect.normalizeLink = _as_written  # type: ignore[method-assign]
    return dialect


_DIALECT = _dialect(mdx=False)
_MDX = _dialect(mdx=True)
_HTML = MarkdownIt("zero", {"html": True, "maxNesting": MAX_NESTING})
_HTML.enable(["html_inline", "entity", "newline"])
