"""What of the routing no alert reaches, and what reaches too far: places, sentences, and what is
deliberately not told. The plain cases are the pages' examples (docs/checks)."""

import time
from pathlib import Path

import pytest

from alert_router.checks.unreachable import routing_problems, unreached
from alert_router.config import load
from alert_router.runbook import Catalogue


@pytest.fixture
def told(tmp_path, monkeypatch):
    """The problems of a routing file, each as its place and message."""
    monkeypatch.chdir(tmp_path)

    def write_and_judge(routing):
        Path("main.yaml").write_text("receivers: [{name: a}, {name: b}]\n", encoding="utf-8")
        Path("routing.yaml").write_text(routing, encoding="utf-8")
        found = routing_problems(load(Path("main.yaml")))
        return [f"{p.place.line}:{p.place.column} {p.message} [{p.code}]" for p in found]

    return write_and_judge


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
def test_what_says_that_a_label_may_be_missing_or_is_there_is_no_accident(told, matchers):
    assert told(table(matchers)) == []


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
def test_what_matches_by_absence_alone_is_told_once(told, matchers, message):
    (only,) = told(table(matchers))
    assert message in only
    assert only.endswith("[routing-matches-missing]")


def test_a_route_may_say_what_is_not(told):
    assert (
        told(f"{ROUTE[:-2]}, routes: [{{matchers: 'severity!=\"none\"', receiver: b}}]}}\n") == []
    )


def test_matchers_in_one_text_share_its_place(told):
    (only,) = told(table("""['a="x",b="y",a="z"']"""))
    assert only == '2:17 no alert matches both `a="z"` and `a="x"` [routing-contradiction]'


def test_an_entry_that_nothing_meets_is_not_called_shadowed_as_well(told):
    found = told(table("""'a=~".+"'""", """['a="x"', 'a="y"']""", """'a="x"'"""))
    assert [text.rpartition("[")[2] for text in found] == [
        "routing-contradiction]",
        "routing-shadowed-entry]",
    ]


def test_many_that_take_all_are_named_in_part(told):
    entries = [f"'a=\"{n}\"'" for n in range(8)]
    found = told(table(*entries, "'a=~\"" + "|".join(map(str, range(8))) + "\"'"))
    assert found == [
        "10:5 no alert reaches this entry: the entries at 2:5, 3:5, 4:5, 5:5, 6:5 and 3 more "
        "together match everything it could match [routing-shadowed-entry]"
    ]


def test_below_a_route_that_is_never_reached_nothing_more_is_told(told):
    found = told(
        "route:\n  receiver: a\n  routes:\n"
        "    - {matchers: 'a=\"x\"', receiver: b}\n"
        "    - matchers: 'a=\"x\"'\n      routes: [{matchers: 'b=\"y\"'}, {matchers: 'b=\"y\"'}]\n"
        "    - matchers: 'a=\"y\"'\n      routes: [{matchers: 'b=\"y\"'}, {matchers: 'b=\"y\"'}]\n"
    )
    assert [text.split(" ")[0] for text in found] == ["5:7", "8:37"]


def test_entries_that_are_aliases_of_one_are_told_at_their_one_place(told):
    found = told("runbooks:\n  - &e {matchers: 'a=\"x\"', runbook: null}\n  - *e\n" + ROUTE)
    assert found == [
        "2:5 no alert reaches this entry: the entry at 2:5 matches everything it could match "
        "[routing-shadowed-entry]"
    ]


def test_nothing_is_told_of_a_file_that_changed_meanwhile(told, tmp_path):
    told(table("'a=\"x\"'", "'a=\"x\"'"))
    loaded = load(Path("main.yaml"))
    Path("routing.yaml").write_text(table("'a=\"x\"'"), encoding="utf-8")
    assert [p.code for p in routing_problems(loaded)] == []
    Path("routing.yaml").unlink()
    assert list(routing_problems(loaded)) == []


def test_a_runbook_is_reached_by_the_table_the_default_and_the_alerts_of_rules(told, tmp_path):
    Path("books").mkdir()
    for name in ("table", "default", "rules", "people", "lost"):
        text = "# T\n" if name != "people" else "---\nalerts: None\n---\n# T\n"
        Path(f"books/{name}.md").write_text(text, encoding="utf-8")
    told(f"runbooks: [{{matchers: a=b, runbook: table}}]\ndefault_runbook: default\n{ROUTE}")
    found = unreached(load(Path("main.yaml")), Catalogue.load(Path("books")), {"rules"})
    assert [str(problem.place) for problem in found] == ["books/lost.md"]


def test_ten_thousand_entries_are_judged_in_seconds(told):
    entries = (f'\'alertname="Alert{n}", namespace=~"team{n % 50}-.*"\'' for n in range(10_000))
    started = time.monotonic()
    assert told(table(*entries)) == []
    assert time.monotonic() - started < 60
