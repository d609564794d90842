"""The codes of every problem that reading configuration can report. Stable: people grep them.

Those of YAML itself are in `document.codes`.
"""

DUPLICATE_NAME = "config-duplicate-name"
UNKNOWN_KEY = "config-unknown-key"
MISSING_KEY = "config-missing-key"
WRONG_TYPE = "config-wrong-type"
INVALID_VALUE = "config-invalid-value"
UNKNOWN_NOTIFIER = "config-unknown-notifier"
UNDEFINED_RECEIVER = "config-undefined-receiver"
UNUSED_RECEIVER = "config-unused-receiver"
FOREIGN_KEY = "config-alertmanager-key"

ROUTING_MATCHER = "routing-matcher"
ROUTING_ROOT = "routing-root"
ROUTING_UNKNOWN_RUNBOOK = "routing-unknown-runbook"

SECRET_UNREADABLE = "secret-unreadable"  # noqa: S105 - a code, not a secret
SECRET_IN_PLAIN = "secret-in-plain"  # noqa: S105
