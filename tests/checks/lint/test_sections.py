"""Sections that are missing, empty, repeated, out of order, or without steps."""

import pytest

from alert_router.runbook import STANDARD_SECTIONS
from tests.checks.lint.kit import FRONT, complete, found, linted

FOREIGN = """\
# {0}

## Meaning

{0} fires.

## Impact

None.

## Diagnosis

Look.

## Mitigation

Wait.
"""


def test_a_complete_runbook_has_no_problem(tmp_path):
    assert linted(tmp_path, complete()) == []


@pytest.mark.parametrize("name", STANDARD_SECTIONS)
def test_each_missing_standard_section_is_reported(tmp_path, name):
    problems = linted(tmp_path, complete(**{name.replace("-", "_"): ""}))

    assert found(problems, "runbook-missing-section") == [
        (11, 3, f"missing section: {name}"),
    ]
    assert len(problems) == 1


def test_all_missing_sections_are_one_problem(tmp_path):
    text = complete(Overview="", Severity="", Mitigation="")

    [(_, _, message)] = found(linted(tmp_path, text), "runbook-missing-section")
    assert message == "missing sections: Overview, Severity, Mitigation"


def test_a_collection_with_sections_of_its_own_is_checked_against_them(tmp_path):
    files = {f"alert-{n}.md": FOREIGN.format(f"Alert{n}") for n in range(5)}
    files["odd.md"] = "# Odd\n\n## Meaning\n\nIt fires.\n\n## Mitigation\n\nWait.\n"

    problems = linted(tmp_path, files)

    assert [(p.place.file, p.message) for p in problems] == [
        (str(tmp_path / "odd.md"), "missing sections: Impact, Diagnosis")
    ]


def test_synonymous_headings_count_as_the_section(tmp_path):
    text = "# Example\n\n## 1. Symptoms\n\n1. Slow.\n\n## How to fix\n\n1. Restart.\n"
    assert linted(tmp_path, text) == []


def test_an_empty_section_is_reported(tmp_path):
    text = complete().replace("1. About verification.\n", "<!-- later -->\n")

    problems = linted(tmp_path, text)

    assert found(problems, "runbook-empty-section") == [(37, 4, "section `Verification` is empty")]


def test_a_heading_that_groups_sections_is_not_empty(tmp_path):
    text = "# One\n\n## Detection\n\n1. Look.\n\n# Two\n\n## Mitigation\n\n1. Act.\n"
    assert found(linted(tmp_path, text), "runbook-empty-section") == []


def test_two_headings_for_one_section_are_valid(tmp_path):
    text = "# Example\n\n## Symptoms\n\n1. A.\n\n## Triggers\n\n1. B.\n\n## Fix\n\n1. C.\n"
    assert linted(tmp_path, text) == []


def test_a_repeated_heading_is_reported(tmp_path):
    text = "# Example\n\n## Detection\n\n1. A.\n\n## Fix\n\n1. B.\n\n## 🔥 Fix:\n\n1. C.\n"

    assert found(linted(tmp_path, text), "runbook-repeated-section") == [
        (11, 4, "`🔥 Fix:` repeats the section on line 7")
    ]


def test_only_the_misplaced_section_is_reported(tmp_path):
    text = complete(Verification="").replace(
        "\n## Overview", "\n## Verification\n\n1. It is quiet.\n\n## Overview"
    )
    assert found(linted(tmp_path, text), "runbook-misordered-section") == [
        (13, 4, "`Verification` is out of order: Verification comes after Mitigation")
    ]


def test_order_is_not_checked_without_the_standard_sections(tmp_path):
    text = "# A\n\n## Mitigation\n\n1. Act.\n\n## Diagnosis\n\n1. Look.\n\n## Meaning\n\nIt is.\n"
    assert found(linted(tmp_path, text), "runbook-misordered-section") == []


@pytest.mark.parametrize("body", ["Look.", "- Look.\n- Listen.", "```bash\nls\n```"])
def test_detection_without_steps(tmp_path, body):
    problems = linted(tmp_path, complete(Detection=body))
    assert [message for _, _, message in found(problems, "runbook-no-steps")] == [
        "`Detection` has no steps"
    ]


def test_bullets_are_steps_where_the_standard_is_not_followed(tmp_path):
    text = "# A\n\n## Meaning\n\nIt is.\n\n## Diagnosis\n\n{}\n"
    files = {f"a{n}.md": text.format("1. Look.") for n in range(8)}
    problems = linted(tmp_path, {**files, "b.md": text.format("- Look."), "c.md": text.format("x")})
    assert [p.place.file[-4:] for p in problems if p.code == "runbook-no-steps"] == ["c.md"]


def test_a_collection_without_one_side_is_not_expected_to_have_it(tmp_path):
    files = {f"Pod{n}Down.md": f"# Pod{n}Down\n\n## Fix\n\n1. Do it.\n" for n in range(4)}
    problems = linted(tmp_path, {**files, "JobFailed.md": "# JobFailed\n\nNothing.\n"})
    assert [m for _, _, m in found(problems, "runbook-missing-section")] == [
        "missing sections: Detection, Fix"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "# PodDown [deprecated]\n\nIgnore it.\n",
        "# PodDown\n\nThis alert is obsolete.\n",
        "# PodDown\n\nThis runbook was moved to [the other](b.md).\n",
        "= PodDown\n\n== {procedure}\n\nText.\n",
        "# How names are made\n\n## Outputs\n\nThey have one.\n",
    ],
)
def test_a_retired_alert_or_another_page_of_its_name_needs_no_sections(tmp_path, text):
    assert (
        found(
            linted(tmp_path, {f"PodDown.{'adoc' if text[0] == '=' else 'md'}": text}),
            "runbook-missing-section",
        )
        == []
    )


def test_pages_of_a_collection_that_is_not_about_alerts_need_no_sections(tmp_path):
    pages = {f"p{n}.md": f"# Page {n}\n\n## Outputs\n\nText.\n" for n in range(9)}
    page = {"FinOps.md": "# FinOps\n\n## Costs\n\nMuch.\n"}
    assert found(linted(tmp_path / "a", {**pages, **page}), "runbook-missing-section") == []
    assert len(found(linted(tmp_path / "b", page), "runbook-missing-section")) == 1


def test_pages_about_the_repository_need_no_sections(tmp_path):
    runbook = "# {}\n\n## Meaning\n\nIt is.\n\n## Impact\n\nMuch.\n\n## Fix\n\n1. Do it.\n"
    page = "# Code of Conduct\n\n## Meaning\n\nBe kind.\n\n## Fix\n\n1. Talk.\n"
    files = {f"Pod{n}Down.md": runbook.format(f"Pod{n}Down") for n in range(8)}
    problems = linted(tmp_path, {**files, "CODE_OF_CONDUCT.md": page})
    assert found(problems, "runbook-missing-section") == []
    problems = linted(tmp_path, {"other.md": page})
    assert len(found(problems, "runbook-missing-section")) == 1


def test_an_empty_heading_that_is_no_section_is_not_reported(tmp_path):
    text = "# A\n\n## [Other page](b.md)\n\n## Restart it\n\n## Mitigation\n\n## Fleet\n\nx\n"
    assert [m for _, _, m in found(linted(tmp_path, text), "runbook-empty-section")] == [
        "section `Mitigation` is empty"
    ]


@pytest.mark.parametrize("body", ["1. Look.", "- [ ] Look.", "### Look\n\nThere."])
def test_steps_can_be_written_in_three_ways(tmp_path, body):
    assert linted(tmp_path, complete(Detection=body)) == []


def test_an_empty_file_and_front_matter_alone_are_reported_once(tmp_path):
    problems = linted(tmp_path, {"a.md": "", "b.md": FRONT.split("# ")[0]})
    assert [problem.code for problem in problems] == ["runbook-empty", "runbook-empty"]


@pytest.mark.parametrize(
    "text",
    [
        "# Give access\n\n## Steps\n\n1. Do.\n",
        "# Playbooks\n\n## QueueDown\n\n1. Do.\n\n## QueueFull\n\n1. Do.\n",
        "---\nalerts: none\n---\n# Down\n\n## Impact\n\nx\n\n## Fix\n\n1. Do.\n",
        "# QueueDown\n\n## Investigation\n\n1. Look.\n\n## Fix\n\n1. Do.\n",
    ],
)
def test_pages_that_are_not_the_runbook_of_one_alert_need_no_sections(tmp_path, text):
    assert not found(linted(tmp_path, text), "runbook-missing-section")


def test_sections_below_different_headings_do_not_repeat_each_other(tmp_path):
    text = "# P\n\n" + "".join(f"## {name}\n\n## Fix\n\n1. Do.\n\n" for name in ("Disk", "Net"))
    assert not [p for p in linted(tmp_path, text) if p.code == "runbook-repeated-section"]
    assert not found(linted(tmp_path, text), "runbook-empty-section")
