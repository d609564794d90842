"""Headers of every answer."""

from aiohttp import web


def harden(answer: web.StreamResponse) -> None:
    """No guessing of types, and no version of anything for whoever looks for holes."""
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Server"] = "alert-router"


async def on_prepare(_: web.Request, answer: web.StreamResponse) -> None:
    """As aiohttp calls it before an answer is sent."""
    harden(answer)
