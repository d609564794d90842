"""Text that was left over: TODO, lorem ipsum."""

import pytest

from tests.checks.lint.kit import fence, found, linted


@pytest.mark.parametrize(
    "prose",
    [
        "TODO",
        "TODO: write this.",
        "Call TBD.",
        "FIXME(bob) later",
        "**TODO**",
        "[...]",
        "Lorem ipsum dolor.",
        "Insert site specific steps.",
        "To be added.",
        "XXX: port?",
        "Put your site-specific command here.",
        "Coming soon.",
    ],
)
def test_leftover_text_is_reported(tmp_path, prose):
    text = f"# A\n\n## Detection\n\n1. See.\n\n   {prose}\n"
    assert [line for line, _, _ in found(linted(tmp_path, text), "runbook-leftover")] == [7]


@pytest.mark.parametrize(
    "prose",
    [
        "`TODO`",
        "Write a TODO comment.",
        "todos los pods",
        "/tmp/XXXXXX",
        "XXX-123",
        "[...](x.png)",
        "the number to be written to the buffer",
        "fill in the form",
        "a[...]",
        "they said [...] that",
        "Add team-specific notes.",
    ],
)
def test_words_with_another_meaning_are_not_reported(tmp_path, prose):
    text = f"# A\n\n## Detection\n\n1. See {prose}\n"
    assert found(linted(tmp_path, text), "runbook-leftover") == []


def test_markers_in_comments_of_code_are_reported_and_in_commands_not(tmp_path):
    text = fence("mktemp /tmp/TODO.XXX  # TODO: where?\necho TODO")
    assert found(linted(tmp_path, text), "runbook-leftover") == [(8, 28, "leftover text `TODO`")]
