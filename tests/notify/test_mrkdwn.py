"""Markdown in Slack's markup."""

import pytest

from alert_router.markdown import Code, parse
from alert_router.notify.slack.message import SlackRenderer, linked, literal

ZERO = "\u200b"


def shown(text):
    return "\n".join(piece.text for piece in SlackRenderer().blocks(parse(text)))


@pytest.mark.parametrize(
    ("markdown", "mrkdwn"),
    [
        ("**bold** *it* ~~no~~ `code`", "*bold* _it_ ~no~ `code`"),
        ("a & b <c> d", "a &amp; b &lt;c&gt; d"),
        ("<!channel> <@U1>", "&lt;!channel&gt; &lt;@U1&gt;"),
        ("`a & b`", "`a &amp; b`"),
        ("`` a`b ``", "`aˋb`"),
        ("[the page](https://h/a?b=1&c=2)", "<https://h/a?b=1&amp;c=2|the page>"),
        ("<mailto:me@h.example>", "<mailto:me@h.example|me@h.example>"),
        ("[x](/relative)", "x"),
        ("[x](HTTPS://h/A)", "<https://h/A|x>"),
        ("two\nlines", "two lines"),
        ("two  \nlines", "two\nlines"),
        ("# A heading", "*A heading*"),
        ("1. one\n2. two", "1. one\n2. two"),
        ("3. three", "3. three"),
        ("- a\n  - b", "• a\n    • b"),
        ("- [ ] todo\n- [x] done", "☐ todo\n☑ done"),
        ("> said\n> so", "> said so"),
        ("> > twice", "> twice"),
        ("> - a\n> - b", "> • a\n> • b"),
        (r"[\`\`\`](page.md)", f"`{ZERO}`{ZERO}`{ZERO}"),
        ("[*a* b](page.md)", "a b"),
        (r"[\*a\*](https://h)", f"<https://h|*{ZERO}a*{ZERO}>"),
        ("snake_case_name and 2*3", "snake_case_name and 2*3"),
    ],
)
def test_markdown_becomes_slacks_own(markdown, mrkdwn):
    assert shown(markdown) == mrkdwn


def test_a_formatting_character_that_is_meant_stays_one():
    assert literal("*star* _line_") == f"*{ZERO}star*{ZERO} _{ZERO}line_{ZERO}"
    assert shown(r"\*star\*") == f"*{ZERO}star*{ZERO}"


def test_a_link_cannot_be_broken_out_of():
    assert linked("https://h/>|<!channel>", "a|b>c") == "<https://h/%3E%7C%3C!channel%3E|a¦b&gt;c>"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "file:///etc", "x"])
def test_only_addresses_for_a_browser_are_links(url):
    assert linked(url, "x") == "x"


def test_a_link_too_long_for_a_message_is_its_label():
    assert linked("https://h/" + "x" * 5000, "page") == "page"


def test_code_with_backticks_is_not_fenced_but_plain():
    (piece,) = SlackRenderer().blocks(parse("````\necho ```\n````"))
    assert (piece.kind, piece.text) == ("verbatim", "echo ```")


def test_values_stand_beside_their_code():
    kinds = [
        (p.kind, p.text) for p in SlackRenderer().blocks([Code("run", values=(("POD", "a\nb<c"),))])
    ]
    assert kinds == [("code", "run"), ("plain", "POD = a\\nb&lt;c")]


def test_a_table_is_shown_as_code():
    (piece,) = SlackRenderer().blocks(parse("| a | b |\n|---|---|\n| 1 | 2 |"))
    assert (piece.kind, piece.text) == ("code", "a | b\n1 | 2")
