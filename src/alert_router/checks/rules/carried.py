"""What is known of the labels that an alert or a series carries, where not all can be known.

For each label: the values it can have, "" standing for a label that is not there (to Prometheus
they are the same), or None where it can be anything. How an expression comes to it is `yields`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product

Values = frozenset[str] | None

ABSENT: frozenset[str] = frozenset(("",))
NAME = "__name__"
_MOST = 64  # values of one label that are kept apart; beyond them it is anything


@dataclass(frozen=True, slots=True)
class Carried:
    """The values of labels by name; `others` are those of every label that is not named: ABSENT,
    or None."""

    named: Mapping[str, Values]
    others: Values = ABSENT

    def of(self, name: str) -> Values:
        """The values that a label can have."""
        return self.named.get(name, self.others)

    def having(self, changes: Mapping[str, Values]) -> "Carried":
        """The same but for these labels."""
        return Carried({**self.named, **changes}, self.others)

    def only(self, names: Iterable[str]) -> "Carried":
        """These labels, and no others."""
        return Carried({name: self.of(name) for name in names})

    def without(self, names: Iterable[str]) -> "Carried":
        """All but these labels."""
        return self.having(dict.fromkeys(names, ABSENT))

    def possible(self) -> frozenset[str] | None:
        """Every label that can be there; None where that cannot be told."""
        if self.others is None:
            return None
        return frozenset(name for name, values in self.named.items() if values != ABSENT)


NOTHING = Carried({})
UNKNOWN = Carried({}, None)


def one(value: str) -> Values:
    """Surely this value."""
    return frozenset((value,))


def either(*values: Values) -> Values:
    """What can be one of these."""
    found: set[str] = set()
    for each in values:
        if each is None:
            return None
        found |= each
    return frozenset(found) if len(found) <= _MOST else None


def both(left: Values, right: Values) -> Values:
    """What must be among both. Where nothing can be, the left side: no such series is there."""
    if left is None or right is None:
        return right if left is None else left
    return (left & right) or left


def joined(separator: str, parts: Iterable[Values]) -> Values:
    """The parts one after the other."""
    known: list[frozenset[str]] = []
    combinations = 1
    for values in parts:
        if values is None:
            return None
        known.append(values)
        combinations *= len(values)
        if combinations > _MOST:
            return None
    return frozenset(separator.join(texts) for texts in product(*known))


def union(left: Carried, right: Carried) -> Carried:
    """What holds for a series that comes from either side."""
    names = (*left.named, *right.named)
    named = {name: either(left.of(name), right.of(name)) for name in names}
    return Carried(named, either(left.others, right.others))


def equal_on(left: Carried, right: Carried, names: Iterable[str]) -> Carried:
    """The left side, where these labels are the same on both."""
    return left.having({name: both(left.of(name), right.of(name)) for name in names})


def equal_but(left: Carried, right: Carried, ignored: Iterable[str]) -> Carried:
    """The left side, where all labels but these, and the metric's name, are the same on both."""
    apart = {NAME, *ignored}
    named = {name: left.of(name) for name in apart}
    for name in (*left.named, *right.named):
        if name not in apart:
            named[name] = both(left.of(name), right.of(name))
    return Carried(named, both(left.others, right.others))
