"""YAML with places: what is text stays text, and every refusal names its place."""

import pytest
import yaml as pyyaml
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router.model.problem import Place, ProblemsError
from alert_router.yaml_source import (
    MAX_DEPTH,
    Scalar,
    children,
    parse,
    parse_all,
    plain,
    read,
)


def shown(text: str) -> str:
    """The problems of a text, as people see them."""
    with pytest.raises(ProblemsError) as raised:
        parse(text, "a.yaml")
    return str(raised.value)


def test_scalars_stay_the_text_that_was_written():
    text = "a: yes\nb: 0755\nc: 1:30\nd: 1_000\ne: 2024-01-01\nf: 'null'\ng: \"~\"\nh: !!str null\n"
    assert plain(parse(text, "a.yaml").root) == {
        "a": "yes",
        "b": "0755",
        "c": "1:30",
        "d": "1_000",
        "e": "2024-01-01",
        "f": "null",
        "g": "~",
        "h": "null",
    }


@pytest.mark.parametrize("null", ["", "~", "null", "Null", "NULL"])
def test_a_plain_null_is_none(null):
    assert plain(parse(f"a: {null}", "a.yaml").root) == {"a": None}


def test_keys_are_text_whatever_they_look_like():
    assert plain(parse("on: 1\nnull: 2\n3: 4", "a.yaml").root) == {"on": "1", "null": "2", "3": "4"}


def test_places_count_lines_and_columns_from_one():
    document = parse("a: x\nlist:\n  - 'é': [q, r]\n", "a.yaml")
    node, entry = document.find(("list", 0, "é", 1))
    assert node.place == Place("a.yaml", 3, 14)
    assert document.find(("list", 0, "é"))[1].place == Place("a.yaml", 3, 5)
    assert entry is None


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r", "\x85", "\u2028"])
def test_lines_are_counted_as_yaml_counts_them(line_break):
    text = line_break.join(["a: 1", "b: 2", "a: 3"])
    with pytest.raises(ProblemsError) as raised:
        parse(text + line_break + "{", "a.yaml")
    assert raised.value.problems[0].place.line >= 3
    (problem,) = parse(text, "a.yaml").problems
    assert problem.place == Place("a.yaml", 3, 1)
    assert problem.source == "a: 3"


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert plain(read(file).root) == {"a": "1"}


def test_every_duplicate_key_is_found_with_both_places():
    document = parse("a: 1\nb: {c: 1, c: 2}\na: 3\n", "a.yaml")
    assert [problem.show() for problem in document.problems] == [
        "a.yaml:2:11: error: the key `c` is given twice; the first is at a.yaml:2:5"
        " [yaml-duplicate-key]\n"
        "  2 | b: {c: 1, c: 2}\n"
        "    |           ^\n"
        "  remove one of the two",
        "a.yaml:3:1: error: the key `a` is given twice; the first is at a.yaml:1:1"
        " [yaml-duplicate-key]\n"
        "  3 | a: 3\n"
        "    | ^\n"
        "  remove one of the two",
    ]


def test_anchors_aliases_and_merges_work():
    text = "base: &b {x: 1, y: 2}\none: *b\ntwo: {<<: *b, y: 3}\nthree: {<<: [{y: 9, z: 8}, *b]}\n"
    assert plain(parse(text, "a.yaml").root) == {
        "base": {"x": "1", "y": "2"},
        "one": {"x": "1", "y": "2"},
        "two": {"y": "3", "x": "1"},
        "three": {"y": "9", "z": "8", "x": "1"},
    }


def test_all_documents_of_a_file_are_read_with_the_places_they_have_in_it(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("# first\na: 1\n---\n\n---\n  b: 2\n...\n---\n# nothing\n")
    first, second = parse_all(file.read_text(), str(file))
    assert (plain(first.root), plain(second.root)) == ({"a": "1"}, {"b": "2"})
    assert second.root.place == Place(str(file), 6, 3)
    assert second.problem("x", "y", second.root.place).source == "  b: 2"


def test_an_anchor_ends_with_its_document():
    with pytest.raises(ProblemsError, match=r"a.yaml:3:4: error: \*x refers to no anchor"):
        parse_all("a: &x 1\n---\nb: *x\n", "a.yaml")


def test_duplicate_keys_of_every_document_are_found():
    first, _ = parse_all("a: 1\n---\nb: 1\nb: 2\n", "a.yaml")
    assert [(it.place.line, it.source) for it in first.problems] == [(4, "b: 2")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("---\n---\n", "a.yaml: error: the file is empty [yaml-empty]"),
        (
            "a: 1\n---\n- b\n---\ntext\n",
            "a.yaml:3:1: error: a document must hold a mapping of keys, not a list"
            " [yaml-not-a-mapping]\n  3 | - b\n    | ^\n"
            "a.yaml:5:1: error: a document must hold a mapping of keys, not a single text"
            " [yaml-not-a-mapping]\n  5 | text\n    | ^",
        ),
    ],
)
def test_documents_that_hold_nothing_to_read_say_so(text, expected):
    with pytest.raises(ProblemsError) as raised:
        parse_all(text, "a.yaml")
    assert str(raised.value) == expected


def test_a_quoted_merge_key_is_a_key():
    assert plain(parse("'<<': x", "a.yaml").root) == {"<<": "x"}


REFUSED = {
    "": "a.yaml: error: the file is empty [yaml-empty]",
    "# only a comment\n---\n": "a.yaml: error: the file is empty [yaml-empty]",
    "- a\n": "a.yaml: error: the file must hold a mapping of keys, not a list [yaml-not-a-mapping]",
    "hello": "a.yaml: error: the file must hold a mapping of keys, not a single text"
    " [yaml-not-a-mapping]",
    "a: 1\n---\nb: 2\n": """\
a.yaml:2:1: error: the file holds several YAML documents [yaml-several-documents]
  2 | ---
    | ^
  keep one; remove the line ---""",
    "a:\n\t- b\n": """\
a.yaml:2:1: error: not valid YAML: found character '\\t' that cannot start any token \
(while scanning for the next token) [yaml-syntax]
  2 | \t- b
    | ^
  indent with spaces; YAML does not take tabs""",
    "a: b: c\n": """\
a.yaml:1:5: error: not valid YAML: mapping values are not allowed here [yaml-syntax]
  1 | a: b: c
    |     ^
  quote a value that has a colon followed by a space in it""",
    "a: [1, 2\nb: 3\n": """\
a.yaml:2:2: error: not valid YAML: expected ',' or ']', but got ':' \
(while parsing a flow sequence that begins in line 1) [yaml-syntax]
  2 | b: 3
    |  ^
  close the bracket above, or separate its items with commas""",
    "a: 1\nb: 'x\nc: 2\n": """\
a.yaml:2:4: error: not valid YAML: a quote that opens here is never closed [yaml-syntax]
  2 | b: 'x
    |    ^""",
    "a:\n  - b: 1\n   c: 2\n": """\
a.yaml:3:4: error: not valid YAML: expected <block end>, but found '<block mapping start>' \
(while parsing a block collection that begins in line 2) [yaml-syntax]
  3 |    c: 2
    |    ^
  indent it as deep as the keys or the `- ` that it goes with""",
    "a: 1\nb:2\nc: 3\n": """\
a.yaml:2:1: error: not valid YAML: expected `key: value` [yaml-syntax]
  2 | b:2
    | ^
  write a space after the colon""",
    'a: "\\d"\n': """\
a.yaml:1:6: error: not valid YAML: found unknown escape character 'd' \
(while scanning a double-quoted scalar) [yaml-syntax]
  1 | a: "\\d"
    |      ^
  in double quotes a backslash must be doubled; single quotes need no escaping""",
    "a: *x\n": """\
a.yaml:1:4: error: *x refers to no anchor before it [yaml-bad-alias]
  1 | a: *x
    |    ^""",
    "a: &x [*x]\n": """\
a.yaml:1:8: error: *x refers to what it is itself part of [yaml-bad-alias]
  1 | a: &x [*x]
    |        ^""",
    "a: !!python/object:os.system x\n": """\
a.yaml:1:4: error: YAML's tags are not supported here: '!!python/object:os.system' \
[yaml-unsupported]
  1 | a: !!python/object:os.system x
    |    ^
  write the value alone""",
    "a: {{ x }}\n": """\
a.yaml:1:5: error: a key must be text [yaml-unsupported]
  1 | a: {{ x }}
    |     ^
  quote a value that begins with { or [, or that has a ? in front""",
    "a: {<<: text}\n": """\
a.yaml:1:5: error: << takes a mapping, or a list of mappings [yaml-unsupported]
  1 | a: {<<: text}
    |     ^""",
    'a: "\\UFFFFFFFF"\n': "a.yaml: error: an escape does not name a valid character [yaml-syntax]",
    "a: x\x07y\n": "a.yaml:1:5: error: not valid YAML: the character U+0007 is not allowed"
    " [yaml-syntax]\n  remove it",
}


@pytest.mark.parametrize("escape", ["\\0", "\\ud800", "\\udfff"])
def test_a_character_that_no_text_may_hold_hides_no_other_problem(escape):
    document = parse(f'a: "x{escape}"\n"k{escape}": [1]\nb: 1\nb: 2\n', "a.yaml")
    found = [(problem.code, problem.place.line) for problem in document.problems]
    assert found == [("yaml-unsupported", 1), ("yaml-unsupported", 2), ("yaml-duplicate-key", 4)]
    assert "(NUL or a surrogate)" in document.problems[0].message
    assert plain(document.root) == {"a": "x\ufffd", "k\ufffd": ["1"], "b": "1"}


@pytest.mark.parametrize(("text", "expected"), REFUSED.items())
def test_what_cannot_be_read_says_where_and_why(text, expected):
    assert shown(text) == expected


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 100_000])
@pytest.mark.parametrize("nest", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused_without_a_traceback(nest, depth):
    assert f"nested deeper than {MAX_DEPTH} levels [yaml-too-deep]" in shown("a:\n " + nest * depth)


def test_deep_nesting_by_aliases_is_refused():
    levels = [f"a{n}: &a{n} {'[' * 30}*a{n - 1}{']' * 30}" for n in range(1, 10)]
    assert "nested deeper than" in shown("a0: &a0 x\n" + "\n".join(levels))


def test_an_alias_bomb_is_refused():
    bomb = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{f'*a{n - 1},' * 10}]" for n in range(1, 30)]
    assert "too much, with aliases expanded [yaml-too-large]" in shown("\n".join(bomb))


def test_a_bomb_of_merges_is_refused():
    bomb = ["a0: &a0 {k: [x, x, x, x, x]}"]
    bomb += [f"a{n}: &a{n} {{k{n}: [{f'*a{n - 1},' * 10}], <<: *a{n - 1}}}" for n in range(1, 30)]
    assert "[yaml-too-large]" in shown("\n".join(bomb))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a: \xff\n", "the file is not UTF-8 text: byte 0xff is not valid here"),
        ("a: é".encode("utf-16"), "the file is not UTF-8 text: byte 0xff is not valid here"),
    ],
)
def test_text_that_is_not_utf_8_is_refused(tmp_path, content, expected):
    file = tmp_path / "a.yaml"
    file.write_bytes(content)
    with pytest.raises(ProblemsError, match=expected):
        read(file)


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path):
    with pytest.raises(ProblemsError, match=r"cannot read the file: No such file"):
        read(tmp_path / "none.yaml")
    with pytest.raises(ProblemsError, match=r"cannot read the file: Is a directory"):
        read(tmp_path)


def test_a_large_table_is_read_quickly_enough_to_reload(tmp_path):
    entries = "".join(f"- {{m: 'component=\"c{n}\"', r: a/b{n}}}\n" for n in range(10_000))
    assert len(list(children(parse(f"t:\n{entries}", "a.yaml").root.get("t")))) == 10_000


@settings(deadline=None, max_examples=150)
@given(
    st.recursive(
        st.none() | st.text(max_size=8).filter(lambda t: "\0" not in t),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, max_size=3)
        ),
        max_leaves=12,
    )
)
def test_what_yaml_dumps_is_read_back(value):
    text = pyyaml.safe_dump({"value": value})
    assert plain(parse(text, "a.yaml").root) == {"value": value}


@settings(deadline=None, max_examples=200)
@given(
    st.text(st.sampled_from("ab:-[]{}&*!|>'\"%@`#?,<~ \n\t\\0U\x00\x85\ud7ff\ufeff"), max_size=40)
)
def test_any_text_is_read_or_refused(text):
    try:
        document = parse(text, "a.yaml")
    except ProblemsError:
        return
    for entry in document.root.entries.values():
        if isinstance(entry.value, Scalar):
            assert 1 <= entry.value.place.line <= len(document.lines)
