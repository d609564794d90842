"""reStructuredText yields the tree that Markdown does."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router import formats
from alert_router.formats import read_document
from alert_router.markdown import (
    Code,
    CodeSpan,
    Heading,
    Link,
    Paragraph,
    Quote,
    Table,
    Text,
    plain,
    to_text,
)
from alert_router.runbook import Catalogue, parse_runbook

PAGE = """:severity: critical
:owner: SRE

=============
Queue backlog
=============

.. contents::

Investigate
===========

1. Look at ``queue``:

   .. code-block:: bash

      first -n $namespace
      second

   a. sub step
2. Wait::

     sleep 5

.. _fix:

Resolve
=======

.. warning:: Data is lost.

- Read :ref:`the plan <plan>`, run :command:`ls`, see `docs <https://example.org>`_.
"""


def text_of(source: str) -> str:
    return to_text(read_document(source, "a.rst").blocks)


def test_a_page_has_metadata_sections_and_steps() -> None:
    runbook = parse_runbook(PAGE, id="backlog", path="backlog.rst")
    assert runbook.title == "Queue backlog"
    assert runbook.metadata == {"severity": "critical", "owner": "SRE"}
    assert [section.name for section in runbook.sections] == ["Investigation", "Mitigation"]
    look, wait = runbook.sections[0].steps
    assert (look.title, wait.title) == ("Look at queue", "Wait")
    assert look.blocks[1] == Code("first -n $namespace\nsecond", "bash", "bash", line=17)
    assert wait.blocks[1] == Code("sleep 5", line=23)
    assert runbook.sections[1].line == 27
    headings = [block for block in runbook.blocks if isinstance(block, Heading)]
    assert "fix" in headings[2].anchors
    assert runbook.problems == ()


def test_roles_of_sphinx_are_text_and_links_are_links() -> None:
    assert "Read the plan, run `ls`, see docs" in text_of(PAGE)


def test_admonitions_are_quotes_with_their_kind() -> None:
    blocks = read_document(PAGE, "a.rst").blocks
    [quote] = [block for block in blocks if isinstance(block, Quote)]
    assert to_text(quote.blocks) == "Warning\n\nData is lost."


def test_tables_of_both_kinds_have_rows() -> None:
    source = "+---+---+\n| a | b |\n+===+===+\n| c | d |\n+---+---+\n\n== ==\ne  f\n== ==\n"
    first, second = read_document(source, "a.rst").blocks
    assert isinstance(first, Table)
    assert isinstance(second, Table)
    assert (len(first.header), len(first.rows), len(second.rows)) == (2, 1, 1)
    assert [plain(cell) for cell in (*first.header, *first.rows[0], *second.rows[0])] == [*"abcdef"]


def test_tabs_and_other_containers_are_read() -> None:
    source = ".. tab-set::\n\n   .. tab-item:: Primary\n      :sync: p\n\n      Do it.\n"
    assert text_of(source) == "Primary\n\nDo it."


@pytest.mark.parametrize(
    "directive",
    [
        ".. include:: /etc/passwd",
        ".. literalinclude:: /etc/passwd",
        ".. raw:: html",
        ".. csv-table::\n   :file: /etc/passwd",
        ".. unheard-of:: x",
    ],
)
def test_what_is_not_read_is_reported_with_its_line(directive: str) -> None:
    document = read_document(f"Text.\n\n{directive}\n\n   <b>x</b>\n\nMore.\n", "a.rst")
    assert document.unread == ((3, directive.partition("\n")[0]),)
    assert "root:" not in to_text(document.blocks)
    assert document.blocks[0] == Paragraph((Text("Text."),), 1)


def test_a_default_role_of_one_file_does_not_reach_the_next() -> None:
    source = ".. default-role:: emphasis\n.. role:: own(strong)\n\n`x`\n"
    read_document(source, "a.rst")
    [paragraph] = read_document("`x` :own:`y`\n", "a.rst").blocks
    assert isinstance(paragraph, Paragraph)
    assert paragraph.children[0] == CodeSpan("x")
    assert to_text([paragraph]) == "`x` y"


def test_links_to_scripts_are_kept_as_written_for_the_renderers_to_refuse() -> None:
    [paragraph] = read_document("`x <javascript:alert(1)>`_\n", "a.rst").blocks
    assert isinstance(paragraph, Paragraph)
    assert isinstance(paragraph.children[0], Link)


@pytest.mark.parametrize(
    "source", ["x" * 20_000, "word\n" * 40_000, "".join(" " * n + "a\n\n" for n in range(300))]
)
def test_a_text_that_is_too_large_or_too_deep_is_code_and_reported(source: str) -> None:
    document = read_document(source, "a.rst")
    assert document.blocks == (Code(source.rstrip("\n"), line=1),)
    assert document.unread[0][0] == 1


def test_a_table_that_docutils_cannot_read_is_shown_as_written() -> None:
    table = "+---+---+\n| a | b\n+---+---+"
    assert read_document(f"Text.\n\n{table}\n", "a.rst").blocks[1:] == (Code(table, line=4),)


def test_deep_nesting_ends_in_code() -> None:
    text = text_of("".join(" " * n + f"a{n}\n\n" for n in range(100)))
    assert "a99" in text


PIECES = st.sampled_from(
    [
        "a",
        "*",
        "`",
        "\\",
        "_",
        ":",
        "-",
        "=",
        "+",
        ".",
        "^",
        "~",
        "  ",
        "   ",
        ".. ",
        "::",
        "====\n",
        "- ",
        "1. ",
        "``",
        "`_",
        ".. note:: ",
        ".. image:: x\n",
        "+--+\n",
        ":ref:`",
        "[1]_",
        ":a: b\n",
        ".. tab:: ",
        "\n",
        "\n\n",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=40).map("".join))
def test_any_text_yields_a_tree_that_can_be_shown(source: str) -> None:
    document = read_document(source, "a.rst")
    to_text(document.blocks)
    assert all(1 <= line <= source.count("\n") + 1 for line, _ in document.unread)


def test_without_docutils_the_files_are_reported(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(formats, "SUFFIXES", (".md",))
    (tmp_path / "PodDown.rst").write_text(PAGE, encoding="utf-8")
    (tmp_path / "Other.md").write_text("# Other\n\nx\n", encoding="utf-8")
    [problem] = Catalogue.load(tmp_path).problems
    assert problem.code == "runbook-not-read"
    assert "1 `.rst` file was not read: docutils is not installed" in problem.message
    assert problem.hint == "Install `alert-router[rst]`."
