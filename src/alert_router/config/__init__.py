"""Configuration: files → models, a route tree and a runbook table, or problems with places."""

from alert_router.config.load import Loaded, cross_check, default_config_path, examine, load
from alert_router.config.model import Config, Receiver

__all__ = [
    "Config",
    "Loaded",
    "Receiver",
    "cross_check",
    "default_config_path",
    "examine",
    "load",
]
