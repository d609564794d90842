"""The codes of every problem that configuration and routing can have, each with its default
severity. Stable: people grep them, silence them and set their severity.

Those of YAML itself are in `yaml_source.codes`, and `checks.codes` has all of them.
"""

from collections.abc import Mapping
from types import MappingProxyType

from alert_router.model.problem import Severity

DUPLICATE_NAME = "config-duplicate-name"
UNKNOWN_KEY = "config-unknown-key"
MISSING_KEY = "config-missing-key"
WRONG_TYPE = "config-wrong-type"
INVALID_VALUE = "config-invalid-value"
UNKNOWN_NOTIFIER = "config-unknown-notifier"
UNKNOWN_CODE = "config-unknown-code"
UNDEFINED_RECEIVER = "config-undefined-receiver"
UNUSED_RECEIVER = "config-unused-receiver"
FOREIGN_KEY = "config-alertmanager-key"
FORBIDDEN_ADDRESS = "config-forbidden-address"
UNRESOLVED_NAME = "config-unresolved-name"

ROUTING_MATCHER = "routing-matcher"
ROUTING_ROOT = "routing-root"
ROUTING_UNKNOWN_RUNBOOK = "routing-unknown-runbook"
ROUTING_UNKNOWN_SECTION = "routing-unknown-section"
ROUTING_SHADOWED_ENTRY = "routing-shadowed-entry"
ROUTING_SHADOWED_ROUTE = "routing-shadowed-route"
ROUTING_CONTRADICTION = "routing-contradiction"
ROUTING_MATCHES_MISSING = "routing-matches-missing"
ROUTING_ODD_VALUE = "routing-odd-value"
ROUTING_UNREACHED_RUNBOOK = "routing-unreached-runbook"

SECRET_UNREADABLE = "secret-unreadable"  # noqa: S105 - a code, not a secret
SECRET_IN_PLAIN = "secret-in-plain"  # noqa: S105

SEVERITIES: Mapping[str, Severity] = MappingProxyType(
    {
        DUPLICATE_NAME: Severity.ERROR,
        UNKNOWN_KEY: Severity.ERROR,
        MISSING_KEY: Severity.ERROR,
        WRONG_TYPE: Severity.ERROR,
        INVALID_VALUE: Severity.ERROR,
        UNKNOWN_NOTIFIER: Severity.ERROR,
        UNKNOWN_CODE: Severity.WARNING,
        UNDEFINED_RECEIVER: Severity.ERROR,
        UNUSED_RECEIVER: Severity.INFO,
        FOREIGN_KEY: Severity.ERROR,
        FORBIDDEN_ADDRESS: Severity.WARNING,
        UNRESOLVED_NAME: Severity.ERROR,
        ROUTING_MATCHER: Severity.ERROR,
        ROUTING_ROOT: Severity.ERROR,
        ROUTING_UNKNOWN_RUNBOOK: Severity.ERROR,
        ROUTING_UNKNOWN_SECTION: Severity.WARNING,
        ROUTING_SHADOWED_ENTRY: Severity.WARNING,
        ROUTING_SHADOWED_ROUTE: Severity.WARNING,
        ROUTING_CONTRADICTION: Severity.WARNING,
        ROUTING_MATCHES_MISSING: Severity.WARNING,
        ROUTING_ODD_VALUE: Severity.WARNING,
        ROUTING_UNREACHED_RUNBOOK: Severity.INFO,
        SECRET_UNREADABLE: Severity.WARNING,
        SECRET_IN_PLAIN: Severity.WARNING,
    }
)
