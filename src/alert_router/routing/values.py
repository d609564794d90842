"""The values of one label that some matchers leave, and whether certainly none is left.

A missing label is the empty string. Literals are compared exactly; expressions by automata where
those can tell, and otherwise they are taken to leave some value.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from alert_router.matcher import Matcher, Op
from alert_router.routing.language import Language, Undecided, example, of_pattern, of_words

_FRESH = ("x", "any-other-value")  # values that hardly any matcher is about


@dataclass(frozen=True, slots=True)
class Condition:
    """A matcher that is met, or is not."""

    matcher: Matcher
    met: bool = True

    @property
    def is_positive(self) -> bool:
        """Whether it says what the value is, rather than what it is not."""
        return (self.matcher.op in (Op.EQUAL, Op.REGEX)) is self.met

    def holds(self, value: str) -> bool:
        """Whether it holds for a value."""
        return self.matcher.matches({self.matcher.name: value}) is self.met


@lru_cache(maxsize=65536)
def literals(matcher: Matcher) -> frozenset[str] | None:
    """The texts that a matcher compares with, where it does no more than that."""
    if not matcher.parts or any(part.tail for part in matcher.parts):
        return None
    return frozenset(part.text for part in matcher.parts)


@dataclass(frozen=True, slots=True)
class Values:
    """What meets all conditions; `few` are the only values, where they can be listed."""

    conditions: frozenset[Condition] = frozenset()
    few: frozenset[str] | None = None

    def where(self, condition: Condition) -> "Values":
        """What also meets this one."""
        if condition in self.conditions:
            return self
        few = self.few
        if few is not None:
            return Values(self.conditions, frozenset(v for v in few if condition.holds(v)))
        texts = literals(condition.matcher) if condition.is_positive else None
        if texts is not None:
            left = (v for v in texts if all(each.holds(v) for each in self.conditions))
            return Values(self.conditions, frozenset(left))
        return Values(self.conditions | {condition})

    def is_apart_from(self, matcher: Matcher) -> bool:
        """Whether that is plain without looking closer: most pairs in a long table are."""
        if self.few is None or matcher.op not in (Op.EQUAL, Op.REGEX):
            return False
        texts = literals(matcher)
        return texts is not None and self.few.isdisjoint(texts)

    @property
    def is_empty(self) -> bool:
        """Whether there is certainly no such value."""
        if self.few is not None:
            return not self.few
        return _is_empty(self.conditions)

    def some(self) -> Iterator[str]:
        """A few of the values, to try; not every condition may be understood."""
        if self.few is not None:
            yield from sorted(self.few)[:8]
            return
        try:
            found = _example(self.conditions)
        except Undecided:
            found = None
        for value in ("", *_FRESH, *([] if found is None else [found])):
            if all(condition.holds(value) for condition in self.conditions):
                yield value


@lru_cache(maxsize=65536)
def _is_empty(conditions: frozenset[Condition]) -> bool:
    """By what is understood of the conditions; leaving one out only adds values, so that what is
    found to be empty is."""
    if any(Condition(each.matcher, not each.met) in conditions for each in conditions):
        return True
    if all(literals(condition.matcher) is not None for condition in conditions):
        return False  # a finite number is excluded
    try:
        return _example(conditions) is None
    except Undecided:
        return False


@lru_cache(maxsize=65536)
def _example(conditions: frozenset[Condition]) -> str | None:
    """A value, as far as the conditions are understood. Raises Undecided."""
    inside: list[Language] = []
    outside: list[Language] = []
    for condition in conditions:
        language = _language(condition.matcher)
        if language is not None:
            (inside if condition.is_positive else outside).append(language)
    return example(inside, outside)


def _language(matcher: Matcher) -> Language | None:
    texts = literals(matcher)
    return of_pattern(matcher.value) if texts is None else of_words(texts)
