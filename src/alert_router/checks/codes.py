"""The code of every problem that can be reported, with its default severity.

Codes are stable: people search for them, suppress them and set their severity.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from alert_router.config import codes
from alert_router.config.model import Weight
from alert_router.model.problem import Problem, Severity, did_you_mean
from alert_router.redaction import clip
from alert_router.yaml_source import CODES as YAML_CODES
from alert_router.yaml_source import YamlFile, YamlMapping

LINT: Mapping[str, Severity] = MappingProxyType(
    {
        # Reported by `runbook` when it reads a file.
        "runbook-empty": Severity.ERROR,
        "runbook-front-matter": Severity.WARNING,
        "runbook-no-title": Severity.WARNING,
        "runbook-unread-markup": Severity.WARNING,
        "runbook-not-read": Severity.INFO,
        "runbook-not-utf8": Severity.WARNING,
        "runbook-too-large": Severity.ERROR,
        "runbook-unclosed-fence": Severity.WARNING,
        "runbook-unreadable": Severity.ERROR,
        "runbooks-missing": Severity.ERROR,
        # Reported by `lint`.
        "runbook-missing-section": Severity.WARNING,
        "runbook-empty-section": Severity.WARNING,
        "runbook-repeated-section": Severity.WARNING,
        "runbook-misordered-section": Severity.WARNING,
        "runbook-no-steps": Severity.WARNING,
        "runbook-no-metadata": Severity.INFO,
        "runbook-missing-metadata": Severity.WARNING,
        "runbook-bad-metadata": Severity.WARNING,
        "runbook-review-overdue": Severity.WARNING,
        "runbook-shell-syntax": Severity.WARNING,
        "runbook-shell-unchecked": Severity.INFO,
        "runbook-promql-syntax": Severity.WARNING,
        "runbook-placeholder": Severity.WARNING,
        "runbook-placeholder-by-hand": Severity.INFO,
        "runbook-unknown-label": Severity.WARNING,
        "runbook-dropped-text": Severity.WARNING,
        "runbook-dead-link": Severity.WARNING,
        "runbook-dead-anchor": Severity.WARNING,
        "runbook-leftover": Severity.WARNING,
        "runbook-destructive-command": Severity.WARNING,
        "runbook-unsafe-command": Severity.WARNING,
        "runbook-secret": Severity.ERROR,
    }
)

RULES: Mapping[str, Severity] = MappingProxyType(
    {
        "rules-no-file": Severity.ERROR,
        "rules-template": Severity.ERROR,
        "rules-not-a-rule-file": Severity.ERROR,
        "rules-shape": Severity.ERROR,
        "rules-no-name": Severity.ERROR,
        "rules-no-expr": Severity.ERROR,
        "rules-promql": Severity.ERROR,
        "rules-unknown-key": Severity.WARNING,
        "rules-unknown-section": Severity.WARNING,
        "rules-duplicate-group": Severity.ERROR,
        "rules-duplicate-alert": Severity.WARNING,
        "rules-no-alerts": Severity.ERROR,
    }
)

SUPPRESSIONS: Mapping[str, Severity] = MappingProxyType(
    {
        "ignore-without-reason": Severity.WARNING,
        "ignore-unknown-code": Severity.WARNING,
        "ignore-unused": Severity.INFO,
    }
)

_SEVERITIES = {"severity-unknown": Severity.WARNING}

_YAML = dict.fromkeys(YAML_CODES, Severity.ERROR)

SEVERITIES: Mapping[str, Severity] = MappingProxyType(
    {**_YAML, **codes.SEVERITIES, **LINT, **RULES, **SUPPRESSIONS, **_SEVERITIES}
)


def unknown_codes(main: YamlFile) -> Iterator[Problem]:
    """Severities set for unknown codes: a warning, since codes come and go with versions."""
    checks = main.root.get("checks")
    severity = checks.get("severity") if isinstance(checks, YamlMapping) else None
    for entry in severity.entries.values() if isinstance(severity, YamlMapping) else ():
        if entry.key not in SEVERITIES:
            yield main.problem(
                codes.UNKNOWN_CODE,
                f"unknown code `{clip(entry.key)}`",
                entry.place,
                hint=did_you_mean(entry.key, list(SEVERITIES), "docs/checks lists all codes"),
                severity=Severity.WARNING,
            )


def weighed(problems: Iterable[Problem], severity: Mapping[str, Weight]) -> list[Problem]:
    """The problems with the severities set for their codes, without those that are off."""
    found: list[Problem] = []
    for problem in problems:
        weight = severity.get(problem.code)
        if weight is None:
            found.append(problem)
        elif weight is not Weight.OFF:
            found.append(replace(problem, severity=Severity(weight.value)))
    return found
