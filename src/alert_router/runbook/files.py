"""Finding and reading the files of a runbook directory, as Kubernetes and people lay them out.

What is in them is for `parse`; what to keep when one is broken is for the catalogue.
"""

import os
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from alert_router.model.problem import Place, Problem
from alert_router.runbook.parse import MAX_CHARACTERS

MAX_BYTES = MAX_CHARACTERS
_NO_RUNBOOKS = frozenset({"readme.md", "_index.md"})

Stamp = tuple[int, int, int, int]


class Unreadable(Exception):
    """A file that cannot be used; the message is a sentence without the file's name."""


class TooLarge(Exception):
    """A file over the limit, not read."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file that is a runbook by its name."""

    id: str
    path: Path


@dataclass(frozen=True, slots=True)
class Blocked:
    """A directory that could not be looked into, or a file that has no usable name; `below` is
    its path under the root."""

    below: str
    problem: Problem


def find(root: Path) -> Iterator[Found | Blocked]:
    """Every runbook below a directory, symlinks followed as far as they stay below it.

    A ConfigMap's mount has its files in a hidden `..2024_x` and visible links to them: hidden
    names are passed over, so nothing is found twice. Linked directories come last and are
    entered only if nothing else led there, so loops end.
    """
    top = os.path.realpath(root)
    real: deque[str] = deque([""])
    linked: deque[str] = deque()
    entered: set[tuple[int, int]] = set()
    while real or linked:
        below = (real or linked).popleft()
        try:
            if not _first_visit(top, below, entered):
                continue
            entries = sorted(os.scandir(Path(top, below)), key=lambda entry: entry.name)
        except OSError as error:
            yield Blocked(below, unreadable(Path(root, below), _sentence(error)))
            continue
        for entry in entries:
            name = entry.name
            at = f"{below}/{name}" if below else name
            if name.startswith("."):
                continue
            if not _is_text(name):
                yield Blocked(at, unreadable(Path(root, ascii(at)), "its name is not UTF-8"))
            elif _is_directory(entry):
                (linked if entry.is_symlink() else real).append(at)
            elif name.endswith(".md") and name.lower() not in _NO_RUNBOOKS:
                yield Found(at.removesuffix(".md"), Path(root, PurePosixPath(at)))


def _first_visit(top: str, below: str, entered: set[tuple[int, int]]) -> bool:
    path = Path(top, below)
    _inside(path, top)
    status = path.stat()
    key = (status.st_dev, status.st_ino)
    if key in entered:
        return False
    entered.add(key)
    return True


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links: reading it as a file will say so
        return False


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def check(path: Path, root: Path) -> Stamp:
    """What identifies the file's present content. Raises Unreadable or TooLarge."""
    try:
        _inside(path, os.path.realpath(root))
        status = path.stat()
    except OSError as error:
        raise Unreadable(_sentence(error)) from None
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
        raise Unreadable("it is not a regular file")
    if status.st_size > MAX_BYTES:
        raise TooLarge
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def read(path: Path) -> bytes:
    """The file's bytes. Raises Unreadable or TooLarge (it may have grown since it was checked)."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Unreadable(_sentence(error)) from None
    if len(data) > MAX_BYTES:
        raise TooLarge
    return data


def _inside(path: Path, top: str) -> None:
    """Raises OSError for a path that leads nowhere, or out of the directory."""
    target = os.path.realpath(path, strict=True)
    if target != top and not target.startswith(top.rstrip("/") + "/"):
        raise PermissionError(0, "it is a link that leads out of the runbook directory")


def _sentence(error: OSError) -> str:
    return (error.strerror or "cannot be read").lower()


def unreadable(path: Path, why: str) -> Problem:
    """The problem of a file or directory that could not be read."""
    return Problem(
        code="runbook-unreadable",
        message=f"this cannot be read: {why}",
        place=Place(str(path)),
        hint="Check that it exists, that the router may read it, and where its link leads.",
    )
