"""The markup of documentation generators: Hugo, Jekyll, MkDocs, Docusaurus, GitHub, MDX, ERB."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router.markdown import (
    Code,
    Link,
    ListBlock,
    Paragraph,
    Quote,
    Strong,
    Text,
    parse,
    parse_document,
    to_text,
)
from alert_router.markdown.commandline import is_command
from tests.speed import assert_linear


def label(text: str, line: int) -> Paragraph:
    return Paragraph((Strong((Text(text),)),), line)


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("{{< highlight bash >}}", "{{< /highlight >}}"),
        ('{{< highlight bash "linenos=true,hl_lines=1" >}}', "{{</ highlight >}}"),
        ("{{% highlight lang=bash %}}", "{{% /highlight %}}"),
        ("{% highlight bash %}", "{% endhighlight %}"),
        ("{%- highlight bash linenos -%}", "{%- endhighlight -%}"),
        ('{% code title="bash" %}', "{% endcode %}"),
    ],
)
def test_highlight_tags_are_fences(opening: str, closing: str) -> None:
    found = parse(f"See:\n{opening}\nfirst\n  second # {{{{ x }}}}\n{closing}\nAfter\n")
    assert found == (
        Paragraph((Text("See:"),), 1),
        Code("first\n  second # {{ x }}", "bash", "bash", line=2),
        Paragraph((Text("After"),), 6),
    )
    assert found[1].text_line == 3


def test_a_highlight_in_a_list_item_is_code_of_the_item() -> None:
    (found,) = parse("1. Look:\n\n   {{< highlight sh >}}\n   ls\n   {{< /highlight >}}\n2. Go.\n")
    assert isinstance(found, ListBlock)
    assert found.items[0].blocks[1] == Code("ls", "sh", "sh", line=3)
    assert len(found.items) == 2


def test_a_highlight_within_a_paragraph_keeps_its_lines() -> None:
    (found,) = parse("Run {{< highlight sh >}}\nfirst -a\nsecond -b\n{{< /highlight >}} now\n")
    assert to_text((found,)).split("\n") == ["Run", "`first -a`", "`second -b`", "now"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{% notice %}}\nText *here*.\n{{% /notice %}}", "Text here."),
        ("{{% notice warning %}}\nText.\n{{% /notice %}}", "Warning\n\nText."),
        ('{{< hint type="danger" >}}\nText.\n{{< /hint >}}', "Danger\n\nText."),
        ('{{< tab "Linux" >}}\nText.\n{{< /tab >}}', "Linux\n\nText."),
        ('{{< details title="More" >}}\nText.\n{{< /details >}}', "More\n\nText."),
        ('{% hint style="warning" %}\nText.\n{% endhint %}', "Warning\n\nText."),
        ("{% raw %}\nText.\n{% endraw %}", "Text."),
        ("{{< toc >}}\nText.", "Text."),
        ("{{% comment %}}\nNo.\n\n```\nno\n```\n{{% /comment %}}\nText.", "Text."),
        ("{{/* no */}}\nText.", "Text."),
        ("Text.\n{: .note}", "Text."),
        ("<%= warning_text('Text.') %>", "Text."),
        ('{% include note.html content="Text." %}', "Text."),
        ('{{< figure src="a.png" alt="Text" >}}', "Text (a.png)"),
        ("Say {{< highlight x >}}", "Say"),
    ],
)
def test_other_tags_are_dropped_and_their_content_stays(text: str, words: str) -> None:
    assert to_text(parse(text)) == words


def test_tags_in_code_stay_as_they_are() -> None:
    text = "```\n{{< notice >}}\n<% x %>\n```\n\n    {% raw %}\n\n`{{< notice >}}`\n"
    document = parse_document(text)
    assert to_text(document.blocks).count("{{< notice >}}") == 2
    assert "{% raw %}" in to_text(document.blocks)
    assert document.unread == ()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('a\n\n{{< include "x.md" >}}\n', 3),
        ("---\na: b\n---\nWord {{% param x %}}\n", 4),
        ("{% include x.html %}\n", 1),
        ('<%= Task.run("x") %>\n', 1),
        ("text\n\n{{< highlight sh >}}\nls\n", 3),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(text: str, line: int) -> None:
    assert [found for found, _ in parse_document(text).unread] == [line]


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ('[x]({{< relref "other.md#part" >}})', "other.md#part"),
        ("[x]({{% ref other.md %}})", "other.md"),
    ],
)
def test_references_to_files_are_links(text: str, url: str) -> None:
    assert parse(text) == (Paragraph((Link(url, (Text("x"),)),), 1),)


def test_a_reference_to_a_page_of_the_site_is_only_words() -> None:
    assert parse('[x]({{< ref "/docs/other" >}})') == (Paragraph((Text("x"),), 1),)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("!!! warning\n    Text.\n", "Warning"),
        ('!!! danger "Data loss"\n    Text.\n', "Danger: Data loss"),
        ("??? note\n    Text.\n", "Note"),
        ('???+ info "More"\n    Text.\n', "Info: More"),
        (":::note\nText.\n:::\n", "Note"),
        ("::: tip Title\nText.\n:::\n", "Tip: Title"),
        (":::warning[Title]\nText.\n:::\n", "Warning: Title"),
        (":::{important}\nText.\n:::\n", "Important"),
    ],
)
def test_admonitions_are_quotes_with_their_kind(text: str, title: str) -> None:
    (found,) = parse(text)
    assert found == Quote((label(title, 1), Paragraph((Text("Text."),), 2)), 1)


def test_an_alert_of_github_begins_with_its_kind() -> None:
    (found,) = parse("> [!WARNING]\n> Text.\n")
    assert to_text((found,)) == "> Warning: Text."


def test_an_admonition_holds_lists_and_code_and_ends_where_the_indent_ends() -> None:
    quote, after = parse("!!! note\n    - a\n\n    ```sh\n    ls\n    ```\n\nAfter\n")
    assert isinstance(quote, Quote)
    assert [type(block) for block in quote.blocks] == [Paragraph, ListBlock, Code]
    assert after == Paragraph((Text("After"),), 8)


def test_tabs_are_a_list_of_alternatives() -> None:
    text = '=== "Primary"\n    1. a\n    2. b\n\n=== "Replica"\n    1. c\n\nAfter\n'
    found, after = parse(text)
    assert isinstance(found, ListBlock)
    assert [item.blocks[0] for item in found.items] == [label("Primary", 1), label("Replica", 5)]
    steps = [item.blocks[1] for item in found.items]
    assert [len(block.items) for block in steps if isinstance(block, ListBlock)] == [2, 1]
    assert after == Paragraph((Text("After"),), 8)


def test_details_without_blank_lines_hold_markdown() -> None:
    text = "<details><summary>More</summary>\n- a\n- b\n</details>\n"
    assert [type(block) for block in parse(text)] == [Paragraph, ListBlock]


def test_numbers_that_go_on_after_code_are_one_list() -> None:
    (found,) = parse("1. a\n\n```\nx\n```\n\n2. b\n\ntext\n\n3. c\n")
    assert isinstance(found, ListBlock)
    assert [len(item.blocks) for item in found.items] == [2, 2, 1]


def test_a_list_that_begins_again_is_another_list() -> None:
    found = parse("1. a\n2. b\n\n```\nx\n```\n\n1. c\n2. d\n")
    assert [type(block) for block in found] == [ListBlock, Code, ListBlock]


def test_ones_before_every_item_are_one_list() -> None:
    (found,) = parse("1. a\n```\nx\n```\n1. b\n```\ny\n```\n1. c\n")
    assert isinstance(found, ListBlock)
    assert len(found.items) == 3


def test_mdx_drops_modules_and_components_and_keeps_their_text() -> None:
    text = (
        "import Tabs from '@theme/Tabs';\n\n# T\n\n<Tabs>\n"
        '  <TabItem value="a" label="Linux">\n\n```sh\nls\n```\n\n  </TabItem>\n</Tabs>\n'
        'A <Term id="x">word</Term>. {/* no */}\n'
    )
    document = parse_document(text, mdx=True)
    assert to_text(document.blocks) == "T\n=\n\nLinux\n\n    ls\n\nA word."
    assert "<TabItem" in to_text(parse(text))


def test_toml_front_matter_is_no_text() -> None:
    document = parse_document('+++\ntitle = "x"\n+++\n# T\n')
    assert (document.front_matter, document.is_toml) == ('title = "x"\n', True)
    assert document.blocks[0].line == 4


@pytest.mark.parametrize(
    "line",
    [
        "kubectl get pods -n prod",
        "$ systemctl restart x",
        "sudo -u postgres psql",
        "FOO=bar helm upgrade x",
        "find / -name core",
        "cat /var/log/syslog",
        "./scripts/restart.sh now",
        "rabbitmq-diagnostics status",
        "rm -rf ./tmp",
    ],
)
def test_commands(line: str) -> None:
    assert is_command(line)


@pytest.mark.parametrize(
    "line",
    [
        "find the pod",
        "kill it",
        "Kubectl shows pods",
        "top users",
        "",
        "restart the service",
        "- a",
    ],
)
def test_sentences_are_no_commands(line: str) -> None:
    assert not is_command(line)


def test_wrapped_prose_is_one_line_and_commands_are_lines() -> None:
    (found,) = parse("Some words\nwrapped.\nkubectl get pods\nkubectl delete pod x\nMore\nwords\n")
    assert to_text((found,)).split("\n") == [
        "Some words wrapped.",
        "kubectl get pods",
        "kubectl delete pod x",
        "More words",
    ]


_COMMANDS = ("kubectl get pods -n a", "rm -rf ./tmp", "systemctl restart db", "psql -c 'select 1'")
_SHAPES = [
    "{0}\n{1}\n",
    "`{0}`\n`{1}`\n",
    "```sh\n{0}\n{1}\n```\n",
    "    {0}\n    {1}\n",
    "{{{{< highlight sh >}}}}\n{0}\n{1}\n{{{{< /highlight >}}}}\n",
    "{{% highlight sh %}}\n{0}\n{1}\n{{% endhighlight %}}\n",
    "{{{{% notice %}}}}\n{0}\n{1}\n{{{{% /notice %}}}}\n",
    "!!! note\n    {0}\n    {1}\n",
    ":::note\n{0}\n{1}\n:::\n",
    "> [!NOTE]\n> {0}\n> {1}\n",
    '=== "A"\n    {0}\n    {1}\n',
    "<details><summary>x</summary>\n{0}\n{1}\n</details>\n",
    "<div>\n{0}\n{1}\n</div>\n",
    "<pre>\n{0}\n{1}\n</pre>\n",
    "<p>{0}<br>{1}</p>\n",
    "- {0}\n- {1}\n",
    "1. {0}\n\n1. {1}\n",
    "| a | b |\n|---|---|\n| x | `{0}`<br>`{1}` |\n",
    "<Tab>\n{0}\n{1}\n</Tab>\n",
]
shapes = st.builds(
    lambda shape, first, second: shape.format(first, second),
    st.sampled_from(_SHAPES),
    st.sampled_from(_COMMANDS[:2]),
    st.sampled_from(_COMMANDS[2:]),
)
inside = st.sampled_from(["{}", "- a\n{}", "1. a\n{}", "> {}"])


def nested(holder: str, shape: str) -> str:
    """A construct at the beginning of a line, in a list item, or in a quote."""
    if holder == "> {}":
        return "".join(f"> {line}\n" for line in shape.splitlines())
    indent = {"- a\n{}": "  ", "1. a\n{}": "   "}.get(holder, "")
    text = "".join(f"{indent}{line}\n" for line in shape.splitlines())
    return f"{holder[:-2]}\n{text}" if indent else text


texts = st.lists(st.builds(nested, inside, shapes), max_size=4).map("\n".join)


@settings(deadline=None, max_examples=300)
@given(texts, st.booleans())
def test_two_commands_never_become_one_line(text: str, mdx: bool) -> None:
    for line in to_text(parse_document(text, mdx=mdx).blocks).split("\n"):
        assert sum(command in line for command in _COMMANDS) <= 1, line


_PIECES = st.sampled_from(
    [
        *("{{< x >}}", "{{< /x >}}", "{{% highlight sh %}}", "{{% /highlight %}}", "{% raw %}"),
        *(
            "{% endhighlight %}",
            "{{<",
            "%}",
            "<% a %>",
            "<%=",
            ":::note",
            ":::",
            "::::",
            "!!! note",
        ),
        *('=== "A"', "??? x", "> [!NOTE]", "> ", "    ", "  ", "- ", "1. ", "```", "<details>"),
        *("<summary>a</summary>", "</details>", "<Tab a='b'>", "import x", "{: a}", "word", "+++"),
        *("[x]({{< ref ", '"a.md"', ">}})", "|a|b|", "|-|-|", "{/*", "*/}", "title='x'"),
    ]
)


@settings(deadline=None, max_examples=500)
@given(st.lists(st.tuples(_PIECES, st.sampled_from(["\n", "", " ", "\n\n"])), max_size=30))
def test_any_text_yields_a_tree_with_the_lines_of_the_file(pieces: list[tuple[str, str]]) -> None:
    text = "".join(piece + end for piece, end in pieces)
    for mdx in (False, True):
        document = parse_document(text, mdx=mdx)
        lines = [block.line for block in document.blocks]
        assert lines == sorted(lines)
        assert all(1 <= line <= text.count("\n") + 1 for line, _ in document.unread)


@pytest.mark.parametrize(
    "piece",
    [
        "{{< highlight sh >}}\n",
        "- {{< highlight sh >}}\n",
        "{{< x ",
        "{{< a >}}",
        "{% raw ",
        "<% a ",
        "<%a%>",
        ":::note\n",
        "::: a\n:::\n",
        "!!! note\n",
        "!!! note\n    ",
        '=== "A"\n\n',
        "<details>",
        "<summary>a</summary>",
        "> [!NOTE]\n",
        "{/* a */}",
        "<A b='c'>",
        "1. a\n```\n```\n",
        "kubectl x\n",
        "`a b`\n",
        "[x]({{< ref 'a' >}})",
    ],
)
def test_hostile_text_is_read_in_linear_time(piece: str) -> None:
    def read(size: int) -> None:
        text = piece * (size // len(piece)) + "x\n{{< /highlight >}}"
        parse_document(text, mdx="<A" in piece or "{/" in piece)

    assert_linear(read, 10_000)
