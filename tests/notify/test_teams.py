"""Teams' messages."""

import json
from dataclasses import replace

import aiohttp
import pytest
from fastjsonschema import JsonSchemaException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alert_router.markdown import Code, Table, parse
from alert_router.notification import Detail
from alert_router.notify.base import Reason, Remedy, Sending
from alert_router.notify.teams import TeamsNotifier
from alert_router.runbook.model import Section
from tests.notify import destination, teams_rules
from tests.notify.destination import answer, attempted
from tests.notify.notifications import alert, notification, section

TEAMS = TeamsNotifier(url="https://x.api.powerplatform.example/workflows/1/triggers/manual/paths")
ELSEWHERE = "A command: open this on a computer, or see the runbook page."
RESTART = "kubectl delete pod a-1 -n prod && echo '<done>'"


def message(told, detail=Detail.FULL):
    found = TEAMS.readable(TEAMS.render(told, detail))
    teams_rules.check(found)
    return found


def card(told):
    return message(told)["attachments"][0]["content"]


def of_code(text, language="bash"):
    return notification(sections=(Section("Detection", (), (Code(text, language),)),))


def test_a_typical_message_reads_from_alert_to_steps():
    assert teams_rules.lines(message(notification())) == [
        "🔴 CRITICAL: PodCrash",
        "A pod crashes",
        "namespace=prod · pod=a-1",
        "since 10:00 UTC (2h)",
        "Pods that crash",
        "alerts/pod-crashes-0, last updated 2026-11-01, SRE",
        "▾ Detection",
        "▸ Detection",
        "Who is it?",
        "1. Look at the pod.",
        "See the dashboard.",
        "get",
        "2. Look at the log.",
        "It must say OOM.",
        "logs --previous",
        "▾ Mitigation",
        "▸ Mitigation",
        "1. Restart it.",
        RESTART,
        "2. Else roll back.",
        "Carefully.",
    ]


def test_links_and_buttons_lead_to_the_runbook_and_to_what_is_needed():
    found = teams_rules.links(message(notification()))
    page = "https://router.example/runbooks/alerts/pod-crashes"
    assert [words for words, _ in found] == [
        *("Pods that crash", "the dashboard"),
        *("Runbook", "Silence", "Query", "Alertmanager"),
    ]
    assert [url for words, url in found if words in ("Pods that crash", "Runbook")] == [page, page]


def test_commands_are_copied_as_they_are_with_code_blocks_and_without():
    found = message(notification())
    assert teams_rules.commands(found) == ["get", "logs --previous", RESTART]
    assert teams_rules.spoken(found) == teams_rules.commands(found)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.text(st.sampled_from("ab `$&<>\"'\\|;*_~{}[]#é\t"), min_size=1, max_size=80).filter(
            str.strip
        ),
        min_size=1,
        max_size=100,
    )
)
def test_any_command_is_copied_exactly_or_left_to_the_page(lines):
    found = message(of_code("\n".join(lines)))
    assert "\n".join(teams_rules.commands(found)) in ("\n".join(lines), "")
    assert set(teams_rules.spoken(found)) <= {"\n".join(lines), ELSEWHERE}


@pytest.mark.parametrize(
    ("language", "told"),
    [("bash", "Bash"), ("sh", "Bash"), ("promql", "PlainText"), ("", "PlainText"), ("sql", "SQL")],
)
def test_a_code_block_has_teams_word_for_its_language(language, told):
    (code,) = teams_rules.codes(message(of_code("x", language)))
    assert code["language"] == told


def test_what_cannot_be_said_twice_is_said_once():
    long = "\n".join(f"run {n} --with 'an argument'" for n in range(300))
    found = message(of_code(long))
    assert teams_rules.commands(found) == [long]
    assert teams_rules.spoken(found) == [ELSEWHERE]


def test_half_a_command_is_worse_than_none():
    found = message(of_code("x" * 30_000))
    assert teams_rules.commands(found) == []
    assert "Runbook" in dict(teams_rules.links(found))


def test_what_does_not_fit_is_told_with_less_detail():
    steps = [(f"Step {n}.", "word " * 700) for n in range(60)]
    lines = teams_rules.lines(message(notification(sections=(section("Mitigation", "", *steps),))))
    assert "60. Step 59. …" in lines
    assert str(lines).count("word word") < 1000


def test_the_first_runbook_is_open_and_the_others_are_folded():
    body = card(notification(runbooks=2))["body"]
    hidden = [each["id"] for each in body if not each.get("isVisible", True)]
    assert hidden == ["s1-closed", "s2-closed", "s3-opened", "s3", "s4-opened", "s4"]


def test_a_click_on_a_heading_folds_its_section():
    body = card(notification())["body"]
    heads = [each for each in body if each.get("id", "").startswith("s1-")]
    for head in heads:
        targets = head["selectAction"]["targetElements"]
        assert targets == ["s1", "s1-opened", "s1-closed"]


def test_many_alerts_are_counted():
    told = notification([alert(pod=f"a-{n}") for n in range(52)])
    lines = teams_rules.lines(message(told))
    assert lines[0] == "🔴 CRITICAL: PodCrash (52 firing)"
    assert "and 37 more" in lines


def test_a_resolved_message_is_green_and_says_how_long_it_fired():
    told = notification([alert(resolved=True)], (section("Verification", "", ("Look.", "")),))
    assert card(told)["body"][0]["style"] == "good"
    lines = teams_rules.lines(message(told))
    assert lines[:2] == ["🟢 RESOLVED: PodCrash", "resolved: A pod crashes (after 1h 4m)"]
    assert "1. Look." in lines


@pytest.mark.parametrize(
    ("severity", "style"), [("critical", "attention"), ("warning", "warning"), ("info", "accent")]
)
def test_a_severity_has_its_colour(severity, style):
    told = notification([alert(severity=severity)])
    assert card(told)["body"][0]["style"] == style


@pytest.mark.parametrize(
    "words",
    [
        *("<at>All</at>", "@everyone", "**bold**", "[x](javascript:alert(1))", "`x`"),
        *("[x](https://evil.example)", "- a list", "{{DATE(2026-11-23T10:00:00Z)}}", "${title}"),
    ],
)
def test_an_alert_can_neither_format_nor_link_nor_mention(words):
    hostile = alert(pod=words, annotations={"summary": words}, alertname=words)
    found = message(notification([hostile], sections=()))
    assert [line for line in teams_rules.lines(found) if words in line]
    assert "evil" not in str(teams_rules.links(found)[:1])


def test_what_does_not_fit_at_all_is_cut_and_says_so_and_its_buttons_stay():
    alerts = [alert(**{f"label{n}": "é" * 200 for n in range(9)}, pod=f"a-{a}") for a in range(20)]
    found = message(notification(alerts, runbooks=80))
    assert (
        teams_rules.lines(found)[-1]
        == "This is more than a Teams message can hold: see the runbook page."
    )
    assert [words for words, _ in teams_rules.links(found)][-2:] == ["Query", "Alertmanager"]
    assert ("Runbook", "https://router.example/runbooks/alerts/pod-crashes") in teams_rules.links(
        found
    )


def test_an_address_that_teams_would_not_take_makes_no_button():
    told = notification([alert() | {"generatorURL": "https://h/" + "語" * 1700}])
    words = [words for words, _ in teams_rules.links(message(told))]
    assert words[-2:] == ["Silence", "Alertmanager"]


def test_an_empty_table_is_nothing():
    table = Table((), ())
    told = notification(sections=(Section("Detection", (), (table,)),))
    assert teams_rules.codes(message(told)) == []


def test_what_a_template_says_is_in_place_of_the_alerts():
    told = replace(notification(), title="Mine", message=parse("Look **here**: `pod`"))
    lines = teams_rules.lines(message(told))
    assert lines[:2] == ["🔴 CRITICAL: Mine", "Look here: pod"]
    assert "A pod crashes" not in str(lines)


def test_an_alert_without_a_runbook_says_so():
    found = message(notification(runbooks=0))
    assert "No runbook is mapped to this." in teams_rules.lines(found)
    assert [words for words, _ in teams_rules.links(found)] == ["Silence", "Query", "Alertmanager"]


async def refused(code, status=400):
    body = json.dumps({"error": {"code": code, "message": "No."}}).encode()
    async with (
        destination.serve(answer(status, body)) as server,
        aiohttp.ClientSession() as session,
    ):
        teams = TeamsNotifier(url=server.url("/workflows/x"))
        return await attempted(teams, teams.render(notification()), Sending(session, "msg-1"))


@pytest.mark.parametrize("code", ["WorkflowTriggerIsNotEnabled", "TriggerInputSchemaMismatch"])
async def test_a_flow_that_takes_no_message_at_all_is_held(code):
    found = await refused(code)
    assert (found.reason, found.remedy) == (Reason.MISCONFIGURED, Remedy.HOLD)
    assert code in found.message


@pytest.mark.parametrize("code", ["InvalidRequestContent", None, ["x"]])
async def test_any_other_400_is_about_the_message(code):
    found = await refused(code)
    assert (found.reason, found.remedy) == (Reason.REJECTED, Remedy.SMALLER)


async def test_the_message_is_sent_as_json_to_the_whole_url():
    async with destination.serve(answer(202)) as server, aiohttp.ClientSession() as session:
        teams = TeamsNotifier(url=server.url("/workflows/x?api-version=1&sig=y"))
        await attempted(teams, teams.render(notification()), Sending(session, "msg-1"))
    ((line, headers, body),) = server.requests
    assert line == "POST /workflows/x?api-version=1&sig=y HTTP/1.1"
    assert headers["content-type"] == "application/json"
    teams_rules.check(json.loads(body))


def broken(change):
    found = message(notification())
    change(found["attachments"][0]["content"])
    return found


@pytest.mark.parametrize(
    "change",
    [
        lambda card: card["body"].append({"type": "TextBlock", "text": "[x](https://h)"}),
        lambda card: card["body"].append({"type": "Container"}),
        lambda card: card["body"][1].update(colour="red"),
        lambda card: card["body"][1]["inlines"][0].update(text="\x1b[2J"),
        lambda card: card["body"][1]["inlines"][0].update(text="x" * 20_000),
        lambda card: card["body"][1]["inlines"][0].update(text="é" * 5000),
        lambda card: card["actions"][0].update(url="javascript:alert(1)"),
        lambda card: card.update(msteams={"entities": [{"type": "mention"}]}),
        lambda card: teams_rules.codes(card)[0].update(language="Klingon"),
        lambda card: teams_rules.codes(card)[0].pop("fallback"),
    ],
)
def test_the_rules_find_what_teams_would_refuse_or_obey(change):
    with pytest.raises((AssertionError, JsonSchemaException)):
        teams_rules.check(broken(change))
