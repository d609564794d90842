"""Pictures beside runbooks are served and shown, and nothing else is."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from alert_router.runbook.pictures import MAX_BYTES, find_picture
from tests.http import get
from tests.programs import Router, body, lasting_router, write_config
from tests.server.test_group_page import send

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 40
GIF, WEBP, JPEG = b"GIF89a" + PNG, b"RIFF0000WEBP" + PNG, b"\xff\xd8\xff" + PNG
RUNBOOK = """# Lag

## Mitigation

1. Compare with ![the lag & "more"](img/lag.png "title").

See ![elsewhere](https://evil.example.org/x.png), [a diagram](img/d.svg).
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Router]:
    config = write_config(folder, [{"type": "console"}])
    alerts = folder / "runbooks" / "alerts"
    for name in ("lag.md", "kafka/index.md"):
        (alerts / name).parent.mkdir(exist_ok=True)
        (alerts / name).write_text(RUNBOOK)
    for directory in (alerts / "img", alerts / "kafka" / "img"):
        directory.mkdir()
        (directory / "lag.png").write_bytes(PNG)
    with lasting_router(config) as process:
        yield process


async def test_a_picture_is_served_as_what_it_is_and_may_do_nothing(running):
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{running.url}/runbooks/alerts/img/lag.png") as answer:
            assert (answer.status, await answer.read()) == (200, PNG)
            assert answer.content_type == "image/png"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["alerts/lag", "alerts/kafka", "alerts/kafka/"])
async def test_the_page_shows_pictures_beside_the_file_and_no_others(running, path):
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{running.url}/runbooks/{path}") as answer:
            text = await answer.text()
            (source, alt) = re.search(r'<img src="([^"]+)" alt="([^"]+)">', text).groups()
            assert (text.count("<img"), alt) == (1, "the lag &amp; &quot;more&quot;")
            picture = answer.url.join(URL(source))
        async with session.get(picture) as answer:
            assert await answer.read() == PNG


@pytest.mark.parametrize("name", ["Lag", "kafka"])
async def test_the_page_of_a_group_shows_them_too(running, name):
    text = (await get(f"{running.url}/groups/{await send(running, body(name))}"))[1]

    (source,) = re.findall(r'<img src="\.\./([^"]+)"', text)
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{running.url}/{source}") as answer:
            assert await answer.read() == PNG


@pytest.mark.parametrize(
    "path",
    [
        "alerts/img/none.png",
        "..%2falert-router.png",
        "alerts/%2e%2e/alerts/img/lag.png",
        "alerts//img/lag.png",
        "%2fetc%2fpasswd.png",
        "alerts/img/lag.png%00.png",
        "alerts/img/lag.png/",
    ],
)
async def test_what_is_not_a_picture_below_the_directory_is_404(running, path):
    url = URL(f"{running.url}/runbooks/{path}", encoded=True)
    status, text = await get(url, allow_redirects=False)
    assert (status, "No such runbook" in text) == (404, True)


@pytest.mark.parametrize(
    ("name", "content", "is_served"),
    [
        ("a.png", PNG, True),
        ("a.PNG", PNG, True),
        ("a.jpeg", JPEG, True),
        ("a.gif", GIF, True),
        ("a.webp", WEBP, True),
        ("a.webp", b"RIFF0000WAVE", False),
        ("a.png", b"<html><script>", False),
        ("a.png", b"", False),
        ("a.jpg", PNG, False),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", False),
        ("a.html", PNG, False),
        ("a.md", PNG, False),
        (".a.png", PNG, False),
        ("big.png", PNG + b"0" * MAX_BYTES, False),
    ],
)
def test_only_files_whose_content_is_a_picture_are_served(tmp_path, name, content, is_served):
    (tmp_path / name).write_bytes(content)
    assert (find_picture(tmp_path, name) is not None) == is_served


def test_links_are_followed_within_the_directory_only(tmp_path):
    root = tmp_path / "runbooks"
    (root / "..data").mkdir(parents=True)
    (root / "..data" / "in.png").write_bytes(PNG)
    (tmp_path / "out.png").write_bytes(PNG)
    (root / "in.png").symlink_to("..data/in.png")  # as in a ConfigMap
    (root / "out.png").symlink_to(tmp_path / "out.png")
    (root / "up").symlink_to(tmp_path)
    (root / "loop.png").symlink_to("loop.png")
    (root / "folder.png").mkdir()
    os.mkfifo(root / "pipe.png")

    assert find_picture(root, "in.png") is not None
    for path in ("out.png", "up/out.png", "loop.png", "folder.png", "pipe.png", "..data/in.png"):
        assert find_picture(root, path) is None, path


def test_a_directory_that_is_named_as_a_picture_costs_no_descriptor(tmp_path: Path) -> None:
    (tmp_path / "d.png").mkdir()
    before = len([*Path("/proc/self/fd").iterdir()])
    for _ in range(20):
        assert find_picture(tmp_path, "d.png") is None
    assert len([*Path("/proc/self/fd").iterdir()]) == before
