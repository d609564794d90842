"""YAML text → a tree with places. Scalars stay the text that was written.

Refuses what would surprise: duplicate keys, tags, bombs of aliases, and several documents unless
all of them are asked for. What the keys mean is for the models.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import yaml

from alert_router.model.problem import Place, Problem, ProblemsError
from alert_router.yaml_source import codes
from alert_router.yaml_source.build import Refused, build, build_all
from alert_router.yaml_source.mask import shown_line
from alert_router.yaml_source.tree import Document, Fields, Items, Node, Text

MAX_BYTES = 16 * 1024 * 1024

T = TypeVar("T")

# libyaml is many times faster; the loader in Python explains errors better, and is the fallback.
_FAST: type[yaml.CSafeLoader | yaml.SafeLoader] = (
    yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
)
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # what YAML counts as the end of a line
_HINTS = {
    "found character '\\t'": "indent with spaces; YAML does not take tabs",
    "mapping values are not allowed": "quote a value that has a colon followed by a space in it",
    "found unknown escape character": "in double quotes a backslash must be doubled; "
    "single quotes take it as it stands",
    "found character '%'": "quote a value that begins with %",
    "found character '@'": "quote a value that begins with @",
    "found character '`'": "quote a value that begins with `",
}


def read(path: Path, *, missing: str = "") -> Document:
    """The document in a file. Raises ProblemsError; `missing` is the hint where no file is."""
    return parse(read_text(path, missing=missing), str(path))


def read_all(path: Path) -> list[Document]:
    """All documents in a file, as `parse_all` has them. Raises ProblemsError."""
    return parse_all(read_text(path), str(path))


def read_text(path: Path, *, missing: str = "") -> str:
    """What a file holds. Raises ProblemsError if it cannot be read or is no text."""
    file = str(path)
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        hint = missing if isinstance(error, FileNotFoundError) else ""
        reason = getattr(error, "strerror", None) or "this is no path"
        raise _refuse(codes.UNREADABLE, f"cannot read the file: {reason}", file, hint) from error
    return decode(raw, file)


def decode(raw: bytes, file: str) -> str:
    """The text of a file of these bytes. Raises ProblemsError if it is none."""
    if len(raw) > MAX_BYTES:
        limit = MAX_BYTES // 1024**2
        raise _refuse(codes.TOO_LARGE, f"the file is larger than {limit} MiB", file)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message = f"the file is not UTF-8 text: byte 0x{raw[error.start]:02x} cannot stand here"
        problem = Problem(codes.UNREADABLE, message, Place(file, line), hint="save it as UTF-8")
        raise ProblemsError([problem]) from None


def parse(text: str, file: str) -> Document:
    """The document in a text. Raises ProblemsError if there is no telling what it says."""
    lines = _BREAK.split(text)
    root, problems = _built(build, text, file, lines)
    if root is None or _is_null(root):
        raise _refuse(codes.EMPTY, "the file is empty", file)
    if not isinstance(root, Fields):
        message = f"the file must hold a mapping of keys, not {_kind(root)}"
        raise _refuse(codes.NOT_A_MAPPING, message, file)
    return Document(file, lines, root, _shown(problems, file, lines, root))


def parse_all(text: str, file: str) -> list[Document]:
    """The documents in a text, in its order, without the empty ones; places are those of the whole
    text, and problems are with the first. Raises ProblemsError if there is no telling what one
    says, or if one is no mapping."""
    lines = _BREAK.split(text)
    found, problems = _built(build_all, text, file, lines)
    nodes = [node for node in found if not _is_null(node)]
    if not nodes:
        raise _refuse(codes.EMPTY, "the file is empty", file)
    roots = [node for node in nodes if isinstance(node, Fields)]
    if len(roots) < len(nodes):
        raise ProblemsError(_no_mappings(nodes, lines))
    first, *others = roots
    shown = _shown(problems, file, lines, first)
    return [Document(file, lines, first, shown), *(Document(file, lines, it) for it in others)]


def _built(
    builder: Callable[[Iterator[yaml.Event], str], T], text: str, file: str, lines: list[str]
) -> T:
    """What is built of a text's events. Raises ProblemsError."""
    try:
        try:
            return builder(yaml.parse(text, Loader=_FAST), file)
        except yaml.YAMLError:
            return builder(yaml.parse(text, Loader=yaml.SafeLoader), file)
    except yaml.YAMLError as error:
        raise ProblemsError([_syntax(error, text, file, lines)]) from None
    except (ValueError, OverflowError):  # an escape beyond Unicode, such as "\UFFFFFFFF"
        message = "a character escape names no character"
        raise _refuse(codes.SYNTAX, message, file) from None
    except Refused as refused:
        place = refused.place
        source = shown_line(lines, place.line)
        problem = Problem(refused.code, refused.message, place, hint=refused.hint, source=source)
        raise ProblemsError([problem]) from None


def _shown(
    problems: list[Problem], file: str, lines: list[str], root: Fields
) -> tuple[Problem, ...]:
    document = Document(file, lines, root)
    return tuple(
        document.problem(problem.code, problem.message, problem.place, hint=problem.hint)
        for problem in problems
    )


def _no_mappings(nodes: Sequence[Node], lines: list[str]) -> Iterator[Problem]:
    for node in nodes:
        if not isinstance(node, Fields):
            message = f"a document must hold a mapping of keys, not {_kind(node)}"
            source = shown_line(lines, node.place.line)
            yield Problem(codes.NOT_A_MAPPING, message, node.place, source=source)


def _is_null(node: Node) -> bool:
    return isinstance(node, Text) and node.value is None


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
        return Problem(codes.SYNTAX, message, place, hint="remove it", source="")
    what = getattr(error, "problem", None) or "it cannot be read"
    context = getattr(error, "context", None)
    began = getattr(error, "context_mark", None)
    mark = getattr(error, "problem_mark", None) or began
    if context and began and mark and began.line != mark.line:
        what = f"{what} ({context} that begins in line {began.line + 1})"
    elif context:
        what = f"{what} ({context})"
    place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
    hint = next((hint for start, hint in _HINTS.items() if start in what), "")
    source = shown_line(lines, place.line)
    return Problem(codes.SYNTAX, f"not valid YAML: {what}", place, hint=hint, source=source)
