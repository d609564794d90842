"""The form of the runbooks that ship: sections, steps, links, and that each is its own text."""

import re
from functools import cache
from pathlib import Path

import yaml

from alert_router.markdown import Heading, parse, plain, slug, to_text
from alert_router.runbook import STANDARD_SECTIONS
from tests.shipped import (
    ALL,
    CARRIED,
    CATALOGUE,
    MAPPED,
    RUNBOOKS,
    SHIPPED,
    category,
    every_runbook,
    fences,
    of,
    path_of,
    text_of,
)

# How many steps a section that a message shows may have. What is done with time at hand may be
# longer than what is read at night.
STEPS = {"Detection": (3, 4), "Mitigation": (4, 6), "Verification": (3, 4), "Post-Incident": (3, 4)}
LONGER = {
    "Detection": (3, 5),
    "Mitigation": (4, 8),
    "Verification": (3, 5),
    "Post-Incident": (3, 5),
}


def test_twenty_runbooks_ship_and_none_has_a_problem():
    assert SHIPPED == ALL
    assert [problem.show() for problem in CATALOGUE.problems] == []


def test_what_an_alert_is_mapped_to_ships_and_says_which_labels_it_gets():
    assert set(SHIPPED) >= MAPPED
    assert CARRIED.keys() >= MAPPED


@every_runbook
def test_the_ten_sections_stand_in_order_and_nothing_else(name):
    assert tuple(section.name for section in of(name).sections) == STANDARD_SECTIONS


@every_runbook
def test_metadata_says_what_the_inventory_needs(name):
    runbook = of(name)
    assert runbook.title == runbook.metadata["title"]
    assert runbook.metadata["category"] == category(name)
    assert runbook.metadata["severity"] in {"critical", "warning", "info"}
    assert runbook.metadata["owner"] == "SRE Team"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", runbook.metadata["last_updated"])
    assert runbook.metadata["review_interval"] == "90d"
    assert runbook.metadata["tags"]
    assert runbook.metadata.get("alerts") == (None if name in MAPPED else "none")


@every_runbook
def test_sections_of_a_notification_are_steps(name):
    bounds = STEPS if category(name) == "alerts" else LONGER
    for title, (low, high) in bounds.items():
        section = of(name).section(title)
        assert section is not None
        assert low <= len(section.steps) <= high, title
        for step in section.steps:
            assert step.title
            assert "Warning" not in step.title or step.title.endswith("."), step.title


@every_runbook
def test_steps_that_look_or_mend_have_commands(name):
    """All of them where an alert leads to; elsewhere some are for people to agree on."""
    for title in ("Detection", "Mitigation"):
        section = of(name).section(title)
        assert section is not None
        bare = [s.title for s in section.steps if not list(fences(s.blocks, "bash", "promql"))]
        allowed = 0 if category(name) == "alerts" else len(section.steps) // 2
        assert len(bare) <= allowed, bare


@every_runbook
def test_fences_say_their_language(name):
    everything = list(fences(of(name).blocks))
    assert {fence.language for fence in everything} <= {"bash", "promql", "text", "yaml"}
    for fence in everything:
        if fence.language == "yaml":
            assert yaml.safe_load(fence.text), f"line {fence.line}"


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


def links(name: str) -> list[tuple[Path, str]]:
    """The links of a runbook that are no URLs: the file, and the anchor in it."""
    targets = re.findall(r"\]\(([^)\s]+)\)", text_of(name))
    parted = [target.partition("#") for target in targets if not re.match(r"https?:", target)]
    folder = path_of(name).parent
    return [
        ((folder / file).resolve() if file else path_of(name), anchor) for file, _, anchor in parted
    ]


@cache
def anchors(path: Path) -> set[str]:
    return {slug(plain(b.children)) for b in parse(path.read_text()) if isinstance(b, Heading)}


def id_of(path: Path) -> str:
    inside = path.is_relative_to(RUNBOOKS)
    return path.relative_to(RUNBOOKS).with_suffix("").as_posix() if inside else ""


@every_runbook
def test_links_lead_somewhere(name):
    assert links(name)
    for path, anchor in links(name):
        assert path.is_file(), path
        assert not anchor or anchor in anchors(path), f"{path}#{anchor}"


def test_every_runbook_is_reached_from_another():
    linked = {id_of(path) for name in SHIPPED for path, _ in links(name) if path != path_of(name)}
    assert linked >= set(SHIPPED) - {"alerts/high-latency"}  # where one starts


def test_runbooks_share_no_passage_of_eight_lines():
    seen: dict[tuple[str, ...], str] = {}
    for name in SHIPPED:
        body = text_of(name).split("---\n", 2)[2]
        lines = [line.strip() for line in body.splitlines() if line.strip()]
        for start in range(len(lines) - 7):
            passage = tuple(lines[start : start + 8])
            assert seen.setdefault(passage, name) == name, passage


def test_runbooks_are_not_each_other_with_the_nouns_changed():
    shingles = {}
    for name in SHIPPED:
        text = re.sub(r"```.*?```", " ", text_of(name), flags=re.DOTALL)
        words = re.findall(r"[a-z0-9]+", text.lower())
        shingles[name] = {tuple(words[i : i + 4]) for i in range(len(words) - 3)}
    for one in SHIPPED:
        for other in SHIPPED:
            if one < other:
                shared = len(shingles[one] & shingles[other])
                least = min(len(shingles[one]), len(shingles[other]))
                assert shared / least < 0.12, (one, other, shared / least)
