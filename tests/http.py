"""Short ways to talk to a running router in tests."""

import asyncio
import time
from typing import IO, Any, Protocol

import aiohttp
from yarl import URL


async def post(
    url: str, data: bytes | IO[bytes] = b"", **kwargs: Any
) -> tuple[int, dict[str, Any]]:
    """Status and JSON of the answer."""
    method = kwargs.pop("method", "POST")
    async with aiohttp.ClientSession() as session:
        async with session.request(method, url, data=data, **kwargs) as answer:
            return answer.status, await answer.json()


async def get(url: str | URL, **kwargs: Any) -> tuple[int, str]:
    """Status and text of the answer."""
    async with aiohttp.ClientSession() as session:
        async with session.get(url, **kwargs) as answer:
            return answer.status, await answer.text()


class Served(Protocol):
    """Whatever listens at a URL."""

    url: str


# Read from the store now and then.
FROM_STORE = tuple(
    f"alert_router_{name}"
    for name in (
        "deliveries_pending",
        "oldest_pending",
        "dead_letters",
        "destination_held",
        "destination_failing",
    )
)


async def metric(process: Served, series: str) -> float:
    """The sum of the series that begin so, as they are after this call began."""
    began = time.monotonic()
    while True:
        _, text = await get(f"{process.url}/metrics")
        asked = time.monotonic() - began
        if (
            not series.startswith(FROM_STORE) or _sum(text, AGE) < asked - 0.2
        ):  # the text is kept too
            return _sum(text, series)
        await asyncio.sleep(0.1)


AGE = "alert_router_store_answer_age_seconds "


def _sum(text: str, series: str) -> float:
    found = [row.rsplit(" ", 1)[1] for row in text.splitlines() if row.startswith(series)]
    return sum(map(float, found))
