"""Markdown becomes a tree in which nothing people need to read is missing."""

import pytest

from alert_router.markdown import (
    Break,
    Code,
    CodeSpan,
    Emphasis,
    Heading,
    Item,
    Link,
    ListBlock,
    Paragraph,
    Quote,
    Rule,
    Strike,
    Strong,
    Table,
    Text,
    parse,
    parse_document,
    plain,
)
from alert_router.markdown.grammar import MAX_NESTING
from tests.speed import assert_linear


def words(text: str) -> str:
    """The plain text of a document's first block."""
    block = parse(text)[0]
    assert isinstance(block, Paragraph | Heading)
    return plain(block.children)


def inline(text: str) -> tuple[object, ...]:
    (block,) = parse(text)
    assert isinstance(block, Paragraph)
    return block.children


def test_every_kind_of_block_has_its_line() -> None:
    text = "# A\n\ntext\n\n- item\n\n> said\n\n| a |\n|---|\n| b |\n\n---\n\n```sh\nls\n```\n"
    assert parse(text) == (
        Heading(1, (Text("A"),), 1),
        Paragraph((Text("text"),), 3),
        ListBlock(False, (Item((Paragraph((Text("item"),), 5),), None, 5),), 1, 5),
        Quote((Paragraph((Text("said"),), 7),), 7),
        Table(((Text("a"),),), (((Text("b"),),),), 9),
        Rule(13),
        Code("ls", "sh", "sh", line=15),
    )


def test_every_kind_of_span() -> None:
    assert inline("`c` **b** *e* ~~s~~ [l](http://u)\nsoft  \nhard") == (
        CodeSpan("c"),
        Text(" "),
        Strong((Text("b"),)),
        Text(" "),
        Emphasis((Text("e"),)),
        Text(" "),
        Strike((Text("s"),)),
        Text(" "),
        Link("http://u", (Text("l"),)),
        Break(hard=False),
        Text("soft"),
        Break(hard=True),
        Text("hard"),
    )


def test_front_matter_is_no_block_and_lines_still_count_in_the_file() -> None:
    document = parse_document("---\ntitle: x\n---\n# A\n")
    assert document.front_matter == "title: x\n"
    assert document.blocks == (Heading(1, (Text("A"),), 4),)


def test_dashes_that_nothing_closes_are_no_front_matter() -> None:
    document = parse_document("---\n\n# A\n")
    assert document.front_matter is None
    assert document.blocks == (Rule(1), Heading(1, (Text("A"),), 3))


def test_reference_links_resolve_though_defined_at_the_end() -> None:
    assert inline("see [the docs] and [here][d]\n\n[the docs]: http://a\n[d]: <http://b>") == (
        Text("see "),
        Link("http://a", (Text("the docs"),)),
        Text(" and "),
        Link("http://b", (Text("here"),)),
    )


def test_a_destination_stays_as_written_so_that_placeholders_are_found() -> None:
    assert inline("[d](https://g/d?var-pod=${pod}&ns={{$labels.ns}})")[0] == Link(
        "https://g/d?var-pod=${pod}&ns={{$labels.ns}}", (Text("d"),)
    )


def test_a_line_break_in_a_destination_is_encoded() -> None:
    assert inline("[d](http://a/&#10;b)")[0] == Link("http://a/%0Ab", (Text("d"),))


@pytest.mark.parametrize(
    "text",
    [
        "delete <pod-name> in <namespace>",
        "at <host:port> now",
        "<POD_NAME>",
        "</closing>",
        "select * from <table>",
        "<time> and <label>",
        "{% if x %} and {{ x }}",
        "{{ $labels.instance }}",
        "run <?php x ?> and <!DOCTYPE html>",
        '<script>alert("x")</script>',
    ],
)
def test_what_only_looks_like_html_is_read_as_written(text: str) -> None:
    assert words(text) == text


def test_a_placeholder_on_a_line_of_its_own_survives() -> None:
    assert parse("<pod-name>\n\nafter") == (
        Paragraph((Text("<pod-name>"),), 1),
        Paragraph((Text("after"),), 3),
    )


def test_formatting_html_is_dropped_and_its_content_kept() -> None:
    assert inline('<b>bold</b> <span class="x">s</span><br/>next<!-- gone -->') == (
        Text("bold s"),
        Break(hard=True),
        Text("next"),
    )


def test_html_links_and_images_become_links() -> None:
    assert inline('<a href="http://u?a&amp;b">the **link**</a> <img src="i.png" alt="graph">') == (
        Link("http://u?a&b", (Text("the "), Strong((Text("link"),)))),
        Text(" "),
        Link("i.png", (Text("graph"),)),
    )


def test_an_anchor_without_destination_and_an_unclosed_one_lose_no_words() -> None:
    assert words('<a name="x"></a>here <a href="http://u">there') == "here there"
    assert words('**<a href="http://u">b**</a> after') == "b after"


def test_images_are_links_and_never_nested() -> None:
    assert inline("![alt](i.png) ![](j.png)") == (
        Link("i.png", (Text("alt"),)),
        Text(" "),
        Link("j.png", (Text("image"),)),
    )
    assert inline("[![badge](i.png)](http://to)") == (Link("http://to", (Text("badge"),)),)


def test_a_link_without_words_shows_its_destination() -> None:
    assert inline("[](http://u)") == (Link("http://u", (Text("http://u"),)),)


def test_details_keep_their_summary_and_the_markdown_inside() -> None:
    text = (
        "<details>\n<summary>More &amp; more</summary>\n\n**x**\n\n```\ncode\n```\n\n</details>\n"
    )
    assert parse(text) == (
        Paragraph((Strong((Text("More & more"),)),), 2),
        Paragraph((Strong((Text("x"),)),), 4),
        Code("code", line=6),
    )


def test_comments_are_dropped_with_the_headings_in_them() -> None:
    assert parse("<!--\n## Hidden\n\ntext\n-->\n\n# Seen\n") == (Heading(1, (Text("Seen"),), 7),)
    assert parse("<!-- x --> kept\n") == (Paragraph((Text("kept"),), 1),)


def test_block_html_is_kept_as_text() -> None:
    blocks = parse("<table><tr><td>a</td><td>b</td></tr>\n<tr><td>c</td></tr></table>\n")
    assert blocks == (Paragraph((Text("a | b"),), 1), Paragraph((Text("c"),), 2))
    assert parse("<hr>\n") == (Rule(1),)


def test_pre_is_code() -> None:
    assert parse("<pre><code>a &lt;b&gt;\n  c\n</code></pre>\n") == (Code("a <b>\n  c", line=1),)


def test_fences_inside_list_items_stay_there() -> None:
    (block,) = parse("1. do\n\n   ```sh\n   # not a heading\n   ls\n   ```\n2. then\n")
    assert isinstance(block, ListBlock)
    assert block.items[0].blocks[1] == Code("# not a heading\nls", "sh", "sh", line=3)
    assert len(block.items) == 2


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("```\na\n", (1,)),
        ("```\na\n```\n", ()),
        ("~~~", (1,)),
        ("- x\n  ```\n  a\n\nafter\n", (2,)),
        ("> ```\n> a\n> ```\n", ()),
        ("```\n```", ()),
        ("---\nt: 1\n---\n````\n```\n", (4,)),
    ],
)
def test_unclosed_fences_survive_and_are_told(text: str, lines: tuple[int, ...]) -> None:
    assert parse_document(text).unclosed == lines


@pytest.mark.parametrize(
    ("info", "language"),
    [
        ("Bash", "bash"),
        ("8sh", "8sh"),
        ("rediscli_auth=$(sudo cat x)", "rediscli_auth=$(sudo"),
        ("", ""),
    ],
)
def test_language_is_the_first_word_of_the_info_string(info: str, language: str) -> None:
    (code,) = parse(f"```{info}\nx\n```")
    assert isinstance(code, Code)
    assert (code.language, code.info) == (language, info)


def test_indented_code_and_numbering_that_does_not_begin_at_one() -> None:
    assert parse("    ls -l\n") == (Code("ls -l", line=1),)
    (block,) = parse("3. x\n")
    assert isinstance(block, ListBlock)
    assert block.start == 3


def test_task_items_are_told_from_items() -> None:
    (block,) = parse("- [ ] open\n- [x] `done`\n- [link](u)\n- plain\n")
    assert isinstance(block, ListBlock)
    assert [item.checked for item in block.items] == [False, True, None, None]
    assert block.items[1].blocks == (Paragraph((CodeSpan("done"),), 2),)


def test_a_table_of_contents_marker_is_dropped() -> None:
    assert parse("[[_TOC_]]\n\ntext") == (Paragraph((Text("text"),), 3),)


def test_byte_order_mark_other_line_ends_and_nul_survive() -> None:
    assert parse("\ufeff# A\r\n\r\nb\0c\rd") == (
        Heading(1, (Text("A"),), 1),
        Paragraph((Text("b\ufffdc"), Break(hard=False), Text("d")), 3),
    )


def test_text_never_contains_a_line_break() -> None:
    assert inline("a&#10;b <pod\nname>") == (Text("a b <pod name>"),)


@pytest.mark.parametrize("opening", [">", "[", "![", "- ", "1. ", "**a ", "> - ", "<a ", "<!--"])
def test_ten_thousand_openings_neither_recurse_to_death_nor_take_long(opening: str) -> None:
    assert_linear(lambda size: parse(opening * size), 1_250)


def test_nesting_is_kept_as_deep_as_anyone_writes() -> None:
    depth = MAX_NESTING // 2 - 1
    block = parse("".join("  " * level + "- x\n" for level in range(depth)))[0]
    seen = 0
    while isinstance(block, ListBlock):
        seen += 1
        block = block.items[0].blocks[-1]
    assert seen == depth


def test_a_paragraph_too_long_to_parse_is_plain_text() -> None:
    text = "**bold** line\n" * 5_000
    assert words(text).startswith("**bold** line **bold**")


@pytest.mark.parametrize("text", ["Nothing to do here.\n---\n", "Restart it\nand wait\n---\n"])
def test_a_paragraph_directly_above_dashes_is_no_heading(text):
    paragraph, rule = parse(text)
    assert isinstance(paragraph, Paragraph)
    assert rule == Rule(text.count("\n"))


def test_a_short_line_above_dashes_is_a_heading():
    assert parse("Mitigation\n---\n") == (Heading(2, (Text("Mitigation"),), 1),)
