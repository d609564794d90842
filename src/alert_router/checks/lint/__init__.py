"""The lint of runbooks: what is wrong, stale, dangerous or missing in them.

Reading runbooks is `runbook`'s, showing problems the command's, silencing them `silence`'s.
"""

from alert_router.checks.lint.codes import SEVERITIES
from alert_router.checks.lint.run import lint

__all__ = ["SEVERITIES", "lint"]
