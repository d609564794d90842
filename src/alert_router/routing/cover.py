"""Whether earlier lists of matchers take, singly or together, everything a later one could match.

Decided exactly or not at all: where it takes too long, or an expression is not understood, the
answer is that some alert may be left. Labels whose values have line breaks are left out of account.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, product

from alert_router.matcher import Matcher
from alert_router.routing.values import Condition, Values

_MOST_TRIES = 4_000  # places in the search for an alert that nobody takes
_SAMPLES = 48
_ANYTHING = Values()

Region = Mapping[str, Values]  # by label; a label that is not in it can have any value
Matchers = tuple[Matcher, ...]


class _TooLong(Exception):
    pass


def region(matchers: Iterable[Matcher]) -> Region:
    """The alerts that meet all of these."""
    found: dict[str, Values] = {}
    for matcher in matchers:
        found[matcher.name] = found.get(matcher.name, _ANYTHING).where(Condition(matcher))
    return found


def is_empty(alerts: Region) -> bool:
    """Whether there is certainly no such alert."""
    return any(values.is_empty for values in alerts.values())


def matches_everything(matcher: Matcher) -> bool:
    """Whether a matcher certainly excludes no value at all, a missing label included."""
    return _ANYTHING.where(Condition(matcher, met=False)).is_empty


def contradiction(matchers: Sequence[Matcher]) -> int | None:
    """The index of the first matcher that the ones before it exclude."""
    for index in range(len(matchers)):
        if is_empty(region(matchers[: index + 1])):
            return index
    return None


def samples(alerts: Region) -> Iterator[dict[str, str]]:
    """Labels of a few such alerts, to try before anything is proved."""
    names = list(alerts)
    choices = [list(alerts[name].some()) for name in names]
    for values in islice(product(*choices), _SAMPLES):
        yield dict(zip(names, values, strict=True))


def taken_by(alerts: Region, earlier: Sequence[Matchers]) -> tuple[int, ...] | None:
    """The earlier lists that together take all these alerts, none of which could be left out; None
    if some alert is left, or that cannot be told. Trying `samples` first is quicker."""
    meeting: dict[int, Matchers] = {}
    for number, matchers in enumerate(earlier):
        may_fail = _may_fail(alerts, matchers)
        if may_fail is None:
            continue
        if not may_fail:
            return (number,)
        meeting[number] = may_fail
    search = _Search()
    try:
        if not search.takes_all(alerts, meeting):
            return None
        return search.least(alerts, {n: meeting[n] for n in sorted(search.used)})
    except _TooLong:
        return None


def _may_fail(alerts: Region, matchers: Iterable[Matcher]) -> Matchers | None:
    """The matchers that some of the alerts may not meet; None if no alert meets all."""
    found: list[Matcher] = []
    for matcher in matchers:
        values = alerts.get(matcher.name, _ANYTHING)
        if values.is_apart_from(matcher) or values.where(Condition(matcher)).is_empty:
            return None
        if not values.where(Condition(matcher, met=False)).is_empty:
            found.append(matcher)
    return tuple(found)


class _Search:
    """For an alert that no list takes: each must have a matcher that it does not meet."""

    def __init__(self) -> None:
        self.used: set[int] = set()
        self._tries = 0

    def takes_all(self, alerts: Region, lists: Mapping[int, Matchers]) -> bool:
        """Whether certainly none is left. Raises _TooLong."""
        self._tries += 1 + len(lists) // 16
        if self._tries > _MOST_TRIES:
            raise _TooLong
        open_ones: dict[int, Matchers] = {}
        for number, matchers in lists.items():
            may_fail = _may_fail(alerts, matchers)
            if may_fail is not None:
                open_ones[number] = may_fail
                if not may_fail:
                    self.used.add(number)
                    return True
        if not open_ones:
            return False
        number = min(open_ones, key=lambda number: len(open_ones[number]))
        self.used.add(number)
        for matcher in open_ones.pop(number):
            if not self.takes_all(_with(alerts, Condition(matcher, met=False)), open_ones):
                return False
            alerts = _with(alerts, Condition(matcher))  # the other case is settled
        return True

    def least(self, alerts: Region, lists: Mapping[int, Matchers]) -> tuple[int, ...]:
        """Of lists that take all, a choice of which none can be left out."""
        needed = dict(lists)
        for number in lists:
            fewer = {key: value for key, value in needed.items() if key != number}
            if self.takes_all(alerts, fewer):
                needed = fewer
        return tuple(needed)


def _with(alerts: Region, condition: Condition) -> Region:
    name = condition.matcher.name
    return {**alerts, name: alerts.get(name, _ANYTHING).where(condition)}
