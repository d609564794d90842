"""Short ways to talk to a running router in tests."""

from typing import Any

import aiohttp

from tests.programs import Router


async def post(url: str, data: bytes = b"", **kwargs: Any) -> tuple[int, dict[str, Any]]:
    """Status and JSON of the answer."""
    method = kwargs.pop("method", "POST")
    async with aiohttp.ClientSession() as session:
        async with session.request(method, url, data=data, **kwargs) as answer:
            return answer.status, await answer.json()


async def get(url: str, **kwargs: Any) -> tuple[int, str]:
    """Status and text of the answer."""
    async with aiohttp.ClientSession() as session:
        async with session.get(url, **kwargs) as answer:
            return answer.status, await answer.text()


async def metric(process: Router, series: str) -> float:
    """The sum of the series that begin so."""
    _, text = await get(f"{process.url}/metrics")
    found = [row.rsplit(" ", 1)[1] for row in text.splitlines() if row.startswith(series)]
    return sum(map(float, found))
