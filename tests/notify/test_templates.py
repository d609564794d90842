"""Templates: the operator's words, and values that can be nothing but read."""

import contextlib
import re
import tracemalloc
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from alert_router.deliver import compose
from alert_router.markdown import CodeSpan, Link, Paragraph, Text, parse, to_text
from alert_router.notify.console import ConsoleNotifier
from alert_router.notify.registry import AnyNotifier
from alert_router.notify.slack import SlackNotifier
from alert_router.notify.templates import _FILTERS, Template, TemplateError, context
from alert_router.notify.webhook import WebhookNotifier
from tests.notify import slack_rules
from tests.notify.conformance import CASES
from tests.notify.notifications import HOSTILE, alert, hostile, notification

PAGE = (Path(__file__).parents[2] / "docs/notifiers/templates.md").read_text()
FIRING = notification([alert(pod="a-1"), alert(pod="a-2")])


def blocks(source, told=FIRING):
    return Template(source).blocks(told)


def test_a_template_is_markdown_with_values_in_it():
    (paragraph,) = blocks("**{{ firing | length }}** of `{{ alerts[0].labels.pod }}`")
    assert to_text((paragraph,)).strip() == "2 of `a-1`"
    assert CodeSpan("a-1") in paragraph.children


def test_a_title_is_one_line_of_plain_text():
    title = Template("{{ severity }}\n*{{ title }}*").line(FIRING)
    assert title == "CRITICAL *PodCrash (2 firing)*"
    assert (
        len(
            Template("{{ 'x' * 1 if 0 else alerts[0].labels.long }}").line(
                notification([alert(long="x" * 5000)])
            )
        )
        == 300
    )


@pytest.mark.parametrize("value", [text for text in HOSTILE if 0 < len(text) < 1000])
def test_a_value_is_read_and_nothing_else(value):
    told = notification([alert(pod=value)])
    seen = told.group.alerts[0].labels["pod"]
    (paragraph,) = blocks("a {{ alerts[0].labels.pod }} b", told)
    assert isinstance(paragraph, Paragraph)
    assert paragraph.children == (Text(" ".join(f"a {seen} b".splitlines())),)


_values = st.text(st.characters(), max_size=60) | st.sampled_from(HOSTILE[:-1])


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(_values)
def test_no_value_changes_the_shape_of_a_message(value):
    source = "# {{ v }}\n\n- **{{ v }}** `{{ v }}`\n\n| a |\n|---|\n| {{ v }} |\n".replace(
        "v", "alerts[0].labels.pod"
    )
    shape = [type(block) for block in blocks(source)]
    found = blocks(source, notification([alert(pod=value)]))
    assert [type(block) for block in found] == shape
    assert len(found[1].items) == 1
    assert len(found[1].items[0].blocks[0].children) == 3


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://g.example/d?a=1&b=(2)", "https://g.example/d?a=1&b=(2)"),
        ("javascript:alert(1)", ""),
        ("https://h/) [x](https://evil", ""),
        ("data:text/html,x", ""),
    ],
)
def test_an_address_that_is_a_value_is_one_for_a_browser(url, address):
    told = notification([alert() | {"generatorURL": url}])
    (paragraph,) = blocks("[graph]({{ alerts[0].generator_url }})", told)
    (link,) = paragraph.children
    assert link.url in (address, url if address else "")
    assert link.children == (Text("graph"),)


def test_a_value_within_an_address_chooses_neither_host_nor_parameter():
    told = notification([alert(pod="../x?y=1&z#@evil")])
    (paragraph,) = blocks("[x](https://g.example/{{ alerts[0].labels.pod }})", told)
    assert paragraph.children == (
        Link("https://g.example/..%2Fx%3Fy%3D1%26z%23%40evil", (Text("x"),)),
    )


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{{ ", "line 1: unexpected 'end of template'"),
        ("a\n{% if %}", "line 2: "),
        ("{% include 'x' %}", "line 1: include, import"),
        ("{% macro a() %}{% endmacro %}", "line 1: include, import"),
        ("{% set a %}x{% endset %}", "line 1: include, import"),
        ("{{ " + "(" * 9999 + "1" + ")" * 9999 + " }}", "nested too deeply"),
        ("{{ title | no_such }}", "No filter named 'no_such'"),
        ("{{ title | replace('a', 'b') }}", "No filter named 'replace'"),
    ],
)
def test_what_cannot_be_compiled_says_where_and_why(source, reason):
    with pytest.raises(TemplateError, match=re.escape(reason)):
        Template(source)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{{ alerts[0].labels.no_such }}", "has no attribute 'no_such'"),
        ("{{ no_such }}", "'no_such' is undefined"),
        ("{{ alerts.__class__ }}", "unsafe"),
        ("{{ title.__init__.__globals__ }}", "unsafe"),
        ("{{ title.format }}", "unsafe"),
        ("{{ title.center(9) }}", "unsafe"),
        ("{{ title * 9 }}", "* is for numbers only"),
        ("{{ '%9d' % 1 }}", "% is for numbers only"),
        ("{{ alerts | length ** 99 }}", "too large"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{% for a in range(999) %}{% for b in range(999) %}{% endfor %}{% endfor %}", "50000"),
        ("{% for a in range(9999) %}" + "x" * 20 + "{% endfor %}", "65536 characters"),
        ("{% for a in range(99) %}{{ alerts[0].labels.long }}{% endfor %}", "262144 characters"),
        ("{{ [alerts[0].labels] * 9 }}", "* is for numbers only"),
        ("{{ [" + "alerts, " * 20 + "] }}", "262144"),
        ("{{ alerts | dictsort }}", "AttributeError"),
        ("{{ range(10001) }}", "a range of more than 10000"),
        ("{{ 'a' * 10**10 }}", "too large for **"),
        ("{{ 9**9**9 }}", "too large for **"),
        ("{{ ('9' * 9) | int }}", "* is for numbers only"),
        ("{{ '9' | int(base=99) }}{{ alerts | sum }}", "TypeError"),
        ("  {# nothing #}  ", "the text is empty"),
    ],
)
def test_what_fails_on_a_notification_says_why(source, reason):
    told = notification([alert(long="s3cr3t" * 20_000)])
    with pytest.raises(TemplateError, match=re.escape(reason)) as caught:
        Template(source).blocks(told)
    assert "s3cr3t" not in str(caught.value)


SLOW = "{% for i in range(9999) %}{{ range(9999) | map('string') | list | length }}{% endfor %}"


def test_a_template_that_takes_too_long_ends():
    with pytest.raises(TemplateError, match=re.escape("more than 2 s")):
        Template(SLOW).line(FIRING)


async def test_the_built_in_text_is_used_when_a_template_takes_too_long(monkeypatch):
    monkeypatch.setattr(compose, "MAX_TEMPLATE_SECONDS", 0.1)
    notifier = ConsoleNotifier(title=SLOW, template="x")
    told, failed = await compose.worded(FIRING, notifier)
    assert (told, failed) == (FIRING, 2)


@pytest.mark.parametrize(
    "constant", ["'a' * 10**10", "9**9**9", "2 | round(1000000000, 'ceil')", "range(10**9) | list"]
)
def test_constants_are_not_calculated_when_a_template_is_compiled(constant):
    # Calculated, they take hours or all of the memory.
    tracemalloc.start()
    try:
        Template("{{ " + constant + " }}")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**24


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(["alerts", "title", "alerts[0].labels", "7", "none", "true", "[1, 2]", "{}"]),
    st.lists(st.sampled_from(_FILTERS), min_size=1, max_size=3),
)
def test_whatever_filters_do_with_whatever_they_get_a_template_fails_as_one(value, filters):
    """`alerts | dictsort` once kept the alert from going out."""
    template = Template("x{{ " + " | ".join([value, *filters]) + " }}")
    with contextlib.suppress(TemplateError):
        assert template.line(FIRING)


def test_a_list_of_some_hundred_alerts_is_within_the_bounds():
    source = (
        "{% for a in firing %}- **{{ a.labels.pod }}**: {{ a.summary }} ({{ a.generator_url }})\n"
        "{% endfor %}{{ alerts | map(attribute='labels.pod') | unique | sort | join(', ') }}"
    )
    told = notification([alert(pod=f"pod-{n}") for n in range(600)])
    found = to_text(blocks(source, told))
    assert "pod-599: A pod crashes" in found
    assert "pod-98, pod-99" in found


def test_a_template_that_fails_gives_way_to_the_built_in_words(caplog):
    notifier = ConsoleNotifier(title="{{ no_such }}", template="{{ firing | length }} fire")
    told, failed = compose.word(FIRING, notifier)
    assert failed == 1
    said = notifier.readable(notifier.render(told))
    assert "CRITICAL: PodCrash (2 firing)" in said
    assert "2 fire" in said
    assert "A pod crashes" not in said


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(told=hostile)
def test_every_destination_shows_templates_within_its_rules(case, told):
    source = (
        "## {{ title }}\n\n{% for a in alerts %}- **{{ a.summary }}** `{{ a.name }}` "
        "[q]({{ a.generator_url }})\n{% endfor %}\n\n```bash\n{{ title }}\n```\n"
    )
    notifier = case.make("https://hooks.example/x", title="{{ title }}!", template=source)
    worded, _ = compose.word(told, notifier)
    case.keeps_rules(notifier.readable(notifier.render(worded)))


def test_slack_shows_what_the_page_promises():
    (example,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.M | re.S)
    notifier = TypeAdapter(AnyNotifier).validate_python(yaml.safe_load(example))
    assert isinstance(notifier, SlackNotifier)
    alerts = [
        alert(namespace="prod", pod="<!channel>"),
        alert(namespace="b", pod="c", resolved=True),
    ]
    worded, failed = compose.word(notification(alerts), notifier)
    assert failed == 0
    found = notifier.readable(notifier.render(worded))
    slack_rules.check(found)
    assert found["text"] == "CRITICAL: PodCrash in ?: 1 firing"
    said = slack_rules.said(found)
    assert "• *prod/<!channel>*: A pod crashes" in said.replace("\u200b", "")
    assert "1 are over." in said


def test_the_webhook_tells_them_as_data():
    notifier = WebhookNotifier(url="http://h", title="T", template="**m**")
    worded, _ = compose.word(FIRING, notifier)
    told = notifier.readable(notifier.render(worded))["alert_router"]
    assert (told["title"], told["message"].strip()) == ("T", "m")


@pytest.mark.parametrize("value", ["", 5, ["x"], "{% if %}"])
def test_a_template_that_is_none_is_an_error_of_configuration(value):
    with pytest.raises(ValidationError, match="template"):
        ConsoleNotifier.model_validate({"template": value})


def test_every_name_of_the_page_is_there_and_no_other():
    names = set(context(FIRING)) | set(context(FIRING)["alerts"][0])
    table = PAGE.split("## Names")[1].split("A label that is not there")[0]
    assert {name for name in names if f"`{name}`" not in table} == set()
    assert parse(PAGE)


def test_no_method_makes_a_text_of_any_width():
    with pytest.raises(TemplateError):
        Template("{{ '{:>999999999}'.format(1) }}").line(FIRING)


def test_a_number_with_too_many_digits_is_a_problem_of_the_template():
    with pytest.raises(TemplateError, match="cannot be read"):
        Template("{{ " + "9" * 5000 + " }}")


@pytest.mark.parametrize(
    "text",
    [
        "{{ .CommonLabels.alertname }}",
        '{{ template "slack.default.title" . }}',
        "{{ range .Alerts }}{{ .Annotations.summary }}{{ end }}",
        '{{- if eq .Status "firing" }}x{{ end }}',
    ],
)
def test_a_template_of_alertmanager_is_recognized(text):
    with pytest.raises(ValueError, match="templates here are Jinja"):
        ConsoleNotifier(title=text)
