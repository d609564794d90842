"""Filling placeholders in PromQL and LogQL: only in the string of a matcher or line filter.

Elsewhere a value would become a part of the query, or of a template (label_replace, line_format).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from alert_router.enrich.placeholders import (
    ANGLE,
    LONGEST,
    PLACEHOLDER,
    AlertLabels,
    Context,
    Fillable,
    lookup_name,
    may_fill,
    name_of,
    usual_label,
)
from alert_router.markdown.commandline import is_command

QUERY_LANGUAGES = frozenset(("promql", "logql"))

_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)"""
    r"""|(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`[^`]*`)"""
    r"""|(?P<blank>\s+)"""
    r"""|(?P<operator>=~|!~|\|~|==|>=|<=|!=|\|=|=)"""
    r"""|(?P<word>\w+)"""
    r"""|(?P<other>.)""",
    re.DOTALL,
)
# A selector, a function or an aggregation, and a matcher with a string.
_QUERY_STARTS = re.compile(
    r"\s*(?:[A-Za-z_:][\w:]*(?:\s+(?:by|without)\s*\([^()]*\)\s*\(|[({])|\{)(?!\s*\))", re.ASCII
)
_HAS_MATCHER = re.compile(r"\{\s*\w+\s*(?:=~|!~|!=|=)\s*[\"'`]", re.ASCII)
_REGEX_OPERATORS = frozenset(("=~", "!~", "|~"))
_OPERATORS = _REGEX_OPERATORS | {"=", "!=", "|="}
_TEMPLATE_STAGES = frozenset(("label_format", "line_format", "json", "logfmt", "regexp", "pattern"))
# What Go's regexp.QuoteMeta escapes.
_META = re.compile(r"[\\.+*?()|\[\]{}^$]")
# By whether it is a regular expression: what cannot be written between backticks. Go drops carriage
# returns there, and parsers differ on backslashes, so special characters are quoted as `[.]`, which
# is not possible for these.
_BETWEEN_BACKTICKS = {False: frozenset("`\r\\"), True: frozenset("`\r\\[]^")}
_UNESCAPED = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


@dataclass(frozen=True, slots=True)
class QuerySlot:
    """A placeholder in a query: as written, the quote of its string ("" if it is not filled),
    whether the string is a regular expression, and whether a quantifier follows. `spelled`: it is
    no variable, but `<pod>`. `matched` is the label of its matcher, "" in a line filter. `plain`:
    only a plain word is filled."""

    name: str
    otherwise: str
    quote: str
    regex: bool = False
    repeated: bool = False
    spelled: bool = False
    matched: str = ""
    plain: bool = False

    @property
    def written(self) -> str:
        """As written, and so if it is not filled."""
        return self.otherwise

    def value(self, labels: AlertLabels) -> str | None:
        """The value that an alert has for it. None if the matcher's label has other values, as in
        `instance="<node>"`, unless the alert has this value there."""
        name = lookup_name(self.name, self.written, spelled=self.spelled)
        value = labels.get(name, self.spelled)
        if self.spelled and _differ(self.matched, self.name):
            return value if labels.get(f"labels.{self.matched}") == value else None
        return value

    def fill(self, value: str) -> str | None:
        if self.plain and not may_fill(Context.PART, value):
            return None
        if not self.quote or len(value) > LONGEST or _has_surrogate(value):
            return None
        if self.quote == "`" and not _BETWEEN_BACKTICKS[self.regex].isdisjoint(value):
            return None
        if self.regex:
            value = _META.sub("[\\g<0>]" if self.quote == "`" else r"\\\g<0>", value)
            if self.repeated:
                value = f"(?:{value})"
        if self.quote == "`":
            return value
        return "".join(_escape(char, self.quote) for char in value)


@lru_cache(maxsize=4096)
def compile_query(text: str, own: frozenset[str] = frozenset()) -> Fillable[QuerySlot]:
    """The query split at its placeholders. Those that cannot be filled stay as written, with their
    values beside the query, and so do `own`, variables of the runbook."""
    parts: list[str | QuerySlot] = []
    operator = last = stage = ""  # the current operator, that of the string before, the stage
    word = matched = ""  # the word before, and the one before the operator
    plain = 0  # all text before this is in `parts`
    for token in _TOKEN.finditer(text):
        kind, written = token.lastgroup, token[0]
        if kind == "string":
            usable = operator if stage not in _TEMPLATE_STAGES else ""
            parts += [*_cut(text[plain : token.start()]), *_cut_string(written, usable, matched)]
            plain = token.end()
            last, operator, word = usable, "", ""
        elif kind == "comment":
            parts += [*_cut(text[plain : token.start()]), written]
            plain = token.end()
        elif kind == "operator":
            operator = written if written in _OPERATORS else ""
            matched = "" if written[0] == "|" else word
            stage = stage if written == "=" else ""  # a filter follows without another `|`
        elif kind == "word" and written == "or":
            operator = last if last in ("|~", "!~", "|=", "!=") else ""  # `|= "a" or "b"`
        elif kind != "blank":
            operator = last = ""
            word = written if kind == "word" else ""
            if written == "|" or (kind == "word" and text[: token.start()].rstrip()[-1:] == "|"):
                stage = written
    parts += _cut(text[plain:])
    return Fillable(
        tuple(
            part.written
            if isinstance(part, QuerySlot) and part.written[0] == "$" and part.name in own
            else part
            for part in parts
        )
    )


def _differ(matched: str, name: str) -> bool:
    """Whether a label certainly is another than the one that a placeholder's name means. `job` is
    Prometheus's label before it is a Job of Kubernetes."""
    known = matched if matched == "job" else usual_label(matched)
    return bool(known and usual_label(name)) and known != usual_label(name)


def is_query(text: str) -> bool:
    """Whether inline code is certainly a query with a matcher, and no command."""
    if not _QUERY_STARTS.match(text) or not _HAS_MATCHER.search(text):
        return False
    return not is_command(text)


def compile_inline_query(text: str, own: frozenset[str] = frozenset()) -> Fillable[QuerySlot]:
    """The same for a query in inline code, whose language is guessed: only plain words are
    filled."""
    parts = compile_query(text, own).parts
    return Fillable(tuple(it if isinstance(it, str) else replace(it, plain=True) for it in parts))


def _cut(text: str) -> list[str | QuerySlot]:
    """Text outside strings, where nothing is filled."""
    return _slots(text, lambda match: QuerySlot(name_of(match), match[0], ""))


def _cut_string(text: str, operator: str, matched: str) -> list[str | QuerySlot]:
    whole = ANGLE.fullmatch(text, 1, len(text) - 1) if operator else None
    if whole:
        regex = operator in _REGEX_OPERATORS
        spelled = QuerySlot(whole["name"], whole[0], text[0], regex, spelled=True, matched=matched)
        return [text[0], spelled, text[-1]]

    def slot(match: re.Match[str]) -> QuerySlot:
        before, after = text[1 : match.start()], text[match.end() : match.end() + 1]
        regex = operator in _REGEX_OPERATORS
        fits = operator and not before.endswith("\\") and not (regex and _inside(before))
        return QuerySlot(
            name_of(match),
            match[0],
            text[0] if fits else "",
            regex,
            repeated=after in ("*", "+", "?", "{") and after != "",
        )

    return _slots(text, slot)


def _inside(before: str) -> bool:
    """Whether a position in a regular expression is inside `[...]`, `\\Q...\\E`, `{...}` or a group
    name, where a quoted value would mean something else."""
    bare = re.sub(r"\\\\.|\\.", "", before)
    return (
        bare.rfind("[") > bare.rfind("]")
        or bare.rfind("{") > bare.rfind("}")
        or ("\\Q" in before or bare.endswith(("(?", "(?P", "(?P<", "(?<")))
    )


def _slots(text: str, slot: Callable[[re.Match[str]], QuerySlot]) -> list[str | QuerySlot]:
    parts: list[str | QuerySlot] = []
    at = 0
    for match in PLACEHOLDER.finditer(text):
        parts += [text[at : match.start()], slot(match)]
        at = match.end()
    return [*parts, text[at:]]


def _escape(char: str, quote: str) -> str:
    if char in _UNESCAPED:
        return _UNESCAPED[char]
    if char == quote:
        return "\\" + char
    if ord(char) < 0x20 or ord(char) == 0x7F:
        return f"\\x{ord(char):02x}"
    return char


def _has_surrogate(value: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in value)
