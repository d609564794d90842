"""YAML files as trees in which every value has its place.

Scalars stay the text that was written. Refused is what would surprise: duplicate keys, tags, bombs
of aliases, deep nesting, and several documents unless all of them are asked for.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from alert_router.model.problem import Place, Problem, ProblemsError, Severity
from alert_router.redaction import clip, shown_line

UNREADABLE = "yaml-unreadable"
SYNTAX = "yaml-syntax"
EMPTY = "yaml-empty"
NOT_A_MAPPING = "yaml-not-a-mapping"
TOO_DEEP = "yaml-too-deep"
TOO_LARGE = "yaml-too-large"
SEVERAL_DOCUMENTS = "yaml-several-documents"
UNSUPPORTED = "yaml-unsupported"
BAD_ALIAS = "yaml-bad-alias"
DUPLICATE_KEY = "yaml-duplicate-key"

CODES = (
    UNREADABLE,
    SYNTAX,
    EMPTY,
    NOT_A_MAPPING,
    TOO_DEEP,
    TOO_LARGE,
    SEVERAL_DOCUMENTS,
    UNSUPPORTED,
    BAD_ALIAS,
    DUPLICATE_KEY,
)


Location = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Scalar:
    """A scalar as it was written; None for a plain null, `~` or nothing at all.

    `style` is the quote (' or "), | or > of a block, or "" for a plain scalar. `written` is the
    text in the file where variables in it were replaced.
    """

    place: Place
    value: str | None
    style: str = ""
    size: int = 1
    height: int = 1
    written: str = ""


@dataclass(frozen=True, slots=True)
class Items:
    """A list. `size` counts all nodes below with aliases expanded, `height` the levels."""

    place: Place
    items: tuple["Node", ...]
    size: int = 1
    height: int = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """A key with its place, and its value."""

    key: str
    place: Place
    value: "Node"


@dataclass(frozen=True, slots=True)
class YamlMapping:
    """A mapping, in the order of the file."""

    place: Place
    entries: Mapping[str, Entry]
    size: int = 1
    height: int = 1

    def get(self, key: str) -> "Node | None":
        """The value of a key."""
        entry = self.entries.get(key)
        return entry.value if entry else None

    def text(self, key: str) -> str | None:
        """The value of a key, where it is text."""
        value = self.get(key)
        return value.value if isinstance(value, Scalar) else None


Node = Scalar | Items | YamlMapping


@dataclass(frozen=True, slots=True)
class YamlFile:
    """One file: its lines, its tree, and what was wrong in it without spoiling the tree."""

    file: str
    lines: Sequence[str]
    root: YamlMapping
    problems: tuple[Problem, ...] = field(default=())

    def find(self, location: Location) -> tuple[Node, Entry | None]:
        """The node at a location, and the entry it is the value of.

        Parts that are neither key nor index of the tree are skipped: the tag of a union, which
        pydantic puts into locations.
        """
        node: Node = self.root
        entry: Entry | None = None
        before: str | int | None = None
        for part in location:
            item_of_list, before = isinstance(before, int), part
            if item_of_list and isinstance(node, YamlMapping) and part == node.text("type"):
                continue
            if isinstance(part, int) and isinstance(node, Items) and part < len(node.items):
                node, entry = node.items[part], None
            elif isinstance(part, str) and isinstance(node, YamlMapping) and part in node.entries:
                entry = node.entries[part]
                node = entry.value
        return node, entry

    def problem(
        self,
        code: str,
        message: str,
        place: Place,
        *,
        hint: str = "",
        severity: Severity = Severity.ERROR,
        hide_from: int = 0,
    ) -> Problem:
        """A problem in this file with the line it points at, secrets masked; from the column
        `hide_from` on nothing of the line is shown."""
        source = shown_line(self.lines, place.line, hide_from)
        return Problem(code, message, place, severity, hint, source)


def plain(node: Node) -> Any:
    """The tree as dicts, lists, texts and None."""
    if isinstance(node, YamlMapping):
        return {entry.key: plain(entry.value) for entry in node.entries.values()}
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    return node.value


def children(node: Node | None) -> Iterator[Node]:
    """The items of a list; nothing for anything else."""
    if isinstance(node, Items):
        yield from node.items


MAX_DEPTH = 64
MAX_NODES = 1_000_000  # with aliases expanded; a table of 10,000 entries has 50,000

_STRING = "tag:yaml.org,2002:str"
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_NO_TEXT = re.compile("[\0\ud800-\udfff]")


@dataclass
class YamlRefused(Exception):
    """The text is YAML, but of a kind that a configuration cannot be."""

    code: str
    message: str
    place: Place
    hint: str = ""


@dataclass
class _Builder:
    events: Iterator[yaml.Event]
    file: str
    problems: list[Problem] = field(default_factory=list)
    anchors: dict[str, Node | None] = field(default_factory=dict)  # None: still being read
    depth: int = 0
    nodes: int = 0

    def documents(self, *, only_one: bool) -> Iterator[Node]:
        read = 0
        for event in self.events:
            if not isinstance(event, yaml.DocumentStartEvent):
                continue
            if only_one and read:
                message = "the file holds several YAML documents"
                hint = "keep one; remove the line ---"
                raise YamlRefused(SEVERAL_DOCUMENTS, message, self.place(event), hint)
            read += 1
            self.anchors.clear()  # an anchor is known in its own document alone
            yield self.node(next(self.events))

    def place(self, event: yaml.Event) -> Place:
        mark = event.start_mark
        assert mark is not None
        return Place(self.file, mark.line + 1, mark.column + 1)

    def node(self, event: yaml.Event) -> Node:
        if isinstance(event, yaml.AliasEvent):
            node = self.alias(event)
        elif isinstance(event, yaml.ScalarEvent):
            node = self.anchored(event, self.scalar(event))
        else:
            node = self.collection(event)
        self.nodes += node.size if isinstance(event, yaml.AliasEvent) else 1
        if self.nodes > MAX_NODES:
            raise YamlRefused(TOO_LARGE, "too much, with aliases expanded", self.place(event))
        return node

    def alias(self, event: yaml.AliasEvent) -> Node:
        name = event.anchor
        place = self.place(event)
        if name not in self.anchors:
            raise YamlRefused(BAD_ALIAS, f"*{name} refers to no anchor before it", place)
        node = self.anchors[name]
        if node is None:
            raise YamlRefused(BAD_ALIAS, f"*{name} refers to what it is itself part of", place)
        self.check_depth(self.depth + node.height, place)
        return node

    def scalar(self, event: yaml.ScalarEvent) -> Scalar:
        place = self.place(event)
        style = event.style or ""
        is_text = bool(style) or self.tag(event) is not None
        text = event.value
        if _NO_TEXT.search(text):
            message = "the text has a character that is not allowed (NUL or a surrogate)"
            self.problems.append(Problem(UNSUPPORTED, message, place))
            text = _NO_TEXT.sub("\ufffd", text)  # so that the file's other problems are found too
        value = None if not is_text and text in _NULLS else text
        return Scalar(place, value, style)

    def tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> str | None:
        if event.tag in (None, "!", _STRING):
            return event.tag
        name = event.tag.replace("tag:yaml.org,2002:", "!!")
        message = f"YAML's tags are not supported here: {name[:40]!r}"
        raise YamlRefused(UNSUPPORTED, message, self.place(event), "write the value alone")

    def anchored(self, event: yaml.NodeEvent, node: Node) -> Node:
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def check_depth(self, depth: int, place: Place) -> None:
        if depth > MAX_DEPTH:
            raise YamlRefused(TOO_DEEP, f"nested deeper than {MAX_DEPTH} levels", place)

    def collection(self, event: yaml.Event) -> Node:
        assert isinstance(event, yaml.CollectionStartEvent)
        self.tag(event)
        self.depth += 1
        self.check_depth(self.depth, self.place(event))
        if event.anchor:
            self.anchors[event.anchor] = None
        is_list = isinstance(event, yaml.SequenceStartEvent)
        node = self.items(event) if is_list else self.fields(event)
        self.depth -= 1
        return self.anchored(event, node)

    def items(self, start: yaml.Event) -> Items:
        found: list[Node] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            found.append(self.node(event))
        return Items(self.place(start), tuple(found), *_measure(found))

    def fields(self, start: yaml.Event) -> YamlMapping:
        entries: dict[str, Entry] = {}
        merged: list[YamlMapping] = []
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.key(event)
            value = self.node(next(self.events))
            if key == "<<" and isinstance(event, yaml.ScalarEvent) and not event.style:
                merged += self.merged(value, self.place(event))
                continue
            entry = Entry(key, self.place(event), value)
            if first := entries.get(key):
                self.duplicate(entry, first)
            else:
                entries[key] = entry
        for source in merged:  # what the mapping says itself wins, then the first merged
            for key, entry in source.entries.items():
                entries.setdefault(key, entry)
        values = [entry.value for entry in entries.values()]
        return YamlMapping(self.place(start), entries, *_measure(values))

    def key(self, event: yaml.Event) -> str:
        if isinstance(event, yaml.AliasEvent):
            node: Node = self.alias(event)
            text = node.value if isinstance(node, Scalar) else None
        elif isinstance(event, yaml.ScalarEvent):
            self.anchored(event, self.scalar(event))
            text = _NO_TEXT.sub("\ufffd", event.value)
        else:
            text = None
        if not text:
            hint = "quote a value that begins with { or [, or that has a ? in front"
            raise YamlRefused(UNSUPPORTED, "a key must be text", self.place(event), hint)
        return text

    def merged(self, value: Node, place: Place) -> list[YamlMapping]:
        sources = value.items if isinstance(value, Items) else (value,)
        found = [source for source in sources if isinstance(source, YamlMapping)]
        if len(found) < len(sources):
            message = "<< takes a mapping, or a list of mappings"
            raise YamlRefused(UNSUPPORTED, message, place)
        self.nodes += sum(source.size for source in found)
        return found

    def duplicate(self, entry: Entry, first: Entry) -> None:
        message = f"the key `{clip(entry.key)}` is given twice; the first is at {first.place}"
        hint = "remove one of the two"
        self.problems.append(Problem(DUPLICATE_KEY, message, entry.place, hint=hint))


def _measure(nodes: list[Node]) -> tuple[int, int]:
    """Size and height of what holds these nodes."""
    size = 1 + sum(node.size for node in nodes)
    return size, 1 + max((node.height for node in nodes), default=0)


MAX_BYTES = 16 * 1024 * 1024


# libyaml is many times faster; the loader in Python explains errors better, and is the fallback.
_FAST: type[yaml.CSafeLoader | yaml.SafeLoader] = (
    yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
)
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # what YAML counts as the end of a line
_HINTS = {
    "found character '\\t'": "indent with spaces; YAML does not take tabs",
    "mapping values are not allowed": "quote a value that has a colon followed by a space in it",
    "found unknown escape character": "in double quotes a backslash must be doubled; "
    "single quotes need no escaping",
    "expected <block end>": "indent it as deep as the keys or the `- ` that it goes with",
    "expected `key: value`": "write a space after the colon",
    "expected ',' or": "close the bracket above, or separate its items with commas",
    "found character '%'": "quote a value that begins with %",
    "found character '@'": "quote a value that begins with @",
    "found character '`'": "quote a value that begins with `",
}

# Where the place is that of the beginning: the parser finds out lines later.
_BEGAN = {
    "while scanning a quoted scalar": "a quote that opens here is never closed",
    "while scanning a simple key": "expected `key: value`",
}


def read(path: Path, *, missing: str = "") -> YamlFile:
    """The document in a file. Raises ProblemsError; `missing` is the hint where no file is."""
    return parse(read_text(path, missing=missing), str(path))


def read_text(path: Path, *, missing: str = "") -> str:
    """The text of a file. Raises ProblemsError if it cannot be read or is not UTF-8."""
    file = str(path)
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        hint = missing if isinstance(error, FileNotFoundError) else ""
        reason = getattr(error, "strerror", None) or "not a valid path"
        raise _refuse(UNREADABLE, f"cannot read the file: {reason}", file, hint) from error
    return decode(raw, file)


def decode(raw: bytes, file: str) -> str:
    """The bytes of a file as text. Raises ProblemsError if they are not UTF-8 or too many."""
    if len(raw) > MAX_BYTES:
        limit = MAX_BYTES // 1024**2
        raise _refuse(TOO_LARGE, f"the file is larger than {limit} MiB", file)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message = f"the file is not UTF-8 text: byte 0x{raw[error.start]:02x} is not valid here"
        problem = Problem(UNREADABLE, message, Place(file, line), hint="save it as UTF-8")
        raise ProblemsError([problem]) from None


def parse(text: str, file: str) -> YamlFile:
    """The document in a text. Raises ProblemsError if it cannot be parsed."""
    lines = _BREAK.split(text)
    found, problems = _built(text, file, lines, only_one=True)
    root = found[0] if found else None
    if root is None or _is_null(root):
        raise _refuse(EMPTY, "the file is empty", file)
    if not isinstance(root, YamlMapping):
        message = f"the file must hold a mapping of keys, not {_kind(root)}"
        raise _refuse(NOT_A_MAPPING, message, file)
    return YamlFile(file, lines, root, _shown(problems, file, lines, root))


def parse_all(text: str, file: str) -> list[YamlFile]:
    """The documents in a text, in its order, without the empty ones; places are those of the whole
    text, and problems are with the first. Raises ProblemsError if one cannot be parsed or is not
    a mapping."""
    lines = _BREAK.split(text)
    found, problems = _built(text, file, lines, only_one=False)
    nodes = [node for node in found if not _is_null(node)]
    if not nodes:
        raise _refuse(EMPTY, "the file is empty", file)
    roots = [node for node in nodes if isinstance(node, YamlMapping)]
    if len(roots) < len(nodes):
        raise ProblemsError(_no_mappings(nodes, lines))
    first, *others = roots
    shown = _shown(problems, file, lines, first)
    return [
        YamlFile(file, lines, first, shown),
        *(YamlFile(file, lines, it) for it in others),
    ]


def _built(
    text: str, file: str, lines: list[str], *, only_one: bool
) -> tuple[list[Node], list[Problem]]:
    """The trees of a text's documents, and what is wrong in them that does not hide the rest:
    duplicate keys, characters that are not allowed. Raises ProblemsError."""
    try:
        try:
            return _trees(_FAST, text, file, only_one)
        except yaml.YAMLError:
            return _trees(yaml.SafeLoader, text, file, only_one)
    except yaml.YAMLError as error:
        raise ProblemsError([_syntax(error, text, file, lines)]) from None
    except (ValueError, OverflowError):  # an escape beyond Unicode, such as "\UFFFFFFFF"
        message = "an escape does not name a valid character"
        raise _refuse(SYNTAX, message, file) from None
    except YamlRefused as refused:
        place = refused.place
        source = shown_line(lines, place.line)
        problem = Problem(refused.code, refused.message, place, hint=refused.hint, source=source)
        raise ProblemsError([problem]) from None


def _trees(
    loader: type[yaml.CSafeLoader | yaml.SafeLoader], text: str, file: str, only_one: bool
) -> tuple[list[Node], list[Problem]]:
    builder = _Builder(yaml.parse(text, Loader=loader), file)
    return list(builder.documents(only_one=only_one)), builder.problems


def _shown(
    problems: list[Problem], file: str, lines: list[str], root: YamlMapping
) -> tuple[Problem, ...]:
    document = YamlFile(file, lines, root)
    return tuple(
        document.problem(problem.code, problem.message, problem.place, hint=problem.hint)
        for problem in problems
    )


def _no_mappings(nodes: Sequence[Node], lines: list[str]) -> Iterator[Problem]:
    for node in nodes:
        if not isinstance(node, YamlMapping):
            message = f"a document must hold a mapping of keys, not {_kind(node)}"
            source = shown_line(lines, node.place.line)
            yield Problem(NOT_A_MAPPING, message, node.place, source=source)


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None


def _kind(node: Node) -> str:
    return "a list" if isinstance(node, Items) else "a single text"


def _refuse(code: str, message: str, file: str, hint: str = "") -> ProblemsError:
    return ProblemsError([Problem(code, message, Place(file), hint=hint)])


def _syntax(error: yaml.YAMLError, text: str, file: str, lines: list[str]) -> Problem:
    """What YAML's own error says, in our form."""
    if isinstance(error, yaml.reader.ReaderError):
        before = _BREAK.split(text[: error.position])
        place = Place(file, len(before), len(before[-1]) + 1)
        message = f"not valid YAML: the character U+{ord(text[error.position]):04X} is not allowed"
        return Problem(SYNTAX, message, place, hint="remove it", source="")
    what = getattr(error, "problem", None) or "it cannot be read"
    context = getattr(error, "context", None)
    began = getattr(error, "context_mark", None)
    mark = getattr(error, "problem_mark", None) or began
    if context and began and mark and began.line != mark.line:
        what = f"{what} ({context} that begins in line {began.line + 1})"
    elif context:
        what = f"{what} ({context})"
    if began and context in _BEGAN:
        what, mark = _BEGAN[context], began
    place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
    hint = next((hint for start, hint in _HINTS.items() if start in what), "")
    source = shown_line(lines, place.line)
    return Problem(SYNTAX, f"not valid YAML: {what}", place, hint=hint, source=source)
