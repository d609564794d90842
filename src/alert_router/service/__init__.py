"""The running router: build, start, reload, stop."""

from alert_router.service.router import Router, running

__all__ = ["Router", "running"]
