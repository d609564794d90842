"""Fills the placeholders of a runbook for an alert, each by the language it stands in.

The tree is filled, never Markdown text, so a value cannot become markup. In the URL of a link,
values are percent-encoded in path and query: one cannot set the host or scheme, nor add a
parameter or path segment.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from itertools import chain, islice
from typing import Any
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from alert_router.enrich.placeholders import (
    DEFAULT_RULES,
    LONGEST,
    PLACEHOLDER,
    AlertLabels,
    Context,
    Fillable,
    LabelRules,
    Slot,
    in_template,
    is_kept,
    key_of,
    lookup_name,
    may_fill,
    name_of,
    of_environment,
)
from alert_router.enrich.promql import (
    QUERY_LANGUAGES,
    compile_inline_query,
    compile_query,
    is_query,
)
from alert_router.enrich.shell import (
    CommandSlot,
    compile_fence,
    compile_inline,
    labels_of_output,
    own_variables,
    shell_language,
    split,
    unfilled,
)
from alert_router.markdown import (
    Block,
    Break,
    Code,
    CodeSpan,
    Heading,
    Inline,
    Item,
    Link,
    ListBlock,
    Paragraph,
    Quote,
    Rule,
    Table,
    Text,
    all_blocks,
    all_spans,
    plain,
    texts,
)
from alert_router.markdown.commandline import is_command
from alert_router.runbook.model import Runbook, Section, Step
from alert_router.runbook.sections import item_title

_CACHED_SECTIONS = 256  # filled sections of a runbook
_MOST_SLOTS = 2_000  # placeholders that are looked at for the labels of a runbook
_CACHED_LENGTH = 256  # characters of a value; longer ones are rare or hostile

# Languages whose variables look like placeholders.
_DOLLAR_LANGUAGES = (
    "php perl powershell ps1 pwsh javascript js typescript ts groovy kotlin dart ruby tcl make "
    "makefile nginx graphql r scss dockerfile go gotmpl gotemplate helm jinja tpl hcl terraform"
)
_WITH_DOLLARS = frozenset(_DOLLAR_LANGUAGES.split())
# Languages of what a command prints.
_OUTPUT = frozenset(("text", "txt", "plain", "plaintext", "none", "output", "log", "logs"))
# What is written in these sets no variable of a shell.
_NO_VARIABLES = QUERY_LANGUAGES | _OUTPUT | {"sql", "psql", "mysql", "postgresql", "mermaid", "csv"}
# Something of this is in every placeholder. A plain word (`NAMESPACE`) is one only in a command.
_MARK = re.compile(r"[$<\[]|\{\{|\b[A-Z]{2}|\b(?:my|your)-")
_OF_A_CLUSTER = re.compile(r"\b(?:kubectl|oc|helm|kubernetes|k8s|namespaces?|pods?)\b", re.I)
_NAMESPACE = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_JOINS = re.compile(r"[\w./:@=$-]")  # next to a placeholder, a part of its word


class FillOutcome(Enum):
    """What happens to a placeholder."""

    FILLED = "filled"
    REFUSED = "refused"  # the value could be more than text there
    ELSEWHERE = "not the alert's"  # in another namespace, or the name means something else there
    NO_LABEL = "no label"  # the alert does not have the label
    UNKNOWN = "unknown"  # no alias, and no label of that name


@dataclass(frozen=True, slots=True)
class FoundPlaceholder:
    """A placeholder as written, the line on which its block starts, its outcome, and whether it
    stands in a command: not in a query, nor alone in inline code."""

    written: str
    line: int
    outcome: FillOutcome
    in_command: bool


@dataclass(frozen=True, slots=True)
class _Place:
    """The line on which a code's block starts, and whether the code is a command."""

    line: int
    is_command: bool


class Filling:
    """A runbook prepared for filling: the variables that it sets itself are known.

    `page` is the URL of its page, to which relative links in messages are resolved. `rules` are
    those of the labels that it is filled with.
    """

    def __init__(self, runbook: Runbook, page: str = "", rules: LabelRules = DEFAULT_RULES) -> None:
        self._page = page
        self._runbook = runbook  # keeps its sections alive, whose ids are keys
        self._names: dict[tuple[int, int | None], tuple[tuple[str, bool], ...]] = {}
        self._filled: dict[tuple[int, int | None, tuple[str | None, ...]], Section] = {}
        shell: list[str] = []
        other: list[str] = []
        foreign: list[tuple[str, bool]] = []
        blocks = (runbook.parent or runbook).blocks
        for code, _ in _code_in(blocks):
            for part in (code,) if isinstance(code, CodeSpan) else split(code):
                if isinstance(part, Code) and shell_language(part):
                    shell.append(part.text)
                elif isinstance(part, CodeSpan) or part.language not in QUERY_LANGUAGES:
                    other.append(part.text)
                    if isinstance(part, Code) and part.language not in {"", *_NO_VARIABLES}:
                        foreign.append((part.text, part.language in _WITH_DOLLARS))
        prose = [plain(text) for block in all_blocks(blocks) for text in texts(block)]
        in_cluster = any(_OF_A_CLUSTER.search(text) for text in (*shell, *other, *prose))
        variables = own_variables(shell, other, prose, foreign)
        self._variables = replace(
            variables,
            in_cluster=in_cluster,
            known=rules.names,
            of_output=labels_of_output(_commands_and_output(runbook.blocks)),
        )
        self._own = self._variables.own | self._variables.doubtful

    def section(self, section: Section, labels: AlertLabels, most: int | None = None) -> Section:
        """The section for an alert, with `most` steps at most, cached by the values that it
        uses."""
        if most is not None and most >= len(section.steps):
            most = None
        part, filled = (id(section), most), None
        if part not in self._names:
            recorder = AlertLabels(labels.labels, labels.rules)
            filled = self._fill(section, recorder, most)
            self._names[part] = tuple(sorted(recorder.asked))
        values = tuple(labels.get(name, spelled) for name, spelled in self._names[part])
        key = (*part, values)
        filled = filled or self._filled.get(key) or self._fill(section, labels, most)
        if all(value is None or len(value) <= _CACHED_LENGTH for value in values):
            if key not in self._filled and len(self._filled) >= _CACHED_SECTIONS:
                self._filled.clear()
            self._filled[key] = filled
        return filled

    def _fill(self, section: Section, labels: AlertLabels, most: int | None) -> Section:
        return replace(
            section,
            title=self._inlines(section.title, labels),
            intro=self.blocks(section.intro, labels),
            steps=tuple(self._step(step, labels) for step in section.steps[:most]),
        )

    def blocks(self, blocks: Sequence[Block], labels: AlertLabels) -> tuple[Block, ...]:
        """Blocks for an alert."""
        return tuple(filled for block in blocks for filled in self._block(block, labels))

    def _step(self, step: Step, labels: AlertLabels) -> Step:
        blocks = self.blocks(step.blocks, labels)
        # A title taken from an item is taken again, since it may be a command.
        if step.title and step.title == item_title(step.blocks):
            return Step(item_title(blocks), blocks, step.line)
        return Step(_prose(step.title, labels, self._own), blocks, step.line)

    def _block(self, block: Block, labels: AlertLabels) -> Iterator[Block]:
        match block:
            case Code():
                for part in split(block):
                    filled = self._template(part).fill(labels)
                    yield replace(part, text=filled.text, values=_shown(filled.values))
            case Heading() | Paragraph():
                yield replace(block, children=self._inlines(block.children, labels))
            case ListBlock():
                items = tuple(self._item(item, labels) for item in block.items)
                yield replace(block, items=items)
            case Quote():
                yield replace(block, blocks=self.blocks(block.blocks, labels))
            case Table():
                rows = tuple(self._row(row, labels) for row in block.rows)
                yield replace(block, header=self._row(block.header, labels), rows=rows)
            case Rule():
                yield block

    def _item(self, item: Item, labels: AlertLabels) -> Item:
        return replace(item, blocks=self.blocks(item.blocks, labels))

    def _row(
        self, row: tuple[tuple[Inline, ...], ...], labels: AlertLabels
    ) -> tuple[tuple[Inline, ...], ...]:
        return tuple(self._inlines(cell, labels) for cell in row)

    def _inlines(self, spans: Sequence[Inline], labels: AlertLabels) -> tuple[Inline, ...]:
        return tuple(self._span(span, labels) for span in spans)

    def _span(self, span: Inline, labels: AlertLabels) -> Inline:
        match span:
            case Text(text):
                return Text(_prose(text, labels, self._own)) if _MARK.search(text) else span
            case CodeSpan(text):
                return (
                    CodeSpan(self._template(span).fill(labels).text) if _MARK.search(text) else span
                )
            case Link():
                url = from_page(fill_url(span.url, labels, self._own), self._page)
                return Link(url, self._inlines(span.children, labels))
            case Break():
                return span
            case _:
                return replace(span, children=self._inlines(span.children, labels))

    def _template(self, code: Code | CodeSpan) -> Fillable[Any]:
        """Code split at its placeholders, by its language."""
        if isinstance(code, CodeSpan):
            if is_query(code.text):
                return compile_inline_query(code.text, self._own)
            return compile_inline(code.text, self._variables)
        if language := shell_language(code):
            return compile_fence(code.text, code.language and language, self._variables)
        if code.language in QUERY_LANGUAGES:
            return compile_query(code.text, self._own)
        of_language = code.language in _WITH_DOLLARS
        return unfilled(code.text, self._variables, only_explicit=of_language)

    def placeholders(self, labels: AlertLabels) -> Iterator[FoundPlaceholder]:
        """Each placeholder in the runbook's commands, inline code and queries, in order, as for an
        alert with these labels."""
        for slot, place in self._slots(only_filled=True):
            value = slot.value(labels)
            if value is not None:
                outcome = FillOutcome.REFUSED if slot.fill(value) is None else FillOutcome.FILLED
            else:
                name = lookup_name(slot.name, slot.written, spelled=slot.spelled)
                known = name != slot.name or key_of(name) in labels.rules.aliases
                outcome = FillOutcome.NO_LABEL if known else FillOutcome.UNKNOWN
                if labels.get(name, slot.spelled) is not None:
                    outcome = FillOutcome.ELSEWHERE
            yield FoundPlaceholder(slot.written, place.line, outcome, place.is_command)

    def namespace(self) -> str:
        """The namespace that most commands with placeholders name (`-n monitoring`), "" if none
        does."""
        named = (
            slot.namespace
            for slot, _ in self._slots(only_filled=True)
            if isinstance(slot, CommandSlot)
        )
        counts = Counter(it for it in named if isinstance(it, str) and _NAMESPACE.fullmatch(it))
        return max(counts, key=lambda it: (counts[it], it), default="")

    def labels(self, rules: LabelRules = DEFAULT_RULES) -> list[str]:
        """The labels that fill the runbook's code, in its order: where a placeholder may mean
        several, the best. Of a very long runbook, those of its beginning."""
        names = dict.fromkeys(
            (lookup_name(slot.name, slot.written, spelled=slot.spelled), slot.spelled)
            for slot, _ in islice(self._slots(), _MOST_SLOTS)
            if not (isinstance(slot, CommandSlot) and slot.foreign)
        )
        found: dict[str, None] = {}
        for name, spelled in names:
            # `$job` is Prometheus's label before it is a Job of Kubernetes.
            aliases = () if name == "job" and not spelled else rules.aliases.get(key_of(name), ())
            for label in (*aliases, name.removeprefix("labels.")):
                if AlertLabels({label: "x"}, rules).get(name, spelled) is not None:
                    found[label] = None
                    break
        return list(found)

    def _slots(self, *, only_filled: bool = False) -> Iterator[tuple[Slot, _Place]]:
        """The placeholders in the runbook's code, and where they are. `only_filled`: not in
        languages in which nothing is filled."""
        for code, line in _code_in(self._runbook.blocks):
            for part in (code,) if isinstance(code, CodeSpan) else split(code):
                if only_filled and isinstance(part, Code) and not _is_filled(part):
                    continue
                place = _Place(line, _is_command(part))
                for slot in self._template(part).slots:
                    yield slot, place


def _is_command(code: Code | CodeSpan) -> bool:
    if isinstance(code, Code):
        return bool(shell_language(code))
    return is_command(code.text) and len(code.text.split()) > 1


def _is_filled(code: Code) -> bool:
    return bool(shell_language(code)) or code.language in QUERY_LANGUAGES


@lru_cache(maxsize=1024)
def filling(runbook: Runbook, page: str = "", rules: LabelRules = DEFAULT_RULES) -> Filling:
    """The prepared runbook, cached."""
    return Filling(runbook, page, rules)


def _code_in(blocks: Iterable[Block]) -> Iterator[tuple[Code | CodeSpan, int]]:
    """All code, with the line on which its block starts."""
    for block in all_blocks(blocks):
        if isinstance(block, Code):
            yield block, block.line
        spans = all_spans(chain.from_iterable(texts(block)))
        yield from ((span, block.line) for span in spans if isinstance(span, CodeSpan))


def _commands_and_output(blocks: Iterable[Block]) -> Iterator[tuple[str, str | None]]:
    """Code with the language of its shell, which is None for output."""
    for code, _ in _code_in(blocks):
        if isinstance(code, CodeSpan):
            yield code.text, "sh"
            continue
        for part in split(code):
            if part.language in _OUTPUT:
                yield part.text, None
            elif language := shell_language(part):
                yield part.text, part.language and language


def _prose(text: str, labels: AlertLabels, own: Set[str]) -> str:
    """Prose: only plain values are filled, all other text stays as written, and so do `own`, the
    runbook's variables."""

    def value_of(match: re.Match[str]) -> str:
        name, start, end = name_of(match), match.start(), match.end()
        before, after = text[max(start - 1, 0) : start], text[end : end + 2]
        kept = is_kept(match, own) or (match["explicit"] is None and of_environment(name))
        if (
            kept
            or before in ("~", "\\")
            or (match["explicit"] is None and in_template(text, start))
        ):
            return match[0]
        value = labels.get(lookup_name(name, match[0]))
        joined = _JOINS.match(before) or (_JOINS.match(after) and after[1:].strip())
        context = Context.PART if joined else Context.ARGUMENT
        fits = value is not None and may_fill(context, value, before, after[:1])
        return value if value is not None and fits else match[0]

    return PLACEHOLDER.sub(value_of, text)


def _shown(values: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Values to show beside a code block, shortened."""
    return tuple(
        (name, value if len(value) <= LONGEST else value[: LONGEST - 1] + "…")
        for name, value in values
    )


# Scheme and host, path, query, fragment (RFC 3986, appendix B), where a scheme has a host.
_URL = re.compile(
    r"(?P<origin>(?:[A-Za-z][A-Za-z0-9+.-]*:)?//[^/?#]*)?(?P<path>[^?#]*)(?P<query>\?[^#]*)?",
    re.DOTALL,
)
_RELATIVE = re.compile(r"(?![A-Za-z][A-Za-z0-9+.-]*:|//)[^\[\]]")  # urlsplit rejects brackets
_OPAQUE = re.compile(r"[^/?#]*:")  # a scheme without a host, such as mailto


def fill_url(url: str, labels: AlertLabels, own: Set[str] = frozenset()) -> str:
    """The URL for an alert. Placeholders that cannot be filled stay as written, and so do `own`,
    the runbook's variables."""
    match = _URL.match(url) if PLACEHOLDER.search(url) else None
    if match is None or (match["origin"] is None and _OPAQUE.match(url)):
        return url
    return (
        (match["origin"] or "")
        + _fill_part(match["path"], labels, own, path=True)
        + _fill_part(match["query"] or "", labels, own, path=False)
        + url[match.end() :]
    )


def from_page(url: str, page: str) -> str:
    """A relative URL resolved against the runbook's page; others stay unchanged. A link to a
    Markdown file becomes a link to that runbook's page."""
    parts = urlsplit(url) if page and _RELATIVE.match(url) else None
    if parts is None:
        return url
    path = parts.path.removesuffix(".md")
    return urljoin(page, urlunsplit(("", "", path, parts.query, parts.fragment)))


def _fill_part(text: str, labels: AlertLabels, own: Set[str], *, path: bool) -> str:
    def value_of(placeholder: re.Match[str]) -> str:
        name = lookup_name(name_of(placeholder), placeholder[0])
        value = None if is_kept(placeholder, own) else labels.get(name)
        if value is None or len(value) > LONGEST:
            return placeholder[0]
        if path and not value.strip("."):
            return placeholder[0]  # an empty segment or dots would lead elsewhere
        try:
            return quote(value, safe="")
        except UnicodeEncodeError:  # a lone surrogate
            return placeholder[0]

    return PLACEHOLDER.sub(value_of, text)
