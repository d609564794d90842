"""`alert-router runbook new` and `runbook index`."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
import yaml

from alert_router.config import load
from alert_router.runbook import STANDARD_SECTIONS, Catalogue, parse_runbook
from alert_router.runbook.generate import Audit, audit_of, index_page
from alert_router.runbook.metadata import next_review, parse_interval


def today() -> date:
    """As a test begins: tests may run on after midnight."""
    return datetime.now(UTC).date()


def test_a_new_runbook_has_every_section_and_its_entry_selects_it(router):
    result = router.run("runbook", "new", "alerts/kafka-lag", "--alert", "KafkaLag")

    assert result.exit_code == 0
    entry = "  - matchers: ['alertname=\"KafkaLag\"']\n    runbook: alerts/kafka-lag\n"
    assert result.stdout == (
        f"created runbooks/alerts/kafka-lag.md\n\nAdd to `runbooks:` in routing.yaml:\n{entry}"
    )
    routing = (router.directory / "routing.yaml").read_text()
    router.write("routing.yaml", routing.replace("runbooks:\n", f"runbooks:\n{entry}"))
    loaded = load(router.config)
    assert loaded.table.match({"alertname": "KafkaLag"}) == 0
    runbook = Catalogue.load(loaded.config.runbooks.path).get("alerts/kafka-lag")
    assert tuple(section.name for section in runbook.sections) == STANDARD_SECTIONS
    assert runbook.metadata["last_updated"] == str(today())


def test_a_new_runbook_has_no_findings_but_its_todo_markers(router):
    router.run("runbook", "new", "alerts/kafka-lag", "--alert", 'Kafka"Lag(x)', "--owner", "SRE")
    found = router.run("runbook", "lint", "runbooks/alerts/kafka-lag.md").stdout
    codes = set(re.findall(r"\[([a-z]+-[a-z-]+)\]$", found, re.MULTILINE))
    assert codes == {"runbook-leftover"}


@pytest.mark.parametrize(
    "names", [["Kafka.Lag(x)", "b|c"], ["quo\"te's", "back\\slash"], ["é\nx", "$^"]]
)
def test_the_entry_matches_exactly_the_named_alerts(router, names):
    options = [word for name in names for word in ("--alert", name)]
    result = router.run("runbook", "new", "alerts/odd", *options)
    entry = result.stdout.partition("routing.yaml:\n")[2]
    router.write("routing.yaml", f"runbooks:\n{entry}route: {{receiver: oncall}}\n")
    table = load(router.config).table
    for name in names:
        assert table.match({"alertname": name}) == 0
        assert table.match({"alertname": f"{name}x"}) is None
    assert table.match({"alertname": "KafkaxLag(x)"}) is None


@pytest.mark.parametrize("title", ["Kafka: *lag* [x](y) <b>", "'quoted' \"too\"", "# é"])
def test_any_text_can_be_a_title(router, title):
    router.run("runbook", "new", "alerts/odd", "--title", title, "--owner", "a: b")
    path = router.directory / "runbooks/alerts/odd.md"
    runbook = parse_runbook(path.read_text(), id="alerts/odd", path="odd.md")
    assert (runbook.title, runbook.metadata["title"]) == (title, title)
    assert runbook.metadata["owner"] == "a: b"
    assert runbook.problems == ()


def test_an_existing_runbook_is_not_overwritten(router):
    before = (router.directory / "runbooks/alerts/redis-issues.md").read_text()
    result = router.run("runbook", "new", "alerts/redis-issues")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "runbooks/alerts/redis-issues.md already exists" in result.stderr
    assert (router.directory / "runbooks/alerts/redis-issues.md").read_text() == before


@pytest.mark.parametrize("id", ["kafka", "../x/y", "alerts/../../x", "/etc/x", "a b/c", "alerts/"])
def test_an_invalid_id_is_a_usage_error(router, id):
    result = router.run("runbook", "new", id)
    assert result.exit_code == 2
    assert "expected CATEGORY/NAME" in result.stderr


def test_the_index_lists_all_runbooks_and_is_then_current(router):
    assert router.run("runbook", "index", "--check").exit_code == 1
    assert router.run("runbook", "index").stdout == "runbooks/README.md  2 runbooks\n"
    page = (router.directory / "runbooks/README.md").read_text()
    assert "| [Redis issues](alerts/redis-issues.md) | alerts | Critical (P0) |" in page
    assert "| none yet | as soon as possible |" in page
    assert router.run("runbook", "index", "--check").exit_code == 0


def test_an_outdated_index_shows_the_first_difference(router):
    router.run("runbook", "index")
    router.write("runbooks/alerts/redis-issues.md", "# Redis is slow\n\n## Detection\n\nLook.\n")
    result = router.run("runbook", "index", "--check")
    assert result.exit_code == 1
    assert re.search(
        r"^runbooks/README\.md:\d+: outdated; .*\n  - \| \[Redis issues\].*\n  \+ \| \[Redis is",
        result.stderr,
    )


def test_the_index_keeps_its_audit_until_the_next(router):
    router.run("runbook", "index", "--audited", "2026-10-01", "--audit-interval", "30d")
    router.run("runbook", "index")
    page = (router.directory / "runbooks/README.md").read_text()
    assert "| 2026-10-01 | 2026-10-31 |" in page
    router.run("runbook", "index", "--audited", "today")
    page = (router.directory / "runbooks/README.md").read_text()
    assert f"| {today()} | {today() + timedelta(30)} |" in page


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--audited", "soon"),
        ("--audited", str(today() + timedelta(2))),
        ("--audit-interval", "often"),
        ("--audit-interval", "0d"),
    ],
)
def test_an_invalid_audit_date_or_interval_is_a_usage_error(router, option, value):
    assert router.run("runbook", "index", option, value).exit_code == 2


def test_a_page_written_by_hand_is_overwritten_only_with_force(router):
    page = router.write("runbooks/README.md", "# Ours\n")
    result = router.run("runbook", "index")
    assert result.exit_code == 1
    assert "was written by hand" in result.stderr
    assert page.read_text() == "# Ours\n"
    assert router.run("runbook", "index", "--force").exit_code == 0
    assert "## Inventory" in page.read_text()


def test_hostile_metadata_stays_in_its_cell(tmp_path):
    metadata = {"title": "a | b `c` [d](e) <img>", "owner": "x\ny|z", "severity": "**!**"}
    path = tmp_path / "a" / "b c (d).md"
    path.parent.mkdir()
    path.write_text(f"---\n{yaml.safe_dump(metadata)}---\n\nText.\n")
    page = index_page(Catalogue.load(tmp_path), Audit())
    row = next(line for line in page.splitlines() if line.startswith("| [a "))
    assert len(re.findall(r"(?<!\\)\|", row)) == 7
    assert "(a/b%20c%20%28d%29.md)" in row


def test_the_audit_is_read_from_an_index_only():
    page = "<!-- alert-router runbook index; audited 2026-01-02; audit every 1y -->"
    assert str(audit_of(page).next) == "2027-01-02"
    assert audit_of("# Runbooks") == Audit()
    assert audit_of(page.replace("1y", "often")).interval == "90d"


@pytest.mark.parametrize(
    ("text", "days"),
    [("90d", 90), ("12w", 84), ("Quarterly", 90), ("every 2 Months", 60), ("1y", 365), ("", None)],
)
def test_intervals_are_read_as_people_write_them(text, days):
    assert parse_interval(text) == days


def test_a_runbook_without_dates_has_no_next_review():
    assert next_review({"review_interval": "90d"}) is None
    assert (
        str(next_review({"last_updated": "2026-11-23", "review_interval": "90d"})) == "2027-02-21"
    )
