"""Every code that a problem can have, whatever finds it, with its default severity."""

from collections.abc import Mapping
from types import MappingProxyType

from alert_router import lint, rules
from alert_router.config import codes
from alert_router.document import codes as yaml_codes
from alert_router.model.problem import Severity
from alert_router.silence import SEVERITIES as OF_COMMENTS

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
