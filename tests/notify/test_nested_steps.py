"""Lists and line breaks within a step keep their shape in every destination."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from alert_router.runbook import parse_runbook
from tests.notify.conformance import CASES, PATH
from tests.notify.notifications import notification

URL = f"https://hooks.example{PATH}"
every_notifier = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def lines(payload: Any) -> Iterator[str]:
    """All lines of all texts of a payload; runs of a line are one text."""
    match payload:
        case str():
            yield from payload.split("\n")
        case {"type": "RichTextBlock", "inlines": list(runs)}:
            yield "".join(run if isinstance(run, str) else run["text"] for run in runs)
        case dict():
            for value in payload.values():
                yield from lines(value)
        case list() | tuple():
            for value in payload:
                yield from lines(value)
        case _ if hasattr(payload, "indent"):  # of the console
            yield from (" " * payload.indent + line for line in payload.text.split("\n"))


def told(case, body: str) -> list[str]:
    runbook = parse_runbook(f"# T\n\n## Mitigation\n\n{body}", id="t", path="t.md")
    notifier = case.make(URL)
    return list(lines(notifier.readable(notifier.render(notification(sections=runbook.sections)))))


# A webhook has the steps as objects.
@pytest.mark.parametrize(
    "case", [case for case in CASES if case.name != "webhook"], ids=lambda case: case.name
)
def test_numbers_of_sub_steps_are_not_those_of_steps(case):
    found = told(case, "1. Open the page.\n   1. Select a namespace.\n   2. Look.\n2. Done.\n")
    numbered = [line for line in found if re.search(r"\d\\?\. Select a namespace", line)]
    assert numbered or any("<li>Select a namespace" in line for line in found)
    for line in numbered:
        assert re.match(r"\s+1\\?\. Select", line), line


@every_notifier
def test_lines_of_a_step_stay_lines(case):
    found = told(case, "1. Run  \n   `first command`  \n   `second command`\n2. Done.\n")
    assert any("second command" in line for line in found)
    assert not [line for line in found if "first command" in line and "second command" in line]
