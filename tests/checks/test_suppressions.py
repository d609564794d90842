"""Comments that silence problems, line by line."""

import os

import pytest

from alert_router.checks.suppressions import apply_suppressions, texts_of
from alert_router.model.problem import Place, Problem, Severity

KNOWN = ("some-code", "other-code")


def left(text, *places, file="a.yaml", code="some-code", checked=KNOWN):
    """Of problems on these lines, those that are left, and what is told about the comments."""
    problems = [Problem(code, "m", Place(file, line)) for line in places]
    found = apply_suppressions(problems, {file: text}, known=KNOWN, checked=checked)
    return [p.place.line for p in found if p.code == code], [p for p in found if p.code != code]


GOOD = "# alert-router: ignore some-code: a reason"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (f"a: 1  {GOOD}\nb: 2\n", [2]),
        (f"{GOOD}\na: 1\nb: 2\n", [1, 3]),
        (f"x:\n  {GOOD}\n\n  # another comment\n  b: 2\n", [1, 2, 3, 5]),
        (f"{GOOD}\n# alert-router: ignore other-code: x\na: 1\n", [1, 2]),
        ("a: 1  # alert-router: ignore other-code, some-code: both are right\n", []),
        ("a: 1  # alert-router:ignore some-code : tight\n", []),
        ("a: 1# alert-router: ignore some-code: no comment to YAML\n", [1]),
        ("# alert-router: ignored some-code: another word\na: 1\n", [1, 2]),
    ],
)
def test_a_comment_applies_to_its_line_or_the_next(text, lines):
    every = range(1, text.count("\n") + 1)
    assert left(text, *every)[0] == lines


MARK = "<!-- alert-router: ignore some-code: a reason -->"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (f"word {MARK}\nword\n", [2]),
        (f"{MARK}\nword\nword\n", [1, 3]),
        (f"> {MARK}\n> word\nword\n", [1, 3]),
        (f"{MARK}\n\n```bash\nrm -rf x\n```\nword\n", [1, 2, 6]),
        (f"- step\n\n  {MARK}\n  ~~~\n  x\n  ```\n  y\n  ~~~\n\nword\n", [1, 2, 3, 9, 10]),
        (f"```markdown\n{MARK}\n```\nword\n", [1, 2, 3, 4]),
        (f"---\nowner: x\ntags: y  {GOOD}\n---\n# T\n", [1, 2, 4, 5]),
        (f"---\nowner: x\n---\n# T  {GOOD}\n", [1, 2, 3, 4]),
    ],
)
def test_a_markdown_comment_is_html_and_may_apply_to_a_code_block(text, lines):
    every = range(1, text.count("\n") + 1)
    assert left(text, *every, file="a.md")[0] == lines


def test_a_comment_in_the_first_lines_applies_to_the_whole_file():
    assert left(f"{MARK}\n# T\n", 0, file="a.md") == ([], [])
    assert left(f"---\nowner: x\n---\n# T\n\n{MARK}\n", 0, file="a.md") == ([], [])
    assert left("\n" * 10 + f"{MARK}\n# T\n", 0, file="a.md")[0] == [0]
    assert left(f"word {MARK}\n", 0, file="a.md")[0] == [0]
    assert left(f"{GOOD}\na: 1\n", 0) == ([], [])


def test_without_a_reason_nothing_is_apply_suppressions():
    lines, (problem,) = left("a: 1  # alert-router: ignore some-code\n", 1)
    assert lines == [1]
    assert problem.show() == (
        "a.yaml:1:30: warning: this comment gives no reason, so it suppresses nothing "
        "[ignore-without-reason]\n"
        "  1 | ***   # alert-router: ignore some-code\n"
        "    |                              ^\n"
        "  write: alert-router: ignore some-code: why this is right here"
    )
    assert left("a: 1  # alert-router: ignore some-code:  \n", 1)[0] == [1]
    assert left("a <!-- alert-router: ignore some-code -->\n", 1, file="a.md")[0] == [1]


def test_an_unknown_code_is_reported_with_a_suggestion():
    _, (problem,) = left("a: 1  # alert-router: ignore some-cod: reason\n")
    assert (problem.code, problem.hint) == ("ignore-unknown-code", "did you mean `some-code`?")
    _, problems = left("a: 1  # alert-router: ignore\n")
    assert [problem.code for problem in problems] == [
        "ignore-unknown-code",
        "ignore-without-reason",
    ]
    assert problems[0].message == "no code is given"


def test_an_unused_comment_is_reported_if_its_code_was_checked():
    _, (problem,) = left(f"a: 1  {GOOD}\n")
    assert (problem.code, problem.severity) == ("ignore-unused", Severity.INFO)
    assert left(f"a: 1  {GOOD}\n", checked=("other-code",)) == ([], [])


def test_a_comment_applies_to_its_own_file_and_code_only():
    problem = Problem("some-code", "m", Place("b.yaml", 1))
    found = apply_suppressions([problem], {"a.yaml": f"a: 1 {GOOD}"}, known=KNOWN, checked=())
    assert found == [problem]
    assert left(f"a: 1  {GOOD}\n", 1, code="another-code")[0] == [1]


def test_only_files_with_such_comments_are_returned(tmp_path):
    (tmp_path / "a.yaml").write_text(f"a: 1 {GOOD}\n", encoding="utf-8")
    (tmp_path / "b.yaml").write_text("a: 1\n", encoding="utf-8")
    (tmp_path / "c.yaml").write_bytes(b"\xff alert-router: ignore\n")
    names = [str(tmp_path / f"{name}.yaml") for name in "abcd"]
    assert set(texts_of([*names, str(tmp_path), "a\0"])) == {names[0], names[2]}


@pytest.mark.parametrize(
    ("file", "line", "shown"),
    [
        (
            "a.yaml",
            "  url: https://u:s3cr3t@h/x # alert-router: ignore nonsense: because",
            "  ***                       # alert-router: ignore nonsense: because",
        ),
        (
            "a.md",
            "password: s3cr3t <!-- alert-router: ignore nonsense --> s3cr3t",
            "***              <!-- alert-router: ignore nonsense -->",
        ),
    ],
)
def test_text_before_a_comment_is_masked(file, line, shown):
    problems = apply_suppressions([], {file: line}, known=KNOWN, checked=KNOWN)
    assert problems
    for problem in problems:
        assert problem.source == shown
        assert "s3cr3t" not in problem.show()
        column = problem.place.column
        assert line[column - 1 :][:8] == shown[column - 1 :][:8]


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.md")
    assert texts_of([str(tmp_path / "a.md")]) == {}
