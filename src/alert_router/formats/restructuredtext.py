"""reStructuredText as the tree that Markdown becomes, read by docutils.

Directives that read files or contain raw output are off. What is not read is in `Document.unread`.
Any text yields a tree.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock

from docutils import nodes
from docutils.core import publish_doctree
from docutils.parsers.rst import Directive, directives, roles

from alert_router.markdown import (
    Block,
    Break,
    Code,
    CodeSpan,
    Document,
    Emphasis,
    Heading,
    Inline,
    Item,
    Link,
    ListBlock,
    Paragraph,
    Quote,
    Rule,
    Strong,
    Table,
    Text,
    commands_apart,
)

_MAX_CHARACTERS = 100_000  # docutils reads some tables at 15 kB a second
_MAX_NESTING = 20
_MAX_LINE = 10_000  # characters; docutils reads no longer ones
_SETTINGS = {
    "_disable_config": True,
    "docinfo_xform": False,
    "doctitle_xform": False,
    "file_insertion_enabled": False,
    "halt_level": 5,
    "input_encoding": "unicode",
    "raw_enabled": False,
    "report_level": 5,
    "sectsubtitle_xform": False,
    "smart_quotes": False,
    "syntax_highlight": "none",
}
_ROLE = re.compile(
    r":(?P<name>[\w:+.-]{1,80}):`(?P<body>[^`]*)`|`(?P<first>[^`]*)`:[\w:+.-]{1,80}:"
)
_TITLED_TARGET = re.compile(r"(?P<title>.*\S)\s*<[^<>]*>", re.DOTALL)
_CODE_ROLES = frozenset(("code", "command", "envvar", "file", "kbd", "option", "program", "samp"))
_DIRECTIVE = re.compile(r"\.\. (?:\|[^|\n]*\| )?[\w:+.-]+::.*")
# Directives of Sphinx and its extensions. Without content of their own they say nothing here.
_SILENT = ("highlight", "index", "toctree")
_TITLED = (
    *("dropdown", "tab", "tab-item", "group-tab", "grid-item-card", "card", "details"),
    *("seealso", "versionadded", "versionchanged", "deprecated"),
)
_PLAIN = ("tabs", "tab-set", "grid", "grid-item", "only", "centered")
_lock = Lock()  # docutils keeps its roles in a global table


class _Transparent(Directive):
    """A directive whose content is read, behind its argument as a title."""

    optional_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec = None
    is_titled = True

    def run(self) -> list[nodes.Node]:
        """Its title and its content."""
        out: list[nodes.Node] = []
        if self.is_titled and self.arguments:
            title = self.arguments[0].partition("\n:")[0]  # options come after it
            text, messages = self.state.inline_text(title, self.lineno)
            out += [nodes.paragraph("", "", nodes.strong("", "", *text)), *messages]
        holder = nodes.container()
        # Options of extensions are not known.
        start = next((i for i, row in enumerate(self.content) if not row.startswith(":")), 0)
        self.state.nested_parse(self.content[start:], self.content_offset + start, holder)
        return [*out, *holder.children]


class _Plain(_Transparent):
    is_titled = False


class _Silent(_Transparent):
    def run(self) -> list[nodes.Node]:
        """Nothing."""
        return []


for _names, _class in ((_TITLED, _Transparent), (_PLAIN, _Plain), (_SILENT, _Silent)):
    for _name in _names:
        directives.register_directive(_name, _class)


def read_restructuredtext(text: str) -> Document:
    """The document in a text. One that docutils cannot read, or that is too large for it, is one
    block of code."""
    text = text.removeprefix("\ufeff")
    rows = text.split("\n")
    tree = _tree(text) if len(text) <= _MAX_CHARACTERS and max(map(len, rows)) < _MAX_LINE else None
    if tree is None:
        return Document(
            (Code(text.rstrip("\n"), line=1, text_line=1),), unread=((1, rows[0][:80]),)
        )
    reader = _Reader(rows)
    blocks = _fields_last(list(reader.blocks(tree.children, 0)))
    return Document(tuple(blocks), unread=tuple(reader.unread))


def _tree(text: str) -> nodes.document | None:
    with _lock:
        known = dict(roles._roles)  # type: ignore[attr-defined]
        try:
            return publish_doctree(text, settings_overrides=_SETTINGS)
        except Exception:  # a fault in docutils, or too deep for its recursion
            return None
        finally:
            roles._roles.clear()  # type: ignore[attr-defined]
            roles._roles.update(known)  # type: ignore[attr-defined]


def _fields_last(blocks: list[Block]) -> list[Block]:
    """The blocks, with the fields before the title after it, where metadata is looked for."""
    title = next((i for i, block in enumerate(blocks) if isinstance(block, Heading)), 0)
    return [*blocks[title : title + 1], *blocks[:title], *blocks[title + 1 :]]


@dataclass(slots=True)
class _Reader:
    rows: Sequence[str]
    unread: list[tuple[int, str]] = field(default_factory=list)
    _line: int = 1  # of the last block
    _depth: int = 0

    def blocks(self, children: Iterable[nodes.Node], level: int) -> Iterator[Block]:
        """The blocks of nodes, within sections of this level."""
        self._depth += 1
        for node in children:
            self._line = max(getattr(node, "line", None) or 0, self._line)
            if self._depth < _MAX_NESTING:
                yield from self._block(node, level)
            else:
                yield Code(node.astext(), line=self._line, text_line=self._line)
        self._depth -= 1

    def _block(self, node: nodes.Node, level: int) -> Iterator[Block]:  # noqa: PLR0912 - one case each
        line = self._line
        match node:
            case nodes.section():
                title = node.children[0]
                anchors = tuple(dict.fromkeys(node["ids"]))
                yield Heading(min(level + 1, 6), self._inlines(title), max(line - 1, 1), anchors)
                yield from self.blocks(node.children[1:], level + 1)
            case nodes.paragraph() | nodes.rubric() | nodes.caption() | nodes.attribution():
                if spans := self._inlines(node):
                    is_strong = isinstance(node, nodes.rubric)
                    yield Paragraph((Strong(spans),) if is_strong else commands_apart(spans), line)
            case nodes.literal_block() | nodes.doctest_block() | nodes.math_block():
                yield self._code(node)
            case nodes.bullet_list() | nodes.enumerated_list():
                items = tuple(self._item(item, level) for item in node.children)
                ordered = isinstance(node, nodes.enumerated_list)
                yield ListBlock(ordered, items, node.get("start", 1), line)
            case nodes.definition_list() | nodes.field_list() | nodes.option_list():
                yield from self._terms(node, level)
            case nodes.block_quote():
                inner = tuple(self.blocks(node.children, level))
                is_indented = all(isinstance(block, ListBlock | Code) for block in inner)
                yield from inner if is_indented else (Quote(inner, line),)
            case nodes.Admonition() | nodes.sidebar() | nodes.topic():
                yield from self._boxed(node, level)
            case nodes.table():
                yield from self._table(node)
            case nodes.line_block():
                yield Paragraph(tuple(self._lines(node)), line)
            case nodes.image():
                yield Paragraph(tuple(self._image(node)), line)
            case nodes.transition():
                yield Rule(line)
            case nodes.system_message():
                yield from self._message(node)
            case nodes.reference() | nodes.problematic():  # such as a picture with a link
                yield Paragraph(self._inlines(nodes.paragraph("", "", node)), line)
            case nodes.Invisible() | nodes.Inline():
                pass
            case nodes.Element():  # figure, container, footnote, line
                yield from self.blocks(node.children, level)

    def _code(self, node: nodes.Element) -> Code:
        text = node.astext().rstrip("\n")
        classes = [name for name in node["classes"] if name != "code"]
        language = classes[0].lower() if classes else ""
        first = text.partition("\n")[0].strip()
        rows = range(self._line, min(self._line + 40, len(self.rows)) + 1)
        at = next((n for n in rows if self.rows[n - 1].strip() == first), self._line)
        self._line = at
        return Code(text, language, language, line=at, text_line=at)

    def _item(self, node: nodes.Node, level: int) -> Item:
        self._line = max(getattr(node, "line", None) or 0, self._line)
        line = self._line
        return Item(tuple(self.blocks(node.children, level)), None, line)

    def _terms(self, node: nodes.Element, level: int) -> Iterator[Block]:
        """A list of names and what they mean. Each field is a paragraph, as metadata is."""
        items: list[Item] = []
        for each in node.children:
            self._line = max(getattr(each, "line", None) or 0, self._line)
            line = self._line
            *heads, body = each.children if isinstance(each, nodes.Element) else (nodes.Text(""),)
            spans = [span for head in heads for span in self._inlines(head)]
            blocks = list(self.blocks(body.children, level))
            term: tuple[Inline, ...] = (Strong((*spans, Text(":"))),)
            if isinstance(blocks[0] if blocks else None, Paragraph):
                first = blocks.pop(0)
                term = (*term, Text(" "), *first.children) if isinstance(first, Paragraph) else term
            items.append(Item((Paragraph(term, line), *blocks), None, line))
        if isinstance(node, nodes.field_list):
            yield from (block for item in items for block in item.blocks)
        elif items:
            yield ListBlock(False, tuple(items), 1, items[0].line)

    def _boxed(self, node: nodes.Node, level: int) -> Iterator[Block]:
        if not isinstance(node, nodes.Element) or "contents" in node["classes"]:
            return
        line = self._line
        titles = [each for each in node.children if isinstance(each, nodes.title)]
        title = self._inlines(titles[0]) if titles else (Text(node.tagname.capitalize()),)
        rest = [each for each in node.children if not isinstance(each, nodes.title)]
        head = Paragraph((Strong(title),), line)
        yield Quote((head, *self.blocks(rest, level)), line)

    def _table(self, node: nodes.table) -> Iterator[Block]:
        line = self._line
        yield from (
            Paragraph((Strong(self._inlines(each)),), line)
            for each in node.children
            if isinstance(each, nodes.title)
        )
        grid = [
            (isinstance(row.parent, nodes.thead), tuple(self._cell(cell) for cell in row.children))
            for row in node.findall(nodes.row)
        ]
        width = max((len(cells) for _, cells in grid), default=0)
        if not width:
            return
        filled = [(head, (*cells, *[()] * (width - len(cells)))) for head, cells in grid]
        heads = [cells for head, cells in filled if head]
        rows = [cells for head, cells in filled if not head]
        header = heads[-1] if heads else ((),) * width
        yield Table(header, (*heads[:-1], *rows), line)

    def _cell(self, cell: nodes.Node) -> tuple[Inline, ...]:
        out: list[Inline] = []
        for node in cell.children:
            if isinstance(node, nodes.system_message):
                list(self._message(node))  # for `unread`
                continue
            lines = [CodeSpan(row) for row in node.astext().split("\n") if row.strip()]
            is_code = isinstance(node, nodes.literal_block)
            parts = (
                [(code,) for code in lines]
                if is_code
                else [self._inlines(part) for part in _text_elements(node)]
            )
            for part in parts:
                out += [Break(hard=True), *part] if out else part
        return tuple(out)

    def _lines(self, node: nodes.Element) -> Iterator[Inline]:
        for number, each in enumerate(node.findall(nodes.line)):
            if number:
                yield Break(hard=True)
            yield from self._inlines(each)

    def _message(self, node: nodes.system_message) -> Iterator[Block]:
        """What a message of docutils quotes is not in the tree: a directive, which is reported,
        or the source of a table or a title."""
        source = next(iter(node.findall(nodes.literal_block)), None)
        if node["level"] < 2 or source is None:
            return
        text, line = source.astext().strip("\n"), max(node.get("line", self._line), 1)
        first = text.partition("\n")[0].strip()
        if _DIRECTIVE.fullmatch(first):
            self.unread.append((line, first[:200]))
        else:
            yield Code(text, line=line, text_line=line)

    def _inlines(self, node: nodes.Node) -> tuple[Inline, ...]:
        return tuple(span for child in node.children for span in self._inline(child))

    def _inline(self, node: nodes.Node) -> Iterator[Inline]:
        match node:
            case nodes.Text():
                yield from _text(node.astext())
            case nodes.strong():
                yield Strong(self._inlines(node))
            case nodes.emphasis():
                yield Emphasis(self._inlines(node))
            # One backtick is code to people who know Markdown.
            case nodes.literal() | nodes.title_reference() | nodes.math():
                yield CodeSpan(" ".join(node.astext().split()))
            case nodes.reference():
                url = node.get("refuri") or f"#{node.get('refid', '')}"
                # Links do not nest.
                spans = tuple(s for s in self._inlines(node) if not isinstance(s, Link))
                yield Link(url, spans or (Text(url),))
            case nodes.image():
                yield from self._image(node)
            case nodes.footnote_reference() | nodes.citation_reference():
                yield Text(f"[{node.astext()}]")
            case nodes.problematic():
                yield from _role(node.astext())
            case nodes.Invisible() | nodes.system_message():
                pass
            case nodes.Element():
                yield from self._inlines(node)

    def _image(self, node: nodes.Element) -> Iterator[Inline]:
        yield Link(node.get("uri", ""), (Text(node.get("alt") or "image"),))


def _text_elements(node: nodes.Node) -> list[nodes.Node]:
    return list(
        node.findall(lambda n: isinstance(n, nodes.TextElement) and not isinstance(n, nodes.Inline))
    )


def _text(text: str) -> Iterator[Inline]:
    for number, row in enumerate(text.split("\n")):
        if number:
            yield Break(hard=False)
        if row:
            yield Text(row)


def _role(source: str) -> Iterator[Inline]:
    """The text of a role that docutils does not know, such as Sphinx's `:ref:`."""
    match = _ROLE.fullmatch(source)
    if match is None:
        yield from _text(source)
        return
    body = match["body"] or match["first"] or ""
    titled = _TITLED_TARGET.fullmatch(body)
    words = " ".join((titled["title"] if titled else body.removeprefix("~")).split())
    yield CodeSpan(words) if match["name"] in _CODE_ROLES else Text(words)
