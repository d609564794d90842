"""The pages in a real browser: on a phone, for two people at once, and with hostile alerts."""

import re
from pathlib import Path
from urllib.parse import quote

from tests.browser import Page, browser
from tests.programs import eventually, free_port, recorder, router, write_config
from tests.server.test_group_page import SCRIPT, alerts, send
from tests.server.test_link_pages import link, served

PHONE = 390  # pixels
NAME = "document.querySelector('#who').value = "
DONE = "document.querySelectorAll('.done').length"


async def is_narrow(page: Page) -> bool:
    """Whether nothing has to be scrolled sideways."""
    return await page.evaluate(f"document.documentElement.scrollWidth <= {PHONE}")


async def test_two_people_see_each_others_ticks_and_open_details_stay_open(tmp_path: Path):
    config = write_config(tmp_path, [{"type": "console"}])
    async with (
        router(config) as running,
        browser(tmp_path / "ana", PHONE) as ana,
        browser(tmp_path / "ben", PHONE) as ben,
    ):
        url = f"{running.url}/groups/{await send(running, alerts('cart-1', 'cart-2'))}"
        for page in (ana, ben):
            await page.visit(url)
            assert await is_narrow(page)
        await ben.evaluate("document.querySelectorAll('details').forEach(it => it.open = true)")
        await ana.evaluate(f"{NAME} 'Ana'; document.querySelector('[id^=do-]').click()")

        async def is_seen() -> bool:
            return await ana.evaluate(DONE) == 1 and await ben.evaluate(DONE) == 1

        await eventually(is_seen, "the tick")
        text = await ben.evaluate("document.body.innerText")
        assert "Done by Ana" in text
        assert await ben.evaluate("document.querySelectorAll('details[open]').length") == 2


async def test_forms_work_without_our_script(tmp_path: Path):
    config = write_config(tmp_path, [{"type": "console"}])
    async with router(config) as running, browser(tmp_path / "it", PHONE) as page:
        await page.call("Emulation.setScriptExecutionDisabled", value=True)
        await page.visit(f"{running.url}/groups/{await send(running, alerts('cart-1'))}")
        assert await page.evaluate("document.querySelector('.copy')") is None
        await page.follow(f"{NAME} 'Ana'; document.querySelector('#take').click()")
        assert "Ana has it" in await page.evaluate("document.body.innerText")
        assert await is_narrow(page)


async def test_a_command_is_copied_as_it_is_shown(tmp_path: Path):
    config = write_config(tmp_path, [{"type": "console"}])
    async with router(config) as running, browser(tmp_path / "it", PHONE) as page:
        await page.visit(f"{running.url}/groups/{await send(running, alerts('cart-1'))}")
        copied = await page.evaluate(
            "(async () => { let got = ''; navigator.clipboard.writeText = async t => { got = t; };"
            " document.querySelectorAll('.copy')[1].click(); await 0; return got; })()"
        )
    assert copied == "kubectl -n shop delete pod cart-1"


async def test_from_a_slack_message_to_the_first_command_copied_are_two_taps(tmp_path: Path):
    url = f"http://127.0.0.1:{free_port()}"
    http = {"listen": url.removeprefix("http://"), "external_url": url}
    async with recorder() as slack:
        notifier = {"type": "slack", "url": f"{slack.url}/services/T0/B0/x"}
        config = write_config(tmp_path, [notifier], http=http)
        async with router(config) as running, browser(tmp_path / "it", PHONE, 844) as page:
            await send(running, alerts("cart-1"))
            await eventually(lambda: slack.requests, "the message")
            (link,) = {*re.findall(rf"{url}/groups/[0-9a-f-]+", slack.requests[0].body.decode())}
            await page.call("Browser.grantPermissions", permissions=["clipboardReadWrite"])

            await page.visit(link)  # the first tap, in Slack
            assert await page.evaluate("document.querySelector('.copy').closest('details')") is None
            await page.tap("button.copy")

            copied = "navigator.clipboard.readText()"
            first = await eventually(lambda: page.evaluate(copied), "the command")
    assert first == 'sum(rate(http_requests_total{job="cart", status=~"5.."}[5m]))'


async def test_hostile_alerts_run_no_script_and_leave_the_page_narrow(tmp_path: Path):
    hostile = "<img src=x onerror='window.hacked=1'>" + SCRIPT + "x" * 400
    config = write_config(tmp_path, [{"type": "console"}])
    async with router(config) as running, browser(tmp_path / "it", PHONE) as page:
        raw = alerts(hostile, hostile * 2, annotations={"summary": hostile, hostile: hostile})
        id_ = await send(running, raw)
        explain = f"explain?label=l={quote(hostile)}&annotation=summary={quote(hostile)}"
        for path in (f"groups/{id_}", "", "deliveries", "status", explain):
            await page.visit(f"{running.url}/{path}")
            assert await page.evaluate("typeof window.hacked") == "undefined"
            assert await is_narrow(page), path
        assert page.dialogs == []


async def test_a_link_in_a_message_is_one_button_on_a_phone(tmp_path: Path):
    async with served(tmp_path, {}) as (running, server), browser(tmp_path / "it", PHONE) as page:
        await page.call("Emulation.setScriptExecutionDisabled", value=True)
        id_ = await send(running, alerts("cart-1"))
        await page.visit(running.url + await link(server, "I have it"))
        assert await is_narrow(page)
        await page.evaluate("document.querySelector('[name=who]').value = 'Ana'")
        await page.follow("document.querySelector('button').click()")
        assert "Kept, and shown to everybody." in await page.evaluate("document.body.innerText")
        assert await is_narrow(page)
        await page.follow("document.querySelector('main a').click()")
        assert f"/groups/{id_}" in await page.evaluate("location.href")
        assert "Ana (by link) has it" in await page.evaluate("document.body.innerText")
        await send(running, alerts("cart-1", status="resolved"))
        await page.visit(running.url + await link(server, "It helped", 2))
        assert await page.evaluate("document.querySelectorAll('option').length") == 5
        assert await is_narrow(page)
