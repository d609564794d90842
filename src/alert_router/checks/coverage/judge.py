"""Whether matchers hold for labels of which not all is known: surely, surely not, or it depends."""

from collections.abc import Iterable
from dataclasses import dataclass

from alert_router.checks.rules import Carried
from alert_router.matcher import Matcher


@dataclass(frozen=True, slots=True)
class Verdict:
    """`holds` is None where it depends on the labels in `on`, which are in the matchers' order."""

    holds: bool | None
    on: tuple[str, ...] = ()


YES = Verdict(True)
NO = Verdict(False)


def judge(matchers: Iterable[Matcher], carried: Carried) -> Verdict:
    """Whether all the matchers hold for every, no or only some alert with these labels."""
    left: dict[str, frozenset[str]] = {}  # values of a label that the matchers so far let through
    open_ones: dict[str, None] = {}
    for matcher in matchers:
        name = matcher.name
        values = left.get(name, carried.of(name))
        if values is None:
            open_ones[name] = None
            continue
        passing = frozenset(value for value in values if matcher.matches({name: value}))
        if not passing:
            return NO
        if len(passing) < len(values):
            open_ones[name] = None
        left[name] = passing
    return Verdict(None, tuple(open_ones)) if open_ones else YES
