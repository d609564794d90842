"""A real browser for tests: headless Chromium, spoken to by its DevTools protocol."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.programs import PATIENCE, Process, eventually, need


class Page:
    """A page: what it asked the network for, which dialogs it opened, and what its document
    answers."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.requests: list[str] = []
        self.dialogs: list[str] = []

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A method of the protocol; what happens until its answer is noted."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            message = await self._next()
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]

    async def open(self, path: Path) -> None:
        """Load a file, and wait until it is there with all that it asks for."""
        await self.visit(path.as_uri())

    async def visit(self, url: str) -> None:
        """As `open`, for a URL."""
        for domain in ("Page", "Network", "Runtime"):
            await self.call(f"{domain}.enable")
        await self.call("Page.navigate", url=url)
        while (await self._next()).get("method") != "Page.loadEventFired":
            pass

    async def follow(self, expression: str) -> None:
        """Evaluate what leads to another page, and wait until that is there."""
        await self.evaluate(expression)
        while (await self._next()).get("method") != "Page.loadEventFired":
            pass

    async def tap(self, selector: str) -> None:
        """Press the middle of the first element that the CSS selector finds, as a finger does."""
        await self.evaluate(f"document.querySelector({selector!r}).scrollIntoView()")
        x, y = await self.evaluate(
            f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])"
            f"(document.querySelector({selector!r}).getBoundingClientRect())"
        )
        for kind in ("mousePressed", "mouseReleased"):
            where = {"x": x, "y": y, "button": "left", "clickCount": 1}
            await self.call("Input.dispatchMouseEvent", type=kind, **where)

    async def evaluate(self, expression: str) -> Any:
        """What an expression is in the page, and what it comes to if it is a promise."""
        answer = await self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def _next(self) -> dict[str, Any]:
        message = await self._socket.receive_json(timeout=PATIENCE)
        told = message.get("params", {})
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        if message.get("method") == "Page.javascriptDialogOpening":
            self.dialogs.append(told["message"])
        return message


@asynccontextmanager
async def browser(directory: Path, width: int = 1200, height: int = 900) -> AsyncIterator[Page]:
    """An empty page of a window of that many pixels, for the length of the block."""
    program = need("chromium")
    directory.mkdir(parents=True, exist_ok=True)
    profile = directory / "profile"
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"]
    process = Process(
        [
            *(program, *options, "--remote-debugging-port=0", f"--user-data-dir={profile}"),
            *(f"--window-size={width},{height}", "about:blank"),
        ],
        directory / "chromium.log",
    )
    try:
        port_file = profile / "DevToolsActivePort"
        await eventually(lambda: port_file.exists() and port_file.read_text(), "the browser")
        port = port_file.read_text().split()[0]
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                targets = await answer.json()
            (target,) = [one for one in targets if one["type"] == "page"]
            async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                page = Page(socket)
                # Of its own accord no window is narrower than 500 pixels.
                size = {"width": width, "height": height}
                await page.call(
                    "Emulation.setDeviceMetricsOverride", **size, deviceScaleFactor=1, mobile=False
                )
                yield page
    finally:
        process.end()
