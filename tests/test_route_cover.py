"""Entries and routes that no alert reaches: what is told is true, and what is simple is found."""

import re
import time
from itertools import product

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router.matcher import Matcher, Op, parse_matchers
from alert_router.routing import Route, RouteTree, RunbookEntry, RunbookTable
from alert_router.routing.blocked import blocked_entries, blocked_routes
from alert_router.routing.cover import contradiction, matches_everything, region, taken_by
from alert_router.routing.language import example, of_pattern

NAMES = ("a", "b", "c")
VALUES = ("", "x", "y", "z", "xy", "?")  # the last is in no matcher, as all others are
ALL = [dict(zip(NAMES, values, strict=True)) for values in product(VALUES, repeat=len(NAMES))]
SIMPLE = ["", "x", "y", "xy", "x|y", "|x", "x|y|xy", "|x|y|xy"]
EXPRESSIONS = ["x.*", ".+", ".*", "x?", "[xy]", "x+y?", "(x|y)y?", ".y", "[^x].*", "z|x{1,2}"]


def table(*entries: str) -> RunbookTable:
    return RunbookTable([RunbookEntry(parse_matchers(text), None) for text in entries])


def taken(later: str, *earlier: str) -> tuple[int, ...] | None:
    return taken_by(region(parse_matchers(later)), [parse_matchers(text) for text in earlier])


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
        ('a=~"Redis(Down|Slow)"', ['a=~"Redis[A-Z]\\\\w+"'], (0,)),
        ('a=~"x.*"', ['a="x"', 'a=~"x.+"'], (0, 1)),
        ('a!~"x.*"', ['a!="x"'], (0,)),
        ('a="x"', ['b="1"', 'b!="1", c="2"', 'b!="1", c!="2"'], (0, 1, 2)),
        ('a=~"(?i)x"', ['a=~"(?i)x"'], (0,)),
        ('a=~"x"', ['a=~"(?i)x"'], (0,)),
        ('a=~"(?i)x"', ['a=~"(?i)xy|x"'], None),  # not read, so nothing is said
    ],
)
def test_what_takes_all_is_named_and_nothing_that_is_not_needed(later, earlier, by):
    assert taken(later, *earlier) == by


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ('a="x", a="y"', 1),
        ('a="x", b="1", a=~"y.*"', 2),
        ('a=~"x.*", a!~"x.*y?"', 1),
        ('a="", a=~".+"', 1),
        ('a!~".*"', 0),
        ('a="x", a!="y"', None),
        ('a=~"x.*", a=~".*y"', None),
        ('a=~"(?i)x", a="y"', 1),
    ],
)
def test_matchers_that_exclude_each_other_are_found_at_the_one_that_does(text, index):
    assert contradiction(parse_matchers(text)) == index


@pytest.mark.parametrize(
    ("matcher", "everything"),
    [('a=~".*"', True), ('a=~"|.+"', True), ('a!~"a^"', False), ('a=~".+"', False),
     ('a!="x"', False), ('a=~"(.|x)*"', True), ('a!~"[^\\\\w\\\\W]"', True)],
)  # fmt: skip
def test_matchers_that_exclude_nothing(matcher, everything):
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
def test_a_reported_entry_never_matches_first_and_those_named_take_all(made):
    for blocked in blocked_entries(made):
        entry = made.entries[blocked.index]
        assert all(made.match(labels) != blocked.index for labels in ALL)
        for labels in ALL:
            if all(m.matches(labels) for m in entry.matchers):
                assert any(all(m.matches(labels) for m in by.matchers) for by in blocked.by)


@settings(deadline=None, max_examples=150)
@given(tables(SIMPLE))
def test_of_equalities_and_alternations_every_entry_that_never_matches_is_found(made):
    found = {blocked.index for blocked in blocked_entries(made)}
    reached = {made.match(labels) for labels in ALL}
    for index, entry in enumerate(made.entries):
        assert (index in found) == (index not in reached and met_alone(entry))
        assert (contradiction(entry.matchers) is None) == met_alone(entry)


@settings(deadline=None, max_examples=150)
@given(tables(SIMPLE))
def test_none_of_those_named_could_be_left_out(made):
    for blocked in blocked_entries(made):
        for left_out in blocked.by:
            others = [by for by in blocked.by if by is not left_out]
            alone = RunbookTable([*others, made.entries[blocked.index]])
            assert any(alone.match(labels) == len(others) for labels in ALL)


def routes(depth=2):
    below = routes(depth - 1) if depth else st.just(())
    child = st.builds(Route, st.just("r"), matchers(SIMPLE), continue_=st.booleans(), routes=below)
    return st.lists(child, max_size=3).map(tuple)


@settings(deadline=None, max_examples=100)
@given(routes())
def test_a_reported_route_is_never_gone_down_to_and_simple_ones_are_all_found(children):
    tree = RouteTree(Route("root", routes=children))
    visited = {step.path for labels in ALL for step in tree.explain(labels) if step.matched}
    reported = {blocked.path for blocked in blocked_routes(tree)}
    assert not reported & visited

    def judged(routes, path, above):
        for number, route in enumerate(routes):
            own, at = (*above, *route.matchers), (*path, number)
            if any(all(m.matches(labels) for m in own) for labels in ALL):
                assert (at in reported) == (at not in visited)
                if at in visited:
                    judged(route.routes, at, own)

    judged(children, (), ())


def test_a_route_is_shadowed_by_what_stands_before_the_one_above_it():
    first = Route("a", parse_matchers('team="x"'))
    inner = Route("b", parse_matchers('team="x"'))
    outer = Route("c", parse_matchers('env="prod"'), routes=(inner,))
    (blocked,) = blocked_routes(RouteTree(Route("root", routes=(first, outer))))
    assert (blocked.path, blocked.by) == ((1, 0), (first,))
    going_on = Route("a", parse_matchers('team="x"'), continue_=True)
    assert not list(blocked_routes(RouteTree(Route("root", routes=(going_on, outer)))))


PIECES = [
    "a",
    "b",
    "-",
    ".",
    "[ab]",
    "[^a]",
    "[a-c]",
    "(?:a|b)",
    "(ab|)",
    "\\.",
    "\\d",
    "\\w",
    "[\\w-]",
]
COUNTS = ["", "", "*", "+", "?", "{2}", "{1,2}", "{0,}", "*?"]
patterns = st.lists(
    st.tuples(st.sampled_from(PIECES), st.sampled_from(COUNTS)).map("".join), max_size=4
).map("".join)
expressions = st.lists(patterns, min_size=1, max_size=3).map("|".join)
WORDS = ["".join(chars) for size in range(5) for chars in product("ab-1", repeat=size)]


@settings(deadline=None, max_examples=150)
@given(expressions)
def test_an_expression_is_read_as_re2_reads_it(pattern):
    language = of_pattern(pattern)
    assert language is not None
    compiled = re2.compile(f"^(?:{pattern})$")
    for word in WORDS:
        states = language.start
        for char in word:
            states = language.step(states, ord(char))
        assert language.accepts(states) == (compiled.search(word) is not None), word


def is_read_right(pattern):
    """Whether an expression, if it is read at all, means what it means to RE2."""
    compiled = re2.compile(f"^(?:{pattern})$", OPTIONS)
    language = of_pattern(pattern)
    if language is None:
        return
    for word in WORDS[:200]:
        states = language.start
        for char in word:
            states = language.step(states, ord(char))
        assert language.accepts(states) == (compiled.search(word) is not None), word


OPTIONS = re2.Options()
OPTIONS.log_errors = False


@settings(deadline=None, max_examples=500)
@given(st.text(alphabet="ab-1.*+?[](){}|^$\\,dDwsQE:iP<>", max_size=12))
def test_no_expression_is_read_otherwise_than_re2_reads_it(pattern):
    try:
        is_read_right(pattern)
    except re2.error:
        return  # it is no expression


@settings(deadline=None, max_examples=100)
@given(expressions, expressions)
def test_an_example_is_one_and_where_there_is_none_no_word_is(first, second):
    found = example([of_pattern(first)], [of_pattern(second)])
    one, other = (re2.compile(f"^(?:{pattern})$") for pattern in (first, second))
    if found is None:
        assert not [word for word in WORDS if one.search(word) and not other.search(word)]
    else:
        assert one.search(found)
        assert not other.search(found)


@pytest.mark.parametrize(
    "pattern",
    ["(?i)a", "\\bx", "a^b", "\\pL", "[[:alpha:]]", "(?s).", "a{1000}", "x\\z", "\\x41", "a**",
     "(" * 60 + "a" + ")" * 60],
)  # fmt: skip
def test_what_is_not_read_exactly_is_not_read(pattern):
    assert of_pattern(pattern) is None


@pytest.mark.parametrize(("pattern", "word"), [("^ab$", "ab"), ("a\\$", "a$"), ("[]a]", "]")])
def test_anchors_at_the_ends_say_nothing_new(pattern, word):
    assert example([of_pattern(pattern)], [of_pattern(re.escape(word))]) in (None, "a")
    assert example([of_pattern(re.escape(word))], [of_pattern(pattern)]) is None


def test_what_takes_too_long_is_not_reported_and_given_up_soon():
    started = time.monotonic()
    assert taken('a=~"(a|b)*a(a|b){14}"', 'a=~"(a|b)*b(a|b){14}"') is None
    many = [f'l{n % 40}="x", m{n % 37}="y", n{n % 31}!="z"' for n in range(400)]
    assert taken('a="x"', *many) is None
    assert time.monotonic() - started < 30


def test_a_long_table_is_judged_in_seconds():
    entries = [f'alertname="Alert{n}", team=~"team{n % 7}.*"' for n in range(5_000)]
    started = time.monotonic()
    found = [blocked.index for blocked in blocked_entries(table(*entries, entries[17]))]
    assert found == [5_000]
    assert time.monotonic() - started < 30
