"""Large tables: right at ten thousand entries, without looking at what cannot match, and without
keeping all that hostile values bring.
"""

import random
import string
import tracemalloc

import pytest

from alert_router.matcher import Matcher, Op
from alert_router.routing import Route, RouteTree, RunbookEntry, RunbookTable
from alert_router.routing.index import Index
from alert_router.routing.patterns import Patterns

MANY = 10_000


def word(chance: random.Random, length: int = 8) -> str:
    return "".join(chance.choices(string.ascii_lowercase, k=length))


SHAPES = {
    "prefix": "{}.*",
    "wildcards": ".*{}.*",
    "suffix": ".*{}",
    "in groups": "(a|b)?{}-[0-9]+",
    "no word": "[{}]+",
    "alternation": "({}|x{}).*z",
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_ten_thousand_expressions_answer_as_each_alone(shape):
    chance = random.Random(7)
    words = [word(chance) for _ in range(MANY)]
    patterns = [shape.replace("{}", each) for each in words]
    table = RunbookTable(
        [RunbookEntry((Matcher("a", Op.REGEX, pattern),), None) for pattern in patterns]
    )
    for place in chance.sample(range(MANY), 10):
        for value in (words[place], f"{words[place]}-1", f"-{words[place]}z", word(chance, 40)):
            labels = {"a": value}
            alone = (n for n, e in enumerate(table.entries) if e.matchers[0].matches(labels))
            assert table.match(labels) == next(alone, None)


def test_what_cannot_match_is_never_looked_at():
    looked_at: list[str] = []

    class Watched(Matcher):
        def matches(self, labels):
            if labels:  # the index itself asks what an alert without labels meets
                looked_at.append(self.value)
            return super().matches(labels)

    chance = random.Random(3)
    lists = [
        (
            Watched("severity", Op.EQUAL, "critical"),
            Watched("alertname", Op.REGEX, word(chance) + chance.choice([".*", "|x", "[0-9]?"])),
        )
        for _ in range(500)
    ]
    lists[400] = (lists[400][0], Watched("alertname", Op.EQUAL, "Wanted"))
    index = Index(lists)
    alert = {"alertname": "Wanted", "severity": "critical", "pod": "p", "namespace": "n"}
    assert list(index.matching(alert)) == [400]
    assert looked_at == ["critical"]  # the name was looked up


def test_values_that_nothing_asks_for_again_are_forgotten():
    chance = random.Random(5)
    patterns = Patterns([(number, f".*{letter}.*") for number, letter in enumerate("aeiou")])
    tracemalloc.start()
    try:
        for _ in range(20_000):
            patterns.matching(f"{word(chance)}{chance.random()}" * 8)
        patterns.matching("a" * 1_000_000)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 4_000_000  # the values alone are more


def test_a_value_asked_for_again_and_again_answers_the_same():
    chance = random.Random(6)
    patterns = Patterns([(2, ".*b.*"), (3, "c+"), (5, "(a|b).*c")])
    for _ in range(3):
        for _ in range(5_000):
            patterns.matching(word(chance))
        assert patterns.matching("abc") == (2, 5)
        assert patterns.matching("cc") == (3,)
        assert patterns.matching("") == ()


def test_a_wide_node_of_the_tree_is_indexed_too():
    children = tuple(
        Route(f"r{n}", (Matcher("a", Op.EQUAL, str(n)),), continue_=n % 2 == 0)
        for n in [*range(2_000), *range(2_000)]
    )
    tree = RouteTree(Route("default", routes=children))
    assert tree.match({"a": "1999"}) == ("r1999",)
    assert tree.match({"a": "0"}) == ("r0",)
    assert tree.match({"a": "2000"}) == ("default",)
