"""Relative links and anchors that lead nowhere."""

import pytest

from tests.checks.lint.kit import found, linted

OTHER = """\
# Other

## How to fix

1. A.

## How to fix it: now!

<a name='mark'></a>

## Set {#by-hand}

x
"""


def problems_of(tmp_path, prose, code="runbook-dead-link"):
    (tmp_path / ".git").mkdir(exist_ok=True)
    text = f"# A\n\n## Détection\n\n1. {prose}\n"
    files = {"runbooks/alerts/example.md": text, "runbooks/alerts/other.md": OTHER}
    linted(tmp_path, files)
    return found(linted(tmp_path / "runbooks", {}), code)


@pytest.mark.parametrize(
    "link",
    [
        "[x](other.md)",
        "[x](./other.md#how-to-fix)",
        "[x](../alerts/other.md)",
        "[x](../alerts)",
        "[x](other)",
        "[x](other.html)",
        "[x](<other.md>)",
        "[x](other.md?plain=1)",
        "![x](%6Fther.md)",
        "[x](https://example.org/nope.md)",
        "[x](/site/nope)",
        "[x](mailto:a@example.org)",
        "[x](../../../outside/of/it.md)",
        "[x]($pod.md)",
        "[x]({{< ref nope >}})",
        "[x](#détection)",
        "[x](other.md#mark)",
        "[x](other.md#by-hand)",
        "[x](other.md#How-To-Fix-It-Now)",
        "[x](#top)",
        "[x](#)",
        "[x](../../README.txt#L10)",
        "a[i][j]",
        "[x][y]\n\n[y]: other.md",
        "`[x](nope.md)`",
    ],
)
def test_valid_links_and_links_that_are_not_checked(tmp_path, link):
    (tmp_path / "README.txt").write_text("x", encoding="utf-8")
    assert problems_of(tmp_path, link) == []
    assert problems_of(tmp_path, link, "runbook-dead-anchor") == []


@pytest.mark.parametrize(
    ("link", "at"),
    [
        ("[x](othr.md)", 8),
        ("[x](other.md.bak)", 8),
        ("[a](other.md), [b](nope/)", 23),
        ("![x](img/graph.png)", 9),
        ('<a href="nope.md">x</a>', 13),
        ("[x](../../docs/nope.md#y)", 8),
    ],
)
def test_links_to_missing_files(tmp_path, link, at):
    [(line, column, message)] = problems_of(tmp_path, link)
    assert (line, column) == (5, at)
    assert message.endswith(": no such file")


def test_a_similar_file_name_is_suggested(tmp_path):
    linted(tmp_path, {"a.md": "# A\n\n[x](othr.md)\n", "other.md": OTHER})
    hints = [p.hint for p in linted(tmp_path, {}) if p.code == "runbook-dead-link"]
    assert hints == ["did you mean `other.md`?"]


def test_a_reference_is_checked_at_its_definition_and_reported_if_undefined(tmp_path):
    assert problems_of(tmp_path, "[x][y]\n\n[y]: nope.md") == [
        (7, 6, "dead link `nope.md`: no such file")
    ]
    assert problems_of(tmp_path, "see [the plan][plan] and [x] [1]") == [
        (5, 8, "undefined link reference `plan`")
    ]


@pytest.mark.parametrize(
    ("page", "file"),
    [
        ("other.html", "other.html.md.erb"),
        ("Other.html", "other.adoc"),
        ("other", "other.markdown"),
        ("../other", "Other.md"),
        ("../other/", "other.mdx"),
    ],
)
def test_a_link_may_name_the_page_that_a_site_makes_of_a_file(tmp_path, page, file):
    (tmp_path / ".git").mkdir()
    files = {"example.md": f"# A\n\n[x]({page}#fix)\n", file: "# Other\n"}
    problems = linted(tmp_path, files)
    assert [p.code for p in problems if "dead-link" in p.code] == []


def test_without_a_repository_only_links_to_pages_are_checked(tmp_path):
    text = "# A\n\n[a](b.md) [c](d.html) ![e](f.png) [g](h.sh)\n"
    messages = [m for _, _, m in found(linted(tmp_path, text), "runbook-dead-link")]
    assert messages == ["dead link `b.md`: no such file", "dead link `d.html`: no such file"]


def test_references_of_asciidoc_start_at_the_pages_of_the_module(tmp_path):
    text = "= A\n\nxref:alerts/b.adoc#_the_pool_size[b] xref:alerts/nope.adoc[c] image:d.png[]\n"
    files = {
        "modules/ROOT/pages/alerts/a.adoc": text,
        "modules/ROOT/pages/alerts/b.adoc": "= B\n\n== `the.pool_size`\n\nText.\n",
        "modules/ROOT/nav.adoc": "* xref:alerts/a.adoc[A]\n",
    }
    (tmp_path / ".git").mkdir()
    problems = linted(tmp_path, files)
    assert [(p.code, p.place.line, p.message) for p in problems if "dead" in p.code] == [
        ("runbook-dead-link", 3, "dead link `alerts/nope.adoc`: no such file")
    ]


def test_anchors_of_asciidoc_are_known(tmp_path):
    text = "= A\n\n<<one>> <<two>> <<four>> <<three>>\n\n[[one]]\n== B\n\n[#two]\nanchor:four[]\n"
    problems = linted(tmp_path, {"a.adoc": text})
    assert [m for _, _, m in found(problems, "runbook-dead-anchor")] == [
        "no heading in this file has the anchor `#three`"
    ]


@pytest.mark.parametrize(
    "link", ["[x](#detektion)", "[x](other.md#how-to-fix-2)", "[x](other#nope)"]
)
def test_anchors_without_a_heading(tmp_path, link):
    found_ones = problems_of(tmp_path, link, "runbook-dead-anchor")
    expected = 1 if ".md" in link or link.startswith("[x](#") else 0  # `other` may be a page
    assert len(found_ones) == expected
