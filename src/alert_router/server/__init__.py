"""The running router: build, start, reload, stop."""

from alert_router.server.router import Router, running

__all__ = ["Router", "running"]
