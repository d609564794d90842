"""Steps are ordered items, task items, or headings with their content."""

import pytest

from alert_router.markdown import Code, Paragraph, Text
from alert_router.runbook import Section, parse_runbook


def section(body: str) -> Section:
    return parse_runbook(f"# T\n\n## Fix\n\n{body}", id="t", path="t.md").sections[0]


def titles(body: str) -> list[str]:
    return [step.title for step in section(body).steps]


def test_ordered_items_are_steps_with_all_their_blocks() -> None:
    found = section(
        "First do this:\n\n1. Look **here**\n\n   ```sh\n   ls\n   ```\n2. Then there\n"
    )
    assert found.intro == (Paragraph((Text("First do this:"),), 5),)
    assert [step.title for step in found.steps] == ["Look here", "Then there"]
    assert found.steps[0].line == 7
    assert found.steps[0].blocks[1] == Code("ls", "sh", "sh", line=9)


def test_task_items_are_steps() -> None:
    assert titles("- [ ] Check\n- [x] Do\n") == ["Check", "Do"]


def test_plain_bullets_are_intro() -> None:
    found = section("- a\n- b\n")
    assert found.steps == ()
    assert len(found.intro) == 1


def test_headings_are_steps_without_their_numbers() -> None:
    found = section("intro\n\n### 1. Check pods\n\n```sh\nls\n```\n\n### Step 2: Restart\n\ntext\n")
    assert [step.title for step in found.steps] == ["Check pods", "Restart"]
    assert found.steps[0].blocks == (Code("ls", "sh", "sh", line=9),)
    assert len(found.intro) == 1


def test_lists_under_a_heading_belong_to_its_step() -> None:
    found = section("### Check\n\n1. a\n2. b\n\n#### Deeper\n\n### Do\n\n- [ ] c\n")
    assert [step.title for step in found.steps] == ["Check", "Do"]
    assert len(found.steps[0].blocks) == 2


def test_items_before_the_first_heading_are_steps_too() -> None:
    assert titles("1. a\n\n### b\n") == ["a", "b"]


def test_text_between_steps_belongs_to_the_step_before() -> None:
    found = section("1. a\n\n```sh\nls\n```\n\n2. b\n\nafter\n")
    assert [step.title for step in found.steps] == ["a", "b"]
    assert found.steps[0].blocks[-1] == Code("ls", "sh", "sh", line=7)
    assert found.steps[1].blocks[-1] == Paragraph((Text("after"),), 13)


@pytest.mark.parametrize(
    ("item", "title"),
    [
        ("1. Run:\n", "Run"),
        ("1. First line  \n   second\n", "First line"),
        ("1. **Check pods.** They may be down.\n", "Check pods."),
        ("1. **Check pods**: they may be down.\n", "Check pods"),
        ("1. **Check pods** - they may be down.\n", "Check pods"),
        ("1. **Never** restart it.\n", "Never restart it."),
        ("1. wrapped\n   text\n", "wrapped text"),
        ("1. ```sh\n   kubectl get pods\n   ls\n   ```\n", "kubectl get pods"),
        ("1.\n", ""),
        (f"1. One sentence. {'word ' * 40}\n", "One sentence."),
    ],
)
def test_a_step_is_titled_by_its_first_line(item: str, title: str) -> None:
    assert titles(item) == [title]


def test_a_long_title_is_cut_at_a_word() -> None:
    (title,) = titles("1. " + "word " * 60)
    assert len(title) <= 140
    assert title.endswith("word…")
