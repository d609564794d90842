"""Metadata that is missing, cannot be, or says that a review is due."""

from datetime import date

import pytest

from alert_router.checks.lint import lint
from alert_router.runbook import Catalogue
from tests.checks.lint.kit import FRONT, TODAY, complete, found, linted, pointed_at


def with_field(name: str, value: str) -> str:
    lines = [
        f"{name}: {value}" if line.startswith(f"{name}:") else line for line in FRONT.split("\n")
    ]
    return complete().replace(FRONT, "\n".join(lines))


@pytest.mark.parametrize("name", ["title", "category", "severity", "owner", "tags"])
def test_each_missing_field_is_reported(tmp_path, name):
    problems = linted(tmp_path, with_field(name, ""))

    assert found(problems, "runbook-missing-metadata") == [(1, 1, f"missing metadata: {name}")]
    assert len(problems) == 1


def test_a_runbook_without_metadata_is_reported_once(tmp_path):
    files = {"a.md": complete(), "b.md": complete().replace(FRONT, "# Example\n")}

    problems = linted(tmp_path, files)

    assert [(p.code, p.place.line) for p in problems] == [("runbook-no-metadata", 1)]


def test_a_collection_without_metadata_needs_none(tmp_path):
    text = complete().replace(FRONT, "---\ntitle: Example\nweight: 3\n---\n# Example\n")
    assert linted(tmp_path, {"a.md": text, "b.md": text}) == []


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("last_updated", "yesterday", "last_updated: `yesterday` is not a date"),
        ("last_updated", "2026-02-30", "last_updated: `2026-02-30` is not a date"),
        ("last_updated", "2026-11-24", "last_updated: `2026-11-24` is in the future"),
        ("review_interval", "soon", "review_interval: `soon` is not an interval"),
        (
            "category",
            "operations",
            "category: `operations` is not the directory of the runbook",
        ),
        ("severity", "critcal", "severity: `critcal` is not a severity"),
        ("tags", "[a, b, A]", "tags: duplicate tag `a`"),
    ],
)
def test_an_invalid_value_is_reported_at_its_field(tmp_path, name, value, message):
    [problem] = linted(tmp_path, with_field(name, value))

    assert (problem.code, problem.message) == ("runbook-bad-metadata", message)
    assert pointed_at(problem).startswith(name)


@pytest.mark.parametrize(
    "value", ["critical", "Critical (P0)", "P1", "sev2", "S3", "warning/critical", "SEV-1", "High"]
)
def test_common_spellings_of_severities_are_valid(tmp_path, value):
    assert linted(tmp_path, with_field("severity", value)) == []


@pytest.mark.parametrize("value", ["90d", "12w", "1y", "90 days", "3 months", "quarterly", "none"])
def test_common_spellings_of_intervals_are_valid(tmp_path, value):
    assert linted(tmp_path, with_field("review_interval", value)) == []


@pytest.mark.parametrize(("today", "due"), [(date(2027, 1, 30), False), (date(2027, 1, 31), True)])
def test_a_review_is_overdue_from_the_day_after(tmp_path, today, due):
    linted(tmp_path, complete())

    problems = lint(Catalogue.load(tmp_path), today=today)

    expected = "review was due on 2027-01-30: last updated 2026-11-01, review interval 90d"
    assert [p.message for p in problems] == ([expected] if due else [])


def test_bold_lines_are_metadata_with_places(tmp_path):
    front = "# Example\n\n**Severity:** Critcal | **Owner:** SRE Team | **Last Updated:** never\n"

    problems = linted(tmp_path, complete().replace(FRONT, front))

    bad = [p for p in problems if p.code == "runbook-bad-metadata"]
    assert [(p.message, pointed_at(p).split(":")[0]) for p in bad] == [
        ("severity: `Critcal` is not a severity", "Severity"),
        ("last_updated: `never` is not a date", "Last Updated"),
    ]


def test_a_runbook_outside_a_directory_can_have_any_category(tmp_path):
    assert linted(tmp_path, {"example.md": complete()}) == []


def test_the_latest_possible_date_is_accepted(tmp_path):
    [problem] = linted(tmp_path, with_field("last_updated", "9999-12-31"))
    assert problem.message.endswith("is in the future")
    assert TODAY.year < 9999
