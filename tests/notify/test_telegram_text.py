"""What Telegram makes of a text by itself: addresses it refuses, things it finds, room it has."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from alert_router.markdown import parse
from alert_router.notification import Detail
from alert_router.notify.telegram import TelegramNotifier
from alert_router.notify.telegram.entities import is_linked, literal
from alert_router.runbook.model import Section
from tests.notify import telegram_rules
from tests.notify.notifications import alert, notification, section

BOT = TelegramNotifier(bot_token="123:token", chat_id=-100123)
LINKS = ("Runbook", "Silence", "Query", "Alertmanager")


def read(told, detail=Detail.FULL):
    payload = BOT.readable(BOT.render(told, detail))
    telegram_rules.check(payload)
    return telegram_rules.read(payload["message"])


def of_markdown(text):
    return read(notification(sections=(Section("Detection", (), parse(text)),)))


def commands(*lengths):
    """Steps each with a command of that many characters that names its step."""
    return [
        (f"Step {number}.", f"```bash\n{f'run-{number} '.ljust(length, 'x')}\n```")
        for number, length in enumerate(lengths, 1)
    ]


def shown(found):
    return [command.split()[0] for command in found.commands]


@pytest.mark.parametrize(
    "url",
    [
        *("http://prometheus.monitoring.svc:9090/graph", "https://a.example", "HTTPS://A.B/?q#f"),
        *(
            "http://10.0.0.1:9093/",
            "http://[::1]:9093/x",
            "https://bücher.example/é",
            "http://a.b.",
        ),
    ],
)
def test_an_address_with_a_dot_in_its_host_is_linked(url):
    assert is_linked(url)


@pytest.mark.parametrize(
    "url",
    [
        *("http://localhost:9095/runbooks", "http://alertmanager:9093", "https://x", "http://."),
        *("http://.a", "http://a..b", "http://a.b:0/", "http://a.b:65536/", "http://a.b:/"),
        *(
            "http://a.b:x/",
            "http://user@a.b/",
            "http://[1::2::3]/",
            "http:///a.b",
        ),
        *("ftp://a.b/", "mailto:a@b.example", "tg://resolve?domain=a", "javascript:alert(1.0)", ""),
        *("a.b/c", "https://a.b/" + "x" * 1800),
    ],
)
def test_an_address_that_telegram_would_refuse_a_message_for_is_not_linked(url):
    assert not is_linked(url)


def test_links_to_hosts_without_a_dot_stand_in_the_text_to_be_copied():
    alerts = [alert() | {"generatorURL": "http://prometheus-0:9090/graph?g0.expr=up"}]
    found = read(notification(alerts, externalURL="http://alertmanager:9093"))
    assert [words for words, _ in found.links] == ["Pods that crash", "the dashboard", "Runbook"]
    assert "Query (http://prometheus-0:9090/graph?g0.expr=up)" in found.text
    assert found.codes[-1] == "http://alertmanager:9093"


def test_every_runbook_can_be_reached_though_its_host_has_no_dot():
    told = notification(runbooks=2)
    local = "http://localhost:9095/runbooks/"
    parts = [
        type(part)(
            **{name: getattr(part, name) for name in part.__slots__} | {"url": local + part.id}
        )
        for part in told.runbooks
    ]
    moved = type(told)(**{n: getattr(told, n) for n in told.__slots__} | {"runbooks": tuple(parts)})
    found = read(moved)
    assert found.codes.count(f"{local}alerts/pod-crashes-0") == 1
    assert found.codes.count(f"{local}alerts/pod-crashes-1") == 1
    assert f"Runbook ({local}alerts/pod-crashes-0)" in found.text


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("[logs](http://kibana:5601/app)", "logs (http://kibana:5601/app)"),
        ("<http://kibana:5601/app>", "http://kibana:5601/app"),
        ("[us](mailto:sre@a.example)", "us (mailto:sre@a.example)"),
        ("**[x](http://kibana/)** b", "x (http://kibana/) b"),
        ("[x](http://kibana/?q=" + "y" * 300 + ")", "x"),
        ("[x](ftp://h.example/)", "x"),
        ("[x](../other.md)", "x"),
    ],
)
def test_a_runbooks_link_is_never_lost_for_telegrams_sake(markdown, text):
    assert f"\n{text}\n" in of_markdown(markdown).text


@pytest.mark.parametrize(
    "words",
    [
        *("💩.la", "a–b.com", "xn--e1afmkfd.xn--p1ai", "x.рф", "10.244.1.17:9091", "1.2.3.4.5"),
        *("#\u200ctag", "#ආ", "$1INCH", "4111 1111 1111 1111", "4111111111111111", "+4930123456"),
        *("a@1.evil.com", "ftp://evil.com", "TG://x", "ton://x", "mailto:a@evil.com", "@ab_"),
        *("/a@bot", "«evil.com»", "...evil.com", "~.com", "https://user:pw@evil.com:80/x?y#z"),
    ],
)
def test_telegram_finds_nothing_in_what_an_alert_says(words):
    found = read(notification([alert(annotations={"summary": words})], sections=()))
    assert found.text.replace("\u2060", "").count(words) == 1


@pytest.mark.parametrize(
    "words", ["0.5 of 1.25.3 at 99.9%", "v2.11.0", "Ends. Then: a/b c-d a:b", "1,000 of 12:30:00"]
)
def test_words_in_which_telegram_finds_nothing_are_copied_exactly(words):
    assert literal(words).text == words


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.text(st.sampled_from("abcom019.@#$/:+- _~A💩é\u200c\u2060語"), max_size=40)
    | st.lists(
        st.sampled_from(["a", "1", ".", "com", "@", "://", "10.0.0.1", "4111111111111111", " "])
    ).map("".join)
)
@example("1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1")
@example("10.0.0.1.com")
def test_nothing_is_found_in_any_words_and_none_is_lost(words):
    text = literal(words).text
    for kind, pattern in telegram_rules.FOUND.items():
        assert not pattern.search(text), kind
    assert text.replace("\u2060", "") == words.replace("\u2060", "")


def test_room_that_is_left_is_used_for_the_steps_of_mitigation_first():
    told = (
        section("Detection", "", *commands(300, 1500, 1500)),
        section("Mitigation", "", *commands(300, 900, 900)),
    )
    found = read(notification(sections=told))
    assert shown(found) == ["run-1", "run-1", "run-2", "run-3"]
    assert "2. Step 2. …\n3. Step 3. …\n\nMitigation" in found.text


def test_a_step_too_long_for_the_room_leaves_it_to_the_next():
    told = (section("Mitigation", "", *commands(100, 5000, 200)),)
    found = read(notification(sections=told))
    assert shown(found) == ["run-1", "run-3"]
    assert "2. Step 2. …\n3. Step 3.\nrun-3" in found.text


def test_a_first_step_too_long_costs_no_other_step_its_command():
    told = (
        section("Detection", "", *commands(5000, 200)),
        section("Mitigation", "", *commands(200, 300)),
    )
    found = read(notification(sections=told))
    assert shown(found) == ["run-2", "run-1", "run-2"]


@pytest.mark.parametrize("detail", [Detail.MINIMAL, Detail.TITLES, Detail.FIRST_STEPS])
def test_no_more_is_told_than_is_asked_for(detail):
    told = (section("Mitigation", "", *commands(100, 5000, 200)),)
    expected = ["run-1"] if detail is Detail.FIRST_STEPS else []
    assert shown(read(notification(sections=told), detail)) == expected


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.integers(10, 2500), max_size=8),
    st.lists(st.integers(10, 2500), min_size=1, max_size=8),
)
def test_every_command_is_whole_and_more_detail_has_no_fewer_of_them(first, then):
    told = notification(
        sections=(
            section("Detection", "", *commands(*first)),
            section("Mitigation", "", *commands(*then)),
        )
    )
    expected = {under.split("\n")[1] for _, under in (*commands(*first), *commands(*then))}
    kept = [read(told, detail).commands for detail in Detail]
    assert all(set(each) <= expected for each in kept)
    assert [len(each) for each in kept] == sorted(len(each) for each in kept)
