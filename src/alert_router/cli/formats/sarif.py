"""Problems as SARIF 2.1.0 (OASIS), for GitHub code scanning and others."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from alert_router import __version__
from alert_router.markdown import visible
from alert_router.model.problem import Problem, Severity

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def sarif(problems: Sequence[Problem]) -> dict[str, Any]:
    """The log of one run, with a rule for each code that occurs."""
    codes = sorted({problem.code for problem in problems})
    driver = {
        "name": "alert-router",
        "version": __version__,
        "rules": [_rule(code) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(problem, codes.index(problem.code)) for problem in problems],
    }
    return {
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/"
        "sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }


def _rule(code: str) -> dict[str, Any]:
    # The page is named rather than linked: SARIF requires an absolute URL.
    page = f"docs/checks/{code}.md"
    return {
        "id": code,
        "name": "".join(word.capitalize() for word in code.split("-")),
        "shortDescription": {"text": code.replace("-", " ")},
        "help": {"text": f"See {page}.", "markdown": f"See `{page}`."},
        "properties": {"page": page},
    }


def _result(problem: Problem, rule: int) -> dict[str, Any]:
    text = f"{problem.message}\n{problem.hint}" if problem.hint else problem.message
    place = problem.place
    # A problem of a whole file is reported at its first line.
    region: dict[str, Any] = {"startLine": max(place.line, 1)}
    if place.line and place.column:
        region["startColumn"] = place.column
    if place.line and problem.source:
        region["snippet"] = {"text": visible(problem.source)}
    location = {"artifactLocation": {"uri": _uri(place.file)}, "region": region}
    return {
        "ruleId": problem.code,
        "ruleIndex": rule,
        "level": _LEVELS[problem.severity],
        "message": {"text": visible(text)},
        "locations": [{"physicalLocation": location}],
    }


def _uri(file: str) -> str:
    path = Path(file)
    if path.is_absolute():
        return path.as_uri()
    return quote(file.encode(errors="surrogateescape"), safe="/")
