"""A tree as plain text and as HTML: readable, and harmless whatever is in it."""

import re
from dataclasses import replace

import pytest

from alert_router.markdown import (
    Anchors,
    Code,
    Link,
    Paragraph,
    Text,
    parse,
    slug,
    to_html,
    to_text,
    visible,
)


def test_text_is_readable_without_any_terminal() -> None:
    text = (
        "# Title\n\n## Part\n\nSee [docs](https://d) and `kubectl` **now**.\n\n"
        "3. first\n   ```sh\n   ls\n   ```\n4. second\n   - inner\n\n"
        "- [ ] open\n- [x] done\n\n> said\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    )
    assert to_text(parse(text)) == (
        "Title\n=====\n\nPart\n----\n\nSee docs (https://d) and `kubectl` now.\n\n"
        "3. first\n\n       ls\n4. second\n   - inner\n\n"
        "- [ ] open\n- [x] done\n\n> said\n\na | b\n--+--\n1 | 2"
    )


def test_values_stand_beside_their_code_one_a_line() -> None:
    code = Code("kubectl get $POD", "sh", values=(("POD", "a\nrm -rf / \x1b[2J"),))
    assert to_text([code]) == "    kubectl get $POD\n    POD = a\\nrm -rf / \\x1b[2J"
    assert "<dt><code>POD</code></dt>" in to_html([code])


def test_a_link_that_is_its_own_label_is_shown_once() -> None:
    assert to_text(parse("<https://d> <a@b.example> [here](#part)")) == "https://d a@b.example here"


def test_control_characters_are_seen_and_not_obeyed() -> None:
    hostile = "\x1b[31mred\u202e\x07"
    assert visible(hostile) == "\\x1b[31mred\\u202e\\x07"
    assert to_text([Paragraph((Text(hostile),))]) == "\\x1b[31mred\\u202e\\x07"
    assert visible("a\tb\nc é 漢 🙂") == "a\tb\nc é 漢 🙂"


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("Immediate Actions (< 5 minutes)", "immediate-actions--5-minutes"),
        ("1. Check pods", "1-check-pods"),
        ("What's `that`?", "whats-that"),
        ("Über_uns", "über_uns"),
    ],
)
def test_anchors_are_those_of_github(heading: str, anchor: str) -> None:
    assert slug(heading) == anchor.replace("`", "")


def test_repeated_headings_get_numbered_anchors() -> None:
    page = to_html(parse("# A\n\n# A\n\n# !\n"))
    assert 'id="a"' in page
    assert 'id="a-1"' in page
    assert 'id="section"' in page


def test_an_explicit_id_is_the_anchor_and_not_shown() -> None:
    page = to_html(parse('## Fix {#repair .wide}\n\n<a name="more"></a>\n\n## B\n\n## `{x}`\n'))
    assert '<h2 id="repair">Fix</h2>' in page
    assert '<h2 id="more">B</h2>' in page
    assert "<code>{x}</code>" in page


def test_headings_never_share_an_anchor() -> None:
    page = to_html(parse("# a-1\n\n# a\n\n# a\n\n# b {#a}\n"))
    ids = re.findall(r'id="([^"]+)"', page)
    assert len(set(ids)) == 4


@pytest.mark.parametrize(
    ("heading", "fragment"),
    [
        ("Queue is down!", "queue-is-down"),
        ("Queue is down!", "Queue-Is-Down"),
        ("Queue is down!", "user-content-queue-is-down"),
        ("Queue -- down", "queue-down"),
        ("Über Größe", "uber-groe"),
        ("Fix {#repair}", "repair"),
        ("Fix {: #repair }", "repair"),
        ("Fix {#repair}", "fix"),
        ('<a id="x1"></a>Fix', "x1"),
        ("Queue down", "_queue_down"),
    ],
)
def test_a_fragment_of_any_site_generator_finds_its_heading(heading: str, fragment: str) -> None:
    anchors = Anchors(parse(f"# Title\n\n## {heading}\n"))
    assert anchors.find(fragment) == anchors.names[1]


def test_a_fragment_that_fits_two_headings_finds_none() -> None:
    anchors = Anchors(parse("## Queue_down\n\n## Queue - down\n"))
    assert anchors.find("queue--down") is None
    assert "queue--down" in anchors


@pytest.mark.parametrize(
    ("url", "href"),
    [
        ("https://x.example/a b", "https://x.example/a%20b"),
        ("HTTP://x.example", "HTTP://x.example"),
        ("mailto:a@b.example", "mailto:a@b.example"),
        ("../other.md#part", "../other.md#part"),
        ("#part", "#part"),
        ("/a:b", "/a:b"),
        ("?q=a:b", "?q=a:b"),
        ('x"onclick="y', "x%22onclick=%22y"),
    ],
)
def test_links_to_pages_and_mailboxes_are_kept(url: str, href: str) -> None:
    assert to_html([Paragraph((Link(url, (Text("t"),)),))]) == f'<p><a href="{href}">t</a></p>\n'


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\tscript:alert(1)",
        " \x01javascript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "foo:bar",
    ],
)
def test_other_destinations_leave_only_the_words(url: str) -> None:
    assert to_html([Paragraph((Link(url, (Text("t"),)),))]) == "<p>t</p>\n"


def test_html_of_every_block() -> None:
    text = (
        "2. a *b*\n3. c\n\n   d\n\n- [x] ~~t~~\n\n> q\n\n| h |\n|---|\n| `<c>` |\n\n---\n\n"
        "```sh\na <b>\n```\n\nx  \ny\n"
    )
    assert to_html(parse(text)) == (
        '<ol start="2">\n<li>a <em>b</em></li>\n<li><p>c</p>\n<p>d</p>\n</li>\n</ol>\n'
        '<ul>\n<li><input type="checkbox" disabled checked> <del>t</del></li>\n</ul>\n'
        "<blockquote>\n<p>q</p>\n</blockquote>\n"
        "<table>\n<thead><tr><th>h</th></tr></thead>\n<tbody>\n"
        "<tr><td><code>&lt;c&gt;</code></td></tr>\n</tbody>\n</table>\n<hr>\n"
        '<pre><code class="language-sh">a &lt;b&gt;\n</code></pre>\n<p>x<br>\ny</p>\n'
    )


def test_an_info_string_cannot_break_out_of_its_class() -> None:
    (code,) = parse("```sh\nx\n```")
    assert isinstance(code, Code)
    page = to_html([replace(code, language='a"><script>')])
    assert '<code class="language-ascript">' in page
