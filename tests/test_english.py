"""Plain English: words that this project does not use in documents, messages and comments.

`python -m tests.test_english` lists them.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
CODE_BLOCK = re.compile(r"^[ >]*(`{3,}).*?^[ >]*\1`*$", re.DOTALL | re.MULTILINE)

WORDS = [
    (re.compile(pattern, re.IGNORECASE), instead)
    for pattern, instead in {
        r"\btold\b|\btells? of\b": "sent, notified, reported, listed",
        r"\bbec(?:omes?|ame) of\b": "the result, the outcome, what happens to",
        r"\bmend(?:s|ed|ing)?\b|\bput right\b": "fix, repair, normalize",
        r"\banew\b": "again, retry, restart",
        r"\btakes nothing\b|\bwants no\b": "is failing, rejects; has `send_resolved: false`",
        r"(?<!there )\bis (?-i:none)\b": "is not a valid ...",
        r"(?<!there )(?<!that )\b(?:is|are) no (?!longer\b|more\b|less\b|such\b|\w+er\b)": (
            "is not a ..."
        ),
        r"\b(?:is|are|was) not there\b": "is missing, is not set",
        r"\bwaits still\b|\bstill waits\b": "is pending",
        r"\bnobody can be asked\b": "not a terminal: pass `--yes`",
        r"\bhow grave\b": "severity",
        r"\bstands? (?:in )?for\b": "means, replaces, is used instead of",
        r'(?<!")\bwoken?\b(?!")': "notified",
        r"\btall(?:y|ies)\b": "counts",
        r"\blest\b": "so that ... not",
        r"\bthe last word\b": "the latest accepted group",
    }.items()
]


class Finding(NamedTuple):
    file: str
    line: int
    word: str
    instead: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: `{self.word}`: write {self.instead}"


def files() -> list[Path]:
    patterns = (
        "*.md",
        "docs/**/*.md",
        "runbooks/**/*.md",
        "config/*.yaml",
        "src/**/*.py",
        "src/**/*.jinja",
    )
    return sorted(path for pattern in patterns for path in ROOT.glob(pattern))


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """The texts that people read, with the line on which each starts."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        yield from python_texts(source)
    elif path.suffix == ".md":
        if "runbooks" not in path.parts:
            # Code blocks show output and messages, which are checked in the source.
            source = CODE_BLOCK.sub(lambda block: "\n" * block[0].count("\n"), source)
        for number, line in enumerate(source.splitlines(), 1):
            yield number, re.sub(r"`[^`]+`", "``", line)
    else:
        for number, line in enumerate(source.splitlines(), 1):
            yield number, line


def python_texts(source: str) -> Iterator[tuple[int, str]]:
    """String literals, docstrings and comments; not strings that are one word, such as keys."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if not re.fullmatch(r"[\w.:/-]*", node.value):
            yield node.lineno, node.value
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def findings(path: Path) -> Iterator[Finding]:
    for line, text in texts(path):
        for pattern, instead in WORDS:
            for match in pattern.finditer(text):
                at = line + text.count("\n", 0, match.start())
                yield Finding(str(path.relative_to(ROOT)), at, match[0], instead)


def test_no_file_uses_the_words_that_this_project_avoids() -> None:
    found = [each for path in files() for each in findings(path)]
    assert not found, "\n" + "\n".join(map(str, found))


def test_words_are_found_in_docstrings_comments_and_messages_with_their_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.test_english.ROOT", tmp_path)
    python = tmp_path / "a.py"
    python.write_text('"""One.\n\nMended it.\n"""\n# anew\nx = f"was told {y}"\nkey = "woken"\n')
    page = tmp_path / "a.md"
    page.write_text("Fine.\nThe URL is none, `anew`.\nIf there is none, it is no longer used.\n")
    assert [(each.line, each.word) for each in findings(python)] == [
        (3, "Mended"),
        (6, "told"),
        (5, "anew"),
    ]
    assert [(each.line, each.word) for each in findings(page)] == [(2, "is none")]


if __name__ == "__main__":
    left = [each for path in files() for each in findings(path)]
    print(*left, f"{len(left)} left", sep="\n")
