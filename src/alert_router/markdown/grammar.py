"""The Markdown dialect: CommonMark with tables, strike-through, task items and the markup of
documentation generators. It yields markdown-it's tokens, in bounded time.

The generators' markup becomes rules: admonitions and tabs (MkDocs), containers (Docusaurus,
VuePress), alerts (GitHub), shortcodes (Hugo), tags (Jekyll, GitBook), ERB (Middleman), `<details>`
on lines of its own, and MDX. They become the tokens of quotes, lists, paragraphs and fences, with
their lines. Tags that insert text from elsewhere cannot be read: `env["unread"]` has each with its
line.
"""

import re
from typing import Any

from markdown_it import MarkdownIt, rules_block
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from mdit_py_plugins.container import container_plugin


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_KINDS = _set(
    "abstract attention bug caution danger error example failure hint important info note "
    "question quote seealso success summary tip todo warning"
)
_HIGHLIGHTS = frozenset(("highlight", "code", "codeblock", "code-block"))
_PICTURES = frozenset(("figure", "img", "image"))
_LIQUID = _set(
    "alert assign callout capture code column columns comment content-ref details embed file "
    "highlight hint include include_cached include_relative info link note post_url raw step "
    "stepper swagger tab tabs tip warning"
)
# Tags that insert nothing that a message lacks.
_NOTHING = _set(
    "assign br capture clear column link more pagebreak post_url raw step step/next "
    "table-of-contents tableofcontents toc"
)

_TAG = re.compile(
    r"\{\{[<%]-?\s*(?:(?P<close>/)\s*)?(?P<name>[\w./-]{1,60})(?P<args>(?:\s[^{}\n]{0,400})?)[>%]\}\}"
    r"|\{%-?\s*(?P<liquid>[\w-]{1,40})(?P<liquid_args>(?:\s[^{}\n%]{0,400})?)-?%\}"
    r"|<%(?P<erb>(?:[^\n%]|%(?!>)){0,400})%>"
    r"|\{\{[<%]?\s{0,4}/\*[^\n{}]{0,400}\*/\s{0,4}[>%]?\}\}"
)
# Atomic: a tag that could be read in two ways may not be tried in all combinations.
_LINE_OF_TAGS = re.compile(rf"(?:(?>{re.sub(r'[?]P<[a-z_]+>', '?:', _TAG.pattern)})[ \t]*+)++")
_DETAILS = re.compile(
    r"(?:(?></?details\b[^<>\n]{0,200}>|<summary\b[^<>\n]{0,200}>(?P<summary>(?:(?!</summary)[^\n]){0,400})</summary>)"
    r"[ \t]*+)++",
    re.IGNORECASE,
)
_ATTRIBUTES_LINE = re.compile(r"\{:[^{}\n]{1,200}\}")
_CLOSERS = re.compile(r"\{\{[<%]-?\s*/\s*([\w./-]{1,60})|\{%-?\s*end([\w-]{1,40})")
_NAMED = re.compile(
    r"""\b(title|name|header|label|summary|tabName)\s*=\s*["']([^"'\n]{1,200})["']"""
)
_QUOTED = re.compile(r"""\s*["']([^"'\n]{1,200})["']""")
_WORD = re.compile(r"\w+")
_SOURCE = re.compile(r"""\bsrc\s*=\s*["']?([^"'\s]{1,400})""")
_CAPTION = re.compile(r"""\b(?:alt|caption|title)\s*=\s*["']([^"'\n]{1,200})["']""")
_CONTENT = re.compile(r"""\bcontent\s*=\s*["']([^"'\n]{1,400})["']""")
_ERB_TEXT = re.compile(r"""=?\s*\w+_text\(?\s*(["'])(?P<text>[^\n]{1,400})\1\s*\)?\s*""")
_TYPE = re.compile(r"""\btype\s*=\s*["'](\w{1,20})["']""")
_REFERENCE = re.compile(
    r"""\]\(\s*(?:\{\{[<%]\s*(?:rel)?ref\s+["'`]?([^"'`\s{}]{1,400})["'`]?[^{}\n]{0,100}[%>]\}\}"""
    r"""|\{%\s*(?:link|post_url)\s+[^\s{}%]{1,400}\s*%\})"""
)
_INDENTED = re.compile(r"(?P<mark>!!!|\?\?\?\+?|===[+!]?)[ \t]+(?P<rest>\S[^\n]{0,400})")
_ALERT = re.compile(r"\[!(\w{2,20})\][-+]?[ \t]*([^\n]*)(?:\n|\Z)")
_CONTAINER = re.compile(r"\s*\{?([A-Za-z][\w-]{0,40})\}?\s*(?:\[([^\n]{0,300})\]|([^\n]{0,300}))")
_JSX_COMMENT = r"\{/\*(?:(?!\*/\})[^\n]){0,400}\*/\}"
_JSX_TAG = re.compile(rf"</?(?:[A-Z][\w.]{{0,60}}(?P<args>\s[^<>\n]{{0,400}})?)?/?>|{_JSX_COMMENT}")
_LINE_OF_JSX = re.compile(rf"(?:(?>{_JSX_TAG.pattern.replace('?P<args>', '?:')})[ \t]*+)++")

_INTERRUPTS: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}


def enable(dialect: MarkdownIt, *, mdx: bool = False) -> None:
    """Add the rules to a grammar; `mdx` also those of MDX."""
    container_plugin(dialect, "aside", validate=lambda params, _: bool(_CONTAINER.match(params)))
    block = dialect.block.ruler
    block.before("fence", "indented", _indented, _INTERRUPTS)
    block.before("fence", "tags", _tags, _INTERRUPTS)
    block.before("fence", "details", _details, _INTERRUPTS)
    dialect.inline.ruler.before("link", "tag", _inline_tag)
    dialect.core.ruler.before("block", "closers", _find_closers)
    dialect.core.ruler.before("inline", "asides", _asides)
    if mdx:
        block.before("fence", "mdx", _mdx, _INTERRUPTS)
        block.disable("code")
        dialect.inline.ruler.before("html_inline", "jsx", _inline_jsx)


def _find_closers(state: StateCore) -> None:
    """The names of tags that are closed somewhere, and so have content."""
    found = _CLOSERS.findall(state.src) if "{" in state.src else ()
    state.env["closers"] = {name or liquid for name, liquid in found}
    state.env["unread"] = []
    state.env["unclosed"] = {}


def _text(state: StateBlock, line: int) -> str:
    """A line without its indentation."""
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]].rstrip()


def _first(state: StateBlock, line: int) -> str:
    """The first character of a line, without its text: nearly all lines have no markup."""
    at = state.bMarks[line] + state.tShift[line]
    return state.src[at : at + 1]


def _indented(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """`!!! note "Title"`, `??? note` and `=== "Tab"`, with content indented by four."""
    if _first(state, start) not in ("!", "?", "=") or state.is_code_block(start):
        return False
    match = _INDENTED.fullmatch(_text(state, start))
    is_tab = match is not None and match["mark"].startswith("===")
    if match is None or (is_tab and not _QUOTED.match(match["rest"])):
        return False
    if silent:
        return True
    if not is_tab:
        kind, _, rest = match["rest"].partition(" ")
        stop = _stop(state, start, end)
        with_kind = state.push("blockquote_open", "blockquote", 1)
        with_kind.map = [start, stop]
        _paragraph(state, _title(kind, _unquoted(rest)), start)
        _nested(state, start + 1, stop)
        state.push("blockquote_close", "blockquote", -1)
        state.line = stop
        return True
    opening = state.push("bullet_list_open", "ul", 1)
    opening.map = [start, start + 1]
    here = start
    while here < end and (match := _INDENTED.fullmatch(_text(state, here))):
        if not match["mark"].startswith("===") or state.sCount[here] != state.sCount[start]:
            break
        stop = _stop(state, here, end)
        state.push("list_item_open", "li", 1).map = [here, stop]
        _paragraph(state, _unquoted(match["rest"]), here)
        _nested(state, here + 1, stop)
        state.push("list_item_close", "li", -1)
        state.line = stop
        here = stop
        while here < end and state.isEmpty(here):
            here += 1
    state.push("bullet_list_close", "ul", -1)
    return True


def _stop(state: StateBlock, start: int, end: int) -> int:
    """The line after the last one that is indented below a line."""
    stop = here = start + 1
    while here < end and (state.isEmpty(here) or state.sCount[here] >= state.sCount[start] + 4):
        here += 1
        if not state.isEmpty(here - 1):
            stop = here
    return stop


def _nested(state: StateBlock, start: int, stop: int) -> None:
    """Parse the lines below a line as blocks of their own."""
    before = state.parentType, state.lineMax, state.blkIndent
    state.parentType, state.lineMax = "blockquote", stop
    state.blkIndent = state.sCount[start - 1] + 4
    state.md.block.tokenize(state, start, stop)
    state.parentType, state.lineMax, state.blkIndent = before


def _paragraph(state: StateBlock | None, text: str, line: int, *, bold: bool = True) -> list[Token]:
    """A paragraph of one line; nothing without text."""
    text = text.strip()
    if not text:
        return []
    inline = Token("inline", "", 0, content=f"**{text}**" if bold and "*" not in text else text)
    inline.children = []
    tokens = [Token("paragraph_open", "p", 1), inline, Token("paragraph_close", "p", -1)]
    for token in tokens:
        token.map = [line, line + 1]
    if state is not None:
        inline.level = state.level
        state.tokens.extend(tokens)
    return tokens


def _title(kind: str, title: str) -> str:
    """`Warning`, `Warning: Data loss`, or the title alone."""
    kind = kind.lower() if kind.lower() in _KINDS else ""
    if not kind or title.lower().startswith(kind):
        return title
    return f"{kind.capitalize()}: {title}" if title else kind.capitalize()


def _unquoted(text: str) -> str:
    text = text.strip()
    return (
        text[1:-1].strip() if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text
    )


def _tags(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A line of tags only: code up to the end of a highlight tag; else labels, or nothing."""
    if _first(state, start) not in ("{", "<") or state.is_code_block(start):
        return False
    text = _text(state, start)
    is_tags = _LINE_OF_TAGS.fullmatch(text) and all(map(_is_known, _TAG.finditer(text)))
    if not is_tags and not _ATTRIBUTES_LINE.fullmatch(text):
        return False
    if silent:
        return True
    state.line = start + 1
    for match in _TAG.finditer(text):
        name, args, is_close = _parts(match)
        if name in _HIGHLIGHTS and not is_close:
            _highlight(state, start, end, name, args)
            return True
        if name == "comment" and not is_close:
            state.line = _closing(state, start, end, name)
            return True
        label = _shown(match, state.env, start)
        _paragraph(state, label, start, bold=not label.startswith("!["))
    return True


def _closing(state: StateBlock, start: int, end: int, name: str) -> int:
    """The line after that of a tag's end; the last line where it has no end, which is reported."""
    unclosed = state.env["unclosed"]  # by name, the line up to which a tag has no end
    if start >= unclosed.get(name, 0):
        line = start + 1
        while line < end and (state.isEmpty(line) or state.sCount[line] >= state.blkIndent):
            match = _TAG.match(_text(state, line))
            if match and _parts(match)[::2] == (name, True):
                return line + 1
            line += 1
        unclosed[name] = line
    state.env["unread"].append((start, f"{name} without its end"))
    return start + 1


def _highlight(state: StateBlock, start: int, end: int, name: str, args: str) -> None:
    stop = _closing(state, start, end, name)
    if stop == start + 1:
        return
    token = state.push("fence", "code", 0)
    language = _WORD.search(re.sub(r"\w+\s*=\s*", "", args))
    token.info = language[0] if language else ""
    indent = min(
        (state.sCount[line] for line in range(start + 1, stop - 1) if not state.isEmpty(line)),
        default=0,
    )
    token.content = state.getLines(start + 1, stop - 1, min(indent, state.sCount[start]), True)
    token.map = [start, stop]
    state.line = stop


def _parts(match: re.Match[str]) -> tuple[str, str, bool]:
    """The name of a tag, its arguments, and whether it ends another."""
    if match["liquid"]:
        name = match["liquid"]
        is_close = name.startswith("end")
        return name.removeprefix("end"), match["liquid_args"], is_close
    return match["name"] or "", (match["args"] or "").rstrip("/ "), bool(match["close"])


def _is_known(match: re.Match[str]) -> bool:
    return not match["liquid"] or match["liquid"].removeprefix("end") in _LIQUID


def _shown(match: re.Match[str], env: Any, line: int) -> str:
    """What a tag shows in the text, as Markdown: its title, its picture, or nothing."""
    if match["erb"] is not None:
        if text := _ERB_TEXT.fullmatch(match["erb"]):
            return text["text"]
        if match["erb"].startswith("=") and "current_page" not in match["erb"]:
            env["unread"].append((line, match[0]))
        return ""
    name, args, is_close = _parts(match)
    if not name or is_close:
        return ""
    if name in _PICTURES and (source := _SOURCE.search(args)):
        caption = _CAPTION.search(args)
        return f"![{caption[1] if caption else 'image'}]({source[1]})"
    if content := _CONTENT.search(args):
        return content[1]
    if name in env["closers"]:
        kinds = [*_WORD.findall(args[:100].split("=")[-1]), name]
        kind = next((kind for kind in kinds if kind.lower() in _KINDS), "")
        title = _NAMED.search(args)
        first = _QUOTED.match(args)
        words = title[2] if title else first[1] if first else ""
        return _title(kind, "" if words.lower() == kind.lower() else words)
    if name in ("ref", "relref"):
        return _unquoted(args)
    if name.lower() not in _NOTHING:
        env["unread"].append((line, match[0]))
    return ""


def _inline_tag(state: StateInline, silent: bool) -> bool:
    """A tag within a line. Code in a highlight tag stays code, and its lines stay lines."""
    if state.src[state.pos] not in "{<":
        return False
    match = _TAG.match(state.src, state.pos)
    if match is None or not _is_known(match):
        return False
    state.pos = match.end()
    if silent:
        return True
    name, _, is_close = _parts(match)
    if name in _HIGHLIGHTS and not is_close and name in state.env["closers"]:
        for end in _TAG.finditer(state.src, match.end()):
            if _parts(end)[::2] == (name, True):
                _inline_code(state, state.src[match.end() : end.start()].strip("\n"))
                state.pos = end.end()
                return True
        state.env["closers"].discard(name)  # the search is not repeated for each tag
    state.push("text", "", 0).content = _shown(match, state.env, state.env.get("line", 0))
    return True


def _inline_code(state: StateInline, code: str) -> None:
    lines = code.split("\n")
    for line in lines:
        if len(lines) > 1:
            state.push("hardbreak", "br", 0)
        if line.strip():
            state.push("code_inline", "code", 0).content = line.strip()
    if len(lines) > 1:
        state.push("hardbreak", "br", 0)


def _details(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """`<details>` and `<summary>` on a line, where what follows is Markdown."""
    if _first(state, start) != "<" or state.is_code_block(start):
        return False
    text = _text(state, start)
    match = _DETAILS.fullmatch(text)
    if match is None:
        return False
    below = next((line for line in range(start + 1, end) if not state.isEmpty(line)), None)
    if below == start + 1 and state.sCount[below] >= state.blkIndent + 4:
        return False  # all of it is HTML
    if silent:
        return True
    _paragraph(state, match["summary"] or "", start, bold="<" not in (match["summary"] or ""))
    state.line = start + 1
    return True


def _asides(state: StateCore) -> None:
    """Containers and alerts as quotes with their kind in bold; links to pages by reference."""
    tokens: list[Token] = []
    quotes: list[bool] = []
    for token in state.tokens:
        if token.type == "container_aside_open":
            match = _CONTAINER.match(token.info)
            kind, title = (match[1], (match[2] or match[3] or "").strip()) if match else ("", "")
            quotes.append(kind.lower() in _KINDS)
            if quotes[-1]:
                tokens.append(token)
                token.type = "blockquote_open"
            line = token.map[0] if token.map else 0
            tokens += _paragraph(None, _title(kind, title.split("{")[0].strip()), line)
        elif token.type == "container_aside_close":
            if quotes.pop():
                token.type = "blockquote_close"
                tokens.append(token)
        else:
            if token.type == "inline":
                _prepare(token, tokens)
            tokens.append(token)
    state.tokens = tokens


def _prepare(token: Token, before: list[Token]) -> None:
    opened = [each.type for each in before[-2:]]
    if opened == ["blockquote_open", "paragraph_open"] and (match := _ALERT.match(token.content)):
        title = _title(match[1], match[2]) or match[1].capitalize()
        token.content = f"**{title}:**\n{token.content[match.end() :]}"
    if "](" in token.content:
        token.content = _REFERENCE.sub(lambda found: f"]({_address(found[1])}", token.content)


def _address(reference: str | None) -> str:
    """The file that a reference names; nothing for the name of a page, which only the site has."""
    path = (reference or "").partition("#")[0]
    return reference if reference and path.endswith((".md", ".mdx", ".markdown")) else ""


def _mdx(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Imports and exports, which are dropped, and lines of JSX tags, of which titles stay."""
    text = _text(state, start)
    is_module = state.level == 0 and re.match(r"(?:import|export)\s", text) is not None
    if silent or not (is_module or _LINE_OF_JSX.fullmatch(text)):
        return silent and not is_module and _LINE_OF_JSX.fullmatch(text) is not None
    state.line = start + 1
    if is_module:
        while state.line < end and not state.isEmpty(state.line):
            state.line += 1
        return True
    for match in _JSX_TAG.finditer(text):
        if match["args"]:
            title, kind = _NAMED.search(match["args"]), _TYPE.search(match["args"])
            _paragraph(state, _title(kind[1] if kind else "", title[2] if title else ""), start)
    return True


def _inline_jsx(state: StateInline, silent: bool) -> bool:
    match = _JSX_TAG.match(state.src, state.pos) if state.src[state.pos] in "<{" else None
    if match is None:
        return False
    state.pos = match.end()
    return True


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
    """A paragraph, or a heading that is underlined, whose first line starts with a letter. Most do:
    the other rules, which all look for a sign, are not tried for them."""
    if not _is_prose(state, start, end):
        return False
    known = rules_block.lheading, rules_block.paragraph
    return any(rule(state, start, end, silent) for rule in known)


def _is_prose(state: StateBlock, line: int, end: int) -> bool:
    """Whether a line starts with a letter, and the next one makes no table of it."""
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
    enable(dialect, mdx=mdx)
    if not mdx:  # which has statements that start with a letter
        dialect.block.ruler.before("table", "prose", _prose)
    # Placeholders in a destination must still be found when its values are filled in.
    dialect.normalizeLink = _as_written  # type: ignore[method-assign]
    return dialect


_DIALECT = _dialect(mdx=False)
_MDX = _dialect(mdx=True)
_HTML = MarkdownIt("zero", {"html": True, "maxNesting": MAX_NESTING})
_HTML.enable(["html_inline", "entity", "newline"])
