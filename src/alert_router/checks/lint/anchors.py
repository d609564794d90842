"""The anchors that a Markdown file has: of its headings, and those set by hand.

Hosts make anchors of headings in ways that differ a little; what any of them would find is taken
as found.
"""

import re
from collections import Counter
from collections.abc import Iterable

from alert_router.checks.lint.walk import flat
from alert_router.markdown import Block, Heading, plain, slug

_BY_HAND = re.compile(
    r"""<[A-Za-z]\w*\b[^<>]*?\b(?:id|name)\s*=\s*["']?(?P<html>[^"'\s>]+)|\{:?\s*#(?P<curly>[\w.:-]+)"""
)
_CURLY = re.compile(r"\s*\{:?\s*#[^{}]*\}\s*$")
_MANY = re.compile(r"[-_]+")
_EVERYWHERE = frozenset({"", "top"})


class Anchors:
    """The anchors of one file, made of its tree and its text."""

    def __init__(self, blocks: Iterable[Block], text: str) -> None:
        self.names: list[str] = []
        counted: Counter[str] = Counter()
        for block in flat(blocks):
            if isinstance(block, Heading):
                name = slug(_CURLY.sub("", plain(block.children)))
                seen = counted[name]
                counted[name] += 1
                self.names.append(f"{name}-{seen}" if seen else name)
        self.names += [match["html"] or match["curly"] for match in _BY_HAND.finditer(text)]
        self._loose = {_loose(name) for name in self.names}

    def has(self, fragment: str) -> bool:
        """Whether some host would find it."""
        fragment = fragment.removeprefix("user-content-")
        return fragment.lower() in _EVERYWHERE or _loose(fragment) in self._loose


def _loose(name: str) -> str:
    """Without what hosts disagree on: case, runs of dashes, dashes at either end."""
    return _MANY.sub("-", slug(name)).strip("-")
