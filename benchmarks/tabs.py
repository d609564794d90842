"""What open pages cost the intake: the time in which a group is answered, with 200 tabs that show
what fires and single groups, beside none."""

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import aiohttp

from benchmarks.accept import ALERT_ROUTER
from benchmarks.latency import body
from benchmarks.programs import free_port, process, report, write_router_config

TABS = 200
GROUPS = 20  # that every other tab shows one of
WARM_UP = 50
MEASURED = 600
PAUSE = 0.02  # seconds between two groups


async def read(url: str, paths: list[str]) -> None:
    """Be the tabs: open a stream for each, say so, and read until the end."""
    opened = 0

    async def tab(session: aiohttp.ClientSession, path: str) -> None:
        nonlocal opened
        async with session.get(f"{url}/{path}") as answer:
            answer.raise_for_status()
            opened += 1
            if opened == len(paths):
                print("open", flush=True)
            async for _ in answer.content:
                pass

    timeout = aiohttp.ClientTimeout(total=None)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        await asyncio.gather(*(tab(session, path) for path in paths))


async def post(url: str, numbers: range) -> tuple[list[float], list[str]]:
    """Milliseconds until each group was answered, and their ids."""
    taken, ids = [], []
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession() as session:
        for number in numbers:
            began = time.perf_counter()
            async with session.post(f"{url}/webhook", data=body(number), headers=headers) as answer:
                answer.raise_for_status()
                ids.append((await answer.json())["id"])
            taken.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(PAUSE)
    return taken, ids


def main() -> None:
    """Print the median and the 99th percentile."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder, ExitStack() as until_end:
        config = write_router_config(Path(folder), port, f"http://127.0.0.1:{free_port()}/")
        command = [ALERT_ROUTER, "serve", "--config", str(config)]
        until_end.enter_context(process(command, f"{url}/-/ready"))
        _, ids = asyncio.run(post(url, range(WARM_UP)))
        alone, _ = asyncio.run(post(url, range(WARM_UP, WARM_UP + MEASURED)))
        paths = [
            "live?page=1" if number % 2 else f"groups/{ids[number // 2 % GROUPS]}/live"
            for number in range(TABS)
        ]
        readers = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.tabs", url, *paths], stdout=subprocess.PIPE
        )
        until_end.callback(readers.wait)
        until_end.callback(readers.kill)
        assert readers.stdout is not None
        if readers.stdout.readline() != b"open\n":
            raise RuntimeError("the tabs could not be opened")
        with_tabs, _ = asyncio.run(post(url, range(WARM_UP + MEASURED, WARM_UP + 2 * MEASURED)))
        if readers.poll() is not None:
            raise RuntimeError("the tabs were closed")
    for name, rank in (("p50", 49), ("p99", 98)):
        mine, other = (statistics.quantiles(one, n=100)[rank] for one in (with_tabs, alone))
        report(
            f"{name} of an accepted group with {TABS} open tabs, over none",
            mine / other, "", f"{mine:.1f} ms over {other:.1f} ms",
        )  # fmt: skip


if __name__ == "__main__":
    asyncio.run(read(sys.argv[1], sys.argv[2:]))
