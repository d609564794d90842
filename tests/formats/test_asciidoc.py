"""AsciiDoc yields the tree that Markdown does."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router.formats import read_document
from alert_router.formats.asciidoc import read_asciidoc
from alert_router.markdown import Code, Heading, Paragraph, Quote, Table, to_text
from alert_router.runbook import parse_runbook
from tests.speed import assert_linear

PAGE = """= Queue backlog
Ada Byron <ada@example.org>
v1.0, 2026-01-01
:ns: prod
:page-aliases: old.adoc

[[backlog]]
== icon:search[] Investigate

. Look at `{ns}`:
+
[source,bash]
----
first -n $namespace # <1>
second {ns}
----
+
<1> A remark.
.. sub step
. Then *wait*.

[WARNING]
====
Data is lost.
====

== Resolve ==

NOTE: Ask first.
"""


def text_of(source: str) -> str:
    return to_text(read_asciidoc(source).blocks)


def test_a_page_has_sections_and_steps() -> None:
    runbook = parse_runbook(PAGE, id="backlog", path="backlog.adoc")
    assert runbook.title == "Queue backlog"
    assert [section.name for section in runbook.sections] == ["Investigation", "Mitigation"]
    look, wait = runbook.sections[0].steps
    assert (look.title, wait.title) == ("Look at prod", "Then wait.")
    assert look.blocks[1] == Code("first -n $namespace\nsecond {ns}", "bash", "bash", line=13)
    assert isinstance(look.blocks[1], Code)
    assert look.blocks[1].text_line == 14
    assert wait.blocks[1] == Quote(wait.blocks[1].blocks, 23)
    assert runbook.problems == ()


def test_headings_have_their_anchors_and_lines() -> None:
    headings = [b for b in read_asciidoc(PAGE).blocks if isinstance(b, Heading)]
    assert [(h.level, h.line, h.anchors) for h in headings] == [
        (1, 1, ()),
        (2, 8, ("backlog",)),
        (2, 27, ()),
    ]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("* a\n** b\n* c", "- a\n  - b\n- c"),
        ("* [x] a\n* [ ] b", "- [x] a\n- [ ] b"),
        ("3. a\n4. b", "3. a\n4. b"),
        (". a\n\n. b", "1. a\n2. b"),
        (". a\n+\nmore\n. b", "1. a\n\n   more\n2. b"),
        ("Term:: text", "- Term: text"),
        ("TIP: Text.", "> Tip\n>\n> Text."),
        ("[NOTE]\nText.", "> Note\n>\n> Text."),
        ("____\nText.\n____", "> Text."),
        ("....\na\n b\n....", "    a\n     b"),
        (" a\n  b", "    a\n     b"),
        (".Title\n----\na\n----", "Title\n\n    a"),
        ("// no\nText.\n\n////\nno\n////", "Text."),
        ("ifdef::x[]\nno\nendif::[]\nifndef::x[]\nText.\nendif::[]", "Text."),
        (":x:\nifdef::x[Text.]", "Text."),
        (':x: a\nifeval::["{x}" == "a"]\nText.\nendif::[]', "Text."),
        (
            ':x: a\nifeval::["{x}" != "a"]\nifeval::[{x} == a]\nno\nendif::[]\nendif::[]\nText.',
            "Text.",
        ),
        ("ifeval::[1 < 2]\nText.\nendif::[]", "Text."),
        ("a +\nb", "a\nb"),
        ("a\nb", "a b"),
        ("*bold* _it_ `code` `+raw+`", "bold it `code` `raw`"),
        ("https://a.example[words,window=_blank].", "words (https://a.example)."),
        ("See https://a.example/x.", "See https://a.example/x."),
        ("link:x.html[words]", "words (x.html)"),
        ("xref:x.adoc#y[words]", "words (x.adoc#y)"),
        ("<<y,words>>", "words"),
        ("image::x.png[Words]", "Words (x.png)"),
        ("{unknown} \\{x}", "{unknown} {x}"),
        ("snake_case_name 2*3*4 $a_b", "snake_case_name 2*3*4 $a_b"),
        ("toc::[]\n\nText.", "Text."),
    ],
)
def test_constructs(source: str, text: str) -> None:
    assert text_of(source) == text


def test_tables_have_a_header_and_rows() -> None:
    (found,) = read_asciidoc("|===\n|A |B\n\n|a\n|b `c`\n\n|d |e\n|===\n").blocks
    assert isinstance(found, Table)
    assert (len(found.header), len(found.rows)) == (2, 2)


def test_attributes_are_filled_in_code_only_if_the_block_says_so() -> None:
    source = ':x: 1\n\n----\n{x}\n----\n\n[source,sh,subs="attributes+"]\n----\n{x}\n----\n'
    codes = [block for block in read_asciidoc(source).blocks if isinstance(block, Code)]
    assert [code.text for code in codes] == ["{x}", "1"]
    assert codes[1].language == "sh"


def test_includes_are_read_by_the_function_that_is_given() -> None:
    files = {"a.adoc": "== A\n\nText.", "loop.adoc": "include::loop.adoc[]\n"}
    document = read_asciidoc(
        "include::a.adoc[leveloffset=+1]\n\ninclude::no.adoc[]\n\ninclude::loop.adoc[]\n", files.get
    )
    assert [type(block) for block in document.blocks] == [Heading, Paragraph]
    assert document.blocks[0] == Heading(3, document.blocks[0].children, 1)
    assert [line for line, _ in document.unread] == [3, 5]


@pytest.mark.parametrize("source", ["----\na", "++++\n<b>\n++++", "video::x[]", "include::x[]"])
def test_what_cannot_be_read_is_named_with_its_line(source: str) -> None:
    assert [line for line, _ in read_asciidoc(f"Text.\n\n{source}\n").unread] == [3]


def test_the_suffix_decides_the_format() -> None:
    assert isinstance(read_document("== A", "x/A.ADOC").blocks[0], Heading)
    assert isinstance(read_document("== A", "x/a.md").blocks[0], Paragraph)
    assert isinstance(read_document("== A", "x/a").blocks[0], Paragraph)


_COMMANDS = ("kubectl get pods -n a", "rm -rf ./tmp", "systemctl restart db", "psql -c 'select 1'")
_SHAPES = [
    "{0}\n{1}\n",
    "`{0}`\n`{1}`\n",
    "----\n{0}\n{1}\n----\n",
    " {0}\n {1}\n",
    ". a\n+\n----\n{0}\n{1}\n----\n",
    "* {0}\n* {1}\n",
    "[source,sh]\n{0}\n{1}\n",
    "[NOTE]\n====\n{0}\n{1}\n====\n",
    "NOTE: x\n{0}\n{1}\n",
    "--\n{0}\n{1}\n--\n",
    "|===\n|a |{0}\n{1}\n|===\n",
    "Term::\n{0}\n{1}\n",
]


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from(_SHAPES), max_size=4), st.permutations(_COMMANDS))
def test_two_commands_never_become_one_line(shapes: list[str], commands: list[str]) -> None:
    source = "\n".join(shape.format(*commands) for shape in shapes)
    for line in text_of(source).split("\n"):
        assert sum(command in line for command in _COMMANDS) <= 1, line


_PIECES = st.sampled_from(
    [
        *(
            "= ",
            "== ",
            ". ",
            ".. ",
            "* ",
            "** ",
            "- ",
            "1. ",
            "+",
            "----",
            "====",
            "--",
            "|===",
            "|",
        ),
        *("[NOTE]", "[source,sh]", "NOTE: ", ":a: b", "{a}", "ifdef::a[]", "endif::[]", "a::", " "),
        *("include::x[]", "<1> ", "`", "*", "_", "#", "https://a[", "]", "<<", ">>", "xref:", ".T"),
        *("'''", "++++", "////", "// ", "```sh", "image::a[b]", "word", "[[x]]", "\\", "\0"),
    ]
)


@settings(deadline=None, max_examples=500)
@given(st.lists(st.tuples(_PIECES, st.sampled_from(["\n", "", " ", "\n\n"])), max_size=30))
def test_any_text_yields_a_tree_with_the_lines_of_the_file(pieces: list[tuple[str, str]]) -> None:
    source = "".join(piece + end for piece, end in pieces)
    document = read_asciidoc(source)
    lines = [block.line for block in document.blocks]
    assert lines == sorted(lines)
    assert all(1 <= line <= source.count("\n") + 1 for line in lines)


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "* a\n** b\n",
            ". a\n+\n",
            "====\n",
            "--\n",
            "[NOTE]\n====\n",
            "* a\n\n- b\n\n",
            "|===\n",
        ),
        *(
            "* a\n** b\n*** c\n- d\n. e\n.. f\n",
            "ifdef::a[]\n",
            "a::\n",
            "a:: b\n",
            ".T\n",
            "[a]\n",
        ),
        *("+\n", ":a: {a}{a}x\n", "`", "*a", "_a ", "https://a[", "<<", "{a}", "\\", "#a", "a b\n"),
        *("----\n", "a" * 40 + "::", "include::x[]\n", "[[a", "| a", "link:", "image:a"),
    ],
)
def test_hostile_text_is_read_in_linear_time(piece: str) -> None:
    assert_linear(lambda size: read_asciidoc(piece * (size // len(piece)) + "x\n"), 10_000)
