"""All runbooks of a directory, as one state that never changes: a reload makes another.

How an alert picks one of them is the runbook table's; this only finds candidates.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from alert_router.model.problem import Place, Problem, Severity
from alert_router.runbook import files
from alert_router.runbook.model import Runbook
from alert_router.runbook.parse import parse_runbook, too_large
from alert_router.runbook.reference import folded, index, segments


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
    _stamps: Mapping[str, files.Stamp] = field(default_factory=dict, repr=False)
    _names: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    _depth: int = field(default=0, repr=False)  # segments of the longest id

    @classmethod
    def load(cls, root: Path, previous: "Catalogue | None" = None) -> "Catalogue":
        """Read the directory. Files unchanged since `previous` are not read again, and the last
        good version of what has become unreadable is kept. Never raises for what is on disk."""
        loading = _Loading(root, previous if previous and previous.root == root else None)
        if os.path.isdir(root):  # noqa: PTH112 - Path's own raises without permission
            for found in files.find(root):
                loading.take(found)
        else:
            loading.take(files.Blocked("", _missing(root)))
        return loading.done()

    @classmethod
    def of_file(cls, path: Path) -> "Catalogue":
        """A catalogue of one runbook alone. Never raises for what is on disk."""
        loading = _Loading(path.parent, None)
        loading.take(files.Found(path.name.removesuffix(".md"), path))
        return loading.done()

    def get(self, id: str) -> Runbook | None:
        """The runbook of that id."""
        return self.runbooks.get(id)

    def by_reference(self, reference: str) -> list[str]:
        """The ids that a `runbook` or `runbook_url` annotation may mean: the longest id that its
        path ends with, else all whose last segment equals its last, case and punctuation aside.
        Broken runbooks count, so that no other is taken in their place."""
        path = segments(reference)
        # No id has more segments than `_depth`, so that a long path costs no more than a short one.
        for start in range(max(0, len(path) - self._depth), len(path)):
            id = "/".join(path[start:])
            if id in self.runbooks or id in self.broken:
                return [id]
        return self.by_name(path[-1]) if path else []

    def by_name(self, alertname: str) -> list[str]:
        """The ids whose file is named like the alert, case and punctuation aside."""
        return list(self._names.get(folded(alertname), ()))


class _Loading:
    """A catalogue in the making."""

    def __init__(self, root: Path, previous: Catalogue | None) -> None:
        self._root = root
        self._previous = previous
        self._runbooks: dict[str, Runbook] = {}
        self._stamps: dict[str, files.Stamp] = {}
        self._problems: list[Problem] = []
        self._broken: set[str] = set()
        self._unavailable = False

    def take(self, found: files.Found | files.Blocked) -> None:
        """Load one file, or take note of what could not be looked into."""
        if isinstance(found, files.Blocked):
            self._block(found)
            return
        try:
            stamp = files.check(found.path, self._root)
            runbook = self._unchanged(found.id, stamp) or _read(found)
        except files.Unreadable as error:
            self._fail(found.id, files.unreadable(found.path, str(error)))
            return
        except files.TooLarge:
            self._fail(found.id, too_large(str(found.path)))
            return
        if any(problem.severity is Severity.ERROR for problem in runbook.problems):
            self._fail(found.id, *runbook.problems)
            return
        self._runbooks[found.id] = runbook
        self._stamps[found.id] = stamp
        self._problems.extend(runbook.problems)

    def done(self) -> Catalogue:
        """The finished catalogue."""
        before = len(self._previous.runbooks) if self._previous else 0
        if before and not self._runbooks and not self._broken:
            # A volume that is not mounted any more leaves an empty directory behind.
            self._block(files.Blocked("", _emptied(self._root)))
        ids = {*self._runbooks, *self._broken}
        return Catalogue(
            root=self._root,
            runbooks=MappingProxyType(self._runbooks),
            problems=tuple(self._problems),
            broken=frozenset(self._broken),
            unavailable=self._unavailable,
            _stamps=MappingProxyType(self._stamps),
            _names=MappingProxyType(index(ids)),
            _depth=max((id.count("/") + 1 for id in ids), default=0),
        )

    def _unchanged(self, id: str, stamp: files.Stamp) -> Runbook | None:
        if self._previous is None or self._previous._stamps.get(id) != stamp:
            return None
        return self._previous.runbooks.get(id)

    def _block(self, blocked: files.Blocked) -> None:
        """What was in a directory that cannot be looked into now is broken, not gone."""
        problem, below = blocked.problem, blocked.below
        prefix = f"{below}/" if below else ""
        kept = {
            id: runbook
            for id, runbook in (self._previous.runbooks if self._previous else {}).items()
            if id.startswith(prefix)
        }
        self._runbooks |= kept
        self._broken |= kept.keys()
        if not below:
            self._unavailable = True
            then = (
                f"the last good versions of {len(kept)} runbooks stay in use"
                if kept
                else "alerts go out without runbooks"
            )
            problem = replace(problem, message=f"{problem.message}; {then}")
        self._problems.append(problem)

    def _fail(self, id: str, *problems: Problem) -> None:
        self._broken.add(id)
        kept = self._previous.get(id) if self._previous else None
        if kept is not None:
            self._runbooks[id] = kept
            problems = tuple(
                replace(problem, message=f"{problem.message}; its last good version stays in use")
                for problem in problems
            )
        self._problems.extend(problems)


def _read(found: files.Found) -> Runbook:
    data = files.read(found.path)
    try:
        return parse_runbook(data.decode(), id=found.id, path=str(found.path))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        text = data.decode(errors="replace")
    runbook = parse_runbook(text, id=found.id, path=str(found.path))
    return replace(runbook, problems=(_not_utf8(found.path, line), *runbook.problems))


def _not_utf8(path: Path, line: int) -> Problem:
    return Problem(
        code="runbook-not-utf8",
        message="this line is not UTF-8; what cannot be read is shown as \ufffd",
        place=Place(str(path), line),
        severity=Severity.WARNING,
        hint="Save the file as UTF-8.",
    )


def _missing(root: Path) -> Problem:
    what = "is not a directory" if os.path.lexists(root) else "does not exist"
    return Problem(
        code="runbooks-missing",
        message=f"the runbook directory {what}",
        place=Place(str(root)),
        hint="Create it, or set `runbooks.path` in the configuration to where they are.",
    )


def _emptied(root: Path) -> Problem:
    return Problem(
        code="runbooks-missing",
        message="the runbook directory holds no runbooks any more",
        place=Place(str(root)),
        hint="Mount its volume again; restart if there are to be no runbooks.",
    )
