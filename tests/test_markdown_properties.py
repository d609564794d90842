"""What holds for any text at all."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router.markdown import Block, Code, ListBlock, Quote, grammar, parse, to_html, to_text

# Pieces that mean something to Markdown or HTML, so that chance finds their combinations.
_PIECES = st.sampled_from(
    [
        *("# ", "\n## ", "- ", "1. ", "- [ ] ", "> ", "```", "~~~", "`", "**", "*", "_", "~~"),
        *("[", "](", "]", ")", "![", "<", ">", "</", "<!--", "-->", "<a href=", "<script"),
        *("<details>", "<pre>", "</pre>", "<br>", "<pod-name>", "javascript:", "http://"),
        *("&lt;", "&#10;", "&quot;", "\\", "\n", "\n\n", "    ", "---\n", "\t", " ", "a", "b c"),
        *("[[_TOC_]]", "{{< x >}}", ": ", "|", "|-|\n"),
    ]
)
texts = st.one_of(st.text(max_size=200), st.lists(_PIECES, max_size=40).map("".join))
code_lines = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0`"), max_size=30), max_size=6
)


def codes(blocks: tuple[Block, ...]) -> list[str]:
    """The text of all code blocks, however deep."""
    out: list[str] = []
    for block in blocks:
        match block:
            case Code(text):
                out.append(text)
            case Quote(inner):
                out += codes(inner)
            case ListBlock(_, items):
                out += [text for item in items for text in codes(item.blocks)]
    return out


@settings(deadline=None, max_examples=300)
@given(texts)
def test_any_text_becomes_a_tree_that_can_be_shown(text: str) -> None:
    blocks = parse(text)
    to_text(blocks)
    page = to_html(blocks)
    # Every tag on the page is one that we write, with nothing of the text's in it but escaped.
    tags = re.findall(r"<[^>]*>", page)
    assert all(_OURS.fullmatch(tag) for tag in tags), tags
    assert page.count("<") == len(tags)


@settings(deadline=None, max_examples=500)
@given(st.lists(st.one_of(_PIECES, st.sampled_from(["a\n", "b c\n", "é\n", "===\n"])), max_size=30))
def test_reading_prose_without_the_other_rules_changes_nothing(pieces: list[str]) -> None:
    text = "".join(pieces)
    quick, complete = (grammar._dialect(mdx=False) for _ in range(2))
    complete.block.ruler.disable("prose")
    assert quick.parse(text, {}) == complete.parse(text, {})


_OURS = re.compile(
    r"</?(?:h[1-6]|p|pre|code|ul|ol|li|blockquote|table|thead|tbody|tr|th|td|strong|em|del|a|dl|dt|"
    r"dd|br|hr|input)"
    r'(?: (?:id|class|start|type|href)="[^"<>]*"| disabled| checked)*>'
)


@settings(deadline=None, max_examples=200)
@given(code_lines, st.sampled_from(["", "> ", "1. ", "- "]))
def test_the_text_of_a_fence_survives_to_the_letter(lines: list[str], container: str) -> None:
    code = "\n".join(["```sh", *lines, "```"])
    rest = {"": "", "> ": "> "}.get(container, " " * len(container))
    document = "\n".join(
        (container if number == 0 else rest) + line for number, line in enumerate(code.split("\n"))
    )
    found = codes(parse(document))
    assert len(found) == 1
    # Tabs that an indented container splits are expanded, as CommonMark has it.
    assert found[0].expandtabs(4).split() == "\n".join(lines).expandtabs(4).split()
    if container == "":
        assert found[0] == "\n".join(lines)


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=50))
def test_hostile_words_never_open_a_script(text: str) -> None:
    for document in (text + "<script>" + text, f"`<script>{text}`", f"[<script {text}](x)"):
        assert "<script" not in to_html(parse(document)).lower()
