"""`make pictures`: takes the pictures of the pages in docs/images again, from the shipped runbooks
and routing and the payloads of the demo. Requires Chromium.
"""

import asyncio
import json
import signal
import time
from base64 import b64decode
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiohttp import web

from alert_router.model import AlertGroup
from alert_router.outbox.sqlite import SqliteOutbox
from alert_router.receive import Source, to_store
from alert_router.runtime import read_runtime
from tests.browser import Page, browser
from tests.http import get
from tests.programs import Request, Router, eventually, recorder

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs/images"
PAYLOADS = ROOT / "demo/payloads"
PHONE, DESKTOP = (390, 844), (1200, 800)
MOST = 150_000  # bytes of a picture
RUNBOOK = "alerts/pod-crashes?namespace=shop&pod=cart-7"
EXPLAINED = "label=alertname=RedisConnectionErrors&label=severity=critical&label=component=redis"
ANA = {"X-Forwarded-User": "Ana"}
# When each payload came in, in hours before now, and whether it fired.
COURSE = [
    ("2-latency.json", [(23, True), (21.5, False), (9, True)]),
    ("3-redis.json", [(16, True), (14.2, False), (0.4, True)]),
    ("4-database.json", [(5.5, True), (5, False), (2.5, True)]),
    ("5-pod-crash.json", [(0.2, True)]),
    ("1-error-rate.json", [(1.1, True), (0.1, False)]),
]


def write_config(folder: Path, slack: str) -> Path:
    """The shipped routing and runbooks, with two destinations for each of its receivers."""
    notifiers = [{"type": "console"}, {"type": "slack", "url": slack}]
    people = {"header": "X-Forwarded-User", "proxies": ["127.0.0.0/8"]}
    config = {
        "http": {
            "listen": "127.0.0.1:0",
            "external_url": "https://alerts.example.org",
            "people": people,
        },
        "storage": f"sqlite:///{folder}/alert-router.db",
        "runbooks": {"path": str(ROOT / "runbooks")},
        "routing": str(ROOT / "config/routing.yaml"),
        "delivery": {"private_destinations": ["127.0.0.0/8"]},
        "receivers": [{"name": name, "notifiers": notifiers} for name in ("default", "oncall")],
    }
    path = folder / "alert-router.yaml"
    path.write_text(json.dumps(config))
    return path


def body(name: str, *, fires: bool) -> bytes:
    """A payload of the demo, firing or resolved."""
    group = json.loads((PAYLOADS / name).read_bytes())
    status = "firing" if fires else "resolved"
    group["status"] = status
    for alert in group["alerts"]:
        alert["status"] = status
    return json.dumps(group).encode()


async def fill(config: Path) -> dict[str, str]:
    """Store the course of a day; the latest id of each payload's group."""
    runtime = read_runtime(config)
    outbox = SqliteOutbox.open(runtime.config.storage.path)
    now, ids = time.time(), {}
    moments = [(hours, name, fires) for name, times in COURSE for hours, fires in times]
    for hours, name, fires in sorted(moments, reverse=True):
        raw = body(name, fires=fires)
        group = AlertGroup.from_bytes(raw)
        stored = to_store(group, raw, Source(""), runtime, now - hours * 3600)
        ids[name] = (await outbox.accept(stored, 0.0)).id
    await outbox.close()
    return ids


async def take(page: Page, name: str) -> None:
    """Take a picture of what the window shows."""
    # Frames are painted later than the page.
    await asyncio.sleep(0.5)
    shot = await page.call("Page.captureScreenshot", format="png")
    picture = IMAGES / f"{name}.png"
    picture.write_bytes(b64decode(shot["data"]))
    size = picture.stat().st_size
    assert size <= MOST, f"{picture} has {size} bytes"
    print(f"{picture.relative_to(ROOT)}: {size / 1000:.0f} kB")


async def show(
    folder: Path, url: str, size: tuple[int, int], *acts: Callable[[Page], Awaitable[Any]]
) -> None:
    """Open a page in a window of that size, with Ana's name, and do something with it."""
    async with browser(folder, *size) as page:
        await page.call("Network.enable")
        await page.call("Network.setExtraHTTPHeaders", headers=ANA)
        await prefer(page, "light")
        await page.visit(url)
        for act in acts:
            await act(page)


async def prefer(page: Page, scheme: str) -> None:
    """Have the browser prefer light or dark colors, and no motion."""
    features = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
    wanted = [{"name": name, "value": value} for name, value in features.items()]
    await page.call("Emulation.setEmulatedMedia", features=wanted)


async def work(page: Page) -> None:
    """Take the group and tick a step."""
    for what, sign in (("#take", "Ana has it"), ("[id^=do-]", "Done by Ana")):
        await page.evaluate(f"document.querySelector('{what}').click()")
        seen = f"document.body.innerText.includes('{sign}')"
        await eventually(partial(page.evaluate, seen), sign)


async def without_script(page: Page) -> None:
    """Load the page again, with JavaScript turned off."""
    await page.call("Emulation.setScriptExecutionDisabled", value=True)
    await page.visit(await page.evaluate("location.href"))


async def main() -> None:
    """Take all pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)

    def answer(request: Request) -> web.Response:
        is_known = b"Redis" in request.body
        return web.Response(text="ok") if is_known else web.Response(status=400, text="no_text")

    with TemporaryDirectory() as directory:
        folder = Path(directory)
        async with recorder() as slack:
            slack.answer = answer
            config = write_config(folder, f"{slack.url}/services/T0/B0/x")
            ids = await fill(config)
            router = await Router(config).started()
            try:

                async def is_settled() -> bool:
                    return "None" in (await get(f"{router.url}/deliveries?state=waiting"))[1]

                await eventually(is_settled, "the deliveries")
                group = f"{router.url}/groups/{ids['3-redis.json']}"
                steps = "document.querySelector('.steps').scrollIntoView()"
                await show(
                    folder / "1", group, PHONE, work, lambda page: take(page, "group-phone"),
                    lambda page: page.evaluate(steps), lambda page: take(page, "steps-phone"),
                    without_script, lambda page: page.evaluate(steps),
                    lambda page: take(page, "steps-without-script"),
                )  # fmt: skip
                await show(
                    folder / "2",
                    group,
                    DESKTOP,
                    partial(prefer, scheme="dark"),
                    lambda page: take(page, "group-dark"),
                )
                first = "document.querySelector('h2').scrollIntoView()"
                await show(
                    folder / "explain", f"{router.url}/explain?{EXPLAINED}", DESKTOP,
                    lambda page: page.evaluate(first), lambda page: take(page, "explain"),
                )  # fmt: skip
                for name, path in (
                    ("now", "/"),
                    ("deliveries", "/deliveries?state=dead"),
                    ("runbook", f"/runbooks/{RUNBOOK}"),
                ):
                    await show(
                        folder / name, f"{router.url}{path}", DESKTOP,
                        lambda page, name=name: take(page, name),
                    )  # fmt: skip
            finally:
                router.end(signal.SIGTERM)


if __name__ == "__main__":
    asyncio.run(main())
