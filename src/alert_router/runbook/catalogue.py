"""All runbooks of a directory, as one state that never changes: a reload makes a new one.

Directories are read as people and Kubernetes lay them out. The catalogue answers which runbooks a
reference or an alert's name may mean; which of them an alert gets is decided in `enrich.select`.
"""

import os
import re
import stat
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from urllib.parse import unquote, urlsplit

from alert_router.model.problem import Place, Problem, Severity
from alert_router.runbook.model import Runbook
from alert_router.runbook.parse import MAX_CHARACTERS, parse_runbook, too_large

MAX_REFERENCE = 2_000  # characters of a reference or an alert's name; longer ones name no runbook

_NOT_RUNBOOKS = frozenset({"readme.md", "_index.md"})
_EXTENSION = re.compile(r"\.(?:md|mdx|markdown|html?|adoc|rst|txt)$", re.IGNORECASE)
_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")

_Version = tuple[int, int, int, int]  # of a file: mtime and ctime in ns, size, inode


class UnusableFile(Exception):
    """A file or directory that cannot be read or is too large, with the problem to report."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.message)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The runbooks below `root` by id. `broken` are ids whose file could not be used: those of
    them that have an earlier good version are in `runbooks` with it, the others are not.
    `unavailable` where the directory as a whole could not be used: it is missing or
    unreadable, or has suddenly no runbooks."""

    root: Path
    runbooks: Mapping[str, Runbook] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    broken: frozenset[str] = frozenset()
    unavailable: bool = False
    _versions: Mapping[str, _Version] = field(default_factory=dict, repr=False)
    _names: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    _depth: int = field(default=0, repr=False)  # segments of the longest id

    @classmethod
    def load(cls, root: Path, previous: "Catalogue | None" = None) -> "Catalogue":
        """Read the directory. Files unchanged since `previous` are not read again, and the last
        good version of what has become unreadable is kept. Never raises for what is on disk."""
        loading = _Loading(root, previous if previous and previous.root == root else None)
        if os.path.isdir(root):  # noqa: PTH112 - Path.is_dir raises without permission
            loading.load_directory()
        else:
            loading.keep_below("", _missing(root))
        return loading.catalogue()

    @classmethod
    def of_file(cls, path: Path) -> "Catalogue":
        """A catalogue of one runbook. Never raises for what is on disk."""
        loading = _Loading(path.parent, None)
        loading.load_file(path.name.removesuffix(".md"), path)
        return loading.catalogue()

    def get(self, id: str) -> Runbook | None:
        """The runbook with that id."""
        return self.runbooks.get(id)

    def by_reference(self, reference: str) -> list[str]:
        """The ids that a `runbook` or `runbook_url` annotation may mean: the longest id that its
        path ends with, else all whose last segment equals its last, case and punctuation ignored.
        Broken runbooks count, so that no other replaces them."""
        path = _segments(reference)
        # No id has more segments than `_depth`, so a long path costs no more than a short one.
        for start in range(max(0, len(path) - self._depth), len(path)):
            id = "/".join(path[start:])
            if id in self.runbooks or id in self.broken:
                return [id]
        return self.by_name(path[-1]) if path else []

    def by_name(self, alertname: str) -> list[str]:
        """The ids whose file is named like the alert, case and punctuation ignored."""
        return list(self._names.get(_folded(alertname), ()))


class _Loading:
    """A catalogue while it is loaded."""

    def __init__(self, root: Path, previous: Catalogue | None) -> None:
        self._root = root
        self._previous = previous or Catalogue(root)
        self._runbooks: dict[str, Runbook] = {}
        self._versions: dict[str, _Version] = {}
        self._problems: list[Problem] = []
        self._broken: set[str] = set()
        self._unavailable = False

    def load_directory(self) -> None:
        """Load every runbook below the root, following symlinks that stay below it.

        A ConfigMap mount has its files in a hidden `..2024_x` and visible links to them: hidden
        names are skipped, so nothing is found twice. Linked directories come last and are
        entered only if nothing else led there, so loops end.
        """
        top = os.path.realpath(self._root)
        real: deque[str] = deque([""])
        linked: deque[str] = deque()
        entered: set[tuple[int, int]] = set()
        while real or linked:
            below = (real or linked).popleft()
            try:
                status = _status(Path(top, below), top)
                if (status.st_dev, status.st_ino) in entered:
                    continue
                entered.add((status.st_dev, status.st_ino))
                entries = sorted(os.scandir(Path(top, below)), key=lambda entry: entry.name)
            except OSError as error:
                self.keep_below(below, _unreadable(Path(self._root, below), _reason(error)))
                continue
            for entry in entries:
                name = entry.name
                at = f"{below}/{name}" if below else name
                if name.startswith("."):
                    continue
                if not _is_unicode(name):
                    path = Path(self._root, ascii(at))
                    self._problems.append(_unreadable(path, "its name is not UTF-8"))
                elif _is_directory(entry):
                    (linked if entry.is_symlink() else real).append(at)
                elif name.endswith(".md") and name.lower() not in _NOT_RUNBOOKS:
                    self.load_file(at.removesuffix(".md"), Path(self._root, PurePosixPath(at)))

    def load_file(self, id: str, path: Path) -> None:
        """Load one file."""
        try:
            version = _version(path, self._root)
            unchanged = self._previous._versions.get(id) == version
            runbook = (self._previous.get(id) if unchanged else None) or _read_runbook(id, path)
        except UnusableFile as error:
            self._fail(id, error.problem)
            return
        if any(problem.severity is Severity.ERROR for problem in runbook.problems):
            self._fail(id, *runbook.problems)
            return
        self._runbooks[id] = runbook
        self._versions[id] = version
        self._problems.extend(runbook.problems)

    def catalogue(self) -> Catalogue:
        """The loaded catalogue."""
        if self._previous.runbooks and not self._runbooks and not self._broken:
            # A volume that is no longer mounted leaves an empty directory behind.
            self.keep_below("", _emptied(self._root))
        ids = {*self._runbooks, *self._broken}
        return Catalogue(
            root=self._root,
            runbooks=MappingProxyType(self._runbooks),
            problems=tuple(self._problems),
            broken=frozenset(self._broken),
            unavailable=self._unavailable,
            _versions=MappingProxyType(self._versions),
            _names=MappingProxyType(_by_name(ids)),
            _depth=max((id.count("/") + 1 for id in ids), default=0),
        )

    def keep_below(self, below: str, problem: Problem) -> None:
        """Keep the runbooks of a directory that can no longer be read: broken, not gone."""
        prefix = f"{below}/" if below else ""
        kept = {
            id: runbook for id, runbook in self._previous.runbooks.items() if id.startswith(prefix)
        }
        self._runbooks |= kept
        self._broken |= kept.keys()
        if not below:
            self._unavailable = True
            then = (
                f"the last good versions of {len(kept)} runbooks stay in use"
                if kept
                else "alerts are sent without runbooks"
            )
            problem = replace(problem, message=f"{problem.message}; {then}")
        self._problems.append(problem)

    def _fail(self, id: str, *problems: Problem) -> None:
        self._broken.add(id)
        kept = self._previous.get(id)
        if kept is not None:
            self._runbooks[id] = kept
            problems = tuple(
                replace(problem, message=f"{problem.message}; the last good version stays in use")
                for problem in problems
            )
        self._problems.extend(problems)


def read(path: Path) -> bytes:
    """A file's content. Raises UnusableFile."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_CHARACTERS + 1)
    except OSError as error:
        raise UnusableFile(_unreadable(path, _reason(error))) from None
    if len(data) > MAX_CHARACTERS:
        raise UnusableFile(too_large(str(path)))
    return data


def _read_runbook(id: str, path: Path) -> Runbook:
    data = read(path)
    try:
        return parse_runbook(data.decode(), id=id, path=str(path))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    runbook = parse_runbook(data.decode(errors="replace"), id=id, path=str(path))
    problem = Problem(
        code="runbook-not-utf8",
        message="this line is not UTF-8; unreadable bytes are shown as \ufffd",
        place=Place(str(path), line),
        severity=Severity.WARNING,
        hint="Save the file as UTF-8.",
    )
    return replace(runbook, problems=(problem, *runbook.problems))


def _version(path: Path, root: Path) -> _Version:
    """Identifies the present content of a regular file below the root. Raises UnusableFile."""
    try:
        status = _status(path, os.path.realpath(root))
    except OSError as error:
        raise UnusableFile(_unreadable(path, _reason(error))) from None
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would block
        raise UnusableFile(_unreadable(path, "it is not a regular file"))
    if status.st_size > MAX_CHARACTERS:
        raise UnusableFile(too_large(str(path)))
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def _status(path: Path, top: str) -> os.stat_result:
    """Raises OSError for a path that leads nowhere, or out of the directory."""
    target = os.path.realpath(path, strict=True)
    if target != top and not target.startswith(top.rstrip("/") + "/"):
        raise PermissionError(0, "it is a link that leads out of the runbook directory")
    return path.stat()


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links: reported when it is read as a file
        return False


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _segments(reference: str) -> list[str]:
    """The segments of a reference's path, without fragment, query and extension."""
    if len(reference) > MAX_REFERENCE:
        return []
    try:
        path = urlsplit(reference.strip()).path
    except ValueError:  # such as `http://[`
        return []
    parts = [part for part in unquote(path).split("/") if part not in ("", ".", "..")]
    if parts:
        parts[-1] = _EXTENSION.sub("", parts[-1])
    return parts


def _folded(name: str) -> str:
    """A name without case and punctuation: `KubePodCrash-Looping` is `kubepodcrashlooping`.
    Empty if it is too long for a name."""
    return _NOT_ALPHANUMERIC.sub("", name).casefold() if len(name) <= MAX_REFERENCE else ""


def _by_name(ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Ids, sorted, by their folded last segment."""
    found: dict[str, tuple[str, ...]] = {}
    for id in sorted(ids):
        if key := _folded(id.rpartition("/")[2]):
            found[key] = (*found.get(key, ()), id)
    return found


def _reason(error: OSError) -> str:
    return (error.strerror or "cannot be read").lower()


def _unreadable(path: Path, why: str) -> Problem:
    return Problem(
        code="runbook-unreadable",
        message=f"cannot be read: {why}",
        place=Place(str(path)),
        hint="Check that it exists, that the router may read it, and where its link leads.",
    )


def _missing(root: Path) -> Problem:
    what = "is not a directory" if os.path.lexists(root) else "does not exist"
    return Problem(
        code="runbooks-missing",
        message=f"the runbook directory {what}",
        place=Place(str(root)),
        hint="Create it, or fix `runbooks.path` in the configuration.",
    )


def _emptied(root: Path) -> Problem:
    return Problem(
        code="runbooks-missing",
        message="the runbook directory holds no runbooks any more",
        place=Place(str(root)),
        hint="Mount its volume again; restart if there are to be no runbooks.",
    )
