"""Comments that suppress problems: on one line, or in the whole file, and only with a reason.

In YAML and in a runbook's front matter `# alert-router: ignore CODE: reason`; in Markdown
`<!-- alert-router: ignore CODE: reason -->`.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from alert_router.checks.codes import SEVERITIES, SUPPRESSIONS
from alert_router.model.problem import Place, Problem, did_you_mean

_MARK = re.compile(r"alert-router:\s*ignore\b")
_INNER = r"[ \t]*alert-router:[ \t]*ignore\b[ \t]*(?P<codes>[\w ,\t-]*)(?P<reason>(?::.*)?)"
_YAML = re.compile(rf"(?:(?<=\s)|^)#{_INNER}$")
_MARKDOWN = re.compile(rf"<!--{_INNER.replace('.*', '.*?')}-->")
_FENCE = re.compile(r"[\s>]*(?P<fence>`{3,}|~{3,})(?P<info>.*)")
_HEAD = 10  # lines, after the front matter, in which a comment also applies to the whole file
_MAX_BYTES = 16 * 1024 * 1024  # no file that is checked is larger


@dataclass(frozen=True, slots=True)
class _Comment:
    """One code of a comment, and the lines it applies to; 0 is the file as a whole."""

    code: str
    has_reason: bool
    place: Place
    source: str
    lines: frozenset[int]


def apply_suppressions(
    problems: Iterable[Problem],
    texts: Mapping[str, str],
    *,
    checked: Collection[str],
    known: Collection[str] = SEVERITIES,
) -> list[Problem]:
    """The problems that no comment suppresses, and problems with the comments themselves.

    `texts` are the files that have such comments (see `texts_of`), by the name that places have.
    `checked` are the codes that were looked for: a comment with another code is not reported as
    unused.
    """
    comments = [comment for file, text in texts.items() for comment in _comments(file, text)]
    valid = [comment for comment in comments if comment.has_reason and comment.code in known]
    by_line: dict[tuple[str, int, str], list[_Comment]] = {}
    for comment in valid:
        for line in comment.lines:
            by_line.setdefault((comment.place.file, line, comment.code), []).append(comment)
    left: list[Problem] = []
    used: set[_Comment] = set()
    for problem in problems:
        found = by_line.get((problem.place.file, problem.place.line, problem.code), ())
        used.update(found)
        if not found:
            left.append(problem)
    unused = [c for c in valid if c not in used and c.code in checked]
    return [*left, *_invalid(comments, known), *map(_unused, unused)]


def texts_of(files: Iterable[str]) -> dict[str, str]:
    """The texts of those files that have such a comment. Files that are unreadable or not regular
    are left out: opening a pipe would block."""
    found: dict[str, str] = {}
    for file in dict.fromkeys(files):
        try:
            if not Path(file).is_file():
                continue
            with Path(file).open("rb") as stream:
                text = stream.read(_MAX_BYTES).decode("utf-8-sig", errors="replace")
        except (OSError, ValueError):
            continue
        if _MARK.search(text):
            found[file] = text
    return found


def _comments(file: str, text: str) -> Iterator[_Comment]:
    lines = re.split(r"\r\n|\r|\n", text)
    is_markdown = not file.lower().endswith((".yaml", ".yml"))
    body = _front_matter_end(lines) if is_markdown else 0
    fenced = _fences(lines, body) if is_markdown else {}
    for index, line in enumerate(lines):
        in_yaml = not is_markdown or index < body
        if not _MARK.search(line) or (index in fenced and fenced[index] != index):
            continue
        for match in (_YAML if in_yaml else _MARKDOWN).finditer(line):
            alone = not (line[: match.start()] + line[match.end() :]).strip(" \t>")
            applies = _next_lines(lines, index, fenced) if alone else {index}
            if alone and body <= index < body + _HEAD:
                applies.add(-1)
            yield from _codes(match, file, index, line, frozenset(at + 1 for at in applies))


def _codes(
    match: re.Match[str], file: str, index: int, line: str, lines: frozenset[int]
) -> Iterator[_Comment]:
    has_reason = bool(match["reason"].lstrip(":").strip())
    codes = [word for word in re.split(r"[\s,]+", match["codes"]) if word]
    source = _masked(line[: match.start()], match[0]) if line.isprintable() else ""
    for code in codes or [""]:
        column = line.find(code, match.start("codes")) + 1 if code else match.start() + 1
        yield _Comment(code, has_reason, Place(file, index + 1, column), source, lines)


def _masked(before: str, comment: str) -> str:
    """The line with the text before the comment masked, since that may be a secret."""
    indent = before[: len(before) - len(before.lstrip())]
    hidden = len(before) - len(indent)
    return indent + "***"[:hidden].ljust(hidden) + comment


def _next_lines(lines: list[str], index: int, fenced: Mapping[int, int]) -> set[int]:
    """The lines that a comment alone on its line applies to: the next one that is neither blank
    nor such a comment, and the rest of a code block that starts there."""
    at = index + 1
    while at < len(lines) and (not lines[at].strip() or _MARK.search(lines[at])):
        at += 1
    return {at, *(line for line, start in fenced.items() if start == at)}


def _front_matter_end(lines: list[str]) -> int:
    """The index of the first line after the front matter; 0 if there is none."""
    if lines[0].rstrip() != "---":
        return 0
    ends = (at for at, line in enumerate(lines) if at and line.rstrip() in ("---", "..."))
    return next(ends, -1) + 1


def _fences(lines: list[str], start: int) -> dict[int, int]:
    """For each line of a fenced code block, its first line."""
    found: dict[int, int] = {}
    first, fence = 0, ""
    for at in range(start, len(lines)):
        match = _FENCE.match(lines[at])
        if fence:
            found[at] = first
            if match and match["fence"].startswith(fence) and not match["info"].strip():
                fence = ""
        elif match:
            first, fence = at, match["fence"]
            found[at] = at
    return found


def _invalid(comments: Iterable[_Comment], known: Collection[str]) -> Iterator[Problem]:
    for comment in comments:
        if comment.code not in known:
            message = f"unknown code `{comment.code}`" if comment.code else "no code is given"
            hint = did_you_mean(comment.code, list(known), "docs/checks lists all codes")
            yield _problem(comment, "ignore-unknown-code", message, hint)
        if not comment.has_reason:
            message = "this comment gives no reason, so it suppresses nothing"
            hint = f"write: alert-router: ignore {comment.code or 'CODE'}: why this is right here"
            yield _problem(comment, "ignore-without-reason", message, hint)


def _unused(comment: _Comment) -> Problem:
    message = f"this comment suppresses nothing: there is no `{comment.code}` here"
    hint = "remove it; a comment applies to its own line or, alone on a line, to the next one"
    return _problem(comment, "ignore-unused", message, hint)


def _problem(comment: _Comment, code: str, message: str, hint: str) -> Problem:
    return Problem(code, message, comment.place, SUPPRESSIONS[code], hint, comment.source)
