"""Which entries of the runbook table can be the first that an alert meets."""

from heapq import merge

from alert_router.checks.coverage.judge import judge
from alert_router.checks.rules import Carried
from alert_router.matcher import Matcher, Op
from alert_router.routing import RunbookTable

_NAME = "alertname"


class Candidates:
    """Over one table. Its entries are filed by the alert names they ask for, so that a table of
    thousands is not gone through for each of thousands of alerts."""

    def __init__(self, table: RunbookTable) -> None:
        self._entries = table.entries
        self._named: dict[str, list[int]] = {}
        self._others: list[int] = []
        for number, entry in enumerate(self._entries):
            names = next(filter(None, map(_names, entry.matchers)), None)
            if names is None:
                self._others.append(number)
            for name in names or ():
                self._named.setdefault(name, []).append(number)

    def of(self, name: str, carried: Carried) -> tuple[list[int | None], tuple[str, ...]]:
        """The numbers of the entries, from 0, in their order, and None where none of them may be
        met; and the labels that decide where there is more than one answer."""
        found: list[int | None] = []
        depends: dict[str, None] = {}
        for number in merge(self._named.get(name, ()), self._others):
            verdict = judge(self._entries[number].matchers, carried)
            if verdict.holds is False:
                continue
            found.append(number)
            if verdict.holds:
                break
            depends |= dict.fromkeys(verdict.on)
        else:
            found.append(None)
        return found, tuple(depends)


def _names(matcher: Matcher) -> frozenset[str] | None:
    """The alert names that a matcher takes, if it lists them."""
    lists = matcher.op in (Op.EQUAL, Op.REGEX) and matcher.parts
    if matcher.name != _NAME or not lists or any(part.tail for part in matcher.parts):
        return None
    return frozenset(part.text for part in matcher.parts)
