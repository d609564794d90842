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
from itertools import zip_longest
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from urllib.parse import unquote, urlsplit

import yaml

from alert_router.formats import ASCIIDOC, NOT_READ, RST, format_of, without_suffix
from alert_router.markdown import Heading, Text
from alert_router.model.problem import Place, Problem, Severity
from alert_router.runbook.alert_sections import (
    find_section,
    folded,
    has_anchor,
    names_in,
    part,
)
from alert_router.runbook.model import INDEXES, Runbook
from alert_router.runbook.parse import MAX_CHARACTERS, parse_runbook, too_large
from alert_router.runbook.sections import STANDARD_HEADINGS, Headings

MAX_REFERENCE = 2_000  # characters of a reference or an alert's name; longer ones name no runbook

_EXTENSION = re.compile(
    r"(?:\.(?:md|mdx|markdown|html?|adoc|asciidoc|asc|rst|rest|txt|erb)){1,2}$", re.IGNORECASE
)
_PARTS = frozenset({"partials", "_partials", "_includes"})  # folders of what pages include
_NOT_AN_ANCHOR = re.compile(r"top$|L\d+|[/!:]", re.IGNORECASE)  # lines, pages of web applications
_SIDES = ("Detection", "Investigation", "Mitigation")
_ALERT_FIELDS = ("alerts", "alert", "alert_name", "alertname")
_MAX_COMPONENT = 64 * 1024  # characters of an antora.yml; PyYAML reads some 100 kB a second
_MAX_ATTRIBUTES = 500
_UNSET = frozenset(("~", "null", "false"))
_NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})

_Version = tuple[int, int, int, int]  # of a file: mtime and ctime in ns, size, inode


class UnusableFile(Exception):
    """A file or directory that cannot be read or is too large, with the problem to report."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.message)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The runbooks below `root` by id. A section of a file is a runbook too, `path#anchor`; `get`
    returns it, `runbooks` has whole files. `broken` are ids whose file could not be used: those of
    them that have an earlier good version are in `runbooks` with it, the others are not.
    `unavailable` where the directory as a whole could not be used: it is missing or
    unreadable, or has suddenly no runbooks."""

    root: Path
    runbooks: Mapping[str, Runbook] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    broken: frozenset[str] = frozenset()
    unavailable: bool = False
    headings: Headings = STANDARD_HEADINGS
    largest: int = 0  # bytes of a file
    _versions: Mapping[str, _Version] = field(default_factory=dict, repr=False)
    _paths: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    _files: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    _names: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    _depth: int = field(default=0, repr=False)  # segments of the longest id

    @classmethod
    def load(
        cls,
        root: Path,
        previous: "Catalogue | None" = None,
        headings: Headings = STANDARD_HEADINGS,
    ) -> "Catalogue":
        """Read the directory. Files unchanged since `previous` are not read again, and the last
        good version of what has become unreadable is kept. Never raises for what is on disk."""
        loading = _Loading(root, previous if previous and previous.root == root else None, headings)
        if os.path.isdir(root):  # noqa: PTH112 - Path.is_dir raises without permission
            loading.load_directory()
        else:
            loading.keep_below("", _missing(root))
        return loading.catalogue()

    @classmethod
    def of_file(cls, path: Path) -> "Catalogue":
        """A catalogue of one runbook. Never raises for what is on disk."""
        loading = _Loading(path.parent, None)
        loading.load_file(without_suffix(path.name), path)
        return loading.catalogue()

    def file(self, id: str) -> Path:
        """The file of a runbook; if it was never read, the one that it would have as Markdown."""
        runbook = self.runbooks.get(id)
        return Path(runbook.file if runbook and runbook.file else self.root / f"{id}.md")

    def modified(self, id: str) -> float | None:
        """When the file of a runbook was last changed, Unix seconds; None where that is not known,
        as of a file that includes others."""
        version = self._versions.get(id)
        return version[0] / 1e9 if version else None

    def get(self, id: str) -> Runbook | None:
        """The runbook with that id, or the section of one."""
        found = self.runbooks.get(id)
        if found is None and "#" in id:
            file, _, anchor = id.rpartition("#")
            whole = self.runbooks.get(file)
            return part(whole, anchor, self.headings) if whole else None
        return found

    def named(self, reference: str, alertname: str = "") -> str:
        """The id that the runbook table means, `path` or `path#section`, for an alert. A reference
        to nothing stays as it is written."""
        if reference in self.runbooks or reference in self.broken:
            return self._section(reference, "", alertname)
        file, _, fragment = reference.partition("#")
        file = next((f for f in (file, _EXTENSION.sub("", file)) if f in self.runbooks), "")
        return self._section(file, fragment, alertname) if file else reference

    def file_of(self, id: str) -> str:
        """The id of the file that a runbook or a section is in."""
        return id if id in self.runbooks or id in self.broken else id.partition("#")[0]

    def dead_fragment(self, reference: str) -> str:
        """The fragment of a reference to one file if it leads nowhere there, else ""."""
        path, fragment = _parsed(reference)
        files = self._by_path(path) if fragment and reference not in self.runbooks else []
        runbook = self.runbooks.get(files[0]) if len(files) == 1 else None
        return fragment if runbook and not has_anchor(runbook, fragment) else ""

    def by_reference(self, reference: str, alertname: str = "") -> list[str]:
        """The ids that a `runbook` or `runbook_url` annotation may mean: the longest id that its
        path ends with, else the files whose name equals its last segment, case and punctuation
        ignored; folders decide between those. In the file, the section of the fragment or of the
        alert. Broken runbooks count, so that no other replaces them."""
        path, fragment = _parsed(reference)
        return [self._section(id, fragment, alertname) for id in self._by_path(path)]

    def by_name(self, alertname: str) -> list[str]:
        """The ids that bear the alert's name, case and punctuation ignored: files of that name,
        else those with it in their front matter, else in their title, else sections. One that
        has moved counts only if there is no other."""
        if len(alertname) > MAX_REFERENCE:
            return []
        ids = self._names.get(folded(alertname), ())
        if len(ids) > 1:
            ids = tuple(id for id in ids if not self._has_moved(id)) or ids
        return [self._section(id, "", alertname) if "#" not in id else id for id in ids]

    def _has_moved(self, id: str) -> bool:
        runbook = self.runbooks.get(id)
        return runbook is not None and runbook.has_moved

    def _section(self, id: str, fragment: str, alertname: str) -> str:
        runbook = self.runbooks.get(id)
        if runbook is None:
            return id
        anchor = find_section(runbook, fragment, alertname[:MAX_REFERENCE], self.headings)
        return f"{id}#{anchor}" if anchor else id

    def _by_path(self, path: list[str]) -> list[str]:
        # No id has more segments than `_depth`, so a long path costs no more than a short one.
        for start in range(max(0, len(path) - self._depth), len(path)):
            id = "/".join(path[start:])
            if id in self.runbooks or id in self.broken:
                return [id]
            if ids := self._paths.get(id.lower()):
                return list(ids)
        if path and path[-1].lower() in INDEXES:
            return self._by_path(path[:-1])
        ids = self._files.get(folded(path[-1]), ()) if path else ()
        shared = [_shared_folders(id, path) for id in ids]
        return [id for id, number in zip(ids, shared, strict=True) if number == max(shared)]


class _Loading:
    """A catalogue while it is loaded."""

    def __init__(
        self, root: Path, previous: Catalogue | None, headings: Headings = STANDARD_HEADINGS
    ) -> None:
        self._root = root
        self._previous = previous or Catalogue(root)
        self._headings = headings
        self._runbooks: dict[str, Runbook] = {}
        self._versions: dict[str, _Version] = {}
        self._problems: list[Problem] = []
        self._broken: set[str] = set()
        self._passed: dict[
            str, list[str]
        ] = {}  # files by suffix; by "" if a runbook has their name
        self._components: dict[Path, Mapping[str, str]] = {}
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
                entries = sorted(os.scandir(Path(top, below)), key=_markdown_first)
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
                elif format_of(name):
                    self._load_entry(below, name)
                elif name.lower().endswith(NOT_READ):
                    self._pass_over(PurePosixPath(name).suffix.lower(), at)
        self._problems.extend(_not_read(self._root, *each) for each in self._passed.items())

    def _load_entry(self, below: str, name: str) -> None:
        """Load a file below a directory, unless it is not a runbook."""
        at = f"{below}/{name}" if below else name
        stem, path = without_suffix(name), Path(self._root, PurePosixPath(at))
        id = without_suffix(at)
        is_page = stem.lower() in INDEXES  # of its folder
        if is_page and below:
            id = below
        if format_of(name) in ASCIIDOC and (_PARTS & {*below.split("/")} or name.startswith("_")):
            return  # a part of pages
        if id in self._runbooks or id in self._broken:
            self._pass_over("", at)
        elif not is_page or stem.lower() == "index":
            self.load_file(id, path)
        elif below:
            self._load_readme(id, path)

    def _load_readme(self, id: str, path: Path) -> None:
        """Load a folder's README if it says what to do."""
        before = self._problems, self._broken
        self._problems, self._broken = [], set()
        self.load_file(id, path)
        found = self._runbooks.get(id)
        problems, (self._problems, self._broken) = self._problems, before
        if found and not any(s.name in _SIDES for s in found.sections):
            del self._runbooks[id], self._versions[id]
        elif found:
            self._problems.extend(problems)

    def _pass_over(self, suffix: str, at: str) -> None:
        self._passed.setdefault(suffix, []).append(at)

    def load_file(self, id: str, path: Path) -> None:
        """Load one file."""
        include = _Includes(path, self._root)
        attributes = self._attributes(path) if format_of(path.name) in ASCIIDOC else _NO_ATTRIBUTES
        try:
            version = _version(path, self._root)
            unchanged = (
                self._previous._versions.get(id) == version
                and self._previous.headings.known == self._headings.known
            )
            kept = self._previous.runbooks.get(id) if unchanged and not attributes else None
            kept = kept if kept and kept.file == str(path) else None
            runbook = kept or _read_runbook(id, path, self._headings, include, attributes)
        except UnusableFile as error:
            self._fail(id, error.problem)
            return
        if any(problem.severity is Severity.ERROR for problem in runbook.problems):
            self._fail(id, *runbook.problems)
            return
        self._runbooks[id] = runbook
        if not include.used and not attributes:  # else its content depends on other files too
            self._versions[id] = version
        self._problems.extend(runbook.problems)

    def _attributes(self, path: Path) -> Mapping[str, str]:
        """What the component of an AsciiDoc page sets for all its pages; each is read once."""
        file = _component_file(path, self._root)
        if file is None:
            return _NO_ATTRIBUTES
        if file not in self._components:
            try:
                _version(file, self._root)
                text = read(file).decode(errors="replace")
                self._components[file], problems = _attributes_in(text, str(file))
            except UnusableFile as error:
                self._components[file], problems = _NO_ATTRIBUTES, (error.problem,)
            self._problems.extend(problems)
        return self._components[file]

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
            headings=self._headings,
            largest=max((size for _, _, size, _ in self._versions.values()), default=0),
            _paths=MappingProxyType(_grouped((id.lower(), id) for id in ids)),
            _files=MappingProxyType(files := _grouped((folded(_stem(id)), id) for id in ids)),
            _names=MappingProxyType(_by_name(files, self._runbooks.values())),
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
        kept = self._previous.runbooks.get(id)
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


class _Includes:
    """Reads the files that one file includes: regular files below the root."""

    def __init__(self, path: Path, root: Path) -> None:
        self._path = path
        self._root = root
        self.used = False

    def __call__(self, target: str) -> str | None:
        """The text of a file, named relative to the page or, as Antora does, `partial$name`."""
        self.used = True
        module, _, rest = target.rpartition(":")
        family, dollar, name = rest.partition("$")
        folder = self._path.parent
        if dollar:
            modules = [parent for parent in self._path.parents if parent.parent.name == "modules"]
            if not modules or family not in ("partial", "example", "attachment"):
                return None
            folder = (modules[0].parent / module if module else modules[0]) / f"{family}s"
        try:
            path = folder / (name if dollar else target)
            _version(path, self._root)
            return read(path).decode(errors="replace")
        except (UnusableFile, OSError, ValueError):  # a null byte in the name
            return None


def _read_runbook(
    id: str, path: Path, headings: Headings, include: _Includes, attributes: Mapping[str, str]
) -> Runbook:
    data = read(path)

    def parsed(text: str) -> Runbook:
        return parse_runbook(
            text, id=id, path=str(path), headings=headings, include=include, attributes=attributes
        )

    try:
        return parsed(data.decode())
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    runbook = parsed(data.decode(errors="replace"))
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


def _parsed(reference: str) -> tuple[list[str], str]:
    """The segments of a reference's path, without query and extension, and its fragment."""
    if len(reference) > MAX_REFERENCE:
        return [], ""
    try:
        url = urlsplit(reference.strip())
    except ValueError:  # such as `http://[`
        return [], ""
    parts = [part for part in unquote(url.path).split("/") if part not in ("", ".", "..")]
    if parts:
        parts[-1] = _EXTENSION.sub("", parts[-1])
    fragment = unquote(url.fragment)
    return parts, "" if _NOT_AN_ANCHOR.match(fragment) else fragment


def _stem(id: str) -> str:
    return id.rpartition("/")[2]


def _shared_folders(id: str, path: list[str]) -> int:
    """How many folders before the name are the same, case ignored."""
    own, other = id.lower().split("/")[-2::-1], [part.lower() for part in path[-2::-1]]
    return next((i for i, (a, b) in enumerate(zip_longest(own, other)) if a != b), len(own))


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Ids, sorted, by their key."""
    found: dict[str, dict[str, None]] = {}
    for key, id in sorted(pairs):
        if key:
            found.setdefault(key, {})[id] = None
    return {key: tuple(ids) for key, ids in found.items()}


def _by_name(
    files: Mapping[str, tuple[str, ...]], runbooks: Iterable[Runbook]
) -> dict[str, tuple[str, ...]]:
    """Ids by alert name; what names the alert more plainly wins."""
    fields: list[tuple[str, str]] = []
    titles: list[tuple[str, str]] = []
    sections: list[tuple[str, str]] = []
    for runbook in runbooks:
        for name in _ALERT_FIELDS:
            listed = runbook.metadata.get(name, "").split(",")
            fields += ((folded(alert), runbook.id) for alert in listed if alert.lower() != "none")
        title = Heading(1, (Text(runbook.title),))
        titles += ((folded(name), runbook.id) for name in names_in(title)[0])
        for alert in runbook.alerts:
            id = f"{runbook.id}#{alert.anchor}"
            sections += ((folded(name), id) for name in alert.names)
    return {**_grouped(sections), **_grouped(titles), **_grouped(fields), **files}


def _reason(error: OSError) -> str:
    return (error.strerror or "cannot be read").lower()


def _unreadable(path: Path, why: str) -> Problem:
    return Problem(
        code="runbook-unreadable",
        message=f"cannot be read: {why}",
        place=Place(str(path)),
        hint="Check that it exists, that the router may read it, and where its link leads.",
    )


def _markdown_first(entry: os.DirEntry[str]) -> tuple[bool, str]:
    return not entry.name.endswith(".md"), entry.name


def _not_read(root: Path, suffix: str, files: list[str]) -> Problem:
    were = "file was" if len(files) == 1 else "files were"
    kind = f"`{suffix}` {were}" if suffix else were
    why = "this format is not supported" if suffix else "another runbook has its name"
    if suffix in RST:
        why = "docutils is not installed"
    return Problem(
        code="runbook-not-read",
        message=f"{len(files)} {kind} not read: {why}, such as {files[0]}",
        place=Place(str(root)),
        severity=Severity.INFO,
        hint="Install `alert-router[rst]`."
        if suffix in RST
        else "Runbooks are Markdown (.md, .markdown, .mdx, .md.erb) or AsciiDoc (.adoc).",
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


def _component_file(path: Path, root: Path) -> Path | None:
    """Where the description of the Antora component is that a page belongs to; None for a page that
    is not below a folder `modules`, or whose component is not below the root."""
    for parent in path.parents:
        if parent == root:
            return None
        if parent.name == "modules":
            file = parent.parent / "antora.yml"
            return file if os.path.lexists(file) else None
    return None


def _attributes_in(text: str, file: str) -> tuple[Mapping[str, str], tuple[Problem, ...]]:
    """The attributes that a component sets, as the page's own lines would: a value that ends in `@`
    may be changed by the page. With the problem of a file that cannot be read."""
    if len(text) > _MAX_COMPONENT:
        return _NO_ATTRIBUTES, (
            _unread_component(file, f"it is over {_MAX_COMPONENT} characters long"),
        )
    try:
        # BaseLoader keeps every scalar as text: no dates, no objects.
        data = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        return _NO_ATTRIBUTES, (
            _unread_component(file, f"it is not valid YAML: {str(error).splitlines()[0][:200]}"),
        )
    asciidoc = data.get("asciidoc") if isinstance(data, dict) else None
    found = asciidoc.get("attributes") if isinstance(asciidoc, dict) else None
    if not isinstance(found, dict):
        return _NO_ATTRIBUTES, ()
    if len(found) > _MAX_ATTRIBUTES:
        return _NO_ATTRIBUTES, (
            _unread_component(file, f"it has over {_MAX_ATTRIBUTES} attributes"),
        )
    pairs = ((name, value) for name, value in found.items() if isinstance(value, str))
    return {str(name): value for name, value in pairs if value not in _UNSET}, ()


def _unread_component(file: str, why: str) -> Problem:
    return Problem(
        "runbook-front-matter",
        f"the attributes of the component cannot be read: {why}",
        Place(file),
        Severity.WARNING,
        "Write them as a mapping `asciidoc: attributes:` of names to values. The pages are read "
        "without them.",
    )
