"""Looking up prefixes: the same as asking each of them."""

from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router.routing.prefixes import Prefixes

TEXTS = st.text("ab\x00ä🙂", max_size=5)


@given(st.sets(TEXTS, max_size=30), st.lists(TEXTS, max_size=10))
@settings(deadline=None, max_examples=300)
def test_those_are_found_that_the_value_begins_with_longest_first(prefixes, values):
    compiled = Prefixes(prefixes)
    for value in [*values, *prefixes]:
        expected = [prefix for prefix in prefixes if value.startswith(prefix)]
        assert list(compiled.of(value)) == sorted(expected, key=len, reverse=True)


def test_one_within_another_is_found_behind_what_stands_between_them():
    compiled = Prefixes(["api", "api-a", "api-b", "api-b-1", "web"])
    assert list(compiled.of("api-c")) == ["api"]
    assert list(compiled.of("api-b-2")) == ["api-b", "api"]
    assert list(compiled.of("ap")) == []
    assert list(Prefixes([]).of("x")) == []
