"""Any Markdown becomes a runbook: title, metadata, sections and steps."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router.markdown import Code, Link, Paragraph, Text, plain
from alert_router.model.problem import Severity
from alert_router.runbook import STANDARD_SECTIONS, Runbook, parse_runbook
from alert_router.runbook.parse import MAX_CHARACTERS


def read(text: str, id: str = "alerts/high-error-rate") -> Runbook:
    return parse_runbook(text, id=id, path="r.md")


def names(text: str) -> list[str]:
    return [section.name for section in read(text).sections]


def titles(text: str) -> list[str]:
    return [plain(section.title) for section in read(text).sections]


def codes(text: str) -> list[tuple[str, int]]:
    return [(problem.code, problem.place.line) for problem in read(text).problems]


def test_a_runbook_in_the_ten_standard_sections() -> None:
    text = "# Redis\n\n" + "".join(f"## {name}\n\ntext\n\n" for name in STANDARD_SECTIONS)
    runbook = read(text)
    assert runbook.title == "Redis"
    assert tuple(section.name for section in runbook.sections) == STANDARD_SECTIONS
    assert runbook.problems == ()
    section = runbook.section("Mitigation")
    assert section is not None
    assert section.intro == (Paragraph((Text("text"),), 25),)
    assert section.line == 23


def test_headings_in_fences_and_comments_are_not_sections() -> None:
    assert titles("# T\n\n## A\n\n```sh\n## b\n# c\n```\n\n<!--\n## D\n-->\n\n## E\n") == ["A", "E"]


def test_headings_in_quotes_and_lists_are_not_sections() -> None:
    assert titles("# T\n\n## A\n\n> ## B\n\n- ## C\n") == ["A"]


def test_without_h2_several_h1_are_the_sections() -> None:
    text = "# The title\n\nintro\n\n# Meaning\n\nm\n\n# Fix\n\n### deep\n"
    assert read(text).title == "The title"
    assert names(text) == ["Overview", "Mitigation"]


def test_a_first_h1_that_names_a_section_is_not_a_title() -> None:
    runbook = read("# Meaning\n\nm\n\n# Mitigation\n\nfix\n", id="alerts/disk-full")
    assert runbook.title == "Disk full"
    assert [section.name for section in runbook.sections] == ["Overview", "Mitigation"]


def test_without_h2_and_further_h1_the_highest_headings_are_the_sections() -> None:
    assert titles("# T\n\n### A\n\n#### a\n\n### B\n") == ["A", "B"]


def test_a_further_h1_starts_a_section() -> None:
    assert titles("# T\n\n## A\n\n# Other\n\ntext\n\n## B\n") == ["A", "Other", "B"]


def test_a_title_below_sections_leaves_them_whole() -> None:
    runbook = read("## A\n\ntext\n\n# T\n\nmore\n")
    assert runbook.title == "T"
    assert [len(section.intro) for section in runbook.sections] == [1]


def test_two_sections_of_the_same_name_are_both_kept() -> None:
    runbook = read("# T\n\n## Resolution\n\na\n\n## Fix\n\nb\n")
    assert [section.name for section in runbook.sections] == ["Mitigation", "Mitigation"]
    first = runbook.section("Mitigation")
    assert first is not None
    assert plain(first.title) == "Resolution"


def test_a_section_keeps_links_defined_at_the_end_of_the_file() -> None:
    runbook = read("# T\n\n## Fix\n\n[docs]\n\n## Other\n\n[docs]: https://d\n")
    assert runbook.sections[0].intro == (Paragraph((Link("https://d", (Text("docs"),)),), 5),)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# The `H1` **title** #\n", "The H1 title"),
        ("---\ntitle: From front matter\n---\n\ntext\n", "From front matter"),
        ("text\n", "High error rate"),
        ("---\ntitle: Other\n---\n# H1 wins\n", "H1 wins"),
        ("#\n\ntext\n", "High error rate"),
        ("Setext\n======\n", "Setext"),
    ],
)
def test_where_the_title_comes_from(text: str, title: str) -> None:
    assert read(text).title == title


def test_the_whole_document_is_kept_for_its_page() -> None:
    assert len(read("# T\n\nintro\n\n## A\n\ntext\n").blocks) == 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [("runbook-empty", 0)]),
        ("\ufeff\n \n", [("runbook-empty", 0)]),
        ("---\ntitle: x\n---\n", [("runbook-empty", 0)]),
        ("<!-- nothing -->\n", [("runbook-empty", 0)]),
        ("text\n", [("runbook-no-title", 0)]),
        ("---\ntitle: x\n---\ntext\n", []),
        ("# T\n\n```sh\nls\n", [("runbook-unclosed-fence", 3)]),
        ("---\na: [b\n---\n# T\n", [("runbook-front-matter", 3)]),
        ("---\n- a\n---\n# T\n", [("runbook-front-matter", 2)]),
        ("x" * (MAX_CHARACTERS + 1), [("runbook-too-large", 0)]),
    ],
)
def test_problems_have_code_and_line(text: str, expected: list[tuple[str, int]]) -> None:
    assert codes(text) == expected


def test_only_an_unusable_runbook_is_an_error() -> None:
    for text in ("", "x" * (MAX_CHARACTERS + 1)):
        runbook = read(text)
        assert [problem.severity for problem in runbook.problems] == [Severity.ERROR]
        assert runbook.blocks == ()
    warned = read("---\na: [b\n---\n\n```sh\nls\n")
    assert {problem.severity for problem in warned.problems} == {Severity.WARNING}
    assert warned.blocks == (Code("ls", "sh", "sh", line=5),)


def test_a_bad_line_of_front_matter_is_shown() -> None:
    (problem,) = read("---\ntitle: ok\nowner: a: b\n---\n# T\n").problems
    assert problem.place.line == 3
    assert problem.source == "owner: a: b"
    assert "r.md:3:" in problem.show()


@settings(deadline=None, max_examples=100)
@given(
    st.one_of(
        st.text(),
        st.lists(
            st.sampled_from(
                ["---\n", "a: b\n", "[", "# T\n", "## Fix\n", "1. x\n", "### y\n", "```\n", "\t"]
            )
        ).map("".join),
    )
)
def test_any_text_is_a_runbook_or_a_problem(text: str) -> None:
    runbook = read(text)
    assert runbook.title
    assert runbook.blocks or any(p.severity is Severity.ERROR for p in runbook.problems)
