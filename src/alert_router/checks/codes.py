"""Every code that a problem can have, whatever finds it, with its default severity."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from alert_router.checks import lint, rules
from alert_router.checks.suppressions import SEVERITIES as OF_COMMENTS
from alert_router.config import codes
from alert_router.model.problem import Problem, Severity, did_you_mean
from alert_router.yaml_source import Document, Fields
from alert_router.yaml_source import codes as yaml_codes
from alert_router.yaml_source.mask import clip

_YAML = {value: Severity.ERROR for name, value in vars(yaml_codes).items() if name.isupper()}

SEVERITIES: Mapping[str, Severity] = MappingProxyType(
    {
        **_YAML,
        **codes.SEVERITIES,
        **lint.SEVERITIES,
        **rules.SEVERITIES,
        **OF_COMMENTS,
    }
)


def unknown_codes(main: Document) -> Iterator[Problem]:
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
