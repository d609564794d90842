"""A runbook's metadata, from front matter, bold lines or a table; and what it says about reviews.
Values are text, as written.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, time, timedelta
from itertools import accumulate
from typing import Any

import yaml

from alert_router.fields import parse_duration
from alert_router.markdown import Block, Break, Inline, ListBlock, Paragraph, Strong, Table, plain
from alert_router.model.problem import Place, Problem, Severity

_MAX_FRONT_MATTER = 64 * 1024  # characters; PyYAML reads some 100 kB a second
_MAX_KEY = 40
_MAX_VALUE = 500
_MAX_LIST = 5_000
_NOT_IN_KEY = re.compile(r"[\W_]+")
_OPENED = re.compile(r"\ufeff?---[ \t]*\r?\n[A-Za-z_][\w-]*:(?:[ \t]|\r?\n)")
_HEADER_WORDS = frozenset(
    {"", "field", "key", "property", "attribute", "item", "name", "metadata", "parameter"}
)
# Bold words that start a remark, not a field.
_REMARKS = frozenset({"note", "warning", "important", "caution", "tip", "attention", "danger"})


def front_matter(
    text: str, file: str, *, is_toml: bool = False
) -> tuple[dict[str, str], tuple[Problem, ...]]:
    """The fields of YAML or TOML front matter, and the problems of what cannot be read."""
    if len(text) > _MAX_FRONT_MATTER:
        return {}, (
            _problem(file, 1, f"the front matter is over {_MAX_FRONT_MATTER} characters long"),
        )
    if is_toml:
        return _toml(text, file)
    try:
        # BaseLoader keeps every scalar as text: no dates, no octal numbers, no objects.
        data = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line if error.problem_mark else 0
        source = text.split("\n")[line] if line < text.count("\n") else ""
        column = error.problem_mark.column + 1 if error.problem_mark and source else 0
        sentence = f"the front matter is not valid YAML: {error.problem or error.context}"
        return {}, (_problem(file, line + 2, sentence, column, source),)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        sentence = f"the front matter is not valid YAML: {str(error).splitlines()[0][:200]}"
        return {}, (_problem(file, 1, sentence),)
    if not data:
        return {}, ()
    if not isinstance(data, dict):
        return {}, (_problem(file, 2, "the front matter is not a mapping of names to values"),)
    return _fields_of(data), ()


def unclosed_front_matter(text: str, file: str) -> tuple[Problem, ...]:
    """The problem of a Markdown text that begins as YAML front matter does and has none."""
    if not _OPENED.match(text):
        return ()
    return (_problem(file, 1, "the front matter has no `---` line at its end"),)


def _toml(text: str, file: str) -> tuple[dict[str, str], tuple[Problem, ...]]:
    try:
        return _fields_of(tomllib.loads(text)), ()
    except (ValueError, RecursionError) as error:
        return {}, (_problem(file, 1, f"the front matter is not valid TOML: {str(error)[:200]}"),)


def _fields_of(data: Mapping[Any, object]) -> dict[str, str]:
    found = ((_key(str(name)), _value(value)) for name, value in data.items())
    return {name: value for name, value in found if name and value is not None}


def leading_fields(blocks: Iterable[Block]) -> dict[str, str]:
    """The fields between a runbook's title and its first section."""
    fields: dict[str, str] = {}
    for block in blocks:
        for name, value in _fields(block):
            fields.setdefault(_key(name), value)
    fields.pop("", None)
    return fields


def _fields(block: Block) -> Iterable[tuple[str, str]]:
    match block:
        case Paragraph(children):
            return _bold_lines(children)
        case ListBlock(ordered=False, items=items):
            return [pair for item in items for inner in item.blocks[:1] for pair in _fields(inner)]
        case Table():
            return _table(block)
        case _:
            return ()


def _problem(file: str, line: int, message: str, column: int = 0, source: str = "") -> Problem:
    return Problem(
        code="runbook-front-matter",
        message=message,
        place=Place(file, line, column),
        severity=Severity.WARNING,
        hint="Write `name: value` lines between the two `---` lines, and quote values with a "
        "colon. The runbook is used without these fields.",
        source=source,
    )


def _key(name: str) -> str:
    return _NOT_IN_KEY.sub("_", name.strip().lower()).strip("_")


def _value(value: object) -> str | None:
    """Scalars and lists of them as text; None for nested values."""
    if isinstance(value, str):
        return value.strip()[:_MAX_VALUE]
    if isinstance(value, list):
        items = [item.strip() for item in value if isinstance(item, str)]
        ends = accumulate(map(len, items))
        whole = [item for item, end in zip(items, ends, strict=True) if end <= _MAX_LIST]
        return ", ".join(whole)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float | date | time) else None


def _bold_lines(spans: tuple[Inline, ...]) -> list[tuple[str, str]]:
    """`**Severity:** Critical`, one or several a line; none if any line is not of that form."""
    pairs: list[tuple[str, str]] = []
    for line in _lines(spans):
        found = _pairs(line)
        if not found:
            return []
        pairs.extend(found)
    return pairs


def _lines(spans: tuple[Inline, ...]) -> Iterator[list[Inline]]:
    line: list[Inline] = []
    for span in (*spans, Break(hard=True)):
        if not isinstance(span, Break):
            line.append(span)
        elif line:
            yield line
            line = []


def _pairs(line: list[Inline]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for index, span in enumerate(line):
        name = plain([span]).strip()
        after = plain(line[index + 1 : index + 2])
        is_name = name.endswith(":") or after.startswith(":")
        if isinstance(span, Strong) and is_name:
            pairs.append((name.removesuffix(":"), ""))
        elif pairs:
            pairs[-1] = (pairs[-1][0], pairs[-1][1] + plain([span]))
        elif name:
            return []
    cleaned = [
        (name.strip(), value.lstrip(":").strip().rstrip("|,;·").strip()) for name, value in pairs
    ]
    return cleaned if all(_is_field(*pair) for pair in cleaned) else []


def _is_field(name: str, value: str) -> bool:
    return 0 < len(name) <= _MAX_KEY and len(value) <= _MAX_VALUE and _key(name) not in _REMARKS


def _table(table: Table) -> list[tuple[str, str]]:
    """The rows of a two-column table, and its header unless that only names the columns."""
    if len(table.header) != 2:
        return []
    pairs = [
        (plain(row[0]).strip().removesuffix(":"), plain(row[1]).strip())
        for row in (table.header, *table.rows)
        if len(row) == 2
    ]
    if pairs and _key(pairs[0][0]) in _HEADER_WORDS:
        pairs = pairs[1:]
    return pairs if all(_is_field(*pair) for pair in pairs) else []


_DATE = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?!\d)")
_ADVERBS = {
    "daily": 1,
    "weekly": 7,
    "biweekly": 14,
    "monthly": 30,
    "quarterly": 90,
    "biannually": 182,
    "semiannually": 182,
    "yearly": 365,
    "annually": 365,
    "annual": 365,
}
_COUNTED = re.compile(r"(?:every )?(\d{1,4})[ -]?(day|week|month|year)s?", re.IGNORECASE)
_DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}
_MOST_DAYS = 36_500


def parse_date(text: str) -> date | None:
    """The date at the start of a text, as 2026-01-31 or 2026/1/31, or None."""
    match = _DATE.match(text.strip())
    try:
        return date(*map(int, match.groups())) if match else None
    except ValueError:
        return None


def parse_interval(text: str) -> int | None:
    """An interval in whole days: `90d`, `90 days`, `quarterly`; None if it is not valid."""
    text = text.strip().lower()
    if text in _ADVERBS:
        return _ADVERBS[text]
    if match := _COUNTED.fullmatch(text):
        return min(int(match[1]) * _DAYS[match[2]], _MOST_DAYS)
    try:
        return min(int(parse_duration(text) // 86_400), _MOST_DAYS)
    except ValueError:
        return None


def next_review(metadata: Mapping[str, str]) -> date | None:
    """`last_updated` plus `review_interval`; None if one of them is missing or not valid."""
    updated = parse_date(metadata.get("last_updated", ""))
    days = parse_interval(metadata.get("review_interval", ""))
    if updated is None or not days:
        return None
    try:
        return updated + timedelta(days)
    except OverflowError:
        return None
