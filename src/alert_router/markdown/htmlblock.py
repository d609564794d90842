"""Block HTML as blocks of the tree: its text is kept, `<pre>` is code, comments are dropped.

No HTML parser: what is inside may be a placeholder on a line of its own.
"""

import html
import re
from collections.abc import Iterator

from alert_router.markdown.grammar import html_tokens
from alert_router.markdown.inline import spans
from alert_router.markdown.tree import Block, Break, Code, Inline, Paragraph, Rule, Text

# An unclosed comment hides the rest of its block, as it does in every browser.
_COMMENT = re.compile(r"<!--(?:-?>|.*?(?:-->|\Z))", re.DOTALL)
_PRE = re.compile(r"<pre\b[^>]*>(?P<code>.*?)(?:</pre\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_CODE_TAG = re.compile(r"</?(?:code|span|b|strong|i|em)\b[^>]*>", re.IGNORECASE)
_BETWEEN = re.compile(
    r"</?(?:p|div|section|center|details|summary|h[1-6]|ul|ol|li|dl|dt|dd|table|thead|tbody|tfoot"
    r"|tr|colgroup|col|caption|blockquote|figure|figcaption|html|head|body)\b[^<>]*>",
    re.IGNORECASE,
)
_CELL = re.compile(r"(?<=\S)(?:\s*</t[hd]\s*>)?\s*<t[hd]\b[^<>]*>", re.IGNORECASE)
_RULE = re.compile(r"\s*<hr\b[^<>]*>\s*", re.IGNORECASE)


def html_blocks(text: str, line: int) -> tuple[Block, ...]:
    """The blocks of an HTML block that begins on this line of the file."""
    if _RULE.fullmatch(text):
        return (Rule(line),)
    # Line ends stay where a comment was, so that lines still count.
    text = _COMMENT.sub(lambda match: "\n" * match[0].count("\n"), text)
    out: list[Block] = []
    end = 0
    for match in _PRE.finditer(text):
        out.extend(_paragraphs(text[end : match.start()], line + text.count("\n", 0, end)))
        code = html.unescape(_CODE_TAG.sub("", match["code"]))
        begin = match.start("code") + len(code) - len(code.lstrip("\r\n"))
        if code.strip():
            at = line + text.count("\n", 0, match.start())
            text_line = line + text.count("\n", 0, begin)
            out.append(Code(code.strip("\r\n"), line=at, text_line=text_line))
        end = match.end()
    out.extend(_paragraphs(text[end:], line + text.count("\n", 0, end)))
    return tuple(out)


def _paragraphs(text: str, line: int) -> Iterator[Paragraph]:
    for piece in _BETWEEN.split(text):
        before = piece[: len(piece) - len(piece.lstrip())]
        children = _trim(spans(html_tokens(_CELL.sub(" | ", piece.strip()))))
        if children:
            yield Paragraph(children, line + before.count("\n"))
        line += piece.count("\n")


def _trim(children: tuple[Inline, ...]) -> tuple[Inline, ...]:
    """Without blank words and breaks at either end."""
    kept = list(children)
    while kept and _blank(kept[0]):
        kept.pop(0)
    while kept and _blank(kept[-1]):
        kept.pop()
    return tuple(kept)


def _blank(span: Inline) -> bool:
    return isinstance(span, Break) or (isinstance(span, Text) and not span.text.strip())
