"""What coverage found, in words: those that text, Markdown and JUnit share."""

from collections.abc import Iterable
from math import floor

from alert_router.checks.coverage import AlertCoverage, Annotation, Routing, Totals
from alert_router.cli.output import count
from alert_router.enrich import Choice

_SHOWN = 4  # of possible outcomes


def runbooks(alert: AlertCoverage) -> str:
    """The runbook it gets, or all that it may get."""
    return _alternatives(_runbook(choice) for choice in alert.choices)


def way(alert: AlertCoverage, routing: Routing) -> str:
    """How its runbook is found, or what that depends on."""
    ways = _alternatives(_way(choice, routing) for choice in alert.choices)
    if alert.state == "depends":
        return depends(alert)
    return f"{ways}, {depends(alert)}" if len(alert.choices) > 1 else ways


def depends(alert: AlertCoverage) -> str:
    """What would have to be known: `depends on label team`; empty where nothing."""
    reasons = [f"label {name}" for name in alert.depends_on]
    if alert.template:
        reasons.append(f"what annotation {alert.template} becomes")
    return f"depends on {' and '.join(reasons)}" if reasons else ""


def receivers(alert: AlertCoverage) -> str:
    """Who is told, or may be."""
    if not alert.receivers:
        told = "one of many outcomes"
    else:
        told = _alternatives(", ".join(outcome) for outcome in alert.receivers)
    labels = " and ".join(f"label {name}" for name in alert.receivers_depend_on)
    return f"{told} (depends on {labels})" if labels else told


def annotation(own: Annotation) -> str:
    """How its own word stands to what is chosen."""
    return f"its {own.name} {_AGREEMENT[own.agreement]}"


_AGREEMENT = {
    "agrees": "agrees",
    "differs": "names another runbook",
    "dead": "names none that is here",
    "ambiguous": "fits several runbooks",
    "templated": "is a template",
    "depends": "names one of them",
}


def notes(alert: AlertCoverage) -> list[str]:
    """What was passed over on the way."""
    return list(dict.fromkeys(choice.problem for choice in alert.choices if choice.problem))


def percent(value: float) -> str:
    """With one digit, never rounded up: what is not all is not 100 %."""
    return f"{floor(value * 10) / 10:.1f}".removesuffix(".0") + " %"


def verdict(totals: Totals, fail_under: float | None) -> str:
    """All in one line."""
    parts = [f"{totals.covered} with a runbook"]
    if totals.depends:
        parts.append(f"{totals.depends} where it depends")
    if totals.uncovered:
        parts.append(f"{totals.uncovered} without")
    if totals.none_wanted:
        parts.append(f"{totals.none_wanted} that want none")
    wanted = f", {fail_under:g} % are wanted" if fail_under is not None else ""
    share = f"{percent(totals.percent)} covered{wanted}"
    return f"{count(totals.alerts, 'alert')}: {', '.join(parts)}; {share}"


def _alternatives(texts: Iterable[str]) -> str:
    found = list(dict.fromkeys(texts))
    more = [f"{len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return " or ".join([*found[:_SHOWN], *more])


def _runbook(choice: Choice) -> str:
    if choice.runbook is not None:
        return choice.runbook
    if choice.way == "annotation":
        return "what its annotation names"
    return "none wanted" if choice.way == "table" else "none"


def _way(choice: Choice, routing: Routing) -> str:
    match choice.way:
        case "table":
            assert choice.entry is not None
            return f"entry {choice.entry + 1} at {routing.table.entries[choice.entry].place}"
        case "annotation":
            return "by annotation"
        case "name":
            return "by name"
        case "default":
            return "by default_runbook"
        case "none":
            return "no entry, annotation or name"
