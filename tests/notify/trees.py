"""Runbooks as trees that no parser need ever have made: deep, long, hostile."""

from dataclasses import fields, is_dataclass
from typing import Any

from hypothesis import strategies as st

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
    plain,
)
from alert_router.runbook.model import Section, Step

# Long texts are put in after drawing, so that hypothesis prints and shrinks only their names.
_LONG = {
    "LONG": "x" * 9000,
    "ESCAPED": "& <" * 1500,
    "PROSE": "word " * 900,
    "LINES": "a\n" * 3000,
}


def lengthen(tree: Any) -> Any:
    """The tree with every name of a long text replaced by it."""
    if isinstance(tree, str):
        for name, long in _LONG.items():
            tree = tree.replace(name, long)
        return tree
    if isinstance(tree, tuple):
        return tuple(map(lengthen, tree))
    if isinstance(tree, Step):
        blocks = lengthen(tree.blocks)
        return Step(" ".join(plain(blocks[0].children).split())[:80], blocks)
    if is_dataclass(tree):
        return type(tree)(*(lengthen(getattr(tree, field.name)) for field in fields(tree)))
    return tree


# Words of a file read as UTF-8: anything but lone surrogates, and no line breaks.
_words = st.one_of(
    st.sampled_from(
        [
            *(
                "<!channel>",
                "<@U1|x>",
                "@everyone",
                "*b*",
                "_i_",
                "```",
                "`",
                "&amp;",
                "<",
                "|",
                ">",
            ),
            *("\x00\x1b[2J\x9b", "\u202e\u2066", "LONG", "ESCAPED", "PROSE", "", " "),
        ]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=30),
)
_urls = st.one_of(
    st.sampled_from(
        [
            *("javascript:alert(1)", "https://h/>|<!channel>", "https://h/?a=1&b=<", "#top", ""),
            *("https://h/LONG", "mailto:a@h", "https://h/é `*_", "HTTPS://h/\u202e"),
        ]
    ),
    _words,
)
_leaves = st.one_of(
    st.builds(Text, _words), st.builds(CodeSpan, _words), st.builds(Break, st.booleans())
)
_spans = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        *(st.builds(kind, st.lists(inner, max_size=3).map(tuple)) for kind in (Strong, Emphasis)),
        st.builds(Strike, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Link, _urls, st.lists(_leaves, max_size=3).map(tuple)),
    ),
    max_leaves=3,
)
_line = st.lists(_spans, max_size=4).map(tuple)
_code = st.builds(
    Code,
    st.one_of(
        st.lists(_words, max_size=6).map("\n".join),
        st.sampled_from(["echo LONG", "LINES", "cat <<'```'\n```\n```", "\n\n", "ESCAPED"]),
    ),
    st.sampled_from(["", "bash", "promql", "\x1b[31m"]),
    values=st.lists(st.tuples(_words, _words | st.just("a\nb\tc")), max_size=2).map(tuple),
)
_flat = st.one_of(
    st.builds(Paragraph, _line),
    st.builds(Heading, st.integers(1, 6), _line),
    _code,
    st.builds(
        Table,
        st.lists(_line, max_size=3).map(tuple),
        st.lists(st.lists(_line, max_size=4).map(tuple), max_size=4).map(tuple),
    ),
    st.just(Rule()),
)
blocks = st.recursive(
    _flat,
    lambda inner: st.one_of(
        st.builds(Quote, st.lists(inner, max_size=3).map(tuple)),
        st.builds(
            ListBlock,
            st.booleans(),
            st.lists(
                st.builds(
                    Item,
                    st.lists(inner, max_size=3).map(tuple),
                    st.sampled_from([None, True, False]),
                ),
                max_size=4,
            ).map(tuple),
            st.integers(0, 999),
        ),
    ),
    max_leaves=4,
)


def deep(levels: int) -> ListBlock:
    """A list in a list in a list, with code at its bottom."""
    block: ListBlock | Code = Code("kubectl get pods", "bash")
    for _ in range(levels):
        block = ListBlock(False, (Item((Paragraph((Text("deeper"),)), block)),))
    assert isinstance(block, ListBlock)
    return block


_steps = st.builds(
    lambda title, under: Step("", (Paragraph(title), *under)),  # `lengthen` finds its title
    _line,
    st.lists(blocks, max_size=2),
)
sections = st.lists(
    st.builds(
        Section,
        st.sampled_from(["", "Detection", "Mitigation"]),
        _line,
        st.lists(blocks, max_size=2).map(tuple),
        st.lists(_steps, max_size=2).map(tuple),
    ),
    max_size=2,
).map(tuple)
