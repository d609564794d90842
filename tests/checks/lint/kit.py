"""Runbooks in a directory of their own, and what the lint says of them."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from alert_router.checks.lint import lint
from alert_router.model.problem import Problem
from alert_router.runbook import STANDARD_SECTIONS, Catalogue

TODAY = date(2026, 11, 23)

FRONT = """\
---
title: Example
category: alerts
severity: warning
owner: SRE Team
last_updated: 2026-11-01
review_interval: 90d
tags: [example]
---

# Example
"""


def linted(
    directory: Path,
    files: Mapping[str, str] | str,
    labels: Mapping[str, frozenset[str] | None] | None = None,
) -> list[Problem]:
    """The problems of these files (`alerts/example.md` for a mere text), `runbooks/` apart."""
    texts = {"alerts/example.md": files} if isinstance(files, str) else files
    for name, text in texts.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(lint(Catalogue.load(directory), today=TODAY, labels_by_runbook=labels))


def found(problems: list[Problem], code: str) -> list[tuple[int, int, str]]:
    """Line, column and message of the problems of a code."""
    return [(p.place.line, p.place.column, p.message) for p in problems if p.code == code]


def pointed_at(problem: Problem) -> str:
    """The source from the column on: what the caret stands under."""
    return problem.source[problem.place.column - 1 :]


def fence(text: str, language: str = "bash", section: str = "Mitigation") -> str:
    """A runbook with one fence in a step."""
    inner = "\n".join(f"   {line}".rstrip() for line in text.split("\n"))
    return f"# Example\n\n## {section}\n\n1. Do it.\n\n   ```{language}\n{inner}\n   ```\n"


def complete(**sections: str) -> str:
    """A runbook in the standard's ten sections; one given as "" is left out."""
    text = [FRONT]
    for name in STANDARD_SECTIONS:
        body = sections.get(name.replace("-", "_"), f"1. About {name.lower()}.")
        if body:
            text.append(f"\n## {name}\n\n{body}\n")
    return "".join(text)
