"""Whatever a file holds, the lint answers, in order and with places that exist."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router.checks.lint import SEVERITIES, shell
from tests.checks.lint.kit import linted

BLOCKS = """\
# A|## Mitigation|## Detection|### x|1. do|- [ ] it|> [!WARNING]|```bash|```|~~~|   1. [x](#y)
```promql|```console|   ```sh|$ ls )|rm -rf /|kubectl delete pod x|{{ .Labels.pod }}|`${x}`
kubectl logs <pod> -n $ns|[a](b.md#c)|[a][b]|<pod-name>|<details>|<pre>TODO|&lt;x&gt;|\\<x\\>
TODO|password: a8Kd92mQx71Zp|**Severity:** bad|up{a=~'$x'|DROP TABLE x|# TODO: x|é|***|===|---
-----BEGIN PRIVATE KEY-----|last_updated: 2020-02-30|    indented TODO"""
PIECES = [piece for line in BLOCKS.split("\n") for piece in line.split("|")]
PIECES += [
    "| a | b |\n|---|---|",
    "| c | TODO |",
    "---\ntitle: x\n---",
    "\t",
    "\0",
    "\u2028",
    "\r\n",
]
ENDS = st.sampled_from(["\n", "\n\n", " ", "\n  "])
MARKDOWN = st.lists(st.tuples(st.sampled_from(PIECES), ENDS), max_size=30).map(
    lambda parts: "".join(piece + end for piece, end in parts)
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
WORDS = """ls; && || | ( ) { } ' " $( ) ` for x in a b ; do done if then fi case esac [[ ]] $x ${x}
<<EOF EOF > < # \\ * ? a=1 (( )) ! function"""
COMMANDS = st.lists(st.sampled_from([*WORDS.split(), "\n"]), max_size=12).map(" ".join)


def examine(text: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        problems = linted(Path(directory), {"a.md": text}, {"a": frozenset({"pod"})})
        written = (Path(directory) / "a.md").read_bytes().decode()
    text = written.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    for problem in problems:
        place = problem.place
        assert problem.severity == SEVERITIES[problem.code]
        assert 0 <= place.line <= len(lines)
        if problem.source:
            assert len(problem.source) == len(lines[place.line - 1].rstrip())
            assert 1 <= place.column <= len(lines[place.line - 1]) + 1
        assert problem.show()
    assert problems == sorted(problems, key=lambda problem: (problem.place, problem.code))


@settings(max_examples=150, deadline=None)
@given(MARKDOWN)
def test_any_markdown_can_be_linted(text):
    examine(text)


@settings(max_examples=60, deadline=None)
@given(TEXT)
def test_any_text_can_be_linted(text):
    examine(text)


@settings(max_examples=60, deadline=None)
@given(COMMANDS)
def test_bash_parses_everything_that_is_recognized_as_simple_commands(text):
    program = shutil.which("bash")
    if program is None:
        pytest.skip("there is no bash")
    if shell.is_shell(text):
        assert shell.bash_errors(program, [text]) == {}
