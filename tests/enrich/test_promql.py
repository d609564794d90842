"""Filled queries parse and select exactly the value."""

import promql_parser
import pytest
import re2
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alert_router.enrich.placeholders import AlertLabels, Filled, label_rules
from alert_router.enrich.promql import compile_inline_query, compile_query, is_query
from tests.speed import assert_linear

# What a label value can be: Prometheus has them in UTF-8.
_values = st.text(st.characters(exclude_categories=("Cs",)))
_HOSTILE = [
    '"} or up{a="',
    "'",
    "`",
    "\\",
    "\\E",
    ".*",
    "a|b",
    "a\nb",
    "$1",
    "\x00",
    "^",
    "é",
    "{{",
    "\r",
]


def fill(text: str, **labels: str) -> Filled:
    return compile_query(text).fill(AlertLabels(labels))


def matchers(query: str) -> list[tuple[str, str, str]]:
    """The name, operator and value of each matcher of a query that is one selector."""
    parsed = promql_parser.parse(query)
    assert isinstance(parsed, promql_parser.VectorSelector)
    return [(m.name, str(m.op), m.value) for m in parsed.matchers.matchers]


@pytest.mark.parametrize("quote", ['"', "'", "`"])
@pytest.mark.parametrize("operator", ["=", "!="])
@settings(deadline=None)
@example('"} or up{a="').via("hostile")
@example("'`\\\n\x00").via("hostile")
@given(_values)
def test_equality_selects_exactly_the_value(quote: str, operator: str, value: str) -> None:
    filled = fill(f"up{{pod{operator}{quote}$pod{quote}, x='y'}}", pod=value)

    if filled.values:
        assert quote == "`"
        assert set("`\r\\") & set(value)
        assert "$pod" in filled.text
        return
    [(name, _, found), rest] = matchers(filled.text)
    assert (name, found) == ("pod", value)
    assert rest[2] == "y"


@pytest.mark.parametrize("quote", ['"', "'", "`"])
@settings(deadline=None)
@example(".*", "anything").via("hostile")
@example("a|b", "a").via("hostile")
@example("\\E\\Q.", "\\E\\Qx").via("hostile")
@given(_values, _values)
def test_a_regular_expression_selects_exactly_the_value(quote: str, value: str, other: str) -> None:
    filled = fill(f"up{{pod=~{quote}${{pod}}{quote}}}", pod=value)

    if filled.values:
        assert quote == "`"
        assert set("`\r\\[]^") & set(value)
        return
    [(_, _, pattern)] = matchers(filled.text)
    compiled = re2.compile("(?s)" + pattern)
    assert compiled.fullmatch(value)
    assert bool(compiled.fullmatch(other)) == (other == value)


@pytest.mark.parametrize("value", _HOSTILE)
def test_within_a_longer_expression_the_value_stays_a_part(value: str) -> None:
    [(_, _, pattern)] = matchers(fill('up{pod=~"a-$pod-.*|$pod+"}', pod=value).text)
    compiled = re2.compile("(?s)" + pattern)

    assert compiled.fullmatch(f"a-{value}-x")
    assert compiled.fullmatch(value * 3)
    assert not compiled.fullmatch("a--x")


@pytest.mark.parametrize(
    "text",
    ["rate(x[$pod])", "$pod", "sum by ($pod) (x)", "x > $pod",
     'label_replace(x, "a", "$pod", "b", "c")',
     'count_values("$pod", x)', 'x{a=~"[$pod]"}', 'x{a=~"b{$pod}"}', 'x{a="\\\\$pod"}', '"$pod"',
     'x{a=~"(?P<$pod>b)"}', 'x{a="$pod'],
)  # fmt: skip
def test_elsewhere_nothing_is_filled(text: str) -> None:
    assert fill(text, pod="5m") == Filled(text, (("pod", "5m"),))


def test_a_name_in_angle_brackets_is_a_placeholder_where_it_is_a_whole_string() -> None:
    text = 'x{a="<pod>", b=~`<pod-name>`, c="x-<pod>", d="<name>", e="<what>"} > <pod>'

    assert fill(text, pod="p.1", name="n") == Filled(
        'x{a="p.1", b=~`p[.]1`, c="x-<pod>", d="<name>", e="<what>"} > <pod>'
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('sum by (user) (x{namespace="<namespace>"}) > 0', True),
        ('{app="$app"} |= "x"', True),
        ('rate(x_total{job=~"$job"}[5m])', True),
        ('f(){ a="$pod"; }', False),
        ('echo {a="$pod"}', False),
        ('curl http://x/?query=up{a="$pod"}', False),
        ('kubectl get pods -l "a=$pod"', False),
        ('f(a="$pod")', False),
        ("up", False),
    ],
)
def test_inline_code_is_a_query_if_that_is_certain(text: str, expected: bool) -> None:
    assert is_query(text) == expected


def test_only_plain_words_are_filled_into_a_query_in_inline_code() -> None:
    query = compile_inline_query('{pod="$pod"} |= "<pod>"')

    assert query.fill(AlertLabels({"pod": "web-1"})).text == '{pod="web-1"} |= "web-1"'
    for value in ("$(id)", "a b", '"', "-x", "a/b"):
        assert query.fill(AlertLabels({"pod": value})).text == '{pod="$pod"} |= "<pod>"'


@pytest.mark.parametrize("piece", ["a", " ", "(", "{", "{a=", "sum by (a) (", '"'])
def test_telling_a_query_takes_linear_time(piece: str) -> None:
    assert_linear(lambda size: is_query(piece * size), 20_000)


def test_a_surrogate_is_no_text_for_a_query() -> None:
    assert fill('x{a="$pod"}', pod="\ud800").text == 'x{a="$pod"}'


def test_comments_and_unknown_names_stay() -> None:
    text = 'x{a="$__interval", b=~"c$"} # $pod "$pod"\n'

    assert fill(text, pod="p") == Filled(text)


def test_a_quote_in_a_comment_opens_no_string() -> None:
    assert fill('# don\'t\nx{a="$pod"}', pod="p").text == '# don\'t\nx{a="p"}'


def test_line_filters_of_logql() -> None:
    text = (
        '{app="$app"} |= "$a" != `$a` |~ "$a" or "$a" !~ `$a`'
        ' | json b="$a" | line_format "{{.x}} $a"'
    )

    filled = fill(text, app="x", a="a.b")

    assert filled.text == (
        '{app="x"} |= "a.b" != `a.b` |~ "a\\\\.b" or "a\\\\.b" !~ `a[.]b`'
        ' | json b="$a" | line_format "{{.x}} $a"'
    )
    assert filled.values == (("a", "a.b"),)


def test_after_a_template_stage_a_filter_is_filled_again() -> None:
    text = '{a="b"} | json | app="$app" | line_format "$app" |= "$app"'

    assert fill(text, app="x").text == '{a="b"} | json | app="x" | line_format "$app" |= "x"'


@settings(deadline=None)
@given(st.text(st.sampled_from("$pod{}\"'`\\=~!|#\n [(]),or")), _values)
def test_any_text_can_be_filled(text: str, value: str) -> None:
    fill(text, pod=value, o=value)


_ALERT = {
    "job": "kube-state-metrics",
    "job_name": "backup",
    "node": "node-a",
    "instance": "10.0.0.5:9100",
    "deployment": "web",
    "service": "web",
    "app": "web",
    "pod": "web-1",
}


@pytest.mark.parametrize(
    "query",
    [
        'up{job="<job>"}',
        'node_load1{instance="<node>"}',
        'node_load1{instance=~"<node>"}',
        'up{a="b", pod=~ "<deployment>"}',
        '{pod!="<service>"}',
        '{app="a"} | container = "<pod>"',
    ],
)
def test_a_name_is_not_filled_in_the_matcher_of_another_label(query: str) -> None:
    labels = AlertLabels(_ALERT, label_rules(exporters=()))

    assert compile_query(query).fill(labels).text == query
    assert compile_inline_query(query).fill(labels).text == query


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ('kube_job_failed{job_name="<job>"}', "backup"),
        ('x{app="<service>"}', "web"),  # it is the alert's `app` as well
        ('x{k8s_node="<node>"}', "node-a"),  # a label that is not known
        ('x{instance="<instance label from the alert>"}', "10.0.0.5:9100"),
        ('{app="a"} |= "<pod>"', "web-1"),
        ('{app="a"} | json |= "<pod>"', "web-1"),
        ('{app="a"} |= "b" or "<pod>"', "web-1"),
    ],
)
def test_a_name_is_filled_where_the_matcher_may_mean_it(query: str, value: str) -> None:
    labels = AlertLabels(_ALERT, label_rules(exporters=()))

    assert f'"{value}"' in compile_query(query).fill(labels).text
