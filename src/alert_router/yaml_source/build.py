"""A stream of YAML events → trees. Bounded in depth and in what aliases may expand to.

Reading files and showing YAML's own errors is `yaml`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from alert_router.model.problem import Place, Problem
from alert_router.yaml_source import codes
from alert_router.yaml_source.mask import clip
from alert_router.yaml_source.tree import Entry, Fields, Items, Node, Text

MAX_DEPTH = 64
MAX_NODES = 1_000_000  # with aliases expanded; a table of 10,000 entries has 50,000

_STRING = "tag:yaml.org,2002:str"
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_NO_TEXT = re.compile("[\0\ud800-\udfff]")


@dataclass
class Refused(Exception):
    """The text is YAML, but of a kind that a configuration cannot be."""

    code: str
    message: str
    place: Place
    hint: str = ""


def build(events: Iterator[yaml.Event], file: str) -> tuple[Node | None, list[Problem]]:
    """The tree of the one document in the stream (None if there is none), and what is wrong in it
    that does not hide the rest: duplicate keys, characters that no text may hold.

    Raises Refused, and yaml.YAMLError from the stream.
    """
    builder = _Builder(events, file)
    return builder.document(), builder.problems


def build_all(events: Iterator[yaml.Event], file: str) -> tuple[list[Node], list[Problem]]:
    """The trees of all documents in the stream, and problems as from `build`. Raises as it does."""
    builder = _Builder(events, file)
    return list(builder.documents()), builder.problems


@dataclass
class _Builder:
    events: Iterator[yaml.Event]
    file: str
    problems: list[Problem] = field(default_factory=list)
    anchors: dict[str, Node | None] = field(default_factory=dict)  # None: still being read
    depth: int = 0
    nodes: int = 0

    def document(self) -> Node | None:
        root: Node | None = None
        for event in self.starts():
            if root is not None:
                message = "the file holds several YAML documents"
                hint = "keep one; remove the line ---"
                raise Refused(codes.SEVERAL_DOCUMENTS, message, self.place(event), hint)
            root = self.node(next(self.events))
        return root

    def documents(self) -> Iterator[Node]:
        for _ in self.starts():
            self.anchors.clear()  # an anchor is known in its own document alone
            yield self.node(next(self.events))

    def starts(self) -> Iterator[yaml.Event]:
        """Where documents begin; whoever asks for the next one has read this one."""
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                yield event

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
            raise Refused(codes.TOO_LARGE, "too much, with aliases expanded", self.place(event))
        return node

    def alias(self, event: yaml.AliasEvent) -> Node:
        name = event.anchor
        place = self.place(event)
        if name not in self.anchors:
            raise Refused(codes.BAD_ALIAS, f"*{name} refers to no anchor before it", place)
        node = self.anchors[name]
        if node is None:
            raise Refused(codes.BAD_ALIAS, f"*{name} refers to what it is itself part of", place)
        self.check_depth(self.depth + node.height, place)
        return node

    def scalar(self, event: yaml.ScalarEvent) -> Text:
        place = self.place(event)
        style = event.style or ""
        is_text = bool(style) or self.tag(event) is not None
        text = event.value
        if _NO_TEXT.search(text):
            message = "the text holds a character that no text may hold (NUL or a surrogate)"
            self.problems.append(Problem(codes.UNSUPPORTED, message, place))
            text = _NO_TEXT.sub("\ufffd", text)  # so that the file's other problems are found too
        value = None if not is_text and text in _NULLS else text
        return Text(place, value, style)

    def tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> str | None:
        if event.tag in (None, "!", _STRING):
            return event.tag
        name = event.tag.replace("tag:yaml.org,2002:", "!!")
        message = f"YAML's tags are not supported here: {name[:40]!r}"
        raise Refused(codes.UNSUPPORTED, message, self.place(event), "write the value alone")

    def anchored(self, event: yaml.NodeEvent, node: Node) -> Node:
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def check_depth(self, depth: int, place: Place) -> None:
        if depth > MAX_DEPTH:
            raise Refused(codes.TOO_DEEP, f"nested deeper than {MAX_DEPTH} levels", place)

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

    def fields(self, start: yaml.Event) -> Fields:
        entries: dict[str, Entry] = {}
        merged: list[Fields] = []
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
        return Fields(self.place(start), entries, *_measure(values))

    def key(self, event: yaml.Event) -> str:
        if isinstance(event, yaml.AliasEvent):
            node: Node = self.alias(event)
            text = node.value if isinstance(node, Text) else None
        elif isinstance(event, yaml.ScalarEvent):
            self.anchored(event, self.scalar(event))
            text = _NO_TEXT.sub("\ufffd", event.value)
        else:
            text = None
        if not text:
            hint = "quote a value that begins with { or [, or that has a ? in front"
            raise Refused(codes.UNSUPPORTED, "a key must be text", self.place(event), hint)
        return text

    def merged(self, value: Node, place: Place) -> list[Fields]:
        sources = value.items if isinstance(value, Items) else (value,)
        found = [source for source in sources if isinstance(source, Fields)]
        if len(found) < len(sources):
            message = "<< takes a mapping, or a list of mappings"
            raise Refused(codes.UNSUPPORTED, message, place)
        self.nodes += sum(source.size for source in found)
        return found

    def duplicate(self, entry: Entry, first: Entry) -> None:
        message = f"the key `{clip(entry.key)}` is given twice; the first is at {first.place}"
        hint = "remove one of the two"
        self.problems.append(Problem(codes.DUPLICATE_KEY, message, entry.place, hint=hint))


def _measure(nodes: list[Node]) -> tuple[int, int]:
    """Size and height of what holds these nodes."""
    size = 1 + sum(node.size for node in nodes)
    return size, 1 + max((node.height for node in nodes), default=0)
