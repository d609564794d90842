"""Entries and routes that no alert reaches: every report is true, and simple ones are complete."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router.checks.unreachable import (
    contradiction,
    covering,
    matches_everything,
    shadowed_entries,
    shadowed_routes,
)
from alert_router.matcher import Matcher, Op, parse_matchers
from alert_router.routing import Route, RouteTree, RunbookEntry, RunbookTable
from tests.speed import within

NAMES = ("a", "b", "c")
VALUES = ("", "x", "y", "z", "xy", "xyz", "xz", "?")  # one of each kind, whatever the matchers
ALL = [dict(zip(NAMES, values, strict=True)) for values in product(VALUES, repeat=len(NAMES))]
SIMPLE = ["", "x", "y", "xy", "x|y", "|x", "x|y|xy", "|x|y|xy", "x.*", "x.+", ".+", ".*", "|x.+"]
EXPRESSIONS = ["x?", "[xy]", "x+y?", "(x|y)y?", ".y", "[^x].*", "z|x{1,2}"]


def table(*entries: str) -> RunbookTable:
    return RunbookTable([RunbookEntry(parse_matchers(text), None) for text in entries])


def covered(later: str, *earlier: str) -> tuple[int, ...] | None:
    return covering(parse_matchers(later), [parse_matchers(text) for text in earlier])


@pytest.mark.parametrize(
    ("later", "earlier", "by"),
    [
        ('a="x"', ['a=~"x|y"'], (0,)),
        ('a=~"x|y"', ['a="x"', 'b="z"', 'a="y"'], (0, 2)),
        ('a="x", b="y"', ['b="y"'], (0,)),
        ('b="y"', ['a="x", b="y"'], None),
        ('b="y"', ['a="x"', 'a!="x"'], (0, 1)),
        ('b="y"', ['a=""', 'a=~".+"'], (0, 1)),
        ('a=""', ['a!~".+"'], (0,)),
        ('a!=""', ['a=~".+"'], (0,)),
        ('a="x"', ['b=~".*"'], (0,)),
        ('a=~"Redis.*"', ['a=~"R.*"'], (0,)),
        ('a=~"R.*"', ['a=~"Redis.*"'], None),
        ('a=~"RedisDown|RedisSlow"', ['a=~"Redis[A-Z]\\\\w+"'], (0,)),
        ('a=~"Redis.+"', ['a=~"Redi[s].+"'], None),  # not decided
        ('a=~"x.*"', ['a="x"', 'a=~"x.+"'], (0, 1)),
        ('a!~"x.*"', ['a!="x"'], (0,)),
        ('a!~"x.*"', ['a=~"y.*"', 'a!~"y.*|x.*"'], (0, 1)),
        ('a="x"', ['a=~".*x.*"'], (0,)),
        ('a="x"', ['b="1"', 'b!="1", c="2"', 'b!="1", c!="2"'], (0, 1, 2)),
        ('a=~"x"', ['a=~"(?i)x"'], (0,)),
        ('a=~"(?i)x"', ['a=~"(?i)xy|x"'], None),  # not decided
    ],
)
def test_the_covering_lists_are_named_without_superfluous_ones(later, earlier, by):
    assert covered(later, *earlier) == by


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ('a="x", a="y"', 1),
        ('a="x", b="1", a=~"y.*"', 2),
        ('a=~"x.*", a!~"x.*|y"', 1),
        ('a=~"x.*", a!~"x.*y?"', None),  # not decided
        ('a="", a=~".+"', 1),
        ('a!~".*"', 0),
        ('a="x", a!="y"', None),
        ('a=~"x.*", a=~".*y"', None),
        ('a=~"x.*", a="y", b="z"', 1),
        ('a=~"(?i)x", a="y"', 1),
    ],
)
def test_a_contradiction_is_reported_at_the_matcher_that_completes_it(text, index):
    assert contradiction(parse_matchers(text)) == index


@pytest.mark.parametrize(
    ("matcher", "everything"),
    [('a=~".*"', True), ('a=~"|.+"', True), ('a!~"a^"', False), ('a=~".+"', False),
     ('a!="x"', False), ('a=~"x|.*"', True), ('a=~"(.|x)*"', False)],
)  # fmt: skip
def test_matchers_that_match_every_value(matcher, everything):
    (parsed,) = parse_matchers(matcher)
    assert matches_everything(parsed) is everything


def matchers(texts):
    names, values = st.sampled_from(NAMES), st.sampled_from(VALUES[:-1])
    equal = st.builds(Matcher, names, st.sampled_from([Op.EQUAL, Op.NOT_EQUAL]), values)
    like = st.builds(
        Matcher, names, st.sampled_from([Op.REGEX, Op.NOT_REGEX]), st.sampled_from(texts)
    )
    return st.lists(equal | like, min_size=1, max_size=3).map(tuple)


def tables(texts):
    return st.lists(matchers(texts), min_size=1, max_size=6).map(
        lambda lists: RunbookTable([RunbookEntry(each, None) for each in lists])
    )


def met_alone(entry: RunbookEntry) -> bool:
    return any(all(m.matches(labels) for m in entry.matchers) for labels in ALL)


@settings(deadline=None, max_examples=150)
@given(tables(SIMPLE + EXPRESSIONS))
def test_a_reported_entry_never_matches_first_and_the_named_ones_cover_it(made):
    for shadowed in shadowed_entries(made):
        entry = made.entries[shadowed.index]
        assert all(made.match(labels) != shadowed.index for labels in ALL)
        for labels in ALL:
            if all(m.matches(labels) for m in entry.matchers):
                assert any(all(m.matches(labels) for m in by.matchers) for by in shadowed.by)


@settings(deadline=None, max_examples=150)
@given(tables(SIMPLE))
def test_every_shadowed_entry_of_literals_and_prefixes_is_found(made):
    found = {shadowed.index for shadowed in shadowed_entries(made)}
    reached = {made.match(labels) for labels in ALL}
    for index, entry in enumerate(made.entries):
        assert (index in found) == (index not in reached and met_alone(entry))
        assert (contradiction(entry.matchers) is None) == met_alone(entry)


@settings(deadline=None, max_examples=150)
@given(tables(SIMPLE))
def test_no_superfluous_entry_is_named(made):
    for shadowed in shadowed_entries(made):
        for left_out in shadowed.by:
            others = [by for by in shadowed.by if by is not left_out]
            alone = RunbookTable([*others, made.entries[shadowed.index]])
            assert any(alone.match(labels) == len(others) for labels in ALL)


def routes(depth=2):
    below = routes(depth - 1) if depth else st.just(())
    child = st.builds(Route, st.just("r"), matchers(SIMPLE), continue_=st.booleans(), routes=below)
    return st.lists(child, max_size=3).map(tuple)


@settings(deadline=None, max_examples=100)
@given(routes())
def test_a_reported_route_is_never_reached_and_simple_ones_are_all_found(children):
    tree = RouteTree(Route("root", routes=children))
    visited = {step.path for labels in ALL for step in tree.explain(labels) if step.matched}
    reported = {shadowed.path for shadowed in shadowed_routes(tree)}
    assert not reported & visited

    def judged(routes, path, above):
        for number, route in enumerate(routes):
            own, at = (*above, *route.matchers), (*path, number)
            if any(all(m.matches(labels) for m in own) for labels in ALL):
                assert (at in reported) == (at not in visited)
                if at in visited:
                    judged(route.routes, at, own)

    judged(children, (), ())


def test_a_route_is_shadowed_by_a_sibling_of_its_parent():
    first = Route("a", parse_matchers('team="x"'))
    inner = Route("b", parse_matchers('team="x"'))
    outer = Route("c", parse_matchers('env="prod"'), routes=(inner,))
    (shadowed,) = shadowed_routes(RouteTree(Route("root", routes=(first, outer))))
    assert (shadowed.path, shadowed.by) == ((1, 0), (first,))
    going_on = Route("a", parse_matchers('team="x"'), continue_=True)
    assert not list(shadowed_routes(RouteTree(Route("root", routes=(going_on, outer)))))


def test_a_search_that_takes_too_long_reports_nothing():
    many = [f'l{n % 40}="x", m{n % 37}="y", n{n % 31}!="z"' for n in range(400)]
    with within(30):
        assert covered('a="x"', *many) is None


def test_a_table_of_five_thousand_entries_takes_seconds():
    entries = [f'alertname="Alert{n}", team=~"team{n % 7}.*"' for n in range(5_000)]
    with within(30):
        found = [shadowed.index for shadowed in shadowed_entries(table(*entries, entries[17]))]
    assert found == [5_000]
