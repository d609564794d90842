"""Large tables: correct at ten thousand entries, without testing what cannot match, and without
caching every hostile value.
"""

import random
import string
import tracemalloc

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router.matcher import Matcher, Op
from alert_router.routing import Index, Route, RouteTree, RunbookEntry, RunbookTable

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


def test_what_cannot_match_is_never_tested():
    tested: list[str] = []

    class Watched(Matcher):
        def matches(self, labels):
            if labels:  # the index tests which matchers an alert without labels matches
                tested.append(self.value)
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
    assert tested == ["critical"]  # the name was looked up


TEXTS = st.text("ab\x00ä🙂", max_size=5)


@given(st.lists(TEXTS, max_size=30), st.lists(TEXTS, max_size=10))
@settings(deadline=None, max_examples=300)
def test_a_value_finds_all_its_prefixes(prefixes, values):
    index = Index([(Matcher("a", Op.REGEX, f"{re2.escape(text)}.*"),) for text in prefixes])
    for value in [*values, *prefixes]:
        expected = [n for n, prefix in enumerate(prefixes) if value.startswith(prefix)]
        assert list(index.matching({"a": value})) == expected


def expressions(*patterns):
    return Index([(Matcher("a", Op.REGEX, pattern),) for pattern in patterns])


def test_values_that_do_not_repeat_are_not_kept():
    chance = random.Random(5)
    index = expressions(*(f".*{letter}.*" for letter in "aeiou"))
    tracemalloc.start()
    try:
        for _ in range(20_000):
            list(index.matching({"a": f"{word(chance)}{chance.random()}" * 8}))
        list(index.matching({"a": "a" * 1_000_000}))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 4_000_000  # the values alone are more


def test_a_repeated_value_gets_the_same_answer():
    chance = random.Random(6)
    index = expressions(".*b.*", "c+", "(a|b).*c")
    for _ in range(3):
        for _ in range(5_000):
            list(index.matching({"a": word(chance)}))
        assert list(index.matching({"a": "abc"})) == [0, 2]
        assert list(index.matching({"a": "cc"})) == [1]
        assert list(index.matching({"a": ""})) == []


def test_a_wide_node_of_the_tree_is_indexed():
    children = tuple(
        Route(f"r{n}", (Matcher("a", Op.EQUAL, str(n)),), continue_=n % 2 == 0)
        for n in [*range(2_000), *range(2_000)]
    )
    tree = RouteTree(Route("default", routes=children))
    assert tree.match({"a": "1999"}) == ("r1999",)
    assert tree.match({"a": "0"}) == ("r0",)
    assert tree.match({"a": "2000"}) == ("default",)
