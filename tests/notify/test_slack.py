"""Slack's messages."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alert_router.markdown import Code, parse
from alert_router.notification import Detail
from alert_router.notify.slack import SlackNotifier, SlackRenderer, linked, literal
from alert_router.runbook.model import Section
from tests.notify import slack_rules
from tests.notify.notifications import alert, notification, section

SLACK = SlackNotifier(url="https://hooks.example/services/T/B/x")

LEFT = "(A command too long for Slack: see the runbook page.)"


def message(told, detail=Detail.FULL):
    return SLACK.readable(SLACK.render(told, detail))


def test_a_typical_message_reads_from_alert_to_steps():
    found = message(notification())
    slack_rules.check(found)
    assert found["text"] == "CRITICAL: PodCrash: A pod crashes (namespace=prod pod=a-1)"
    assert found["blocks"][0]["text"]["text"] == "🔴 CRITICAL: PodCrash"
    said = slack_rules.said(found)
    order = [
        "A pod crashes\n    namespace=prod  pod=a-1\n    since 10:00 UTC (2h)",
        "*<https://router.example/runbooks/alerts/pod-crashes|Pods that crash>*",
        "alerts/pod-crashes-0, last updated 2026-11-01, SRE",
        "*Detection*\nWho is it?\n1. Look at the pod.",
        "See <https://g.example/d?a=1&b=2|the dashboard>.\n```\nget\n```",
        "2. Look at the log.\nIt *must* say `OOM`.",
        "*Mitigation*\n1. Restart it.",
        "<http://prom.example/graph?g0.expr=up%3D%3D0&g0.tab=1|Query>",
        "<http://am.example:9093|Alertmanager>",
    ]
    places = [said.index(words) for words in order]
    assert places == sorted(places)


def test_commands_are_copied_as_they_are():
    assert slack_rules.commands(message(notification())) == [
        "get",
        "logs --previous",
        "kubectl delete pod a-1 -n prod && echo '<done>'",
    ]


_code = st.lists(
    st.text(st.sampled_from("ab `$&<>\"'\\|;*_~{}#\t"), min_size=1, max_size=80)
    .filter(str.strip)
    .filter(lambda line: "```" not in line),
    min_size=1,
    max_size=200,
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(_code)
def test_any_command_is_copied_exactly_or_left_to_the_page(lines):
    told = notification(sections=(Section("Detection", (), (Code("\n".join(lines), "bash"),)),))
    found = message(told)
    slack_rules.check(found)
    if slack_rules.commands(found):
        assert slack_rules.commands(found) == ["\n".join(lines)]
    else:
        assert LEFT in str(found)


def test_a_step_is_not_cut_from_its_command_where_both_fit():
    steps = [(f"Step {n}.", f"{'word ' * 60}\n\n```\nrun {n}\n```") for n in range(30)]
    found = message(notification(sections=(section("Mitigation", "", *steps),)))
    sections = [t["text"] for t in slack_rules.texts(found) if "run" in t["text"]]
    assert len(sections) > 1
    for text in sections:
        assert text.count("Step ") == text.count("run ")


@pytest.mark.parametrize(
    "code",
    [
        f"cat <<E\n{'x' * 4000}\nE\nrm old",
        "kubectl delete pod \\\n" + "".join(f"  api-{n:04} \\\n" for n in range(300)) + "  -n prod",
        "cat <<'```'\n" + "word\n" * 900 + "```\nrm old",
    ],
    ids=["one long line", "many lines that belong together", "a fence within"],
)
def test_code_too_long_for_a_section_is_left_to_the_page_as_a_whole(code):
    found = message(notification(sections=(Section("Mitigation", (), (Code(code, "bash"),)),)))
    slack_rules.check(found)
    assert slack_rules.commands(found) == []
    assert LEFT in str(found)
    assert "rm old" not in str(found)
    assert "-n prod" not in str(found)


def test_code_with_a_fence_in_it_arrives_as_it_is():
    told = notification(sections=(Section("Detection", (), (Code("cat <<'```'\n```"),)),))
    assert "cat <<'```'\n```" in slack_rules.said(message(told)).replace("\u200b", "")


def test_what_does_not_fit_is_told_with_less_detail():
    steps = [(f"Step {n}.", "word " * 700) for n in range(60)]
    told = notification(sections=(section("Mitigation", "", *steps),))
    said = slack_rules.said(message(told))
    assert "Step 59." in said
    assert said.count("word word") < 1000


def test_many_alerts_are_counted():
    alerts = [alert(pod=f"a-{n}") for n in range(52)]
    said = slack_rules.said(message(notification(alerts)))
    assert "and 37 more" in said
    assert "52 firing" in said
    assert "commands are for PodCrash pod=a-0" in said


def test_a_resolved_message_is_green_and_says_how_long_it_fired():
    told = notification([alert(resolved=True)], (section("Verification", "", ("Look.", "")),))
    found = message(told)
    assert found["blocks"][0]["text"]["text"] == "🟢 RESOLVED: PodCrash"
    assert "resolved: A pod crashes (after 1h 4m)" in slack_rules.said(found)


@pytest.mark.parametrize(
    "words", ["<!channel>", "<!here|here>", "<@U123>", "<#C1>", "*bold*", "`x`", "&lt;!channel&gt;"]
)
def test_an_alert_can_neither_format_nor_ping(words):
    hostile = alert(pod=words, annotations={"summary": words}, alertname=words)
    found = message(notification([hostile, alert()], sections=()))
    slack_rules.check(found)
    for text in slack_rules.texts(found):
        if words in slack_rules._unescape(text["text"]) and text["type"] != "plain_text":
            # Words of a link: escaped, so that Slack obeys nothing in them.
            assert words not in text["text"]
    assert "link_names" not in found


def test_an_alert_without_a_runbook_says_so():
    assert "No runbook is mapped to this." in slack_rules.said(message(notification(runbooks=0)))


@pytest.mark.parametrize(
    "broken",
    [
        {"type": "section", "expand": True, "text": {"type": "plain_text", "emoji": False}},
        {"type": "header", "text": {"type": "plain_text", "emoji": False}},
    ],
)
def test_the_rules_find_a_text_too_long(broken):
    broken["text"]["text"] = "x" * 3001
    with pytest.raises(Exception, match=r"length|characters"):
        slack_rules.check({"text": "x", "blocks": [broken]})


@pytest.mark.parametrize("text", ["<!channel>", "```\nx", "a & b", "<https://h|x> <@U1>", "a&am"])
def test_the_rules_find_markup_that_is_not_ours(text):
    block = {"type": "mrkdwn", "verbatim": True, "text": text}
    with pytest.raises(AssertionError):
        slack_rules.check({"text": "x", "blocks": [{"type": "context", "elements": [block]}]})


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
