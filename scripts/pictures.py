"""`make pictures`: takes the pictures in docs/notifiers again, from the shipped runbooks and a demo
payload. Requires Chromium and an emoji font (Debian: fonts-noto-color-emoji).
"""

import asyncio
import subprocess
import sys
from base64 import b64decode
from pathlib import Path
from tempfile import TemporaryDirectory

from alert_router.notify.registry import NOTIFIERS
from tests.browser import Page, browser

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs/notifiers/pictures"
PAYLOAD = ROOT / "demo/payloads/3-redis.json"
CARD, OVERVIEW = 640, 1040  # pixels wide


def public_config(directory: Path) -> Path:
    """The shipped configuration, with a public URL for the links."""
    shipped = (ROOT / "config/alert-router.yaml").read_text(encoding="utf-8")
    made = directory / "alert-router.yaml"
    text = shipped.replace("http://localhost:9095", "https://alerts.example.org")
    text = text.replace("../runbooks", str(ROOT / "runbooks"))
    made.write_text(text, encoding="utf-8")
    for path in (ROOT / "config").glob("*.yaml"):
        if path.name != made.name:
            (directory / path.name).write_bytes(path.read_bytes())
    return made


def preview(page: Path, *chosen: str) -> None:
    """Write the preview page for these notifier types."""
    words = [word for type_ in chosen for word in ("--type", type_)]
    program = Path(sys.executable).with_name("alert-router")
    config = public_config(page.parent)
    subprocess.run(
        [program, "preview", PAYLOAD, "--config", config, *words, "--html", page], check=True
    )


async def take(here: Page, page: Path, what: str, picture: Path) -> None:
    """Take a picture of the first element that the CSS selector `what` finds."""
    await here.open(page)
    clip = await here.evaluate(
        "(({x, y, width, height}) => ({x, y, width, height, scale: 1}))"
        f"(document.querySelector({what!r}).getBoundingClientRect())"
    )
    # Frames are painted later than the page.
    await here.evaluate("new Promise(done => setTimeout(done, 500))")
    shot = await here.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
    picture.write_bytes(b64decode(shot["data"]))
    print(f"{picture.relative_to(ROOT)}: {picture.stat().st_size / 1000:.0f} kB")


async def main() -> None:
    """Take a picture of each type, and one of two types side by side for the README."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as directory:
        page = Path(directory) / "page.html"
        async with browser(Path(directory) / "narrow", CARD + 64) as here:
            for type_ in sorted(set(NOTIFIERS) - {"webhook"}):  # the page shows the body as text
                preview(page, type_)
                await take(here, page, "article", PICTURES / f"{type_}.png")
        async with browser(Path(directory) / "wide", OVERVIEW) as here:
            preview(page, "slack", "teams")
            await take(here, page, "main", ROOT / "docs/preview.png")


if __name__ == "__main__":
    asyncio.run(main())
