"""Which of the ten standard sections a heading means.

Headings that are not among the aliases stay unnamed: a wrong name would put the wrong text into a
notification.

"Diagnosis" and its aliases are Investigation in a runbook that has a Detection section, and
Detection elsewhere: a firing notification shows Detection and Mitigation, and its reader needs to
know what to check first. "Troubleshooting" is Investigation where another section is Mitigation,
and Mitigation elsewhere.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from alert_router.runbook.aliases import (
    AFTER,
    BEFORE,
    DIAGNOSIS,
    ENGLISH,
    OTHER_LANGUAGES,
    REFERENCE,
    TROUBLESHOOTING,
)
from alert_router.runbook.model import STANDARD_SECTIONS

_MAX_HEADING = 200  # characters; a longer heading is a sentence

_BRACKETED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|（[^（）]*）")
_NUMBER = re.compile(
    r"^(?:(?:step|phase|part|schritt|paso|parte|etapa)\s+)?(?:§\s*)?"
    r"(?:\d+(?:\.\d+)*\s*(?:[.):–—-]+\s+|(?<=\.\d)\s+|(?<=\.\d\d)\s+|、\s*)"
    r"|(?-i:[A-Z](?:\.\d+)*)[.):]\s+|[一二三四五六七八九十]+[、.]\s*)",
    re.I,
)
_KEYCAP = re.compile("^\\d\ufe0f?\u20e3\\s*")
_BETWEEN = re.compile(
    r"\s*(?:[/&+:|–—、，：和与及]|->|→)\s*|\s+-\s+|\s+(?:and|or|und|oder|y|e|et|ou)\s+", re.I
)
_NOT_A_WORD = re.compile(r"[\W_]+")
_ASIDE = re.compile(
    r"^(?:steps?|how|actions?|procedures?|instructions|ways?|options) (?:to|for|of) (?:the )?"
    r"|(?: (?:for|of))? (?:the|this|an?) (?:alert|issue|problem|error|incident|failure)s?$"
)
# What a heading with several names means first: it holds the steps to take.
_SIDES = ("Mitigation", "Detection", DIAGNOSIS, TROUBLESHOOTING, "Investigation")


def without_number(title: str) -> str:
    """A heading without its number: `1. `, `2) `, `Step 3: `, `2.1 `."""
    title = title.strip()
    rest = _NUMBER.sub("", _KEYCAP.sub("", title)).strip()
    return rest or title


def key_of(title: str) -> str:
    """What two headings of the same meaning have in common: no case, accents, numbers, brackets
    and punctuation."""
    return _key(title) if len(title) <= _MAX_HEADING else _key.__wrapped__(title)


@lru_cache(maxsize=4096)
def _key(title: str) -> str:
    bare = _BRACKETED.sub(" ", without_number(title)) or title
    return _folded(bare).removeprefix("the ")


def _folded(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text)
    kept = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return _NOT_A_WORD.sub(" ", kept).strip().lower()


@dataclass(frozen=True, eq=False)
class Headings:
    """The meaning of headings: standard section, `diagnosis`, `troubleshooting` or `reference`,
    by `key_of`."""

    known: Mapping[str, str]

    @classmethod
    def of(cls, aliases: Mapping[str, Iterable[str]]) -> "Headings":
        """The built-in aliases and further ones by standard section, or `Reference`."""
        known = dict(_BUILT_IN)
        for name, own in aliases.items():
            meant = REFERENCE if name.lower() == REFERENCE else name
            known |= {key: meant for alias in own if (key := key_of(alias))}
        return cls(known)

    def kind(self, title: str) -> str:
        """The meaning of one heading (plain text); "" if it is not known."""
        return _kind(self, title) if len(title) <= _MAX_HEADING else ""

    def is_side(self, title: str) -> bool:
        """Whether a heading names what a firing notification shows."""
        return self.kind(title) in _SIDES

    def names(self, titles: Sequence[str]) -> tuple[str, ...]:
        """The standard names of all section headings of a runbook (plain text), "" for others;
        `reference` for what is never sent in place of steps."""
        kinds = [self.kind(title) for title in titles]
        own_detection = any(key_of(title) == "detection" for title in titles)
        meant = {
            DIAGNOSIS: "Investigation" if own_detection else "Detection",
            TROUBLESHOOTING: "Investigation" if "Mitigation" in kinds else "Mitigation",
        }
        return tuple(meant.get(kind, kind) for kind in kinds)

    def meaning(self, key: str) -> str:
        """The meaning of a key, also without words that add nothing."""
        found = self.known.get(key)
        if found or not key:
            return found or ""
        words = _ASIDE.sub("", key).split()
        while words:
            found = self.known.get(" ".join(words))
            if found:
                return found
            if words[-1] in AFTER:
                words.pop()
            elif words[0] in BEFORE:
                words.pop(0)
            else:
                return ""
        return ""


@lru_cache(maxsize=4096)  # each heading is asked for several times
def _kind(headings: Headings, title: str) -> str:
    whole = headings.meaning(key_of(title))
    if whole:
        return whole
    parts = _BETWEEN.split(_BRACKETED.sub(" ", without_number(title)))
    kinds = [kind for part in parts if (kind := headings.meaning(key_of(part)))]
    return next((side for side in _SIDES if side in kinds), next(iter(kinds), ""))


def _entries() -> Iterator[tuple[str, str]]:
    for table in (OTHER_LANGUAGES, ENGLISH):  # English wins where languages share a word
        for name, aliases in table.items():
            yield from ((key_of(alias), name) for alias in aliases.split(", "))
    for name in (*STANDARD_SECTIONS, REFERENCE, DIAGNOSIS, TROUBLESHOOTING):
        yield key_of(name), name


_BUILT_IN = dict(_entries())
STANDARD_HEADINGS = Headings(_BUILT_IN)
