"""Relative links to files that do not exist, and anchors that no heading has.

Links out of the repository or with a scheme are not checked: the linter uses no network.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from alert_router.checks.lint.source import Prose, RunbookSource, links
from alert_router.formats import ASCIIDOC, SUFFIXES, format_of, read_document, without_suffix
from alert_router.markdown import Anchors, Block, Link, Text
from alert_router.model.problem import Problem, did_you_mean
from alert_router.runbook import UnusableFile, read

_NOT_RELATIVE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//|/|\\")
_HAS_PLACEHOLDER = re.compile(r"[${}<>%](?![0-9A-Fa-f]{2})|\{\{")
_REFERENCE = re.compile(
    r"(?<![\w\]\\])\[(?P<text>[^\[\]]{1,80})\]\[(?P<ref>[A-Za-z][^\[\]]{0,60})\]"
)
_PAGE = re.compile(r"(?P<stem>[^.]+)(?:\.html)?", re.IGNORECASE)  # the page of `stem.md`
_EXPLICIT_ANCHOR = re.compile(
    r"""<[A-Za-z]\w*\b[^<>]*?\b(?:id|name)\s*=\s*["']?(?P<html>[^"'\s>]+)|\{:?\s*#(?P<curly>[\w.:-]+)"""
    r"""|\[\[(?P<double>[\w:.-]{1,200})[\],]|\[[\w-]{0,40}#(?P<block>[\w:.-]{1,200})[\],.%]"""
    r"""|\banchor:(?P<macro>[\w:.-]{1,200})\["""
)


class LinkTargets:
    """The anchors of one file: those of its headings, and explicit ones anywhere."""

    def __init__(self, blocks: Iterable[Block], text: str) -> None:
        self._headings = Anchors(blocks)
        explicit = [match[match.lastgroup or 0] for match in _EXPLICIT_ANCHOR.finditer(text)]
        self.names = [*self._headings.names, *explicit]
        self._explicit = {"", "top", *(name.lower() for name in explicit)}

    def has(self, fragment: str) -> bool:
        """Whether some host would find it."""
        name = fragment.lower()
        return name in self._explicit or fragment in self._headings


class FileTree:
    """The files that links can lead to. Results are cached for one run."""

    def __init__(self, root: Path, sources: Iterable[RunbookSource]) -> None:
        top = _repository(root)
        self._top = top or root.absolute()
        self._is_whole = top is not None
        self._sources = {_normal(source.path.absolute()): source for source in sources}
        self._exists: dict[Path, bool] = {}
        self._pages: dict[Path, frozenset[str]] = {}
        self._anchors: dict[Path, LinkTargets | None] = {}

    def contains(self, path: Path) -> bool:
        """Whether a path can be checked: inside the repository. Without a repository there may be
        only the runbooks: then only pages can."""
        inside = path == self._top or self._top in path.parents
        name = path.name.lower()
        return inside and (self._is_whole or bool(format_of(name)) or name.endswith(".html"))

    def exists(self, path: Path) -> bool:
        """Whether there is a file or directory, or a file that a site generator makes the page
        of."""
        if path not in self._exists:
            self._exists[path] = _exists(path) or self._is_page(path)
        return self._exists[path]

    def _is_page(self, path: Path) -> bool:
        folder = path.parent
        if folder not in self._pages:
            names = {name.lower() for name in _names_beside(path)}
            self._pages[folder] = frozenset(names)
        page = _PAGE.fullmatch(path.name)
        stems = (page["stem"], path.name) if page else ()
        return any(
            f"{stem}{suffix}".lower() in self._pages[folder]
            for stem in stems
            for suffix in SUFFIXES
        )

    def anchors(self, path: Path) -> LinkTargets | None:
        """The anchors of a Markdown file; None if it is not one or cannot be read."""
        if path not in self._anchors:
            source = self._sources.get(path)
            self._anchors[path] = _anchors_of(source) if source else _read(path)
        return self._anchors[path]


def _anchors_of(source: RunbookSource) -> LinkTargets:
    return LinkTargets(source.runbook.blocks, source.text)


def check(source: RunbookSource, tree: FileTree) -> Iterator[Problem]:
    """Everything about the links of one runbook."""
    for spot in source.spots(_REFERENCE, ("][",)):
        if isinstance(spot.leaf, Text) and spot.exact:
            message = f"undefined link reference `{spot.match['ref']}`"
            hint = f"Add a line `[{spot.match['ref']}]: URL`."
            yield source.problem("runbook-dead-link", message, spot.line, spot.column, hint=hint)
    for prose in source.prose:
        for link in links(prose.spans):
            if not _NOT_RELATIVE.match(link.url) and not _HAS_PLACEHOLDER.search(link.url):
                yield from _check(source, prose, link, tree)


def _check(source: RunbookSource, prose: Prose, link: Link, tree: FileTree) -> Iterator[Problem]:
    try:
        parts = urlsplit(link.url)
    except ValueError:
        return
    path, fragment = unquote(parts.path), unquote(parts.fragment)
    found = _normal(source.path.absolute())
    if path:
        targets = list(filter(None, (_normal(base / path) for base in _bases(source.path, path))))
        if not targets or not tree.contains(targets[0]):
            return
        found = next(filter(tree.exists, targets), None)
        if found is None:
            otherwise = "The path is relative to the directory of this file."
            hint = did_you_mean(targets[0].name, _names_beside(targets[0]), otherwise)
            message = f"dead link `{link.url}`: no such file"
            place = _place(source, prose, link)
            yield source.problem("runbook-dead-link", message, *place, hint=hint)
            return
    anchors = tree.anchors(found) if fragment and found else None
    if anchors is not None and not anchors.has(fragment):
        where = f"`{path}`" if path else "this file"
        message = f"no heading in {where} has the anchor `#{fragment}`"
        otherwise = "An anchor is the heading in lower case, with dashes for spaces."
        hint = did_you_mean(fragment, anchors.names, otherwise)
        place = _place(source, prose, link)
        yield source.problem("runbook-dead-anchor", message, *place, hint=hint)


def _place(source: RunbookSource, prose: Prose, link: Link) -> tuple[int, int]:
    until = prose.line + 1 if prose.one_line else 0
    for written in (f"]({link.url}", f"](<{link.url}", f'"{link.url}"', f"]: {link.url}"):
        if found := source.find(written, prose.line, until):
            return found[0], found[1] + written.index(link.url)
    return source.find(link.url, prose.line, until) or (prose.line, 0)


def _normal(path: Path) -> Path | None:
    """The path without `..`; None if it is not a possible file name."""
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts = parts[:1] if len(parts) <= 1 else parts[:-1]
        else:
            parts.append(part)
    return None if "\0" in str(path) else Path(*parts)


def _bases(file: Path, path: str) -> Iterator[Path]:
    """The directories that a link may be relative to; none if that cannot be known."""
    file = file.absolute()
    if format_of(file.name) not in ASCIIDOC:
        yield file.parent
        if _PAGE.fullmatch(path.rstrip("/").rpartition("/")[2]):
            yield file.parent / without_suffix(file.name)  # a site with a directory for each page
    elif path.lower().endswith(ASCIIDOC):  # pictures and attachments are in places of their own
        modules = [folder for folder in file.parents if folder.parent.name == "modules"]
        yield from (folder / "pages" for folder in modules[:1])  # Antora
        yield file.parent


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that is too long, a directory without permission
        return False


def _names_beside(path: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in path.parent.iterdir())
    except (OSError, ValueError):
        return []


def _repository(root: Path) -> Path | None:
    """The nearest directory above that has a `.git`, or the directory itself; None if none has."""
    top = root.absolute()
    return next((above for above in (top, *top.parents) if _exists(above / ".git")), None)


def _read(path: Path) -> LinkTargets | None:
    if not format_of(path.name) or not _exists(path) or not path.is_file():
        return None
    try:
        text = read(path).decode(errors="replace")
    except UnusableFile:
        return None
    return LinkTargets(read_document(text, path.name).blocks, text)
