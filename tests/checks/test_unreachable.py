"""Unreachable routes, entries and runbooks: places, messages, and cases that are not reported.

The plain cases are the examples of docs/checks.
"""

from pathlib import Path

import pytest

from alert_router.checks.unreachable import routing_problems, unreached
from alert_router.config import load
from alert_router.runbook import Catalogue
from tests.speed import within


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


def test_ten_thousand_entries_are_checked_in_seconds(problems_of):
    entries = (f'\'alertname="Alert{n}", namespace=~"team{n % 50}-.*"\'' for n in range(10_000))
    with within(60):
        assert problems_of(table(*entries)) == []


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
