"""Problems as SARIF 2.1.0 (OASIS), as GitHub's code scanning and others read it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from alert_router import __version__
from alert_router.markdown import visible
from alert_router.model.problem import Place, Problem, Severity

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def sarif(problems: Sequence[Problem]) -> dict[str, Any]:
    """A log of one run. Its rules are the codes that the problems have."""
    codes = sorted({problem.code for problem in problems})
    index = {code: number for number, code in enumerate(codes)}
    return {
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/"
        "sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "alert-router",
                        "version": __version__,
                        "rules": [_rule(code) for code in codes],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(problem, index[problem.code]) for problem in problems],
            }
        ],
    }


def _rule(code: str) -> dict[str, Any]:
    """What a code is. Its page has no address of its own, so that it is named, not linked:
    SARIF wants an absolute one."""
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
    return {
        "ruleId": problem.code,
        "ruleIndex": rule,
        "level": _LEVELS[problem.severity],
        "message": {"text": visible(text)},
        "locations": [{"physicalLocation": _location(problem)}],
    }


def _location(problem: Problem) -> dict[str, Any]:
    place = problem.place
    return {"artifactLocation": {"uri": _uri(place.file)}, "region": _region(place, problem.source)}


def _region(place: Place, source: str) -> dict[str, Any]:
    """Lines and columns count from 1; what is about a whole file stands at its first line."""
    region: dict[str, Any] = {"startLine": max(place.line, 1)}
    if place.line and place.column:
        region["startColumn"] = place.column
    if place.line and source:
        region["snippet"] = {"text": visible(source)}
    return region


def _uri(file: str) -> str:
    path = Path(file)
    if path.is_absolute():
        return path.as_uri()
    return quote(file.encode(errors="surrogateescape"), safe="/")
