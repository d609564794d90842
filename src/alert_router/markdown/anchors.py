"""The anchors of a page's headings, and which heading a URL's fragment names.

Git hosts and site generators derive anchors from headings in slightly different ways. A fragment
that any of them would find is found.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator

from alert_router.markdown.text import plain, slug
from alert_router.markdown.tree import Block, Heading, ListBlock, Quote

_DASHES = re.compile(r"[-_\s]+")


class AnchorNames:
    """Names the headings of one page, which come in its order: the explicit id, else GitHub's
    anchor, numbered where it repeats."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._seen: Counter[str] = Counter()

    def of(self, heading: Heading) -> str:
        """The anchor of the next heading, different from all before."""
        name = next(iter(heading.anchors), "") or slug(plain(heading.children)) or "section"
        anchor = name
        while anchor in self._used:
            self._seen[name] += 1
            anchor = f"{name}-{self._seen[name]}"
        self._used.add(anchor)
        return anchor


class Anchors:
    """The anchors of a page."""

    def __init__(self, blocks: Iterable[Block]) -> None:
        self._headings: dict[str, Heading] = {}  # by the anchor on the router's page
        self._others: dict[str, str | None] = {}  # other spellings; None where several headings fit
        names = AnchorNames()
        for heading in _headings(blocks):
            anchor = names.of(heading)
            self._headings[anchor] = heading
            title = plain(heading.children)
            dotless = title.replace(".", "-")  # AsciiDoc
            spellings = (*heading.anchors, anchor, title, _ascii(title), dotless)
            for other in dict.fromkeys(spellings):
                if key := _loose(other):
                    same = self._others.setdefault(key, anchor) == anchor
                    self._others[key] = anchor if same else None

    @property
    def names(self) -> list[str]:
        """The anchors in the order of the page."""
        return list(self._headings)

    def items(self) -> Iterable[tuple[str, Heading]]:
        """The headings in the order of the page, with their anchors."""
        return self._headings.items()

    def __contains__(self, fragment: str) -> bool:
        """Whether a fragment names some heading."""
        name = fragment.removeprefix("user-content-")
        return name in self._headings or _loose(name) in self._others

    def find(self, fragment: str) -> str | None:
        """The anchor of the heading that a fragment names, case ignored; None if there is none or
        more than one."""
        fragment = fragment.removeprefix("user-content-")
        if fragment in self._headings:
            return fragment
        lower = fragment.lower()
        return lower if lower in self._headings else self._others.get(_loose(fragment))


def _headings(blocks: Iterable[Block]) -> Iterator[Heading]:
    """The headings in the order of the page; those in lists and quotes too."""
    for block in blocks:
        match block:
            case Heading():
                yield block
            case Quote(inner):
                yield from _headings(inner)
            case ListBlock():
                for item in block.items:
                    yield from _headings(item.blocks)
            case _:
                pass


def _loose(name: str) -> str:
    """Without the differences between hosts: case, runs of dashes, dashes at either end."""
    return _DASHES.sub("-", slug(name)).strip("-")


def _ascii(title: str) -> str:
    """The title as MkDocs takes it: without accents."""
    return unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
