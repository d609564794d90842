"""The codes of what can be wrong with rule files, and how much each weighs. Stable: people grep
them. Those of YAML itself are in `document.codes`.
"""

from types import MappingProxyType

from alert_router.model.problem import Severity

NO_FILE = "rules-no-file"
TEMPLATE = "rules-template"
NOT_RULES = "rules-not-a-rule-file"
SHAPE = "rules-shape"
NO_NAME = "rules-no-name"
NO_EXPR = "rules-no-expr"
PROMQL = "rules-promql"
UNKNOWN_KEY = "rules-unknown-key"
DUPLICATE_GROUP = "rules-duplicate-group"
DUPLICATE_ALERT = "rules-duplicate-alert"
NO_ALERTS = "rules-no-alerts"

SEVERITIES = MappingProxyType(
    {
        NO_FILE: Severity.ERROR,
        TEMPLATE: Severity.ERROR,
        NOT_RULES: Severity.ERROR,
        SHAPE: Severity.ERROR,
        NO_NAME: Severity.ERROR,
        NO_EXPR: Severity.ERROR,
        PROMQL: Severity.ERROR,
        UNKNOWN_KEY: Severity.WARNING,
        DUPLICATE_GROUP: Severity.ERROR,
        DUPLICATE_ALERT: Severity.WARNING,
        NO_ALERTS: Severity.ERROR,
    }
)
