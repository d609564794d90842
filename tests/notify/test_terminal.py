"""Code on a terminal: coloured, and still to the last tab what is to be typed."""

import io
import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router.markdown import visible
from alert_router.notify.console import line, write

STYLE = re.compile(r"\x1b\[[0-9;]*m")
LANGUAGES = [
    "",
    "bash",
    "sh",
    "console",
    "promql",
    "logql",
    "yaml",
    "json",
    "sql",
    "no-such",
    "\x00",
]


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def typed(monkeypatch, code, language, columns="30"):
    """The rows of a code block as a terminal shows them, without colours and indentation."""
    stream = Terminal()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "stdout", stream)
    write((line("code", code, 2, language=language),), 1)
    monkeypatch.undo()
    shown = STYLE.sub("", stream.getvalue()).removesuffix("\n\n")
    return [row.removeprefix("  ") for row in shown.split("\n")]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "code",
    [
        "cat <<-END\n\tone\n\tEND",
        "awk -F'\t' '{print $1}'",
        f"kubectl get pod {'x' * 300} -n prod",
        "[bold]not markup[/bold] :smile: https://router.example/x",
        "\n\nbetween empty lines\n\n",
        "ends in \\\n  a continuation",
        "$ uptime\n up 3 days\n$ exit",
    ],
)
def test_code_is_shown_exactly(monkeypatch, language, code):
    assert typed(monkeypatch, code, language) == code.split("\n")


@settings(max_examples=60, deadline=None)
@given(
    code=st.text(st.characters(codec="utf-8"), max_size=200), language=st.sampled_from(LANGUAGES)
)
def test_any_code_is_shown_exactly_but_for_what_a_terminal_obeys(code, language):
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert typed(monkeypatch, code, language) == visible(code).split("\n")


@pytest.mark.parametrize("columns", ["1", "20", "200"])
def test_the_width_of_the_terminal_changes_nothing(monkeypatch, columns):
    code = "kubectl delete pod a-1 -n prod --wait=false"
    assert typed(monkeypatch, code, "bash", columns) == [code]
