"""Every code that a problem can have, whatever finds it, with its default severity."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from alert_router.checks import lint, rules
from alert_router.checks.suppressions import SEVERITIES as OF_COMMENTS
from alert_router.config import codes
from alert_router.config.model import Weight
from alert_router.model.problem import Problem, Severity, did_you_mean
from alert_router.redaction import clip
from alert_router.yaml_source import CODES as YAML_CODES
from alert_router.yaml_source import Fields, YamlFile

SEVERITIES: Mapping[str, Severity] = MappingProxyType(
    {
        **dict.fromkeys(YAML_CODES, Severity.ERROR),
        **codes.SEVERITIES,
        **lint.SEVERITIES,
        **rules.SEVERITIES,
        **OF_COMMENTS,
    }
)


def unknown_codes(main: YamlFile) -> Iterator[Problem]:
    """Severities set for codes that there are not: a warning, since codes come and go."""
    checks = main.root.get("checks")
    severity = checks.get("severity") if isinstance(checks, Fields) else None
    for entry in severity.entries.values() if isinstance(severity, Fields) else ():
        if entry.key not in SEVERITIES:
            yield main.problem(
                codes.UNKNOWN_CODE,
                f"there is no code `{clip(entry.key)}`",
                entry.place,
                hint=did_you_mean(entry.key, list(SEVERITIES), "docs/checks lists them all"),
                severity=Severity.WARNING,
            )


def weighed(problems: Iterable[Problem], severity: Mapping[str, Weight]) -> list[Problem]:
    """The problems with the severities that were set for their codes, without what is off."""
    found: list[Problem] = []
    for problem in problems:
        weight = severity.get(problem.code)
        if weight is None:
            found.append(problem)
        elif weight is not Weight.OFF:
            found.append(replace(problem, severity=Severity(weight.value)))
    return found
