"""AsciiDoc as the tree that Markdown becomes.

Reads sections, lists, delimited blocks, admonitions, tables, attributes, conditionals and inline
markup. Files outside the text are read by a function that the caller gives; what is not read is in
`Document.unread`. Any text yields a tree in linear time.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

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
    Strike,
    Strong,
    Table,
    Text,
    commands_apart,
)

Include = Callable[[str], str | None]
Cells = tuple[tuple[Inline, ...], ...]

_MAX_LINES = 200_000  # with included files
_MAX_INCLUDES = 200
_MAX_NESTING = 20
_MAX_VALUE = 2_000  # characters of an attribute, filled
_MAX_TEXT = 20_000  # characters of a paragraph; longer ones are taken as plain text
_MAX_DEPTH = 6
_MAX_LINE = 20_000  # characters; only machine-made text has longer lines of prose

_HEADING = re.compile(r"(?P<level>={1,6}|#{1,6})[ \t]+(?P<text>\S.*)")
_ANCHOR = re.compile(r"\[\[([\w:.-]{1,200})(?:,[^\[\]]{0,200})?\]\]|\[#([\w:.-]{1,200})\]")
_ATTRIBUTE = re.compile(r":(?P<off>!?)(?P<name>\w[\w-]{0,80})!?:(?:[ \t]+(?P<value>.*))?")
_CONDITION = re.compile(r"(?P<kind>ifdef|ifndef|ifeval|endif)::(?P<names>[^\[]*)\[(?P<text>.*)\]")
_COMPARISON = re.compile(
    r"\s{0,9}(\"[^\"]{0,400}\"|'[^']{0,400}'|[\w{}.-]{1,400})\s{0,9}([!=]=)\s{0,9}"
    r"(\"[^\"]{0,400}\"|'[^']{0,400}'|[\w{}.-]{1,400})\s{0,9}"
)
_INCLUDE = re.compile(r"include::(?P<target>[^\[\]]{1,400})\[(?P<options>[^\]]*)\]")
_OFFSET = re.compile(r"leveloffset\s*=\s*\+?(-?\d{1,2})")
_BLOCK_STYLE = re.compile(r"\[(?P<style>[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)?)\]|\[\[[^\[\]]*\]\]")
_TITLE = re.compile(r"\.(?P<text>[^\s.].*)")
_DELIMITER = re.compile(r"-{4,}|\.{4,}|={4,}|\*{4,}|_{4,}|\+{4,}|/{4,}|--|```\S*|[|,:!]===+")
_ADMONITION = re.compile(r"(?P<kind>NOTE|TIP|IMPORTANT|WARNING|CAUTION):[ \t]+(?P<text>\S.*)")
_MARKER = re.compile(
    r"(?P<mark>\*{1,5}|-|\.{1,5}|\d{1,5}[.)]|[A-Za-z]\.|[ivx]+\)|<[\d.]{1,3}>)[ \t]+(?P<text>\S.*)"
)
_TERM = re.compile(r"(?P<term>\S.{0,400}?)(?P<mark>:{2,4}|;;)(?:[ \t]+(?P<text>\S.*))?")
_CHECKBOX = re.compile(r"\[(?P<mark>[ xX*])\][ \t]+")
_MACRO = re.compile(r"(?P<name>[a-z]\w{0,30})::(?P<target>\S{0,400}?)\[(?P<text>.*)\]")
_AUTHOR = re.compile(r"[^|]{1,200}<[^<>\s]+@[^<>\s]+>.*|v?\d+(?:\.\d+)+(?:,.*)?")
_CALLOUT = re.compile(r"[ \t]*(?:#|//|--|;;)?[ \t]*(?:<(?:\d{1,3}|\.)>[ \t]*)+$")
_COLUMN = re.compile(r"(?P<count>\d{1,3})\*")
_CELL = re.compile(r"(?:(?<=\s)|^)(?:\d{0,3}(?:\.\d{1,3})?[+*])?[<^>.]{0,3}[adehlmsv]?\|", re.M)

# Within a line.
_NAMES = {"nbsp": " ", "sp": " ", "empty": "", "plus": "+", "asterisk": "*", "tilde": "~"}
_NAMES |= {"backtick": "`", "startsb": "[", "endsb": "]", "vbar": "|", "caret": "^", "amp": "&"}
_NAMES |= {"lt": "<", "gt": ">", "quot": '"', "apos": "'", "blank": "", "two-colons": "::"}
_FIELD = re.compile(r"(?<!\\)\{(?P<name>\w[\w-]{0,80})\}")
_LABEL = r"\[(?P<{0}>[^\[\]]{{0,500}})\]"
_SPAN = re.compile(
    r"(?P<escape>\\)(?=[*_`#{\[<+^~])"
    r"|(?P<hard>[ \t]\+)?(?P<end>\n)"
    r"|(?P<tail>[ \t]\+\Z)"
    r"|``(?P<code2>[^`\n]{1,500})``|(?<![\w`])`\+?(?P<code>[^`\n]{1,500}?)\+?`(?![\w`])"
    r"|\+\+\+(?P<raw3>[^+\n]{1,500})\+\+\+|(?<![\w+])\+(?P<raw>[^+\s](?:[^+\n]{0,500}[^+\s])?)\+(?![\w+])"
    r"|\*\*(?P<bold2>[^*\n]{1,500})\*\*|(?<![\w*])\*(?P<bold>[^*\s](?:[^*\n]{0,500}[^*\s])?)\*(?![\w*])"
    r"|__(?P<em2>[^_\n]{1,500})__|(?<![\w_])_(?P<em>[^_\s](?:[^_\n]{0,500}[^_\s])?)_(?![\w_])"
    r"|\[\.?line-through\]#(?P<strike>[^#\n]{1,500})#"
    r"|(?:\[[^\[\]\n]{0,60}\])?(?<![\w#])#(?P<mark>[^#\s](?:[^#\n]{0,500}[^#\s])?)#(?![\w#])"
    r"|(?P<url><?(?:https?|ftp|mailto):[^\s\[\]<>]{1,2000}|link:[^\s\[\]]{1,2000}(?=\[))"
    rf"(?:{_LABEL.format('label')}|>)?"
    rf"|xref:(?P<xref>[^\s\[\]]{{1,400}}){_LABEL.format('xref_label')}"
    r"|<<(?P<reference>[^<>,\n]{1,300})(?:,(?P<reference_label>[^<>\n]{1,300}))?>>"
    rf"|image:(?P<image>[^\s\[\]:][^\s\[\]]{{0,400}}){_LABEL.format('alt')}"
    rf"|(?P<macro>icon|kbd|btn|menu|footnote|pass|term|anchor):(?P<target>[^\s\[\]]{{0,200}})"
    rf"{_LABEL.format('content')}"
    r"|\[\[[^\[\]\n]{1,200}\]\]"
    r"|(?P<quotes>\"`|`\")"
)


def read_asciidoc(
    text: str,
    include: Include = lambda target: None,
    attributes: Mapping[str, str] = MappingProxyType({}),
) -> Document:
    """The document in a text. `include` returns the text of a file named in an `include::`
    directive; None where it may not or cannot be read. `attributes` are set from outside, and
    changed by the text only where their value ends in `@`."""
    reader = _Reader(include, Attributes(attributes))
    lines = list(reader.source(text))
    callouts = any(line.startswith(("<1>", "<.>")) for line, _ in lines)
    reader.has_callouts = callouts
    return Document(tuple(reader.blocks(lines, 0)), unread=tuple(reader.unread))


class Attributes:
    """The attributes of a document that are set. Those `given` from outside stay as they are, but
    for values that end in `@`."""

    def __init__(self, given: Mapping[str, str] = MappingProxyType({})) -> None:
        self._values: dict[str, str] = {}
        self._fixed: frozenset[str] = frozenset()
        for name, value in given.items():
            self.set(name, value.removesuffix("@"))
        fixed = (name.lower() for name, value in given.items() if not value.endswith("@"))
        self._fixed = frozenset(fixed)

    def set(self, name: str, value: str | None, off: str = "") -> None:
        """Set an attribute, or remove it."""
        if name.lower() in self._fixed:
            return
        if off:
            self._values.pop(name.lower(), None)
        else:
            self._values[name.lower()] = self.filled(value or "")[:_MAX_VALUE]

    def has(self, name: str) -> bool:
        """Whether it is set."""
        return name.strip().lower() in self._values

    def filled(self, text: str) -> str:
        """A text with the values of attributes; names that are not set stay as they are."""
        if "{" not in text:
            return text
        room = max(_MAX_TEXT, 2 * len(text))

        def value(match: re.Match[str]) -> str:
            nonlocal room
            name = match["name"].lower()
            found = self._values.get(name, _NAMES.get(name))
            if found is None or len(found) > room:
                return match[0]
            room -= len(found)
            return found

        return _FIELD.sub(value, text)


NumberedLine = tuple[str, int]  # its text and its number in the file


@dataclass(slots=True)
class _Style:
    """What stands above a block: its title, its style and its anchors."""

    title: str = ""
    name: str = ""
    arguments: str = ""
    anchors: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Reader:
    include: Include
    attributes: Attributes = field(default_factory=Attributes)
    unread: list[tuple[int, str]] = field(default_factory=list)
    has_callouts: bool = False
    _outer: list[str] = field(default_factory=list)  # the markers of the lists around
    _included: int = 0
    _lines: int = 0

    def source(self, text: str, at: int = 0, depth: int = 0) -> Iterator[NumberedLine]:
        """The lines with conditionals decided and includes replaced; those of an included file
        have the number of the directive."""
        hidden = 0  # how many open conditions are false
        opened: list[bool] = []
        for number, raw in enumerate(text.split("\n"), 1):
            self._lines += 1
            if self._lines > _MAX_LINES:
                return
            line, here = raw.rstrip(), at or number
            match = _CONDITION.fullmatch(line) if "::" in line else None
            if match:
                shown = self._is_true(match)
                if match["kind"] == "endif":
                    hidden -= opened.pop() if opened else 0
                elif not match["text"] or match["kind"] == "ifeval":
                    opened.append(not shown)
                    hidden += not shown
                elif shown and not hidden:
                    yield match["text"], here
            elif hidden:
                continue
            elif (match := _INCLUDE.fullmatch(line)) is not None:
                yield from self._file(match, line, here, depth)
            else:
                attribute = _ATTRIBUTE.fullmatch(line)
                if attribute:
                    self.attributes.set(attribute["name"], attribute["value"], attribute["off"])
                yield line, here

    def _file(self, match: re.Match[str], line: str, at: int, depth: int) -> Iterator[NumberedLine]:
        self._included += 1
        text = None
        is_part = re.search(r"\b(?:lines|tags?)\s*=", match["options"]) is not None
        if depth < 8 and self._included <= _MAX_INCLUDES and not is_part:
            text = self.include(self.attributes.filled(match["target"]))
        if text is None:
            self.unread.append((at, line))
            return
        shift = _OFFSET.search(match["options"])
        for each, number in self.source(text, at, depth + 1):
            heading = _HEADING.fullmatch(each) if shift else None
            if shift and heading:
                level = min(max(len(heading["level"]) + int(shift[1]), 1), 6)
                yield f"{'=' * level} {heading['text']}", number
            else:
                yield each, number

    def _is_true(self, match: re.Match[str]) -> bool:
        if match["kind"] == "ifeval":
            return self._is_equal(match["text"])
        names = re.split(r"[,+]", match["names"])
        any_set = any(self.attributes.has(name) for name in names)
        all_set = all(self.attributes.has(name) for name in names)
        is_set = all_set if "+" in match["names"] else any_set
        return {"ifdef": is_set, "ifndef": not is_set}.get(match["kind"], True)

    def _is_equal(self, expression: str) -> bool:
        """Whether the two sides of an `ifeval` are equal or differ, as it says; True for any other
        comparison, so that no text is lost."""
        sides = _COMPARISON.fullmatch(expression)
        if sides is None:
            return True
        left, right = (self.attributes.filled(side.strip("\"'")) for side in sides.group(1, 3))
        return (left == right) == (sides[2] == "==")

    def blocks(self, lines: Sequence[NumberedLine], depth: int) -> list[Block]:
        """The blocks of lines."""
        out: list[Block] = []
        style = _Style()
        at = 0
        while at < len(lines):
            line, _ = lines[at]
            if not line or (line.startswith("//") and not _DELIMITER.fullmatch(line)):
                at += 1
                continue
            if (match := _ATTRIBUTE.fullmatch(line)) is not None:
                at = self._attribute(match, lines, at)
                continue
            if self._styled(line, style):
                at += 1
                continue
            found, at = self._block(lines, at, style, depth)
            if style.title and found and not isinstance(found[0], Heading):
                title = inline(style.title, self.attributes)
                found = [Paragraph(title, found[0].line), *found]
            out.extend(found)
            style = _Style()
        return out

    def _attribute(self, match: re.Match[str], lines: Sequence[NumberedLine], at: int) -> int:
        value = match["value"] or ""
        at += 1
        while value.endswith(" \\") and at < len(lines) and len(value) < _MAX_LINE:
            value = f"{value[:-2]} {lines[at][0].strip()}"
            at += 1
        self.attributes.set(match["name"], value, match["off"])
        return at

    def _styled(self, line: str, style: _Style) -> bool:
        """Whether a line says something about the next block."""
        if line.startswith("[") and (match := _BLOCK_STYLE.fullmatch(line)):
            style.anchors += [a or b for a, b in _ANCHOR.findall(line)]
            if match["style"] is not None:
                name = match["style"].partition(",")[0]
                style.name = re.split(r"[#.%]", name)[0].strip() or style.name
                style.arguments += "," + match["style"]
            return True
        if (match := _TITLE.fullmatch(line)) and not _MARKER.fullmatch(line):
            style.title = match["text"]
            return True
        return False

    def _block(
        self,
        lines: Sequence[NumberedLine],
        at: int,
        style: _Style,
        depth: int,
        *,
        in_item: bool = False,
    ) -> tuple[list[Block], int]:
        """The block that starts at a line, and the index of the line after it."""
        line, number = lines[at]
        if _DELIMITER.fullmatch(line):
            return self._delimited(lines, at, style, depth)
        if (match := _HEADING.fullmatch(line)) is not None:
            return [self._heading(match, number, style)], self._after_title(lines, at, match)
        if _MARKER.fullmatch(line) or self._is_term(line):
            return self._list(lines, at, depth)
        if line in ("'''", "---", "***", "<<<"):
            return ([] if line == "<<<" else [Rule(number)]), at + 1
        if (match := _MACRO.fullmatch(line)) is not None:
            return self._macro(match, line, number), at + 1
        ends = _ends_item if in_item else _ends_paragraph
        end = at + 1
        while end < len(lines) and lines[end][0] and not ends(lines[end][0]):
            end += 1
        text = "\n".join(each for each, _ in lines[at:end])
        if line[0] in " \t" or style.name in ("source", "listing", "literal"):
            return [self._code(lines[at:end], number, number, style)], end
        return self._paragraph(text, number, style), end

    def _heading(self, match: re.Match[str], number: int, style: _Style) -> Heading:
        text = re.sub(r"\s+=+$", "", match["text"])
        anchors = [a or b for a, b in _ANCHOR.findall(text)]
        bare = re.sub(
            r"^icon:[^\[\]\s]{0,60}\[[^\[\]]{0,60}\]\s*", "", _ANCHOR.sub("", text).strip()
        )
        children = inline(bare, self.attributes)
        return Heading(len(match["level"]), children, number, (*style.anchors, *anchors))

    def _after_title(self, lines: Sequence[NumberedLine], at: int, match: re.Match[str]) -> int:
        """After a document's title stand its author and its revision."""
        at += 1
        while len(match["level"]) == 1 and at < len(lines) and _AUTHOR.fullmatch(lines[at][0]):
            at += 1
        return at

    def _paragraph(self, text: str, number: int, style: _Style) -> list[Block]:
        match = _ADMONITION.match(text)
        kind = style.name if style.name.isupper() else match["kind"] if match else ""
        body = text[match.start("text") :] if match else text
        paragraph = Paragraph(inline(body, self.attributes), number)
        if not paragraph.children:
            return []
        return [_quote(kind, [paragraph], number)] if kind else [paragraph]

    def _macro(self, match: re.Match[str], line: str, number: int) -> list[Block]:
        if match["name"] == "image":
            return [Paragraph(inline(line.replace("::", ":", 1), self.attributes), number)]
        if match["name"] not in ("toc", "anchor"):
            self.unread.append((number, line))
        return []

    def _delimited(
        self, lines: Sequence[NumberedLine], at: int, style: _Style, depth: int
    ) -> tuple[list[Block], int]:
        mark, number = lines[at]
        close = "```" if mark.startswith("```") else mark
        end = at + 1
        while end < len(lines) and lines[end][0] != close:
            end += 1
        inner = lines[at + 1 : end]
        if end == len(lines):
            self.unread.append((number, f"{mark} without its end"))
        end = min(end + 1, len(lines))
        if mark.startswith("////"):
            return [], end
        if mark.startswith("++++"):
            self.unread.append((number, mark))
            return [], end
        if mark.endswith("==") and mark[0] in "|,:!":
            return self._table(inner, number, mark[0], style), end
        if (mark != "--" and mark[0] in "-.`") or style.name in ("source", "listing"):
            style.arguments += f",{mark[3:]}" if mark.startswith("```") else ""
            return [self._code(inner, number, number + 1, style)], end
        if depth >= _MAX_NESTING:
            text = "\n".join(line for line, _ in inner)
            return [Code(text, line=number, text_line=number + 1)], end
        blocks = self.blocks(inner, depth + 1)
        if style.name.isupper() or mark[0] in "_*":
            return [_quote(style.name if style.name.isupper() else "", blocks, number)], end
        return blocks, end

    def _code(self, lines: Sequence[NumberedLine], number: int, first: int, style: _Style) -> Code:
        rows = [line for line, _ in lines]
        if rows and all(not row or row[0] in " \t" for row in rows):
            indent = min((len(row) - len(row.lstrip()) for row in rows if row), default=0)
            rows = [row[indent:] for row in rows]
        if self.has_callouts:
            rows = [_CALLOUT.sub("", row) for row in rows]
        if re.search(r"\bsubs\s*=\s*[\"']?[^\"']{0,100}(?:attributes|normal)", style.arguments):
            rows = [self.attributes.filled(row) for row in rows]
        words = [word.strip() for word in style.arguments.split(",") if word.strip()]
        is_source = style.name in ("source", "listing", "")
        named = [word for word in words if re.fullmatch(r"[A-Za-z][\w+#-]{0,30}", word)]
        language = next((word for word in named if word not in ("source", "listing")), "")
        language = language.lower() if is_source else ""
        return Code("\n".join(rows), language, language, line=number, text_line=first)

    def _is_term(self, line: str) -> bool:
        return "::" in line and _TERM.fullmatch(line) is not None and not _MACRO.fullmatch(line)

    def _list(self, lines: Sequence[NumberedLine], at: int, depth: int) -> tuple[list[Block], int]:
        """A list with all that is nested in it."""
        first = at
        opening = _marker(lines[at][0])
        items: list[Item] = []
        while at < len(lines):
            at = _skip_blank(lines, at)
            if at >= len(lines) or _marker(lines[at][0]) != opening:
                break
            if items and _marker(lines[at][0]) == "":
                break
            item, at = self._item(lines, at, depth, opening)
            items.append(item)
        text, number = lines[first]
        digits = re.match(r"\d+", text)
        ordered = opening[0] in ".0a<i"
        start = int(digits[0]) if digits and opening == "0" else 1
        return [ListBlock(ordered, tuple(items), start, number)], at

    def _item(
        self, lines: Sequence[NumberedLine], at: int, depth: int, opening: str
    ) -> tuple[Item, int]:
        line, number = lines[at]
        match = _MARKER.fullmatch(line)
        term = None if match else _TERM.fullmatch(line)
        text = (match or term or {"text": ""})["text"] or ""
        box = _CHECKBOX.match(text) if opening[0] in "*-" else None
        text = text[box.end() :] if box else text
        at += 1
        at = _skip_blank(lines, at) if term and not text else at
        while at < len(lines) and lines[at][0] and not _ends_item(lines[at][0]):
            text = f"{text}\n{lines[at][0].strip()}" if len(text) < _MAX_LINE else text
            at += 1
        spans = inline(text, self.attributes)
        if term:
            head = Strong(inline(term["term"], self.attributes))
            spans = (head, Text(": "), *spans) if spans else (head,)
        blocks: list[Block] = [Paragraph(spans, number)] if spans else []
        nested, at = self._attached(lines, at, depth, opening)
        checked = None if box is None else box["mark"] != " "
        return Item((*blocks, *nested), checked, number), at

    def _attached(
        self, lines: Sequence[NumberedLine], at: int, depth: int, opening: str
    ) -> tuple[list[Block], int]:
        """What belongs to an item: blocks behind `+`, nested lists, indented lines."""
        blocks: list[Block] = []
        while at < len(lines) and depth < _MAX_NESTING:
            line = lines[at][0]
            if line == "+":
                self._outer.append(opening)
                found, at = self._continued(lines, at + 1, depth)
                self._outer.pop()
                blocks += found
                continue
            below = _skip_blank(lines, at)
            if below >= len(lines):
                break
            line = lines[below][0]
            mark = _marker(line)
            if mark and mark != opening and mark not in self._outer:
                self._outer.append(opening)
                found, at = self._list(lines, below, depth + 1)
                self._outer.pop()
                blocks += found
            elif below > at and line[0] in " \t" and not mark:
                found, at = self._block(lines, below, _Style(), depth + 1, in_item=True)
                blocks += found
            else:
                break
        return blocks, at

    def _continued(
        self, lines: Sequence[NumberedLine], at: int, depth: int
    ) -> tuple[list[Block], int]:
        """The block behind a `+`."""
        style = _Style()
        while at < len(lines) and self._styled(lines[at][0], style):
            at += 1
        if at >= len(lines) or not lines[at][0] or lines[at][0] == "+":
            return [], at
        found, at = self._block(lines, at, style, depth + 1, in_item=True)
        if style.title:
            found = [Paragraph(inline(style.title, self.attributes), lines[at - 1][1]), *found]
        return found, at

    def _table(
        self, lines: Sequence[NumberedLine], number: int, mark: str, style: _Style
    ) -> list[Block]:
        text = "\n".join(line for line, _ in lines)
        rows = [line for line, _ in lines if line]
        cells: list[str] = []
        if mark in ",:":
            separator = "," if mark == "," else ":"
            cells = [cell for row in rows for cell in row.split(separator)]
            width = rows[0].count(separator) + 1 if rows else 0
        else:
            pieces = _CELL.split(text.replace("\\|", "\0"))
            cells = [piece.replace("\0", "|").strip() for piece in pieces[1:]]
            width = len(_CELL.findall(rows[0])) if rows else 0
        columns = re.search(r"cols\s*=\s*\"?([^\"\]]{1,300})", style.arguments)
        if columns and mark == "|":
            count = _COLUMN.match(columns[1].strip())
            width = int(count["count"]) if count else columns[1].strip(", ").count(",") + 1
        if not cells or not width:
            return []
        spans = [inline(cell.replace("\n", " +\n"), self.attributes) for cell in cells]
        grid: list[Cells] = [
            tuple((*spans[i : i + width], *[()] * width)[:width])
            for i in range(0, len(spans), width)
        ]
        is_headed = "header" in style.arguments or (len(lines) > 1 and not lines[1][0])
        header = grid[0] if is_headed and len(grid) > 1 else tuple(() for _ in range(width))
        return [Table(header, tuple(grid[1:] if header is grid[0] else grid), number)]


def _quote(kind: str, blocks: Sequence[Block], number: int) -> Quote:
    title = [Paragraph((Strong((Text(kind.capitalize()),)),), number)] if kind else []
    return Quote((*title, *blocks), number)


def _marker(line: str) -> str:
    """What all items of one list begin with; empty for a line that begins no item."""
    match = _MARKER.fullmatch(line)
    if match is None:
        term = _TERM.fullmatch(line) if "::" in line or ";;" in line else None
        is_macro = term is not None and _MACRO.fullmatch(line) is not None
        return f":{term['mark']}" if term and not is_macro else ""
    mark = match["mark"]
    if mark[0].isdigit():
        return "0"
    if mark[0] == "<":
        return "<"
    if mark[0].isalpha():
        return "i" if mark.endswith(")") else "a"
    return mark


def _skip_blank(lines: Sequence[NumberedLine], at: int) -> int:
    while at < len(lines) and (not lines[at][0] or _is_comment(lines[at][0])):
        at += 1
    return at


def _is_comment(line: str) -> bool:
    return line.startswith("//") and not line.startswith("///")


def _ends_paragraph(line: str) -> bool:
    return (
        _DELIMITER.fullmatch(line) is not None
        or line == "+"
        or (line.startswith("[") and _BLOCK_STYLE.fullmatch(line) is not None)
    )


def _ends_item(line: str) -> bool:
    return _ends_paragraph(line) or bool(_marker(line)) or _HEADING.fullmatch(line) is not None


def inline(text: str, attributes: Attributes) -> tuple[Inline, ...]:
    """The spans of a paragraph; its lines are those of the text. Commands stay on their own."""
    if len(text) > _MAX_TEXT:
        spans: list[Inline] = []
        for line in text.split("\n"):
            spans += [Break(hard=False), Text(line)] if spans else [Text(line)]
        return tuple(spans)
    return commands_apart(tuple(_merged(_spans(attributes.filled(text.strip()), 0))))


def _spans(text: str, depth: int) -> Iterator[Inline]:
    at = 0
    for match in _SPAN.finditer(text):
        if match.start() > at:
            yield Text(text[at : match.start()])
        yield from _span(match, depth)
        at = match.end()
    if at < len(text):
        yield Text(text[at:])


def _inner(text: str, depth: int) -> tuple[Inline, ...]:
    if depth >= _MAX_DEPTH:
        return (Text(text.replace("\n", " ")),)
    return tuple(_merged(_spans(text.replace("\n", " "), depth + 1)))


def _span(match: re.Match[str], depth: int) -> Iterator[Inline]:
    if match["end"]:
        yield Break(hard=match["hard"] is not None)
    elif code := match["code2"] or match["code"]:
        yield CodeSpan(code)
    elif raw := match["raw3"] or match["raw"]:
        yield Text(raw)
    elif match["quotes"]:
        yield Text('"')
    elif match["macro"]:
        yield from _macro(match, depth)
    elif match["url"] or match["xref"] or match["reference"] or match["image"]:
        yield from _reference(match, depth)
    else:
        yield from _marked(match, depth)


def _marked(match: re.Match[str], depth: int) -> Iterator[Inline]:
    if bold := match["bold2"] or match["bold"]:
        yield Strong(_inner(bold, depth))
    elif emphasis := match["em2"] or match["em"]:
        yield Emphasis(_inner(emphasis, depth))
    elif match["strike"]:
        yield Strike(_inner(match["strike"], depth))
    elif match["mark"]:
        yield from _inner(match["mark"], depth)


def _reference(match: re.Match[str], depth: int) -> Iterator[Inline]:
    if match["url"]:
        yield from _link(match["url"], match["label"], depth)
    elif match["xref"]:
        target = match["xref"]
        yield Link(target, _label(match["xref_label"], target, depth))
    elif match["reference"]:
        target = match["reference"]
        is_file = "#" in target or ".adoc" in target
        url = target if is_file else f"#{target}"
        yield Link(url, _label(match["reference_label"], target, depth))
    elif match["image"]:
        words = (match["alt"] or "").split(",")[0].strip('" ')
        yield Link(match["image"], (Text(words or "image"),))


def _macro(match: re.Match[str], depth: int) -> Iterator[Inline]:
    name, content = match["macro"], match["content"] or ""
    if name == "menu":
        yield Text(" > ".join(filter(None, (match["target"], content))))
    elif name == "footnote":
        yield from (Text(" ("), *_inner(content, depth), Text(")"))
    elif name == "pass":
        yield Text(re.sub(r"<[^<>]{0,200}>", "", content))
    elif name not in ("icon", "anchor") and content:
        yield Text(content)


def _link(url: str, label: str | None, depth: int) -> Iterator[Inline]:
    url = url.removeprefix("<").removeprefix("link:")
    after = ""
    if label is None:
        bare = url.rstrip(".,;:!?)'\"")
        url, after = bare, url[len(bare) :]
    # `[text,window=_blank]`, `[text^]`
    words = re.split(r",\s*\w+=", label or "")[0].strip().removesuffix("^")
    yield Link(url, _label(words, url.removeprefix("mailto:"), depth))
    if after:
        yield Text(after)


def _label(words: str | None, target: str, depth: int) -> tuple[Inline, ...]:
    # Links do not nest.
    found = tuple(_without_links(_inner((words or "").strip(), depth)))
    return found or (Text(target),)


def _without_links(spans: tuple[Inline, ...]) -> Iterator[Inline]:
    for span in spans:
        if isinstance(span, Link):
            yield from span.children
        else:
            yield span


def _merged(spans: Iterator[Inline]) -> Iterator[Inline]:
    """Neighboring words as one."""
    words: list[str] = []
    for span in spans:
        if isinstance(span, Text):
            words.append(span.text)
            continue
        if text := "".join(words):
            yield Text(text)
        words = []
        yield span
    if text := "".join(words):
        yield Text(text)
