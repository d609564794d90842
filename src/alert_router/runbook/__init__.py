"""Runbooks: parsed from Markdown, and the catalogue of a directory."""

from alert_router.runbook.catalogue import Catalogue, UnusableFile, read
from alert_router.runbook.model import STANDARD_SECTIONS, Runbook, Section, Step
from alert_router.runbook.parse import parse_runbook

__all__ = [
    "STANDARD_SECTIONS",
    "Catalogue",
    "Runbook",
    "Section",
    "Step",
    "UnusableFile",
    "parse_runbook",
    "read",
]
