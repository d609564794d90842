"""Alertmanager's matchers: both grammars case by case, how they agree, and what a match is."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alert_router.matcher import (
    Matcher,
    MatcherError,
    Op,
    compile_regex,
    parse_classic,
    parse_matchers,
    parse_utf8,
)
from tests.matcher.classic_matchers import CLASSIC, NEAR

MATCHERS = st.builds(
    Matcher, st.text(max_size=8), st.sampled_from([Op.EQUAL, Op.NOT_EQUAL]), st.text(max_size=12)
)
EXPRESSIONS = st.builds(
    Matcher,
    st.sampled_from(["a", "team", "große", "with space", ""]),
    st.sampled_from([Op.REGEX, Op.NOT_REGEX]),
    st.sampled_from(["", ".*", "a|b", r"\d+", r'"\\"', "x\ny", "(?i)redis", "[^,]{2,3}", "ä.*"]),
)


def triples(matchers):
    return [(matcher.name, str(matcher.op), matcher.value) for matcher in matchers]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  ", []),
        ("{}", []),
        (" { } ", []),
        ("a=b", [("a", "=", "b")]),
        ("a!=b", [("a", "!=", "b")]),
        ("a=~b", [("a", "=~", "b")]),
        ("a!~b", [("a", "!~", "b")]),
        (" a = b ", [("a", "=", "b")]),
        ("\n{\n a\t=\v b ,\r\n}\f", [("a", "=", "b")]),
        ("a\u2003=\u3000b\x85", [("a", "=", "b")]),
        ("a=b\x1cc", [("a", "=", "b\x1cc")]),
        ("a=b,", [("a", "=", "b")]),
        ("{a=b,}", [("a", "=", "b")]),
        ('{a="b",c!="d"}', [("a", "=", "b"), ("c", "!=", "d")]),
        ('"a"="b"', [("a", "=", "b")]),
        ('"with space"="b"', [("with space", "=", "b")]),
        ('""=""', [("", "=", "")]),
        ('"a"="b","c"=~"d"', [("a", "=", "b"), ("c", "=~", "d")]),
        ("große=🙂", [("große", "=", "🙂")]),
        ("1=2", [("1", "=", "2")]),
        ("a=[a-z]+", [("a", "=", "[a-z]+")]),
        ("a=~^b$", [("a", "=~", "^b$")]),
        ("a=b:c/d;e|f", [("a", "=", "b:c/d;e|f")]),
        ('a=""', [("a", "=", "")]),
        ('a="{,}=~"', [("a", "=", "{,}=~")]),
        (r'a="\a\b\f\n\r\t\v\\\""', [("a", "=", '\a\b\f\n\r\t\v\\"')]),
        (r'a="\x41\101\u00e4\U0001f642"', [("a", "=", "AAä🙂")]),
        (r'a="\xf0\x9f\x99\x82"', [("a", "=", "🙂")]),
        (r'a="\303\244"', [("a", "=", "ä")]),
        (r'"\x61"="b"', [("a", "=", "b")]),
        ('a="\t\x00\x7f"', [("a", "=", "\t\x00\x7f")]),
        ('a="\'`"', [("a", "=", "'`")]),
    ],
)
def test_the_utf8_grammar_accepts(text, expected):
    assert triples(parse_utf8(text)) == expected


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        (",", "0:1"),
        ("{,}", "1:2"),
        ("{", "1:1"),
        ("}", "0:1"),
        ("{a=b", "4:4"),
        ("a=b}", "3:4"),
        ("{a=b}}", "5:6"),
        ("{a=b} c=d", "6:7"),
        ("{{a=b}}", "1:2"),
        ("a=b,,", "4:5"),
        ("a=b,}", "4:5"),
        ("a", "1:1"),
        ("a b", "2:3"),
        ("a=", "2:2"),
        ("a=,b=c", "2:3"),
        ("=b", "0:1"),
        ("a!b", "1:2"),
        ("a~b", "1:2"),
        ("a==b", "2:3"),
        ("a===b", "2:3"),
        ("a=b c=d", "4:5"),
        ('a=:"b"', "3:6"),
        (r"a=b\n", "3:4"),
        ("a='b'", "2:3"),
        ("a=`b`", "2:3"),
        ('a="b', "2:4"),
        (r'a="b\"', "2:6"),
        ('a="b\nc"', "4:5"),
        (r'a="\d"', "3:5"),
        (r'a="\'"', "3:5"),
        (r'a="\400"', "3:5"),
        (r'a="\18"', "3:5"),
        (r'a="\x4"', "3:5"),
        (r'a="\ud800"', "3:5"),
        (r'a="\U00110000"', "3:5"),
        (r'a="\xf0\x9f"', "2:12"),
        ('a="\ud800"', "3:4"),
        ("ä=~[", "3:4"),
        ('a="b", b=~"("', "10:13"),
    ],
)
def test_the_utf8_grammar_rejects_with_a_place(text, columns):
    with pytest.raises(MatcherError) as caught:
        parse_utf8(text)
    assert str(caught.value).startswith(f"{columns}: ")
    assert str(caught.value).endswith(caught.value.message)
    assert f"{caught.value.offset}:{caught.value.end}" == columns


@pytest.mark.parametrize(("text", "expected"), [case for case in CLASSIC if case[1] is not None])
def test_the_classic_grammar_accepts(text, expected):
    assert triples(parse_classic(text)) == expected


@pytest.mark.parametrize("text", [text for text, expected in CLASSIC if expected is None])
def test_the_classic_grammar_rejects(text):
    with pytest.raises(MatcherError):
        parse_classic(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Only the UTF-8 grammar takes it.
        ("große=b", [("große", "=", "b")]),
        ('"a b"="c"', [("a b", "=", "c")]),
        ("a=b ,\u2003c=d", [("a", "=", "b"), ("c", "=", "d")]),
        # Only the classic grammar does.
        ("a=", [("a", "=", "")]),
        ("a=b c", [("a", "=", "b c")]),
        ("{a=b", [("a", "=", "b")]),
        (r'a=~"\d+"', [("a", "=~", r"\d+")]),
        ("a='b'", [("a", "=", "'b'")]),
        # Both do, and disagree: classic wins.
        (r'a="\t"', [("a", "=", r"\t")]),
        (r'a=~"\x41"', [("a", "=~", r"\x41")]),
        (r'a="\u00e4",b=c', [("a", "=", r"\u00e4"), ("b", "=", "c")]),
        # Both do, and agree.
        (r'{a="\\.\n\""}', [("a", "=", '\\.\n"')]),
        ("", []),
        ("{}", []),
        ("}", []),
    ],
)
def test_classic_is_the_fallback_and_wins_where_both_disagree(text, expected):
    assert triples(parse_matchers(text)) == expected


@pytest.mark.parametrize(
    ("text", "place", "part"),
    [
        ('severity=critical, team~"a"', 23, "operator"),
        ('severity="critical', 9, 'missing end "'),
        ('team=~"a("', 6, "a("),
        (r'team=~"\d("', 6, r"\d("),  # \d is not what is wrong: the classic grammar takes it
        ("a=\udc80", 2, "UTF-8"),
    ],
)
def test_a_text_that_neither_accepts_has_a_place(text, place, part):
    with pytest.raises(MatcherError) as caught:
        parse_matchers(text)
    assert caught.value.offset == place
    assert part in caught.value.message


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("a=b", "b", True),
        ("a=b", "B", False),
        ("a=b", None, False),
        ("a!=b", None, True),
        ('a=""', None, True),
        ('a=""', "", True),
        ('a!=""', None, False),
        ('a=~".*"', None, True),
        ('a=~".+"', None, False),
        ('a=~"b|"', None, True),
        ('a!~".+"', None, True),
        ('a=~"b"', "abc", False),
        ('a=~"b|c"', "cb", False),
        ('a=~"b.*"', "b\nc", False),
        ('a=~"(?s)b.*"', "b\nc", True),
        ('a=~"b"', "b\n", False),
        ('a=~"(?m)b$.*"', "b", True),
        ('a=~"(?i)straße"', "STRASSE", False),
        ('a=~"(?i)straße"', "STRAßE", True),
        ('a=~"."', "🙂", True),
        ('a=~"\\\\pL+"', "großé", True),
        ('a!~"b.*"', "bc", False),
        ('a=~"a)|(b"', "xb", True),  # as written into ^(?:...)$
        ('a=~".*"', "\ud800", True),
        ('a=~"a\x00b"', "a\x00b", True),
    ],
)
def test_a_match(text, value, expected):
    (matcher,) = parse_matchers(text)
    assert matcher.matches({} if value is None else {"a": value}) is expected


@pytest.mark.parametrize("pattern", ["(", "a**", "(?=a)", r"(a)\1", "[b-a]", "a{1001}", "(?<!a)"])
def test_a_pattern_that_re2_rejects_is_an_error(pattern):
    with pytest.raises(MatcherError) as caught:
        Matcher("a", Op.REGEX, pattern)
    assert pattern in caught.value.message
    assert "$" not in caught.value.message  # nothing of the anchors, which nobody wrote


def test_an_expression_of_many_thousand_words_is_accepted():
    words = [f"service-number-{number}" for number in range(20_000)]
    matcher = Matcher("a", Op.REGEX, "|".join(words))
    assert matcher.matches({"a": words[-1]})
    assert not matcher.matches({"a": "service-number-"})


def test_long_texts_are_parsed_quickly():
    parse_matchers("a=" + "x" + " " * 200_000 + "y")
    parse_matchers("a=~" + '"' + "\\\\" * 200_000 + '"')


@given(st.text(max_size=30) | NEAR)
@settings(deadline=None, max_examples=300)
@example("a=\\")
@example('"')
@example("!")
def test_any_text_parses_or_is_rejected_with_a_place(text):
    for parse in (parse_matchers, parse_utf8, parse_classic):
        try:
            parse(text)
        except MatcherError as error:
            assert 0 <= error.offset <= error.end <= len(text)  # noqa: PT017


@given(NEAR)
@settings(deadline=None, max_examples=300)
def test_the_default_mode_combines_the_grammars(text):
    def try_with(parse):
        try:
            return parse(text)
        except MatcherError:
            return None

    modern, classic, both = map(try_with, (parse_utf8, parse_classic, parse_matchers))
    assert both == (modern if classic is None else classic)


@given(st.lists(MATCHERS | EXPRESSIONS, max_size=4))
@settings(deadline=None, max_examples=300)
def test_a_printed_matcher_parses_to_the_same(matchers):
    for matcher in matchers:
        assert parse_matchers(str(matcher)) == (matcher,)
    joined = ", ".join(map(str, matchers))
    assert parse_matchers(joined) == parse_matchers(f"{{{joined}}}") == tuple(matchers)


@given(NEAR)
@settings(deadline=None, max_examples=300)
def test_a_parsed_matcher_prints_and_parses_to_the_same(text):
    try:
        matchers = parse_matchers(text)
    except MatcherError:
        return
    assert tuple(m for matcher in matchers for m in parse_matchers(str(matcher))) == matchers


PIECES = st.sampled_from(
    ["a", "b", "ab", "|", ".*", ".+", "(", ")", "(?:", r"\.", r"\|", r"\_", "\n", "-", "ä", "\x00"]
)
SAMPLES = ["", "a", "b", "ab", "aab", "abab", "ab.", ".", "|", "a|b", "_", "a\n", "\n", "a\nb", "ä"]
SAMPLES += ["ab\nb", "-", "a-b", "aä", "\x00", "a\x00b", "a\\.", "(a", "?:a"]


@given(st.lists(PIECES, max_size=7).map("".join))
@settings(deadline=None, max_examples=600)
@example("(ab|a.*)")
@example("(a|b).+")
@example("a.*|b.+|ab")
def test_literals_and_prefixes_match_as_in_re2(pattern):
    for op in (Op.REGEX, Op.NOT_REGEX):
        try:
            compiled = compile_regex(pattern)
        except MatcherError:
            with pytest.raises(MatcherError):
                Matcher("a", op, pattern)
            return
        matcher = Matcher("a", op, pattern)
        for value in SAMPLES:
            by_re2 = compiled.search(value) is not None
            assert matcher.matches({"a": value}) is (by_re2 == (op is Op.REGEX)), (pattern, value)
