"""The codes of every problem that a runbook can have, each with its default severity.

Stable: people grep them, silence them and set their severity. Those that reading a runbook
reports are written where they are found, in `runbook`; they are listed here for whoever needs all.
"""

from collections.abc import Mapping
from types import MappingProxyType

from alert_router.model.problem import Severity

MISSING_SECTION = "runbook-missing-section"
EMPTY_SECTION = "runbook-empty-section"
REPEATED_SECTION = "runbook-repeated-section"
MISORDERED_SECTION = "runbook-misordered-section"
NO_STEPS = "runbook-no-steps"
NO_METADATA = "runbook-no-metadata"
MISSING_METADATA = "runbook-missing-metadata"
BAD_METADATA = "runbook-bad-metadata"
REVIEW_OVERDUE = "runbook-review-overdue"
SHELL_SYNTAX = "runbook-shell-syntax"
SHELL_UNCHECKED = "runbook-shell-unchecked"
PROMQL_SYNTAX = "runbook-promql-syntax"
PLACEHOLDER = "runbook-placeholder"
PLACEHOLDER_BY_HAND = "runbook-placeholder-by-hand"
UNKNOWN_LABEL = "runbook-unknown-label"
DROPPED_TEXT = "runbook-dropped-text"
DEAD_LINK = "runbook-dead-link"
DEAD_ANCHOR = "runbook-dead-anchor"
LEFTOVER = "runbook-leftover"
DESTRUCTIVE = "runbook-destructive-command"
UNSAFE = "runbook-unsafe-command"
SECRET = "runbook-secret"  # noqa: S105 - a code, not a secret

SEVERITIES: Mapping[str, Severity] = MappingProxyType(
    {
        # What reading reports.
        "runbook-empty": Severity.ERROR,
        "runbook-front-matter": Severity.WARNING,
        "runbook-no-title": Severity.WARNING,
        "runbook-not-utf8": Severity.WARNING,
        "runbook-too-large": Severity.ERROR,
        "runbook-unclosed-fence": Severity.WARNING,
        "runbook-unreadable": Severity.ERROR,
        "runbooks-missing": Severity.ERROR,
        # What the lint reports.
        MISSING_SECTION: Severity.WARNING,
        EMPTY_SECTION: Severity.WARNING,
        REPEATED_SECTION: Severity.WARNING,
        MISORDERED_SECTION: Severity.WARNING,
        NO_STEPS: Severity.WARNING,
        NO_METADATA: Severity.INFO,
        MISSING_METADATA: Severity.WARNING,
        BAD_METADATA: Severity.WARNING,
        REVIEW_OVERDUE: Severity.WARNING,
        SHELL_SYNTAX: Severity.WARNING,
        SHELL_UNCHECKED: Severity.INFO,
        PROMQL_SYNTAX: Severity.WARNING,
        PLACEHOLDER: Severity.WARNING,
        PLACEHOLDER_BY_HAND: Severity.INFO,
        UNKNOWN_LABEL: Severity.WARNING,
        DROPPED_TEXT: Severity.WARNING,
        DEAD_LINK: Severity.WARNING,
        DEAD_ANCHOR: Severity.WARNING,
        LEFTOVER: Severity.WARNING,
        DESTRUCTIVE: Severity.WARNING,
        UNSAFE: Severity.WARNING,
        SECRET: Severity.ERROR,
    }
)
