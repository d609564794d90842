"""Relative links that lead to no file, and anchors that no heading has.

What leads out of the repository, or by a scheme, is not followed: nothing here asks a network.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from alert_router.checks.lint import codes
from alert_router.checks.lint.anchors import Anchors
from alert_router.checks.lint.page import Page
from alert_router.checks.lint.walk import Prose, links
from alert_router.markdown import Link, Text, parse_document
from alert_router.model.problem import Problem, did_you_mean
from alert_router.runbook import UnusableFile, read

_ELSEWHERE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//|/|\\")
_FILLED = re.compile(r"[${}<>%](?![0-9A-Fa-f]{2})|\{\{")
_UNDEFINED = re.compile(
    r"(?<![\w\]\\])\[(?P<text>[^\[\]]{1,80})\]\[(?P<ref>[A-Za-z][^\[\]]{0,60})\]"
)
_MARKDOWN = frozenset({".md", ".markdown", ".mdx"})


class Tree:
    """The files that links may lead to. What was looked up is remembered for one run."""

    def __init__(self, root: Path, pages: Iterable[Page]) -> None:
        self._top = _repository(root)
        self._pages = {_normal(page.path.absolute()): page for page in pages}
        self._there: dict[Path, bool] = {}
        self._anchors: dict[Path, Anchors | None] = {}

    def inside(self, path: Path) -> bool:
        """Whether a path is one that can be judged."""
        return path == self._top or self._top in path.parents

    def exists(self, path: Path) -> bool:
        """Whether there is a file or a directory, or what a site generator makes a page of."""
        there = self._there.get(path)
        if there is None:
            there = self._there[path] = any(map(_is_there, _meant(path)))
        return there

    def anchors(self, path: Path) -> Anchors | None:
        """The anchors of a Markdown file; None where it is none or cannot be read."""
        if path not in self._anchors:
            page = self._pages.get(path)
            self._anchors[path] = of_page(page) if page else _read(path)
        return self._anchors[path]


def of_page(page: Page) -> Anchors:
    """The anchors of a runbook."""
    return Anchors(page.runbook.blocks, page.text)


def check(page: Page, tree: Tree) -> Iterator[Problem]:
    """Everything about the links of one runbook."""
    own: Anchors | None = None
    for spot in page.spots(_UNDEFINED, "]["):
        if isinstance(spot.leaf, Text) and spot.exact:
            message = f"the reference `{spot.match['ref']}` is not defined"
            hint = f"Add a line `[{spot.match['ref']}]: URL`."
            yield page.problem(codes.DEAD_LINK, message, spot.line, spot.column, hint=hint)
    for prose in page.proses:
        for link in links(prose.spans):
            if not _ELSEWHERE.match(link.url) and not _FILLED.search(link.url):
                own = own or of_page(page)
                yield from _judge(page, prose, link, own, tree)


def _judge(page: Page, prose: Prose, link: Link, own: Anchors, tree: Tree) -> Iterator[Problem]:
    try:
        parts = urlsplit(link.url)
    except ValueError:
        return
    path, fragment = unquote(parts.path), unquote(parts.fragment)
    target = None
    if path:
        target = _normal(page.path.parent.absolute() / path)
        if target is None or not tree.inside(target):
            return
        if not tree.exists(target):
            line, column = _place(page, prose, link)
            hint = did_you_mean(
                target.name, _beside(target), "The path begins at this file's directory."
            )
            message = f"the link `{link.url}` leads to no file"
            yield page.problem(codes.DEAD_LINK, message, line, column, hint=hint)
            return
    anchors = own if target is None else tree.anchors(target)
    if fragment and anchors is not None and not anchors.has(fragment):
        line, column = _place(page, prose, link)
        where = f"`{path}`" if path else "this file"
        yield page.problem(
            codes.DEAD_ANCHOR,
            f"{where} has no heading for the anchor `#{fragment}`",
            line,
            column,
            hint=did_you_mean(
                fragment,
                anchors.names,
                "An anchor is the heading in lower case, with dashes for spaces.",
            ),
        )


def _place(page: Page, prose: Prose, link: Link) -> tuple[int, int]:
    until = prose.line + 1 if prose.one_line else 0
    for written in (f"]({link.url}", f"](<{link.url}", f'"{link.url}"', f"]: {link.url}"):
        if found := page.find(written, prose.line, until):
            return found[0], found[1] + written.index(link.url)
    return page.find(link.url, prose.line, until) or (prose.line, 0)


def _normal(path: Path) -> Path | None:
    """The path without `..`, None for what no file can be called."""
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts = parts[:1] if len(parts) <= 1 else parts[:-1]
        else:
            parts.append(part)
    return None if "\0" in str(path) else Path(*parts)


def _meant(path: Path) -> Iterator[Path]:
    yield path
    if path.suffix.lower() == ".html":
        yield path.with_suffix(".md")
    elif path.suffix.lower() not in _MARKDOWN and path.name:
        yield path.with_name(path.name + ".md")


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long, a directory without permission
        return False


def _beside(path: Path) -> list[str]:
    """The names in the directory of what is missing."""
    try:
        return sorted(entry.name for entry in path.parent.iterdir())
    except (OSError, ValueError):
        return []


def _repository(root: Path) -> Path:
    """The directory above that has a `.git`, else the directory itself."""
    top = root.absolute()
    for above in (top, *top.parents):
        if _is_there(above / ".git"):
            return above
    return top


def _read(path: Path) -> Anchors | None:
    if path.suffix.lower() not in _MARKDOWN or not _is_there(path) or not path.is_file():
        return None
    try:
        text = read(path).decode(errors="replace")
    except UnusableFile:
        return None
    return Anchors(parse_document(text).blocks, text)
