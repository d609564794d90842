"""The documentation site: it builds without a warning, shows each page as the Git host does, and
asks no other host for anything."""

import os
import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.programs import PATIENCE

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").rglob("*.md"))
COUNTED = ("h1", "h2", "h3", "h4", "pre", "table", "tr", "ul", "ol", "li", "img", "blockquote")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return folder


class Elements(HTMLParser):
    """The elements of a page's content, counted, its words, and every address that it loads."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.words: list[str] = []
        self.loaded: list[str] = []
        self._inside = self._is_title = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self._is_title = values.get("class") == "filename"  # of a code block, on the site only
        if tag == "article":
            self._inside = True
        if self._inside and tag in COUNTED:
            self.counts[tag] += 1
        if tag in ("script", "img", "iframe", "source", "link"):
            canonical = tag == "link" and values.get("rel") in ("canonical", "prev", "next")
            address = values.get("src") or values.get("href")
            if address and not canonical:
                self.loaded.append(address)

    def handle_data(self, data: str) -> None:
        if self._inside and not self._is_title:
            self.words += data.replace("¶", " ").split()

    def handle_endtag(self, tag: str) -> None:
        self._is_title = False
        if tag == "article":
            self._inside = False


def built(site: Path, page: Path) -> Elements:
    inside = page.relative_to(ROOT / "docs").with_suffix("")
    folder = inside.parent if inside.name in ("README", "index") else inside
    return Elements((site / folder / "index.html").read_text(encoding="utf-8"))


def test_the_site_shows_each_page_as_the_git_host_does(site: Path) -> None:
    markdown = MarkdownIt("commonmark").enable("table")
    for page in PAGES:
        name = str(page.relative_to(ROOT))
        there = Elements(f"<article>{markdown.render(page.read_text('utf-8'))}</article>")
        here = built(site, page)
        assert (name, here.counts) == (name, there.counts)
        assert (name, "".join(here.words)) == (name, "".join(there.words))


def test_no_page_asks_another_host_for_anything(site: Path) -> None:
    for path in site.rglob("*.html"):
        loaded = Elements(path.read_text(encoding="utf-8")).loaded
        assert loaded
        assert [address for address in loaded if re.match(r"(?:[a-z]+:)?//", address)] == []
    for path in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(?:https?:)?//", path.read_text(encoding="utf-8")), path
