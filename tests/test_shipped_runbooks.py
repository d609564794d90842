"""The form of the runbooks that ship: sections, steps, links, and that each is its own text."""

import re

from alert_router.markdown import to_text
from alert_router.runbook import STANDARD_SECTIONS
from tests.shipped import ALERTS, CATALOGUE, SHIPPED, every_runbook, fences, of

STEPS = ("Detection", "Mitigation", "Verification", "Post-Incident")


def test_these_runbooks_ship_and_none_has_a_problem():
    assert sorted(CATALOGUE.runbooks) >= [f"alerts/{name}" for name in SHIPPED]
    assert sorted(path.stem for path in ALERTS.glob("*.md")) >= SHIPPED
    assert [problem.show() for problem in CATALOGUE.problems] == []


@every_runbook
def test_the_ten_sections_stand_in_order_and_nothing_else(name):
    assert tuple(section.name for section in of(name).sections) == STANDARD_SECTIONS


@every_runbook
def test_metadata_says_what_the_inventory_needs(name):
    runbook = of(name)
    assert runbook.title == runbook.metadata["title"]
    assert runbook.metadata["category"] == "alerts"
    assert runbook.metadata["severity"] in {"critical", "warning"}
    assert runbook.metadata["owner"] == "SRE Team"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", runbook.metadata["last_updated"])
    assert runbook.metadata["review_interval"] == "90d"
    assert runbook.metadata["tags"]


@every_runbook
def test_sections_of_a_notification_are_steps_with_commands(name):
    bounds = {"Detection": (3, 4), "Mitigation": (4, 6), "Verification": (3, 4)}
    for section in of(name).sections:
        if section.name not in STEPS:
            continue
        low, high = bounds.get(section.name, (3, 4))
        assert low <= len(section.steps) <= high, section.name
        for step in section.steps:
            assert step.title
            assert "Warning" not in step.title or step.title.endswith("."), step.title
            if section.name in {"Detection", "Mitigation"}:
                assert list(fences(step.blocks, "bash", "promql")), step.title


@every_runbook
def test_fences_say_their_language(name):
    everything = fences(of(name).blocks, "", "sh", "shell", "console", "yaml", "sql")
    assert [fence.text for fence in everything] == []


@every_runbook
def test_communication_has_a_text_to_paste(name):
    section = of(name).section("Communication")
    assert section is not None
    assert "UTC" in next(fences(section.intro, "text")).text


@every_runbook
def test_escalation_and_severity_speak_of_levels(name):
    for title in ("Severity", "Escalation"):
        section = of(name).section(title)
        assert section is not None
        words = to_text(section.intro) + "".join(to_text(s.blocks) for s in section.steps)
        assert len(set(re.findall(r"\bP[0-4]\b", words))) >= 2, words


@every_runbook
def test_links_lead_somewhere(name):
    text = (ALERTS / f"{name}.md").read_text()
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    assert targets
    for target in targets:
        if not re.match(r"https?:", target):
            assert (ALERTS / target.partition("#")[0]).is_file(), target


def test_every_runbook_is_reached_from_another():
    linked = {
        target
        for name in SHIPPED
        for target in re.findall(r"\]\(([\w-]+)\.md", (ALERTS / f"{name}.md").read_text())
    }
    assert linked >= set(SHIPPED) - {"high-latency"}  # where one starts, not where one is sent


def test_runbooks_share_no_passage_of_eight_lines():
    seen: dict[tuple[str, ...], str] = {}
    for name in SHIPPED:
        body = (ALERTS / f"{name}.md").read_text().split("---\n", 2)[2]
        lines = [line.strip() for line in body.splitlines() if line.strip()]
        for start in range(len(lines) - 7):
            passage = tuple(lines[start : start + 8])
            assert seen.setdefault(passage, name) == name, passage


def test_runbooks_are_not_each_other_with_the_nouns_changed():
    shingles = {}
    for name in SHIPPED:
        text = re.sub(r"```.*?```", " ", (ALERTS / f"{name}.md").read_text(), flags=re.DOTALL)
        words = re.findall(r"[a-z0-9]+", text.lower())
        shingles[name] = {tuple(words[i : i + 4]) for i in range(len(words) - 3)}
    for one in SHIPPED:
        for other in SHIPPED:
            if one < other:
                shared = len(shingles[one] & shingles[other])
                least = min(len(shingles[one]), len(shingles[other]))
                assert shared / least < 0.12, (one, other, shared / least)
