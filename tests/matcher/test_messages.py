"""Messages for invalid matchers: Alertmanager's, with the columns, so that a caret can be shown."""

import pytest

from alert_router.matcher import MatcherError, parse_classic, parse_matchers, parse_utf8

OPERATOR = "expected an operator such as '=', '!=', '=~' or '!~'"
AFTER_MATCHER = "expected a comma or close brace"
AFTER_COMMA = "expected a matcher or close brace after comma"

UTF8 = [
    (",", "0:1: unexpected ,: expected label name"),
    ("{,}", "1:2: unexpected ,: expected label name"),
    ("{=}", "1:2: unexpected =: expected label name"),
    ("a", f"1:1: end of input: {OPERATOR}"),
    ("{a}", f"2:3: unexpected }}: {OPERATOR}"),
    ("a b", f"2:3: unexpected b: {OPERATOR}"),
    ("a!", f"1:2: unexpected end of input, expected one of '=~': {OPERATOR}"),
    ("a!b", f"1:2: !: expected one of '=~': {OPERATOR}"),
    ("a~b", f"1:2: ~: invalid input: {OPERATOR}"),
    ("a=", "2:2: end of input: expected label value"),
    ("a=}", "2:3: unexpected }: expected label value"),
    ("a==b", "2:3: unexpected =: expected label value"),
    ('a="b', '2:4: "b: missing end ": expected label value'),
    ("a=b c=d", f"4:5: unexpected c: {AFTER_MATCHER}"),
    ('{a=:"b"}', f'4:7: unexpected "b": {AFTER_MATCHER}'),
    ("{a=b\\n}", f"4:5: \\: invalid input: {AFTER_MATCHER}"),
    ("a=b,,", f"4:5: unexpected ,: {AFTER_COMMA}"),
    ("{a=b, =c}", f"6:7: unexpected =: {AFTER_COMMA}"),
    ("a=b,'c'=d", f"4:5: ': invalid input: {AFTER_COMMA}"),
    ("{", "1:1: end of input: expected close brace"),
    ("{a=b", "4:4: end of input: expected close brace"),
    ("{a=b,", "5:5: end of input: expected close brace"),
    ("}", "0:1: }: expected opening brace"),
    ("a=b}", "3:4: }: expected opening brace"),
    ("a=b,}", "4:5: }: expected opening brace"),
    ("{a=b}}", "5:6: }: expected end of input"),
    ("{a=b} c=d", "6:7: c: expected end of input"),
    ("{a=b} '", "6:7: ': invalid input: expected end of input"),
    # The first thing that is wrong is told, though something later is wrong too.
    ('a b="', f"2:3: unexpected b: {OPERATOR}"),
    ("große=b c", f"8:9: unexpected c: {AFTER_MATCHER}"),
    ("🙂=🙂 }", "4:5: }: expected opening brace"),
]

CLASSIC = [
    ("a", "0:1: bad matcher format: a"),
    ("a=b,,c=d", "4:4: bad matcher format: "),
    ("{a=b, c}", "6:7: bad matcher format: c"),
    ('a="b', '2:4: matcher value contains unescaped double quote: "b'),
    ('x=y, a = b"', '9:11: matcher value contains unescaped double quote: b"'),
]


@pytest.mark.parametrize(("text", "message"), UTF8)
def test_utf8_messages_equal_those_of_alertmanager(text: str, message: str):
    with pytest.raises(MatcherError) as caught:
        parse_utf8(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(("text", "message"), CLASSIC)
def test_classic_messages_equal_those_of_alertmanager(text: str, message: str):
    with pytest.raises(MatcherError) as caught:
        parse_classic(text)
    assert str(caught.value) == message


def test_if_both_grammars_reject_the_message_with_a_place_is_used():
    with pytest.raises(MatcherError) as caught:
        parse_matchers('severity="critical", team~"a"')
    assert str(caught.value) == f"25:26: ~: invalid input: {OPERATOR}"


def test_a_bad_expression_is_reported_as_written():
    with pytest.raises(MatcherError) as caught:
        parse_matchers('a=b, team=~"x("')
    assert (caught.value.offset, caught.value.end) == (11, 15)
    assert caught.value.message.startswith('"x(" is not a valid RE2 regular expression: ')
