"""Runbook pages: every link leads somewhere, and nothing in a runbook can do harm."""

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from tests.http import get
from tests.programs import Router, router, write_config

HOSTILE = """# Hostile <script>alert(1)</script>

## Detection

<img src=x onerror=alert(2)>

1. [click](javascript:alert(3)) and <a href="javascript:alert(4)" onclick="alert(5)">this</a>

   ```html"><script>alert(6)</script>
   <script>alert(7)</script>
   ```

Delete <pod-name> now. See [the other](../alerts/high-error-rate.md#mitigation).
"""


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Router]:
    config = write_config(tmp_path, [{"type": "console"}])
    (tmp_path / "runbooks" / "misc").mkdir()
    (tmp_path / "runbooks" / "misc" / "hostile.md").write_text(HOSTILE)
    (tmp_path / "runbooks" / "top level & odd.md").write_text("# Top\n\n## Overview\n\nText\n")
    async with router(config) as process:
        yield process


async def test_the_index_lists_every_runbook_with_a_link_that_works(running: Router) -> None:
    status, text = await get(f"{running.url}/runbooks")
    assert status == 200
    for id_ in ("alerts/high-error-rate", "misc/hostile", "top%20level%20%26%20odd"):
        assert f'href="../runbooks/{id_}"' in text
        status, _ = await get(f"{running.url}/runbooks/{id_}")
        assert status == 200


@asynccontextmanager
async def taking_off(prefix: str, target: str) -> AsyncIterator[str]:
    """A reverse proxy that takes a prefix off; the URL under which people reach it."""

    async def forward(request: web.Request) -> web.Response:
        if not request.raw_path.startswith(prefix):
            return web.Response(status=404, text="another application")
        url = URL(target + request.raw_path.removeprefix(prefix), encoded=True)
        async with aiohttp.ClientSession() as session:
            async with session.get(url, allow_redirects=False) as answer:
                headers = {k: v for k, v in answer.headers.items() if k == "Location"}
                body = await answer.text()
                return web.Response(
                    status=answer.status, text=body, headers=headers, content_type="text/html"
                )

    app = web.Application()
    app.router.add_get("/{path:.*}", forward)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}{prefix}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("prefix", ["", "/alerts", "/ops/alerts"])
async def test_every_link_works_behind_a_proxy_that_takes_a_prefix_off(
    running: Router, prefix: str
) -> None:
    ways = [
        "/runbooks",
        "/runbooks/",
        "/runbooks/alerts/high-error-rate",
        "/runbooks/alerts/high-error-rate.md?from=git",
        "/runbooks/top%20level%20%26%20odd",
        "/runbooks/top%20level%20%26%20odd.md",
    ]
    lost = ["/runbooks/gone/away/high-error-rate", "/runbooks//high-error-rate"]
    async with taking_off(prefix, running.url) as base, aiohttp.ClientSession() as session:
        for way in ways + lost:
            async with session.get(URL(base + way, encoded=True)) as answer:
                assert answer.status == (404 if way in lost else 200), way
                page, text = answer.url, await answer.text()
            found = re.findall(r'(?:href|src)="([^"#]+)"', text)
            links = [html.unescape(one) for one in found]
            assert links, way
            for link in links:
                async with session.get(page.join(URL(link, encoded=True))) as answer:
                    assert answer.status == 200, (way, link)


async def test_a_page_shows_title_facts_sections_and_commands(running: Router) -> None:
    status, text = await get(f"{running.url}/runbooks/alerts/high-error-rate")
    assert status == 200
    for part in ("<title>High error rate</title>", "SRE Team", "Mitigation</h2>", "kubectl -n"):
        assert part in text
    assert 'id="mitigation"' in text


async def test_links_between_runbooks_as_written_for_a_git_host_work(running: Router) -> None:
    status, text = await get(f"{running.url}/runbooks/alerts/high-error-rate.md")
    assert (status, "High error rate" in text) == (200, True)


async def test_nothing_in_a_runbook_is_active_on_its_page(running: Router) -> None:
    _, text = await get(f"{running.url}/runbooks/misc/hostile")
    lower = text.lower()
    assert re.findall("<script.*?>", lower) == re.findall('<script src="../../static/.*?>', lower)
    assert 'href="javascript' not in lower
    assert "<img" not in lower
    assert 'onclick="' not in lower
    assert "&lt;pod-name&gt;" in text


async def test_pages_allow_only_our_script_by_policy(running: Router) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{running.url}/runbooks/misc/hostile") as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "script-src 'self';" in policy
            assert "unsafe" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "alerts/high-error-rat",
        "../alert-router.yaml",
        "..%2f..%2fetc%2fpasswd",
        "%3Cscript%3Ealert(1)%3C/script%3E",
        "alerts/",
        "//evil.example.org",
        "//evil.example.org/x.md",
    ],
)
async def test_what_is_no_runbook_is_404_and_says_so_safely(running: Router, path: str) -> None:
    status, text = await get(f"{running.url}/runbooks/{path}", allow_redirects=False)
    assert status == 404
    assert "<script>" not in text
