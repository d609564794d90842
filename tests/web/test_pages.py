"""Runbook pages: every link leads somewhere, and nothing in a runbook can do harm."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

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
        assert f'href="/runbooks/{id_}"' in text
        status, _ = await get(f"{running.url}/runbooks/{id_}")
        assert status == 200


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
    assert "<script" not in lower
    assert 'href="javascript' not in lower
    assert "<img" not in lower
    assert 'onclick="' not in lower
    assert "&lt;pod-name&gt;" in text


async def test_pages_allow_no_script_by_policy(running: Router) -> None:
    import aiohttp

    async with aiohttp.ClientSession() as session:
        async with session.get(f"{running.url}/runbooks/misc/hostile") as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "script-src" not in policy
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
