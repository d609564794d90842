"""Runbooks: what one is, how it is read from Markdown, and all of a directory.

What is shown of one for an alert is `enrich`; how it looks is each notifier's.
"""

from alert_router.runbook.catalogue import Catalogue
from alert_router.runbook.model import STANDARD_SECTIONS, Runbook, Section, Step
from alert_router.runbook.parse import parse_runbook

__all__ = ["STANDARD_SECTIONS", "Catalogue", "Runbook", "Section", "Step", "parse_runbook"]
