"""AsciiDoc's markup within a line, and its attributes."""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from alert_router.markdown import (
    Break,
    CodeSpan,
    Emphasis,
    Inline,
    Link,
    Strike,
    Strong,
    Text,
    commands_apart,
)

_MAX_TEXT = 20_000  # characters of a paragraph; longer ones are taken as plain text
_MAX_VALUE = 2_000  # characters of an attribute, filled
_MAX_DEPTH = 6

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
