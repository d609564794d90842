"""Problems that a comment with a reason silences, line by line.

In YAML, and in a runbook's front matter, `# alert-router: ignore CODE: reason`; in Markdown
`<!-- alert-router: ignore CODE: reason -->`. Which codes there are is given.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from alert_router.model.problem import Place, Problem, Severity, did_you_mean

WITHOUT_REASON = "ignore-without-reason"
UNKNOWN_CODE = "ignore-unknown-code"
UNUSED = "ignore-unused"

SEVERITIES: Mapping[str, Severity] = MappingProxyType(
    {
        WITHOUT_REASON: Severity.WARNING,
        UNKNOWN_CODE: Severity.WARNING,
        UNUSED: Severity.INFO,
    }
)

_MARK = re.compile(r"alert-router:\s*ignore\b")
_INNER = r"[ \t]*alert-router:[ \t]*ignore\b[ \t]*(?P<codes>[\w ,\t-]*)(?P<reason>(?::.*)?)"
_YAML = re.compile(rf"(?:(?<=\s)|^)#{_INNER}$")
_MARKDOWN = re.compile(rf"<!--{_INNER.replace('.*', '.*?')}-->")
_FENCE = re.compile(r"[\s>]*(?P<fence>`{3,}|~{3,})(?P<info>.*)")
_HEAD = 10  # lines, after the front matter, whose comments speak for the whole file
_LARGEST = 16 * 1024 * 1024  # bytes; no file that is checked is larger


@dataclass(frozen=True, slots=True)
class _Comment:
    """One code of a comment, and the lines it is about; 0 is the file as a whole."""

    code: str
    has_reason: bool
    place: Place
    source: str
    lines: frozenset[int]


def silenced(
    problems: Iterable[Problem],
    texts: Mapping[str, str],
    *,
    known: Collection[str],
    judged: Collection[str],
) -> list[Problem]:
    """The problems that no comment silences, and what is wrong with the comments.

    `texts` are the files, by the name that places have, as far as they hold comments (see
    `texts_of`). `known` are all codes there are; `judged` those that were looked for, so that a
    comment about another one is not called unused.
    """
    comments = [comment for file, text in texts.items() for comment in _comments(file, text)]
    good = [comment for comment in comments if comment.has_reason and comment.code in known]
    by_line: dict[tuple[str, int, str], list[_Comment]] = {}
    for comment in good:
        for line in comment.lines:
            by_line.setdefault((comment.place.file, line, comment.code), []).append(comment)
    left: list[Problem] = []
    used: set[_Comment] = set()
    for problem in problems:
        found = by_line.get((problem.place.file, problem.place.line, problem.code), ())
        used.update(found)
        if not found:
            left.append(problem)
    unused = [c for c in good if c not in used and c.code in judged]
    return [*left, *_bad(comments, known), *map(_unused, unused)]


def texts_of(files: Iterable[str]) -> dict[str, str]:
    """The texts of those files that hold such a comment. What cannot be read holds none."""
    found: dict[str, str] = {}
    for file in dict.fromkeys(files):
        try:
            with Path(file).open("rb") as stream:
                text = stream.read(_LARGEST).decode("utf-8-sig", errors="replace")
        except (OSError, ValueError):
            continue
        if _MARK.search(text):
            found[file] = text
    return found


def _comments(file: str, text: str) -> Iterator[_Comment]:
    lines = re.split(r"\r\n|\r|\n", text)
    is_markdown = file.endswith(".md")
    body = _front_matter_end(lines) if is_markdown else 0
    fenced = _fences(lines, body) if is_markdown else {}
    for index, line in enumerate(lines):
        in_yaml = not is_markdown or index < body
        if not _MARK.search(line) or (index in fenced and fenced[index] != index):
            continue
        for match in (_YAML if in_yaml else _MARKDOWN).finditer(line):
            alone = not (line[: match.start()] + line[match.end() :]).strip(" \t>")
            about = _about(lines, index, fenced) if alone else {index}
            if alone and body <= index < body + _HEAD:
                about.add(-1)
            yield from _of(match, file, index, line, frozenset(at + 1 for at in about))


def _of(
    match: re.Match[str], file: str, index: int, line: str, lines: frozenset[int]
) -> Iterator[_Comment]:
    has_reason = bool(match["reason"].lstrip(":").strip())
    words = [word for word in re.split(r"[\s,]+", match["codes"]) if word]
    source = _shown(line[: match.start()], match[0]) if line.isprintable() else ""
    for word in words or [""]:
        column = line.find(word, match.start("codes")) + 1 if word else match.start() + 1
        yield _Comment(word, has_reason, Place(file, index + 1, column), source, lines)


def _shown(before: str, comment: str) -> str:
    """The comment where it stands on its line. What it stands behind is not its business, and may
    be a secret."""
    indent = before[: len(before) - len(before.lstrip())]
    hidden = len(before) - len(indent)
    return indent + "***"[:hidden].ljust(hidden) + comment


def _about(lines: list[str], index: int, fenced: Mapping[int, int]) -> set[int]:
    """The lines that a comment alone on its line is about: the next one that is neither blank nor
    such a comment; where a fence begins there, all of it."""
    at = index + 1
    while at < len(lines) and (not lines[at].strip() or _MARK.search(lines[at])):
        at += 1
    return {at, *(line for line, start in fenced.items() if start == at)}


def _front_matter_end(lines: list[str]) -> int:
    """The index of the first line after the front matter; 0 where there is none."""
    if lines[0].rstrip() != "---":
        return 0
    ends = (at for at, line in enumerate(lines) if at and line.rstrip() in ("---", "..."))
    return next(ends, -1) + 1


def _fences(lines: list[str], start: int) -> dict[int, int]:
    """For each line of a fenced block, its first line."""
    found: dict[int, int] = {}
    began, fence = 0, ""
    for at in range(start, len(lines)):
        match = _FENCE.match(lines[at])
        if fence:
            found[at] = began
            if match and match["fence"].startswith(fence) and not match["info"].strip():
                fence = ""
        elif match:
            began, fence = at, match["fence"]
            found[at] = at
    return found


def _bad(comments: Iterable[_Comment], known: Collection[str]) -> Iterator[Problem]:
    for comment in comments:
        if comment.code not in known:
            what = f"there is no code `{comment.code}`" if comment.code else "no code is named"
            hint = did_you_mean(comment.code, list(known), "docs/checks lists them all")
            yield _problem(comment, UNKNOWN_CODE, f"{what} to be ignored", hint)
        if not comment.has_reason:
            message = "this comment gives no reason, so it silences nothing"
            hint = f"write: alert-router: ignore {comment.code or 'CODE'}: why it is right here"
            yield _problem(comment, WITHOUT_REASON, message, hint)


def _unused(comment: _Comment) -> Problem:
    message = f"there is no `{comment.code}` here that this comment would silence"
    hint = "remove it; it stands on the line that it is about, or alone on the line before"
    return _problem(comment, UNUSED, message, hint)


def _problem(comment: _Comment, code: str, message: str, hint: str) -> Problem:
    return Problem(code, message, comment.place, SEVERITIES[code], hint, comment.source)
