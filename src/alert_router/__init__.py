"""Alert Router: delivers the runbook's content with the alert."""

__version__ = "0.2.0"
