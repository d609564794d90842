"""The route tree and the runbook table: semantics by example, and compiled against plain loops."""

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router.matcher import Matcher, Op, parse_matchers
from alert_router.routing import Miss, Route, RouteTree, RunbookEntry, RunbookTable

Labels = Mapping[str, str]


def route(matchers="", receiver=None, *children, goes_on=False):
    return Route(receiver, parse_matchers(matchers), goes_on, tuple(children))


def tree(*children):
    return RouteTree(route("", "default", *children))


def table(*texts):
    return RunbookTable([RunbookEntry(parse_matchers(text), text) for text in texts])


# The tree


def test_an_alert_that_matches_no_child_goes_to_the_default_receiver():
    chosen = tree(route('a="x"', "x"))
    assert chosen.match({"a": "y"}) == ("default",)
    assert chosen.match({}) == ("default",)
    assert chosen.default == "default"
    assert tree().match({"a": "x"}) == ("default",)


def test_first_matching_child_wins_unless_continue():
    stops = tree(route('a="x"', "first"), route('a="x"', "second"))
    assert stops.match({"a": "x"}) == ("first",)
    goes_on = tree(
        route('a="x"', "first", goes_on=True), route('a="y"', "other"), route('a="x"', "second")
    )
    assert goes_on.match({"a": "x"}) == ("first", "second")


def test_continue_on_the_last_child_adds_nothing():
    assert tree(route('a="x"', "only", goes_on=True)).match({"a": "x"}) == ("only",)


def test_a_child_without_matchers_matches_all():
    chosen = tree(route("", "all"), route('a="x"', "never"))
    assert chosen.match({"a": "x"}) == chosen.match({}) == ("all",)


def test_a_node_counts_only_if_none_of_its_children_matched():
    chosen = tree(route('a="x"', "parent", route('b="y"', "child")))
    assert chosen.match({"a": "x", "b": "y"}) == ("child",)
    assert chosen.match({"a": "x"}) == ("parent",)
    assert chosen.match({"b": "y"}) == ("default",)


def test_continue_applies_to_siblings_only():
    chosen = tree(
        route('a="x"', "parent", route('b="y"', "child", goes_on=True)), route('a="x"', "after")
    )
    assert chosen.match({"a": "x", "b": "y"}) == ("child",)


def test_the_receiver_is_inherited_from_the_nearest_that_has_one():
    chosen = tree(route('a="x"', "team", route('b="y"', None, route('c="z"'))), route('d="w"'))
    assert chosen.match({"a": "x", "b": "y", "c": "z"}) == ("team",)
    assert chosen.match({"d": "w"}) == ("default",)


def test_receivers_come_in_order_and_each_once():
    chosen = tree(
        route('a="x"', "one", goes_on=True),
        route('a=~"x|y"', "two", goes_on=True),
        route('a!="z"', "one", goes_on=True),
        route('a=~"x.*"', "three"),
    )
    assert chosen.match({"a": "x"}) == ("one", "two", "three")


def test_all_matchers_of_a_node_must_match():
    chosen = tree(route('a="x", b!="y", c=~"z.*"', "all"))
    assert chosen.match({"a": "x", "c": "zz"}) == ("all",)
    assert chosen.match({"a": "x", "b": "y", "c": "zz"}) == ("default",)


@pytest.mark.parametrize("root", [Route(None), Route(""), Route("r", parse_matchers("a=b"))])
def test_a_root_that_does_not_match_everything_is_rejected(root):
    with pytest.raises(ValueError, match="root"):
        RouteTree(root)


def test_explain_lists_every_node_that_was_tried():
    chosen = tree(
        route('a="x", b="y"', "first"),
        route('a="x"', "second", route('c="z"', "child")),
        route("", "never"),
    )
    steps = chosen.explain({"a": "x", "b": "w"})
    assert [(step.path, step.receiver, step.matched, step.is_result) for step in steps] == [
        ((), "default", True, False),
        ((0,), "first", False, False),
        ((1,), "second", True, True),
        ((1, 0), "child", False, False),
    ]
    assert steps[1].misses == (Miss(Matcher("b", Op.EQUAL, "y"), "w"),)
    assert steps[3].misses == (Miss(Matcher("c", Op.EQUAL, "z"), ""),)
    assert steps[2].route is chosen.root.routes[1]


# The table


def test_the_first_entry_that_matches_decides():
    chosen = table('a="x", b="y"', 'a=~"x|z"', 'a="x"', 'a=~".*"')
    assert chosen.match({"a": "x", "b": "y"}) == 0
    assert chosen.match({"a": "x"}) == 1
    assert chosen.match({"a": "w"}) == 3
    assert chosen.match({}) == 3
    assert table('a="x"').match({}) is None
    assert table().match({"a": "x"}) is None


@pytest.mark.parametrize("text", ['x=""', 'x=~".*"', 'x=~"a|"', 'x!="a"', 'x!~"a.*"', 'x=~"(?:)"'])
def test_a_missing_label_matches_as_the_empty_string(text):
    assert table(text).match({}) == 0
    assert table(text).match({"x": ""}) == 0
    assert table(text, 'y="b"').match({"y": "b"}) == 0
    assert table('y="b"', text).match({"y": "b"}) == 0


@pytest.mark.parametrize(
    ("text", "meets", "does_not"),
    [
        ('a=~"x|y"', ["x", "y"], ["", "xy", "x|y"]),
        ('a=~"(x|y)"', ["x", "y"], ["(x", "xy"]),
        ('a=~"(?:x|y)"', ["x", "y"], ["?:x"]),
        ('a=~"x\\\\.y|z"', ["x.y", "z"], ["x-y", "x\\.y"]),
        ('a=~"x.*"', ["x", "xy"], ["", "yx", "x\ny"]),
        ('a=~"x.+|y"', ["xz", "y"], ["x", "yz"]),
        ('a=~"(x|yy).*"', ["x", "yyz"], ["y", "yz"]),
        ('a=~"(x.*|y)"', ["xx", "y"], ["yx"]),
        ('a=~"xy|x.*"', ["xy", "xz"], ["y"]),
        ('a=~".*x.*"', ["x", "wxy"], ["", "y"]),
        ('a=~"(?i)x.*"', ["X", "xY"], ["y"]),
        ('a=~"x{2}"', ["xx"], ["x", "x{2}"]),
        ('a=~"x?"', ["x", ""], ["x?"]),
        ('a=~"x|y*"', ["x", "", "yy"], ["xy"]),
        ('a=~"[xy].*"', ["x", "yz"], ["z"]),
        ('a=~"x)|(y"', ["x", "xz", "zy"], ["", "z"]),
        ('a=~"(?s)x.*"', ["x\ny"], ["yx"]),
        ('a=~"ä.*|ß"', ["äö", "ß"], ["a"]),
    ],
)
def test_regular_expressions_are_found_however_they_are_filed(text, meets, does_not):
    # Alone, among others of its kind, and behind one that would be a worse anchor.
    for chosen in (table(text), table('a="-"', 'a=~"-.*"', 'a=~".*-"', text)):
        last = len(chosen.entries) - 1
        assert [chosen.match({"a": value}) for value in meets] == [last] * len(meets)
        assert [chosen.match({"a": value}) for value in does_not] == [None] * len(does_not)


def test_explain_lists_earlier_entries_with_the_values_they_found():
    chosen = table('a="x", b="y"', 'a!="x"', 'a=~"x.*"', 'a="x"')
    steps = chosen.explain({"a": "x"})
    assert [step.matched for step in steps] == [False, False, True]
    assert steps[0].misses == (Miss(Matcher("b", Op.EQUAL, "y"), ""),)
    assert steps[1].misses == (Miss(Matcher("a", Op.NOT_EQUAL, "x"), "x"),)
    assert steps[2].entry is chosen.entries[2]
    assert [step.matched for step in table('a="x"', 'b="y"').explain({})] == [False, False]


# Against plain loops

NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.sampled_from(
    ["", "x", "y", "xy", "xyz", "Xy", "x\ny", "ä", "K", "\u212a", "k", "a" * 300, "\ud800", "\x00"]
)
EXPRESSIONS = st.sampled_from(
    ["x", "x|y", "(x|xy)", "x.*", "xy.*", "xy|x.*", "x.*|y.+", "(x|y).*", ".*y", ".*y.*", "y.*z",
     ".*", ".+", "", "x|", "(|x)", "[xy]+", "(?i)x.*", "(?i)k", "(?s)x.*", "ä|ö.*", "a+", "\\x00",
     "x)|(y", "^x", "x$|y", "\\x{212a}.*", "."]
)  # fmt: skip
MATCHERS = st.builds(
    Matcher, NAMES, st.sampled_from([Op.EQUAL, Op.EQUAL, Op.NOT_EQUAL]), VALUES
) | st.builds(
    Matcher, NAMES, st.sampled_from([Op.REGEX, Op.REGEX, Op.NOT_REGEX]), EXPRESSIONS
)  # fmt: skip
LISTS = st.lists(MATCHERS, max_size=3).map(tuple)
ALERTS = st.lists(st.dictionaries(st.sampled_from(["a", "b", "d"]), VALUES), min_size=1, max_size=8)
ROUTES = st.recursive(
    st.builds(Route, st.sampled_from([None, "r", "s", "t"]), LISTS, st.booleans()),
    lambda below: st.builds(
        Route, st.sampled_from([None, "u", "v"]), LISTS, st.booleans(), st.lists(below).map(tuple)
    ),
    max_leaves=12,
)


def meets(matchers: tuple[Matcher, ...], labels: Labels) -> bool:
    return all(matcher.matches(labels) for matcher in matchers)


def plain_match(node: Route, labels: Labels, inherited: str) -> list[str]:
    """The route tree's rules as they are written down."""
    if not meets(node.matchers, labels):
        return []
    receiver = node.receiver or inherited
    found: list[str] = []
    for child in node.routes:
        below = plain_match(child, labels, receiver)
        found += below
        if below and not child.continue_:
            break
    return found or [receiver]


@given(st.lists(ROUTES, max_size=6).map(tuple), ALERTS)
@settings(deadline=None, max_examples=150)
def test_the_compiled_tree_equals_a_plain_walk(routes, alerts):
    root = Route("default", routes=routes)
    compiled = RouteTree(root)
    for labels in alerts:
        expected = tuple(dict.fromkeys(plain_match(root, labels, "")))
        assert compiled.match(labels) == expected
        steps = compiled.explain(labels)
        told = dict.fromkeys(step.receiver for step in steps if step.is_result)
        assert tuple(told) == expected
        assert len({step.path for step in steps}) == len(steps)


@given(st.lists(LISTS, max_size=25), ALERTS, st.integers(1, 4))
@settings(deadline=None, max_examples=150)
def test_the_compiled_table_equals_a_plain_loop(lists, alerts, times):
    # Repeated entries make values that many share, which changes what an entry is filed under.
    entries = [RunbookEntry(matchers, None) for matchers in lists * (times * 10 if lists else 1)]
    compiled = RunbookTable(entries)
    for labels in alerts:
        matching = (index for index, e in enumerate(entries) if meets(e.matchers, labels))
        expected = next(matching, None)
        assert compiled.match(labels) == expected
        steps = compiled.explain(labels)
        assert [step.matched for step in steps].count(True) == (expected is not None)
        assert len(steps) == (len(entries) if expected is None else expected + 1)
