"""Alert Router: delivers the runbook's content with the alert."""

__version__ = "0.1.0"
