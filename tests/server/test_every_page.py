"""What holds for every page that can be reached by links: it is accessible, and no other site can
put it into a frame, run a script in it or send people elsewhere."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Iterator
from html import unescape
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote, urlsplit

import aiohttp
import pytest
from yarl import URL

from tests.browser import Page, browser
from tests.http import post
from tests.programs import Router, body, write_config
from tests.server.test_group_page import JSON, SCRIPT, alerts

AXE = Path(sys.prefix) / "axe-core" / "axe.min.js"
SIZES = {"phone": (390, 844), "desktop": (1400, 900)}
GONE = ("/groups/0", "/deliveries/999999", "/runbooks/gone")  # what they answer are pages too
EXPLAINED = "/explain?label=alertname=HighErrorRate&label=severity=critical&label=pod=cart-1"
ANA = {"X-Forwarded-User": "Ana"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    """A router in which there is something to see on every page."""
    people = {"header": "X-Forwarded-User", "proxies": ["127.0.0.0/8"]}
    config = write_config(
        tmp_path_factory.mktemp("pages"),
        [{"type": "console"}, {"type": "webhook", "url": "http://127.0.0.1:9/"}],
        http={"listen": "127.0.0.1:0", "people": people},
        heartbeats=[
            {"name": "eu", "matchers": ["alertname=W"], "timeout": "1s", "receiver": "oncall"}
        ],
        checks={"rules": ["rules.yaml"]},
    )
    rules = [{"alert": name, "expr": "up == 0"} for name in ("HighErrorRate", "Alone", SCRIPT)]
    rules.append({"alert": "Broken", "expr": SCRIPT})
    (config.parent / "rules.yaml").write_text(json.dumps({"groups": [{"rules": rules}]}))
    process = Router(config)
    groups = [
        alerts("cart-1", "cart-2"),
        alerts(SCRIPT, "x" * 500, annotations={"summary": SCRIPT, SCRIPT: SCRIPT}),
        body("Mild", severity="warning"),
        body('Odd"><img src=x onerror=alert(1)>', key="../../../../" + SCRIPT),
        body("HighErrorRateOver", namespace="shop", pod="cart-3", job="cart"),
    ]

    async def start() -> None:
        await process.started()
        for raw in groups:
            status, _ = await post(f"{process.url}/webhook", raw, headers=JSON)
            assert status == 200

    try:
        asyncio.run(start())
        yield process
    finally:
        process.end()


@pytest.fixture
async def session(running: Router) -> AsyncIterator[aiohttp.ClientSession]:
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(running.url, cookie_jar=jar, headers=ANA) as made:
        yield made


async def every_page(session: aiohttp.ClientSession) -> list[str]:
    """The path of one page of each kind, found by following links from the first one."""
    found: dict[str, str] = {}
    waiting = ["/", *GONE, EXPLAINED]
    while waiting:
        path = waiting.pop(0)
        kind = re.sub(r"\d+", "N", re.sub(r"(groups|runbooks)/.+", r"\1/ID", urlsplit(path).path))
        if path in GONE:
            kind = path
        if kind in found:
            continue
        async with session.get(URL(path, encoded=True)) as answer:
            if answer.content_type != "text/html":
                continue
            found[kind] = path
            links = re.findall(r'href="([^"#]+)"', await answer.text())
            here = answer.url
        for link in links:
            url = here.join(URL(unescape(link), encoded=True))
            if url.origin() == here.origin():
                waiting.append(url.raw_path_qs)
    return [*found.values()]


async def test_no_page_can_be_framed_or_runs_what_is_not_ours(session):
    paths = await every_page(session)
    assert len(paths) >= 7 + len(GONE), paths
    for path in paths:
        async with session.get(URL(path, encoded=True)) as answer:
            policy, text = answer.headers["Content-Security-Policy"], await answer.text()
            assert answer.headers["X-Content-Type-Options"] == "nosniff", path
            assert answer.headers["Referrer-Policy"] in ("no-referrer", "same-origin"), path
        for part in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"):
            assert part in policy, path
        assert "unsafe" not in policy, path
        scripts = re.findall(r"<script[^>]*>", text)
        assert all("integrity=" in it and "/static/pages-" in it for it in scripts), path
        assert not re.search(r"<[^>]+\s(on\w+|style)=", text), path
        assert not re.search(r'(href|src|action)="\s*(javascript|data|//)', text, re.I), path


async def test_no_form_sends_to_another_site_and_each_that_acts_has_a_token(session):
    for path in await every_page(session):
        async with session.get(URL(path, encoded=True)) as answer:
            text, here = await answer.text(), answer.url
        for form in re.findall(r"<form[^>]*>.*?</form>", text, re.S):
            action = re.search(r'action="([^"]*)"', form)
            assert here.join(URL(action[1] if action else "")).origin() == here.origin(), path
            if 'method="post"' in form and 'action="./explain"' not in form:  # it changes nothing
                assert re.search(r'name="token" value="[0-9a-f]{32}"', form), path


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example.org",
        "//evil.example.org/..",
        "/runbooks//evil.example.org.md",
        "/runbooks/%2f%2fevil.example.org",
        "/groups/https://evil.example.org",
        "/deliveries?before=//evil.example.org",
        "/?page=https://evil.example.org",
        "/\\evil.example.org",
    ],
)
async def test_no_link_leads_to_another_site_by_way_of_the_router(running, session, path):
    url = URL(f"{running.url}{path}", encoded=True)
    async with session.get(url, allow_redirects=False) as answer:
        target = answer.headers.get("Location", "./")
        assert answer.url.join(URL(target)).host == "127.0.0.1"
        assert not target.startswith(("//", "/\\"))


HOSTILE_VALUES = [
    "",
    SCRIPT,
    "%00%1b%0d%0a",
    "%FF%FE",
    "%ED%A0%80",
    "-1",
    "99999999999999999999",
    "../../etc/passwd",
    "9999-12-31T23:59:59",
    "2026-11-23T10:00%2B23:59",
    "[]",
    "x" * 7_000,
]
PARAMETERS = [
    *("alert", "annotation", "before", "download", "from", "id", "label", "namespace", "notifier"),
    *("owner", "page", "pod", "reason", "receiver", "severity", "state", "status", "until", "what"),
]


async def test_no_parameter_makes_a_page_fail_or_stands_in_it_unescaped(session):
    for path in await every_page(session):
        bare = path.partition("?")[0]
        for value in HOSTILE_VALUES:
            raw = value if value.startswith("%") else quote(value, safe="%")
            whole = "&".join(f"{name}={raw}" for name in PARAMETERS)
            for query in (whole, *(f"{name}={raw}" for name in PARAMETERS)):
                if len(query) > 8_000:
                    continue
                async with session.get(URL(f"{bare}?{query}", encoded=True)) as answer:
                    text = await answer.text()
                    assert answer.status < 500, (bare, query)
                assert len(re.findall("<script", text)) <= 1, (bare, query)
                assert not re.search("[\0\x1b\u202e]", text), (bare, query)


METHODS = ("HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE")


async def test_other_methods_are_answered_at_once_and_change_nothing(session):
    async with session.get("/") as answer:
        group = re.search(r"groups/[0-9a-f-]+", await answer.text())[0]
    streams = ["/live?page=1", f"/{group}/live"]
    for path in [*await every_page(session), *streams, f"/{group}/actions", "/act/x"]:
        for method in METHODS:
            async with session.request(method, URL(path, encoded=True)) as answer:
                is_page = method == "HEAD" and path not in streams
                expected = (200, 400, 403, 404, 405) if is_page else (404, 405)
                assert answer.status in expected, (method, path)
                assert await answer.read() == b"" or method != "HEAD"


FORMS = [
    ("application/json", b"{}"),
    ("text/plain", b"token=x"),
    ("multipart/form-data; boundary=x", b"--x\r\n"),
    ("application/x-www-form-urlencoded; charset=nope", b"a=b"),
    ("application/x-www-form-urlencoded; charset=utf-16", b"a"),
    ("application/x-www-form-urlencoded; charset=zlib", b"a"),
    ("application/x-www-form-urlencoded", b"\xff\xfe=%FF&token=%ED%A0%80"),
    ("application/x-www-form-urlencoded", b"a=b&" * 100_000),
    ("application/x-www-form-urlencoded", b"x" * 3_000_000),
]


@pytest.mark.parametrize(("kind", "sent"), FORMS, ids=range(len(FORMS)))
async def test_a_form_that_no_page_sends_is_refused(session, kind, sent):
    async with session.get("/") as answer:
        group = re.search(r"groups/[0-9a-f-]+", await answer.text())[0]
    for path in ("/deliveries", f"/{group}/actions", "/act/x", "/explain"):
        headers = {"Content-Type": kind}
        async with session.post(path, data=BytesIO(sent), headers=headers) as answer:
            assert 400 <= answer.status < 500, (path, answer.status)
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_token_of_one_session_is_none_of_another(running, session):
    async with session.get("/") as answer:
        group = re.search(r"groups/[0-9a-f-]+", await answer.text())[0]
    async with session.get(f"/{group}") as answer:
        token = re.search(r'name="token" value="([^"]+)"', await answer.text())[1]
    jar = aiohttp.CookieJar(unsafe=True)
    bob = {"X-Forwarded-User": "Bob"}
    async with aiohttp.ClientSession(running.url, cookie_jar=jar, headers=bob) as other:
        for look_first in (False, True):
            if look_first:
                await (await other.get(f"/{group}")).read()
            data = {"token": token, "do": "take"}
            async with other.post(f"/{group}/actions", data=data) as answer:
                assert answer.status == 403


async def test_an_action_leads_back_to_the_router_whatever_the_form_says(session):
    async with session.get("/") as answer:
        group = re.search(r"groups/[0-9a-f-]+", await answer.text())[0]
    async with session.get(f"/{group}") as answer:
        token = re.search(r'name="token" value="([^"]+)"', await answer.text())[1]
    data = {"token": token, "do": "name", "who": "Ana", "alert": "//evil.example.org/\r\nX: y"}
    url = f"/{group}/actions"
    async with session.post(url, data=data, allow_redirects=False) as answer:
        assert answer.status == 303
        assert answer.headers["Location"].startswith(f"../{group.partition('/')[2]}?alert=%2F%2F")
        assert "X" not in answer.headers


async def test_ids_of_groups_cannot_be_guessed_from_one_another(running):
    ids = []
    for number in range(20):
        raw = body("Guess", key=f"g{number}", severity="info")
        _, answer = await post(f"{running.url}/webhook", raw, headers=JSON)
        ids.append(answer["id"])
    tails = [int(re.sub("[^0-9a-f]", "", it)[-16:], 16) for it in ids]
    assert len({tail >> 40 for tail in tails}) == len(ids), "62 random bits differ everywhere"
    steps = [after - before for before, after in pairwise(tails)]
    assert min(map(abs, steps)) > 2**20


def axe() -> str:
    """The text of axe-core; without it the test is skipped, or fails where CI is set."""
    if AXE.exists():
        return AXE.read_text(encoding="utf-8")
    why = "axe-core is missing: run scripts/axe.sh"
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


async def _check(page: Page, name: str, bad: dict[str, list[str]]) -> None:
    """Note what axe finds in the page that is serious or critical, and where."""
    await page.evaluate(axe())
    for size, (width, height) in SIZES.items():
        measures = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await page.call("Emulation.setDeviceMetricsOverride", **measures)
        wide = await page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{name} is {wide} pixels wide on a {size}"
        for scheme in ("light", "dark"):
            feature = {"name": "prefers-color-scheme", "value": scheme}
            await page.call("Emulation.setEmulatedMedia", features=[feature])
            found = await page.evaluate(
                "axe.run({resultTypes: ['violations']}).then(done => done.violations"
                ".filter(it => ['serious', 'critical'].includes(it.impact))"
                ".map(it => it.id + ': ' + it.nodes[0].html + it.nodes[0].failureSummary))"
            )
            if found:
                bad[f"{name}, {size}, {scheme}"] = found


async def test_no_page_has_a_serious_accessibility_issue(running, session, tmp_path):
    bad: dict[str, list[str]] = {}
    axe()
    over = body("HighErrorRateOver", "resolved", namespace="shop", pod="cart-3", job="cart")
    _, resolved = await post(f"{running.url}/webhook", over, headers=JSON)
    async with browser(tmp_path / "it") as page:
        await page.call("Network.enable")
        await page.call("Network.setExtraHTTPHeaders", headers=ANA)
        for path in [*await every_page(session), f"/groups/{resolved['id']}"]:
            await page.visit(f"{running.url}{path}")
            await _check(page, path, bad)
        for state, verb in (("waiting", "discard"), ("delivered", "replay")):
            await page.visit(f"{running.url}/deliveries?state={state}")
            await page.follow(f"document.querySelector('[value^={verb}]').click()")
            assert await page.evaluate("document.title") == "Are you sure?"
            await _check(page, verb, bad)
        await page.evaluate("document.body.innerHTML = '<p style=\"color:#eee\"><img src=x>low'")
        await _check(page, "worse", worse := {})
    assert not bad, json.dumps(bad, indent=1)
    assert len(worse) == 4, "axe finds nothing in a page that is bad"


BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/nothing", 404, "There is no such page."),
        ("/groups/<script>", 404, "There is no such page."),
        ("/deliveries/1/2/3", 404, "There is no such page."),
        ("/webhook", 405, "Alertmanager posts alerts to /webhook."),
        ("/-/reload", 405, "This is not a page."),
    ],
)
async def test_a_browser_gets_a_page_for_an_address_that_does_not_exist(
    session, path, status, said
):
    async with session.get(path, headers=BROWSER) as answer:
        text = await answer.text()
        assert (answer.status, said in text) == (status, True)
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        home = answer.url.join(URL(re.search(r'<a href="([^"]*)">Now</a>', text)[1]))
        assert home.path == "/"
    async with session.get(path) as answer:
        assert answer.content_type == "text/plain"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/webhook", "POST,PUT"),
        ("GET", "/-/reload", "POST,PUT"),
        ("HEAD", "/live", "GET"),
        ("HEAD", "/act/x", None),
        ("GET", "/nothing", None),
    ],
)
async def test_who_uses_the_wrong_method_is_answered_which_ones_are_right(
    session, method, path, allowed
):
    for headers in (BROWSER, {}):
        async with session.request(method, path, headers=headers) as answer:
            assert answer.headers.get("Allow") == allowed
            assert (answer.status == 405) == (allowed is not None)
