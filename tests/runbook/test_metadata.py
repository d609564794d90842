"""Metadata is found in front matter, in bold lines and in a table, and is text."""

import pytest

from alert_router.runbook import parse_runbook


def fields(text: str) -> dict[str, str]:
    return dict(parse_runbook(text, id="t", path="t.md").metadata)


def test_front_matter_values_are_text_as_written() -> None:
    text = (
        "---\ntitle: Redis\nweight: 020\ndate: 2024-01-02\non: yes\nempty:\nLast Updated: 1:30\n"
        "aliases: [/a, /b]\nnested: {a: b}\n---\n# T\n"
    )
    assert fields(text) == {
        "title": "Redis",
        "weight": "020",
        "date": "2024-01-02",
        "on": "yes",
        "empty": "",
        "last_updated": "1:30",
        "aliases": "/a, /b",
    }


@pytest.mark.parametrize(
    "text",
    [
        "**Severity:** Critical (P0)  \n**On-Call Team**: Platform\n",
        "**Severity:** Critical (P0)\n**On-Call Team:** Platform\n",
        "**Severity:** Critical (P0)\n\nSome prose.\n\n**On-Call Team:** Platform\n",
        "**Severity:** Critical (P0) | **On-Call Team:** Platform\n",
        "- **Severity:** Critical (P0)\n- **On-Call Team:** Platform\n",
        "| Severity | Critical (P0) |\n|---|---|\n| On-Call Team | Platform |\n",
        "| Key | Value |\n|-|-|\n| **Severity** | Critical (P0) |\n| On-Call Team: | Platform |\n",
        "| | |\n|---|---|\n| Severity | Critical (P0) |\n| On-Call Team | Platform |\n",
    ],
)
def test_fields_under_the_title(text: str) -> None:
    assert fields(f"# T\n\n{text}\n## A\n") == {
        "severity": "Critical (P0)",
        "on_call_team": "Platform",
    }


def test_front_matter_wins_over_what_is_under_the_title() -> None:
    assert fields("---\nseverity: P1\n---\n# T\n\n**Severity:** P0\n**Owner:** x\n") == {
        "severity": "P1",
        "owner": "x",
    }


@pytest.mark.parametrize(
    "text",
    [
        "# T\n\n**Note:** not a field\n",
        "# T\n\nProse with **bold:** in it\n",
        "# T\n\n**Bold words** alone\n",
        "# T\n\n| a | b | c |\n|---|---|---|\n| 1 | 2 | 3 |\n",
        "# T\n\n## A\n\n**Severity:** in a section\n",
        f"# T\n\n**{'x' * 50}:** too long for a name\n",
    ],
)
def test_text_that_only_resembles_a_field_is_not_one(text: str) -> None:
    assert fields(text) == {}


@pytest.mark.parametrize(
    "text",
    [
        "a: [b",
        "a: b: c",
        "\tx",
        "just text",
        "[" * 5_000,
        "a: !!python/object/apply:os.system [x]",
        "a: \x01",
        "x: " + "y" * 70_000,
        "? [a]\n: b",
        "a: *missing",
    ],
)
def test_unreadable_front_matter_is_a_problem_or_text_and_the_runbook_is_kept(text: str) -> None:
    runbook = parse_runbook(f"---\n{text}\n---\n# T\n", id="t", path="t.md")
    assert runbook.title == "T"
    harmless = text.startswith("a: !!python")  # read as a plain list of text
    assert [p.code for p in runbook.problems] == ([] if harmless else ["runbook-front-matter"])
    assert not harmless or dict(runbook.metadata) == {"a": "x"}


def test_front_matter_without_an_end_is_reported() -> None:
    text = "---\nowner: SRE\nseverity: critical\n\n# T\n\n## Detection\n\n1. Look.\n"
    (problem,) = parse_runbook(text, id="t", path="t.md").problems
    assert (problem.code, problem.place.line) == ("runbook-front-matter", 1)
    rule = "---\n\nowner: SRE\n\n# T\n"
    assert parse_runbook(rule, id="t", path="t.md").problems == ()


def test_yaml_aliases_do_not_multiply() -> None:
    rows = ["a: &a [x,x,x,x,x,x,x,x,x]"] + [
        f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]"
        for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    found = fields("---\n" + "\n".join(rows) + "\n---\n# T\n")
    assert found["a"] == "x, x, x, x, x, x, x, x, x"
    assert all(len(value) <= 500 for value in found.values())


def test_toml_front_matter_is_metadata() -> None:
    text = (
        '+++\ntitle = "Queue backlog"\nowner = "Team Blue"\nlast_updated = 2026-11-01\nweight = 3\n'
        'tags = ["a", "b"]\ndraft = true\n[extra]\nx = 1\n+++\n\n## Detection\n\n1. Look.\n'
    )
    runbook = parse_runbook(text, id="backlog", path="backlog.md")
    assert runbook.title == "Queue backlog"
    assert runbook.problems == ()
    assert runbook.metadata == {
        "title": "Queue backlog",
        "owner": "Team Blue",
        "last_updated": "2026-11-01",
        "weight": "3",
        "tags": "a, b",
        "draft": "true",
    }
    assert runbook.sections[0].line == 12


def test_toml_that_does_not_parse_is_reported() -> None:
    for broken in ("title = x", "x = 1" + "0" * 5000, "x = " + "[" * 3000):
        runbook = parse_runbook(f"+++\n{broken}\n+++\n# T\n", id="t", path="t.md")
        assert [problem.code for problem in runbook.problems] == ["runbook-front-matter"]
        assert runbook.title == "T"
