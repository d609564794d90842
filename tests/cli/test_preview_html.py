"""`alert-router preview --html`: a page that shows what is sent, and executes none of it."""

import json
import re
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest

from alert_router.notify.registry import NOTIFIERS
from alert_router.preview.drawing import draw
from tests.browser import browser
from tests.cli.world import alert, body
from tests.notify.conformance import CASES
from tests.notify.notifications import HOSTILE, notification

OURS = {
    *("html", "head", "meta", "title", "style", "body", "header", "h1", "p", "main", "article"),
    *("h2", "span", "div", "pre", "a", "b", "i", "s", "code", "hr", "dl", "dt", "dd"),
    *("details", "summary", "iframe"),
}
ATTACKS = [
    *HOSTILE,
    "<script>window.owned = 1</script><img src=https://evil.example/x onerror=alert(1)>",
    '"><iframe src=https://evil.example>',
    "</style></title><svg onload=alert(1)>",
    "[x](javascript:alert(1)) <https://evil.example|x> \u202e",
]
REDIS = alert(
    alertname="RedisDown", component="redis", severity="critical", namespace="prod", pod="r-0"
)
ATTACK = alert(
    **{f"l{number}": text for number, text in enumerate(ATTACKS)},
    alertname=ATTACKS[-4],
    component="redis",
    severity="critical",
)


class Reader(HTMLParser):
    """Elements, links and frames of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.frames, self.attributes = set(), [], [], set()
        self.policy = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "a":
            self.links.append(dict(attrs))
        if tag == "meta" and dict(attrs).get("http-equiv") == "Content-Security-Policy":
            self.policy = dict(attrs)["content"]
        if tag == "iframe":
            self.frames.append(dict(attrs))


@pytest.fixture
def page(router):
    def make(*alerts, types=("all",)):
        (router.directory / "payload.json").write_bytes(body(*alerts))
        chosen = [word for type_ in types for word in ("--type", type_)]
        result = router.run("preview", "payload.json", *chosen, "--html", "page.html")
        assert result.exit_code == 0, result.output
        assert result.stdout == "written: page.html\n"
        return router.directory / "page.html"

    return make


def test_the_page_has_every_destination(page):
    text = page(REDIS).read_text()

    for type_ in NOTIFIERS:
        assert f'<span class="type">{type_}</span>' in text
    assert text.count("kubectl -n prod logs r-0") > len(NOTIFIERS)


def test_a_page_executes_nothing_from_an_alert(page):
    text = page(ATTACK).read_text()

    read = Reader(text)
    assert read.tags <= OURS
    assert not {name for name in read.attributes if name.startswith("on")}
    assert {urlsplit(link["href"]).scheme for link in read.links} <= {"http", "https", "mailto"}
    assert all("noopener" in link["rel"] for link in read.links)
    assert {frame["sandbox"] for frame in read.frames} == {""}
    assert read.policy.startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert "\u202e" not in text


def test_the_page_says_why_a_notifier_is_skipped(router, page):
    over = alert("resolved", alertname="RedisDown", component="redis", severity="critical")
    text = page(over, types=()).read_text()

    assert "Nothing would be sent (skipped: `send_resolved` is false)." in text


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_destination_has_a_drawing_of_its_own(case):
    notifier = case.make("https://hooks.example/x")
    found = draw(notifier.type, notifier.readable(notifier.render(notification())))

    assert found.theme == ("data" if notifier.type == "webhook" else notifier.type)


def test_a_payload_of_unknown_structure_is_shown_as_data():
    found = draw("slack", {"blocks": [{"type": "section"}]})

    note, data = found.elements
    assert note.spans[0].text == "The preview does not know this payload's structure."
    assert json.loads(data.text) == {"blocks": [{"type": "section"}]}


@pytest.mark.parametrize("type_", sorted(NOTIFIERS.keys() - {"console", "webhook"}))
def test_a_command_in_text_output_can_be_copied(router, type_):
    drawn = router.run("preview", "-", "--type", type_, input=body(REDIS))

    assert re.search(r"^ +kubectl -n prod logs r-0$", drawn.stdout, re.MULTILINE)


def test_text_output_draws_the_message_and_raw_prints_the_payload(router, page):
    page(REDIS)
    words = ("preview", "payload.json", "--type", "slack", "--receiver", "oncall")
    drawn, raw = router.run(*words), router.run(*words, "--raw")

    assert "\n    kubectl -n prod logs r-0\n" in drawn.stdout
    assert "the dashboard (https://grafana.example.org/d/redis)" in drawn.stdout
    assert json.loads(raw.stdout.split("──\n")[1])["blocks"]


@pytest.mark.parametrize(
    "options",
    [["--html", "page.html", "--raw"], ["--html", "page.html", "--output", "json"]],
)
def test_html_excludes_raw_and_json(router, options):
    assert router.run("preview", "-", *options, input=body(REDIS)).exit_code == 2


def test_a_page_that_cannot_be_written_is_an_error(router):
    result = router.run("preview", "-", "--html", "nowhere/page.html", input=body(REDIS))

    assert result.exit_code == 2
    assert "cannot write 'nowhere/page.html'" in result.stderr


def test_an_existing_page_is_replaced_atomically_with_its_mode_and_link(router, page):
    kept, link = router.directory / "kept.html", router.directory / "page.html"
    kept.write_text("before")
    kept.chmod(0o640)
    link.symlink_to(kept)
    with kept.open() as opened:
        page(REDIS)

        assert opened.read() == "before"  # as whoever reads it just now still does
    assert kept.read_text().endswith("</html>")
    assert kept.stat().st_mode & 0o777 == 0o640
    assert link.is_symlink()
    assert not list(router.directory.glob(".*.html"))


@pytest.mark.parametrize("width", [360, 1500])
async def test_a_browser_shows_the_whole_page_and_requests_nothing(page, tmp_path, width):
    long = alert(alertname="A" * 400, component="redis", severity="critical", pod="x" * 900)
    made = page(ATTACK, long)

    async with browser(tmp_path, width) as here:
        await here.open(made)
        assert await here.evaluate("innerWidth") == width
        wide = await here.evaluate(
            "[...document.querySelectorAll('article')].filter(a => a.scrollWidth > a.clientWidth)"
            ".map(a => a.innerText.slice(0, 40))"
        )
        beyond = await here.evaluate("document.documentElement.scrollWidth - innerWidth")
        cards = await here.evaluate("document.querySelectorAll('article').length")
        heights = await here.evaluate(
            "[...document.querySelectorAll('article')].map(a => a.clientHeight)"
        )
        owned = await here.evaluate("typeof window.owned")

    assert (wide, cards, owned) == ([], 2 * len(NOTIFIERS), "undefined")
    assert beyond <= 0
    assert min(heights) > 80
    assert here.dialogs == []
    asked = [url for url in here.requests if not re.match(r"file:|about:|data:", url)]
    assert asked == []
