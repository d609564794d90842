"""Which labels an expression surely yields: as written down here, and by a real Prometheus."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alert_router.checks.promql import parse_promql
from alert_router.checks.rules import PossibleLabels, infer_labels, read_rules_text
from tests.checks.rules.prometheus import SERIES, fired, prometheus


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with prometheus(tmp_path_factory.mktemp("prometheus")) as running:
        yield running


def said(expression: str) -> str:
    """What is known, in a line: `a=1|2 b=? -c ...`; `...` where there can be other labels."""
    carried = infer_labels(parse_promql(expression))
    words = []
    for name, values in sorted(carried.named.items()):
        if values == carried.others or name == "__name__":
            continue
        if values is None:
            words.append(f"{name}=?")
        elif values == {""}:
            words.append(f"-{name}")
        else:
            words.append(f"{name}={'|'.join(value or 'none' for value in sorted(values))}")
    return " ".join([*words, *(["..."] if carried.others is None else [])])


KNOWN = {
    # selectors
    "m1": "...",
    'm1{a="1", b=~"1|2", c!="1", d=~"5.*", e!~"x"}': "a=1 b=1|2 ...",
    'm1{d=""}': "-d ...",
    'm1{d=~"|5"}': "d=none|5 ...",
    'm1{b=~"1|2", b!="1"}': "b=2 ...",
    '{__name__="m1", a="1"}': "a=1 ...",
    'm1{a="1"} offset 1m': "a=1 ...",
    # aggregations
    "sum(m1)": "",
    'sum by (a, d) (m1{a="1"})': "a=1 d=?",
    'sum without (a) (m1{a="1", b="2"})': "-a b=2 ...",
    'topk(1, m1{a="1"})': "a=1 ...",
    'count_values("v", m1{a="1"})': "v=?",
    'count_values by (a) ("v", m1{a="1"})': "a=1 v=?",
    # functions
    'rate(m1{a="1"}[5m])': "a=1 ...",
    'max_over_time(rate(m1{a="1"}[2m])[5m:30s])': "a=1 ...",
    'clamp_max(m1{a="1"}, 3)': "a=1 ...",
    'quantile_over_time(0.5, m1{a="1"}[5m])': "a=1 ...",
    "histogram_quantile(0.9, sum by (a, le) (rate(m5_bucket[5m])))": "a=?",
    'histogram_quantile(0.9, rate(m5_bucket{a="1"}[5m]))': "a=1 -le ...",
    "vector(1)": "",
    "hour() >= 0": "",
    'day_of_week(m1{a="1"})': "a=1 ...",
    'absent(m9{a="1", b=~"2", c!="3"})': "a=1",
    'absent_over_time(m9{a="1"}[5m])': "a=1",
    'absent(sum(m9{a="1"}))': "",
    'absent((m9{a="1"}))': "a=none|1",
    'absent(m9{a="1", a!="2"})': "a=none|1",
    'label_replace(m1, "x", "y", "", "")': "x=y ...",
    'label_replace(sum by (a) (m1), "x", "y", "a", "1")': "a=? x=none|y",
    'label_replace(m1{a="1"}, "x", "$1", "a", "(.*)")': "a=1 x=1 ...",
    'label_replace(m1{a="1", b="2"}, "b", "z", "a", "7")': "a=1 b=2 ...",
    'label_replace(m1{a="1"}, "a", "", "a", ".*")': "-a ...",
    'label_replace(m1{a="1"}, "x", "q-$1", "a", "(.*)")': "a=1 ...",
    'label_replace(m1{a="1"}, "n", "$1", "__name__", "(.*)")': "a=1 n=m1 ...",
    'label_join(m1{a="1", b=~"1|2"}, "x", "-", "a", "b")': "a=1 b=1|2 x=1-1|1-2 ...",
    'label_join(m1{a="1"}, "x", "-", "a", "c")': "a=1 ...",
    # operators
    "1 + 2 > bool 1": "",
    'm1{a="1"} > 3': "a=1 ...",
    '3 < m1{a="1"}': "a=1 ...",
    '-m1{a="1"}': "a=1 ...",
    'm1{a="1"} and m2{b="1"}': "a=1 b=1 ...",
    'm1{a="1"} and on (b) m2{b="1"}': "a=1 b=1 ...",
    'm1 and on (b) m2{a="1"}': "...",
    'm1{a="1"} and on () vector(1)': "a=1 ...",
    'm1{a="1"} unless on (a, b) m2{b="1"}': "a=1 ...",
    'm1{a="1"} or m2{a="2", b="2"}': "a=1|2 ...",
    'm1{a="1"} or sum(m2)': "a=none|1 ...",
    "sum(m1) / sum(m2)": "",
    'm1{a="1", c="1"} / on (a, b) m2{b="1"}': "a=1 b=1",
    'm1{a="1", c="1"} / ignoring (c) m2{b="1"}': "a=1 b=1 -c ...",
    'm1{a="1"} * on (a, b) group_left (d) m2{d="5"}': "a=1 d=5 ...",
    'm2{d="5"} * on (a, b) group_right (d) m1{a="1"}': "a=1 d=5 ...",
    'm1{a="1"} * on (b) group_left sum by (b) (m2)': "a=1 ...",
    "sum by (a) (m1) > on (a) sum by (a) (m2)": "a=?",
    'm1{a="1", c="1"} == bool on (a, b) m2': "a=1 b=?",
}


@pytest.mark.parametrize(("expression", "expected"), KNOWN.items(), ids=KNOWN)
def test_labels_of_an_expression(expression, expected):
    assert said(expression) == expected


def test_unknown_functions_can_have_any_label():
    assert infer_labels(parse_promql("info(m1)")).others is None
    assert infer_labels(parse_promql("info(m1)")).of("a") is None


def test_a_long_chain_of_operators_does_not_fail():
    long = parse_promql(" or ".join(f'm1{{a="{n}"}}' for n in range(300)))
    assert infer_labels(long).of("a") is None  # more values than are kept apart


def agrees(carried: PossibleLabels, labels: dict[str, str]) -> bool:
    names = (*carried.named, *labels)
    known = ((carried.of(name), labels.get(name, "")) for name in names if name != "__name__")
    return all(values is None or value in values for values, value in known)


def test_prometheus_returns_no_labels_that_were_excluded(server):
    yielding = 0
    for expression in KNOWN:
        carried = infer_labels(parse_promql(expression))
        found = server.labels(expression)
        assert found is not None, expression
        yielding += bool(found)
        for labels in found:
            assert agrees(carried, labels), (expression, labels)
    assert yielding > len(KNOWN) * 0.8


LABEL = st.sampled_from(["a", "b", "c", "d"])
LABELS = st.lists(LABEL, max_size=3, unique=True).map(", ".join)
VALUE = st.sampled_from(["1", "2", "5", ""])
MATCHER = st.one_of(
    st.builds('{}="{}"'.format, LABEL, VALUE),
    st.builds('{}{}"{}"'.format, LABEL, st.sampled_from(["!=", "=~", "!~"]), VALUE),
    st.builds('{}=~"{}|{}"'.format, LABEL, VALUE, VALUE),
    st.builds('{}=~".+"'.format, LABEL),
)
SELECTOR = st.builds(
    lambda name, matchers: f"{name}{{{', '.join(matchers)}}}",
    st.sampled_from(["m1", "m1", "m2", "m3", "m4", "m9"]),
    st.lists(MATCHER, max_size=2),
)
RANGE = st.builds("{}({}[5m])".format, st.sampled_from(["rate", "last_over_time"]), SELECTOR)
LEAF = st.one_of(
    SELECTOR,
    SELECTOR,
    RANGE,
    st.just("vector(1)"),
    st.builds("absent({})".format, SELECTOR),
    st.builds("absent_over_time({}[1m])".format, SELECTOR),
)
MATCHING = st.builds("{} ({})".format, st.sampled_from(["on", "ignoring"]), LABELS)
GROUPING = st.builds("{} ({})".format, st.sampled_from(["by", "without"]), LABELS)


def larger(inner):
    arithmetic = st.sampled_from(["*", "+", ">", "<=", "== bool"])
    grouped = st.builds("{} ({})".format, st.sampled_from(["group_left", "group_right"]), LABELS)
    return st.one_of(
        st.builds("sum {} ({})".format, GROUPING, inner),
        st.builds("topk {} (1, {})".format, GROUPING, inner),
        st.builds('count_values {} ("{}", {})'.format, GROUPING, LABEL, inner),
        st.builds("abs({})".format, inner),
        st.builds("-({})".format, inner),
        st.builds("(({}) > 0)".format, inner),
        st.builds("(2 * ({}))".format, inner),
        st.builds("({}) {} ({})".format, inner, st.sampled_from(["and", "or", "unless"]), inner),
        st.builds(
            "({}) {} {} ({})".format,
            inner,
            st.sampled_from(["and", "or", "unless"]),
            MATCHING,
            inner,
        ),
        st.builds("({}) {} ({})".format, inner, arithmetic, inner),
        st.builds("({}) {} {} ({})".format, inner, arithmetic, MATCHING, inner),
        st.builds("({}) {} {} {} ({})".format, inner, arithmetic, MATCHING, grouped, inner),
        st.builds(
            'label_replace({}, "{}", "{}", "{}", "{}")'.format,
            inner,
            LABEL,
            st.sampled_from(["", "9", "$1", "x$1"]),
            st.sampled_from(["a", "b", "d", "", "__name__"]),
            st.sampled_from(["(.*)", "1", "", "(1|5)", "m(.)"]),
        ),
        st.builds('label_join({}, "{}", "-", "{}", "{}")'.format, inner, LABEL, LABEL, LABEL),
    )


EXPRESSION = st.recursive(LEAF, larger, max_leaves=4)


@settings(
    deadline=None, max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(EXPRESSION)
def test_no_expression_returns_labels_that_were_excluded(server, expression):
    try:
        tree = parse_promql(expression)
    except ValueError:
        return  # such as a label both in on() and in group_left()
    carried = infer_labels(tree)
    for labels in server.labels(expression) or ():
        assert agrees(carried, labels), (labels, carried)


RULES = [
    {"alert": "Plain", "expr": 'm2{a="1"} > 0', "labels": {"severity": "critical"}},
    {"alert": "Replaced", "expr": 'm2{a="1"} > 0', "labels": {"a": "other", "b": ""}},
    {
        "alert": "Templated",
        "expr": "sum by (a) (m2) > 0",
        "labels": {"copy": "{{ $labels.a }}", "gone": "{{ $labels.b }}", "more": "x{{ $value }}"},
    },
    {"alert": "Nothing", "expr": "vector(1)", "labels": {"alertname": "Other", "team": "db"}},
    {"alert": "Number", "expr": "1"},
    {"alert": "Absent", "expr": 'absent(m9{a="1", b=~"x"})'},
]


def test_alerts_have_the_labels_that_prometheus_gives_them(tmp_path):
    text = json.dumps({"groups": [{"name": "g", "rules": RULES}]})
    known = {rule.name: rule.possible_labels for rule in read_rules_text(text, "rules.json").alerts}
    alerts = fired(tmp_path, RULES, dict.fromkeys(SERIES, "1 2 3"))

    assert {alert["alertname"] for alert in alerts} == {rule["alert"] for rule in RULES}
    for alert in alerts:
        assert agrees(known[alert["alertname"]], alert), alert
    assert known["Replaced"].of("a") == {"other"}
    assert known["Replaced"].of("b") == {""}
    assert known["Templated"].of("gone") == {""}
    assert known["Templated"].of("copy") is None
    assert known["Templated"].of("more") is None
    assert known["Nothing"].names() == {"alertname", "team"}
    assert known["Number"].names() == {"alertname"}
    assert known["Absent"].names() == {"alertname", "a"}
