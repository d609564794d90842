"""aiohttp's connection handler, with answers and log lines of ours for requests that are no HTTP.

aiohttp's own hold a piece of what was sent: a header, and with it perhaps a secret.
"""

from http import HTTPStatus

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from alert_router.web.headers import harden
from alert_router.web.quiet import QuietLog

log = structlog.get_logger(__name__)


class Handler(RequestHandler):
    """Of one connection."""

    __slots__ = ("quiet",)

    def __init__(self, server: web.Server, quiet: QuietLog, **settings: object) -> None:
        super().__init__(server, **settings)  # type: ignore[arg-type]
        self.quiet = quiet

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what failed: bad HTTP, or a handler of ours."""
        if status < 500:
            kind = type(exc).__name__ if exc else ""
            self.quiet.warning("malformed request", remote=request.remote, status=status, kind=kind)
        else:
            log.error("request failed", status=status, exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("a part of the answer is sent already")
        answer = web.Response(status=status, text=f"{status} {HTTPStatus(status).phrase}\n")
        harden(answer)
        answer.force_close()
        return answer
