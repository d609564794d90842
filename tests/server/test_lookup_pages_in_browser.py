"""Explain, Coverage and Runbook in a real browser, with hostile alerts and runbooks, and without
JavaScript."""

import base64
from pathlib import Path
from urllib.parse import quote

from tests.browser import Page, browser
from tests.programs import body, eventually, router, write_config
from tests.server.test_group_page import SCRIPT, send

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
HOSTILE = "<img src=x onerror='window.hacked=1'>" + SCRIPT + "`" + "x" * 250
RUNBOOK = f"""# {HOSTILE}

## {HOSTILE}

![{HOSTILE}](one.png) ![gone](none.png)

## Mitigation

```bash
kubectl -n <namespace> delete pod <pod-name> # {HOSTILE}
```
"""


def configured(folder: Path) -> Path:
    slack = {"type": "slack", "url": "https://hooks.slack.com/services/T/B/x"}
    mail = {"type": "email", "smarthost": "mail.example.org:25", "from": "a@b.c", "to": ["a@b.c"]}
    config = write_config(folder, [{"type": "console"}, slack, mail])
    (folder / "runbooks" / "alerts" / "odd.md").write_text(RUNBOOK)
    (folder / "runbooks" / "alerts" / "one.png").write_bytes(PIXEL)
    return config


async def test_hostile_alerts_and_runbooks_run_nothing_and_fit_every_screen(tmp_path: Path):
    hostile = quote(HOSTILE)
    paths = [
        f"explain?label=alertname=odd&label=l={hostile}&annotation=summary={hostile}",
        "coverage",
        f"coverage/new?alert={hostile}",
        "runbooks/",
        f"runbooks/alerts/odd?namespace={hostile}",
        f"runbooks/{hostile}",
    ]
    async with router(configured(tmp_path)) as running, browser(tmp_path / "it") as page:
        await send(running, body(HOSTILE))
        for path in paths:
            await page.visit(f"{running.url}/{path}")
            assert await page.evaluate("typeof window.hacked") == "undefined"
            for width in (390, 1400):
                size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
                await page.call("Emulation.setDeviceMetricsOverride", **size)
                wide = await page.evaluate("document.documentElement.scrollWidth")
                assert wide <= width, path
        assert page.dialogs == []
        assert all(url.startswith(running.url) for url in page.requests)


async def test_a_picture_is_seen_on_the_page_of_a_runbook_and_of_a_group(tmp_path: Path):
    async with router(configured(tmp_path)) as running, browser(tmp_path / "it") as page:
        for path in ("runbooks/alerts/odd", f"groups/{await send(running, body('odd'))}"):
            await page.visit(f"{running.url}/{path}")
            widths = "[...document.images].map(it => it.naturalWidth)"
            assert await page.evaluate(widths) == [1, 0], path


async def submit(page: Page, fill: str, says: str) -> None:
    """Fill in the form of the page, send it as the browser does, and wait for what is answered."""
    await page.evaluate(f"{fill}; document.querySelector('main form').requestSubmit()")

    async def is_answered() -> bool:
        return says in await page.evaluate("document.body?.innerText ?? ''")

    await eventually(is_answered, says)


async def test_the_forms_work_without_javascript(tmp_path: Path):
    async with router(configured(tmp_path)) as running, browser(tmp_path / "it") as page:
        await page.call("Emulation.setScriptExecutionDisabled", value=True)
        await page.visit(f"{running.url}/explain")
        pasted = "document.querySelector('#what').value = 'alertname=HighErrorRate pod=cart-1'"
        await submit(page, pasted, "High error rate → oncall")
        assert "?label=alertname" in await page.evaluate("location.href")

        await page.visit(f"{running.url}/runbooks/alerts/high-error-rate")
        assert await page.evaluate("document.querySelectorAll('button.copy').length") == 0
        filled = "document.querySelector('[name=pod]').value = 'cart-7'"
        await submit(page, filled, "delete pod cart-7")

        await page.visit(f"{running.url}/groups/{await send(running, body())}")
        await page.evaluate("document.querySelector('#who').value = 'Ana'")
        take = "document.querySelector('#act').requestSubmit(document.querySelector('#take'))"
        await page.evaluate(take)

        async def is_taken() -> bool:
            return "Ana has it" in await page.evaluate("document.body?.innerText ?? ''")

        await eventually(is_taken, "the action")
