"""Unreachable routes, entries and runbooks: places, messages, and cases that are not reported;
every report is true, and simple cases are complete.

The plain cases are the examples of docs/checks.
"""

from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router.checks.unreachable import (
    contradiction,
    covering,
    matches_everything,
    routing_problems,
    shadowed_entries,
    shadowed_routes,
    unreached,
)
from alert_router.config import load
from alert_router.matcher import Matcher, Op, parse_matchers
from alert_router.routing import Route, RouteTree, RunbookEntry, RunbookTable
from alert_router.runbook import Catalogue
from tests.speed import assert_linear


@pytest.fixture
def problems_of(tmp_path, monkeypatch):
    """The problems of a routing file, each as its place and message."""
    monkeypatch.chdir(tmp_path)

    def write_and_check(routing):
        Path("main.yaml").write_text("receivers: [{name: a}, {name: b}]\n", encoding="utf-8")
        Path("routing.yaml").write_text(routing, encoding="utf-8")
        found = routing_problems(load(Path("main.yaml")))
        return [f"{p.place.line}:{p.place.column} {p.message} [{p.code}]" for p in found]

    return write_and_check


ROUTE = "route: {receiver: a}\n"


def table(*matchers):
    entries = "".join(f"  - {{matchers: {text}, runbook: null}}\n" for text in matchers)
    return f"runbooks:\n{entries}{ROUTE}"


@pytest.mark.parametrize(
    "matchers",
    [
        """['team=""']""",
        """['team=~"|api"', 'severity!="none"']""",
        """['alertname!="Watchdog"']""",
        """['alertname="X"', 'team!="api"']""",
        """['team=~"api|web"', 'severity!="none"']""",
        """['team!=""']""",
        """['team=~".+"']""",
    ],
)
def test_matchers_that_allow_or_exclude_missing_labels_explicitly_are_not_reported(
    problems_of, matchers
):
    assert problems_of(table(matchers)) == []


@pytest.mark.parametrize(
    ("matchers", "message"),
    [
        (
            """['a="x"', 'team=~".*"']""",
            '`team=~".*"` matches every alert: a missing label is empty',
        ),
        ("""['a="x"', 'team=~"|.+"']""", '`team=~"|.+"` matches every alert'),
        ("""['a!="x"', 'b!~"y.*"']""", "also matches alerts without `a` and `b`: a missing label"),
        ("""['a=~"(x|y)?"']""", "also matches alerts without `a`"),
    ],
)
def test_an_entry_that_matches_missing_labels_is_reported_once(problems_of, matchers, message):
    (only,) = problems_of(table(matchers))
    assert message in only
    assert only.endswith("[routing-matches-missing]")


def test_a_route_with_negative_matchers_is_not_reported(problems_of):
    assert (
        problems_of(f"{ROUTE[:-2]}, routes: [{{matchers: 'severity!=\"none\"', receiver: b}}]}}\n")
        == []
    )


def test_matchers_in_one_string_share_its_place(problems_of):
    (only,) = problems_of(table("""['a="x",b="y",a="z"']"""))
    assert only == '2:17 no alert matches both `a="z"` and `a="x"` [routing-contradiction]'


def test_a_contradictory_entry_is_not_reported_as_shadowed(problems_of):
    found = problems_of(table("""'a=~".+"'""", """['a="x"', 'a="y"']""", """'a="x"'"""))
    assert [text.rpartition("[")[2] for text in found] == [
        "routing-contradiction]",
        "routing-shadowed-entry]",
    ]


def test_only_the_first_of_many_shadowing_entries_are_listed(problems_of):
    entries = [f"'a=\"{n}\"'" for n in range(8)]
    found = problems_of(table(*entries, "'a=~\"" + "|".join(map(str, range(8))) + "\"'"))
    assert found == [
        "10:5 no alert reaches this entry: the entries at 2:5, 3:5, 4:5, 5:5, 6:5 and 3 more "
        "together match everything it could match [routing-shadowed-entry]"
    ]


def test_routes_below_an_unreachable_route_are_not_reported(problems_of):
    found = problems_of(
        "route:\n  receiver: a\n  routes:\n"
        "    - {matchers: 'a=\"x\"', receiver: b}\n"
        "    - matchers: 'a=\"x\"'\n      routes: [{matchers: 'b=\"y\"'}, {matchers: 'b=\"y\"'}]\n"
        "    - matchers: 'a=\"y\"'\n      routes: [{matchers: 'b=\"y\"'}, {matchers: 'b=\"y\"'}]\n"
    )
    assert [text.split(" ")[0] for text in found] == ["5:7", "8:37"]


def test_entries_that_alias_one_node_are_reported_at_its_place(problems_of):
    found = problems_of("runbooks:\n  - &e {matchers: 'a=\"x\"', runbook: null}\n  - *e\n" + ROUTE)
    assert found == [
        "2:5 no alert reaches this entry: the entry at 2:5 matches everything it could match "
        "[routing-shadowed-entry]"
    ]


def test_a_file_that_has_changed_since_it_was_loaded_is_not_checked(problems_of, tmp_path):
    problems_of(table("'a=\"x\"'", "'a=\"x\"'"))
    loaded = load(Path("main.yaml"))
    Path("routing.yaml").write_text(table("'a=\"x\"'"), encoding="utf-8")
    assert [p.code for p in routing_problems(loaded)] == []
    Path("routing.yaml").unlink()
    assert list(routing_problems(loaded)) == []


def test_a_runbook_is_reached_by_the_table_the_default_and_rules(problems_of, tmp_path):
    Path("books").mkdir()
    for name in ("table", "default", "rules", "people", "lost"):
        text = "# T\n" if name != "people" else "---\nalerts: None\n---\n# T\n"
        Path(f"books/{name}.md").write_text(text, encoding="utf-8")
    problems_of(f"runbooks: [{{matchers: a=b, runbook: table}}]\ndefault_runbook: default\n{ROUTE}")
    found = unreached(load(Path("main.yaml")), Catalogue.load(Path("books")), {"rules"})
    assert [str(problem.place) for problem in found] == ["books/lost.md"]


def test_without_a_table_no_runbook_is_expected_in_it(problems_of):
    Path("books").mkdir()
    Path("books/lost.md").write_text("# T\n", encoding="utf-8")
    problems_of(ROUTE)
    assert list(unreached(load(Path("main.yaml")), Catalogue.load(Path("books")), ())) == []


def test_time_to_check_a_table_grows_with_its_entries(problems_of):
    def check(size):
        entries = (f'\'alertname="Alert{n}", namespace=~"team{n % 50}-.*"\'' for n in range(size))
        assert problems_of(table(*entries)) == []

    assert_linear(check, 250)


def test_a_file_is_reached_through_its_sections(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("books").mkdir()
    for name in ("table", "rules", "nowhere"):
        Path(f"books/{name}.md").write_text("# M\n\n## QueueDown\n\n1. Do.\n")
    Path("main.yaml").write_text("receivers: [{name: a}]\n")
    Path("routing.yaml").write_text(
        f"runbooks:\n  - {{matchers: 'x=y', runbook: 'table.md#queuedown'}}\n{ROUTE}"
    )

    found = unreached(load(Path("main.yaml")), Catalogue.load(Path("books")), {"rules": None})

    assert [problem.place.file for problem in found] == ["books/nowhere.md"]


def odd(problems):
    return [problem for problem in problems if "routing-odd-value" in problem]


@pytest.mark.parametrize(
    ("matcher", "looks"),
    [
        ("severity='critical'", "single quotes"),
        ("severity == critical", "second `=`"),
        ("severity=critical and team=a", "all of this is one value"),
        ("severity=critical or severity=warning", "all of this is one value"),
        ('alertname="Kube.*"', "`=` compares the text as it is"),
        ('alertname!="Kube.+"', "`!=` compares the text as it is"),
        ('severity="critical|warning"', "`=` compares the text as it is"),
        ('severity=~"critical, warning"', "a comma separates nothing"),
        ('alertname=~"Kube*"', "repeats the character before it"),
    ],
)
def test_a_value_that_is_probably_meant_otherwise_is_reported(problems_of, matcher, looks):
    entry = "'" + matcher.replace("'", "''") + "'"
    (found,) = odd(problems_of(f"runbooks:\n  - {{matchers: [{entry}], runbook: null}}\n{ROUTE}"))
    assert looks in found
    routes = f"route:\n  receiver: a\n  routes: [{{matchers: [{entry}]}}]\n"
    assert len(odd(problems_of(routes))) == 1


@pytest.mark.parametrize(
    "matcher",
    [
        *('a="it\'s"', 'path="/api/*"', 'a=~"x|y.*"', 'a="black and white"', 'version="1.2+3"'),
        *('a=~"a{1,2}"', 'a="x,y"', 'a=~".*x.*"', 'a="||"', 'le="+Inf"', 'job="a.b"'),
    ],
)
def test_a_value_that_a_label_may_have_is_not_reported(problems_of, matcher):
    entry = "'" + matcher.replace("'", "''") + "'"
    assert odd(problems_of(f"runbooks:\n  - {{matchers: [{entry}], runbook: null}}\n{ROUTE}")) == []


NAMES = ("a", "b", "c")
VALUES = ("", "x", "y", "z", "xy", "xyz", "xz", "?")  # one of each kind, whatever the matchers
ALL = [dict(zip(NAMES, values, strict=True)) for values in product(VALUES, repeat=len(NAMES))]
SIMPLE = ["", "x", "y", "xy", "x|y", "|x", "x|y|xy", "|x|y|xy", "x.*", "x.+", ".+", ".*", "|x.+"]
EXPRESSIONS = ["x?", "[xy]", "x+y?", "(x|y)y?", ".y", "[^x].*", "z|x{1,2}"]


def made_table(*entries: str) -> RunbookTable:
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
    assert covered('a="x"', *many) is None


def test_time_to_find_shadowed_entries_grows_with_the_table():
    def find(size):
        entries = [f'alertname="Alert{n}", team=~"team{n % 7}.*"' for n in range(size)]
        found = [shadowed.index for shadowed in shadowed_entries(made_table(*entries, entries[17]))]
        assert found == [size]

    assert_linear(find, 250)
