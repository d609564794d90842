"""Which files are meant by the paths, directories and patterns that somebody gave."""

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from alert_router.checks.rules import codes
from alert_router.model.problem import Place, Problem

STDIN = "-"
_SUFFIXES = frozenset((".yaml", ".yml"))


@dataclass(frozen=True, slots=True)
class Found:
    """A file to read. `is_named`: itself, by its path; one that a directory or a pattern brought
    may well be something else than rules."""

    path: Path
    is_named: bool


def find(names: Iterable[str]) -> tuple[list[Found], list[Problem]]:
    """The files, each once, in the order of the names; and the names that mean none."""
    found: dict[str, Found] = {}
    problems: list[Problem] = []
    for name in names:
        meant = list(_meant(name))
        if not meant:
            problems.append(_nothing(name))
        for each in meant:
            key = os.path.realpath(each.path) if each.path != Path(STDIN) else STDIN
            found.setdefault(key, each)
    return list(found.values()), problems


def _meant(name: str) -> Iterator[Found]:
    path = Path(name)
    if os.path.isdir(name):  # noqa: PTH112 - Path's own raises for what is no path
        for below in _below(name):
            yield Found(below, is_named=False)
    elif glob.has_magic(name) and not os.path.lexists(name):
        for match in sorted(glob.glob(name, recursive=True)):  # noqa: PTH207 - with ** and no base
            if os.path.isfile(match):  # noqa: PTH113
                yield Found(Path(match), is_named=False)
    else:
        yield Found(path, is_named=True)


def _below(directory: str) -> Iterator[Path]:
    """The YAML files below a directory, without what is hidden."""
    for at, directories, files in os.walk(directory):
        directories[:] = sorted(each for each in directories if not each.startswith("."))
        for file in sorted(files):
            path = Path(at, file)
            if path.suffix in _SUFFIXES and not file.startswith("."):
                yield path


def _nothing(name: str) -> Problem:
    if os.path.isdir(name):  # noqa: PTH112
        message = "there is no .yaml or .yml file in this directory"
    else:
        message = "no file matches this pattern"
    hint = "give rule files, directories that hold some, or patterns such as 'rules/**/*.yaml'"
    severity = codes.SEVERITIES[codes.NO_FILE]
    return Problem(codes.NO_FILE, message, Place(name), severity, hint)
