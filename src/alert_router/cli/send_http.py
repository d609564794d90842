"""HTTP to a running router: one request, one answer within bounds.

What an answer means is for who asked.
"""

import json
from typing import Any

import aiohttp

from alert_router import __version__

_TIMEOUT = 30.0  # seconds; the router answers within two
_MOST = 1024 * 1024  # bytes of an answer that are read


async def ask(
    method: str, url: str, headers: dict[str, str], body: bytes | None = None
) -> tuple[int, str]:
    """Status and text of the answer. Raises aiohttp.ClientError, TimeoutError or ValueError."""
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT)
    sent = {"User-Agent": f"alert-router/{__version__}"} | headers
    if body is not None:
        sent["Content-Type"] = "application/json"
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        # A redirect is no acceptance, and the credentials are not for wherever it leads.
        session.request(method, url, data=body, headers=sent, allow_redirects=False) as response,
    ):
        answer = bytearray()
        async for chunk in response.content.iter_chunked(8192):
            answer += chunk
            if len(answer) >= _MOST:
                break
        return response.status, answer[:_MOST].decode("utf-8", "replace")


def parsed(answer: str) -> Any:
    """The answer as JSON, or as it is where it is none."""
    try:
        return json.loads(answer)
    except (ValueError, RecursionError):
        return answer
