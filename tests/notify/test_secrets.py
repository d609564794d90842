"""How a notifier is given its secrets, and that nothing tells them."""

import pytest
from pydantic import TypeAdapter, ValidationError

from alert_router.fields import Secret
from alert_router.notify.registry import NOTIFIERS, AnyNotifier
from alert_router.notify.slack import SlackNotifier
from alert_router.notify.webhook import WebhookNotifier

ADAPTER = TypeAdapter(AnyNotifier)


def load(base=None, **fields):
    return ADAPTER.validate_python(fields, context={"base": base} if base else None)


def test_a_plain_value_is_itself():
    assert load(type="slack", url=" https://h/x ").url.read() == "https://h/x"


def test_a_variable_is_read_when_it_is_used(monkeypatch):
    notifier = load(type="slack", url="${SLACK_URL}")
    assert notifier.secrets_missing() == ["environment variable SLACK_URL is not set or empty"]
    monkeypatch.setenv("SLACK_URL", "https://h/1")
    assert notifier.url.read() == "https://h/1"
    monkeypatch.setenv("SLACK_URL", "https://h/2")
    assert notifier.url.read() == "https://h/2"
    assert notifier.secrets_missing() == []


def test_a_variable_may_be_a_part_of_a_value(monkeypatch):
    monkeypatch.setenv("TOKEN", "s3cr3t-1")
    monkeypatch.setenv("TEAM", "sre")
    keys = {"Authorization": "Bearer ${TOKEN}", "X-Both": "${TEAM}/${TOKEN}"}
    notifier = load(type="webhook", url="https://h/${TOKEN}/x", headers=keys)
    assert notifier.url.read() == "https://h/s3cr3t-1/x"
    assert {name: value.read() for name, value in notifier.headers.items()} == {
        "Authorization": "Bearer s3cr3t-1",
        "X-Both": "sre/s3cr3t-1",
    }
    assert "s3cr3t" not in repr(notifier) + str(notifier.model_dump())
    monkeypatch.delenv("TEAM")
    assert notifier.secrets_missing() == ["environment variable TEAM is not set or empty"]


@pytest.mark.parametrize(
    "value",
    [
        *("$TOKEN", "Bearer $TOKEN", "${TOKEN:-none}", "${TOKEN", "$(TOKEN)", "$__env{TOKEN}"),
        *("p4$$w0rd$word", "${1}", "${TO KEN}", "${A}$B"),
    ],
)
def test_what_looks_like_a_variable_and_is_not_one_is_an_error(value):
    for fields in ({"url": value}, {"url": "https://h", "headers": {"X-Key": value}}):
        with pytest.raises(ValidationError, match=r"write \$\{NAME\}") as caught:
            WebhookNotifier.model_validate(fields)
        assert "TOKEN" not in str(caught.value)


@pytest.mark.parametrize("value", ["{{ env TOKEN }}", "https://h/{{ .Labels.team }}"])
def test_a_template_in_a_secret_is_an_error(value):
    with pytest.raises(ValidationError, match="templates do not work here"):
        load(type="webhook", url=value)


@pytest.mark.parametrize("value", ["5$", "pa$$", "a$1b", "$", "100%$-x"])
def test_other_dollar_signs_are_part_of_a_plain_secret(value):
    assert load(type="webhook", url="https://h", bearer_token=value).bearer_token.read() == value


def test_a_dollar_sign_before_a_variable_is_part_of_the_value(monkeypatch):
    monkeypatch.setenv("TOKEN", "t")
    assert load(type="webhook", url="https://h/$${TOKEN}x").url.read() == "https://h/$tx"


def test_the_value_of_a_variable_is_never_read_for_variables(monkeypatch):
    monkeypatch.setenv("TOKEN", "a${HOME}$HOME")
    assert load(type="webhook", url="https://h/${TOKEN}").url.read() == "https://h/a${HOME}$HOME"


MARK = b"\xef\xbb\xbf"  # a byte order mark


@pytest.mark.parametrize(
    "content", [MARK + b"t0ken", MARK + b"t0ken\r\n", b"t0ken\r\n", MARK + b"\r\n t0ken \n\n"]
)
def test_a_file_of_any_editor_holds_the_same_secret(tmp_path, content):
    (tmp_path / "token").write_bytes(content)
    notifier = load(tmp_path, type="webhook", url="https://h", bearer_token_file="token")
    assert notifier.bearer_token.read() == "t0ken"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("t0ken".encode("utf-16"), "is not UTF-8 text: save it as UTF-8"),
        (b"t\x000\x00", "contains U+0000"),
        (b"t0\r\nken", "contains U+000A"),
        ("t0\u200bken".encode(), "contains U+200B"),
        ("t0\u00a0ken".encode(), "contains U+00A0"),
        (MARK + b"\n", "is empty"),
    ],
)
def test_what_nobody_sees_in_the_file_of_a_secret_is_reported(tmp_path, content, message):
    (tmp_path / "token").write_bytes(content)
    notifier = load(tmp_path, type="webhook", url="https://h", bearer_token_file="token")
    (found,) = notifier.secrets_missing()
    assert message in found
    assert str(tmp_path / "token") in found
    assert "ken" not in found.replace("token", "")


def test_a_file_is_found_beside_the_configuration_and_read_anew(tmp_path):
    notifier = load(tmp_path, type="slack", url_file="secrets/url")
    assert notifier.url == Secret(file=tmp_path / "secrets/url")
    (tmp_path / "secrets").mkdir()
    for url in ("https://h/1", "https://h/2"):
        (tmp_path / "secrets/url").write_text(f"{url}\n")
        assert notifier.url.read() == url


def test_an_absolute_path_stays(tmp_path):
    path = str(tmp_path / "url")
    assert load("/etc/elsewhere", type="slack", url_file=path).url.file == tmp_path / "url"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"url": "https://h", "url_file": "x"}, "give one of `url` and `url_file`"),
        ({}, "Field required"),
        ({"url": None}, "valid"),
        ({"url": ""}, "expected text"),
        ({"url": 5}, "expected text"),
        ({"url_file": ""}, "expected the path of a file"),
        ({"url_file": None}, "expected the path of a file"),
        ({"url_file": ["x"]}, "expected the path of a file"),
    ],
)
def test_a_secret_is_given_exactly_once(fields, said):
    with pytest.raises(ValidationError, match=said.replace("(", r"\(")):
        load(type="webhook", **fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "https://h/s3cr3t", "url_file": "x"},
        {"url": ["https://h/s3cr3t"]},
        {"url": "https://h", "headers": {"X Y": "s3cr3t"}},
        {"url": "https://h", "bearer_token": "s3cr3t", "password": "s3cr3t"},
        {"url": "https://h", "tokn": "s3cr3t"},
    ],
)
def test_an_error_of_configuration_does_not_show_what_was_given(fields):
    with pytest.raises(ValidationError) as caught:
        WebhookNotifier.model_validate(fields)
    assert "s3cr3t" not in str(caught.value)


def test_every_secret_is_known_those_in_headers_too():
    notifier = WebhookNotifier(url="https://h/1", bearer_token="${TOKEN}", headers={"X-Key": "k"})
    assert set(notifier.secrets()) == {
        Secret(plain="https://h/1"),
        Secret(text="${TOKEN}"),
        Secret(plain="k"),
    }


def test_a_dump_describes_secrets_only():
    assert SlackNotifier(url="https://h/1").model_dump()["url"] == "Secret(plain)"


FIELDS = [
    (notifier, name)
    for notifier in NOTIFIERS.values()
    for name, field in notifier.model_fields.items()
    if "Secret" in str(field.annotation) and "dict" not in str(field.annotation)
]

# What else a notifier needs beside the field under test, where that is not its `url` alone.
BESIDE = {
    ("slack", "app_token"): {"bot_token": "xoxb-1", "channel": "#a"},
    ("webhook", "password"): {"url": "https://h/x", "username": "router"},
    ("email", "auth_password"): {
        "to": "sre@example.org",
        "from": "alerts@example.org",
        "smarthost": "mail.example.org:587",
        "auth_username": "router",
    },
    ("ntfy", "token"): {"topic": "t"},
    ("ntfy", "proxy"): {"topic": "t"},
    ("ntfy", "password"): {"topic": "t", "username": "router"},
    ("ntfy", "topic"): {},
    ("pagerduty", "proxy"): {"routing_key": "k"},
    ("slack", "bot_token"): {"channel": "#alerts"},
    ("telegram", "bot_token"): {"chat_id": -100123},
    ("telegram", "proxy"): {"bot_token": "123:abc", "chat_id": -100123},
}

# What is read, where not any word will do.
VALUES = {("apprise", "url"): "json://h/s3cr3t"}


def beside(notifier, name):
    type_ = notifier.model_fields["type"].default
    default = {"url": "https://h/x"} if name != "url" and "url" in notifier.model_fields else {}
    return BESIDE.get((type_, name), default)


def test_there_are_optional_secrets_among_them():
    assert (WebhookNotifier, "bearer_token") in FIELDS


@pytest.mark.parametrize(("notifier", "name"), FIELDS)
def test_a_secret_can_come_from_a_file(tmp_path, notifier, name):
    default = "https://h/s3cr3t" if name in ("url", "proxy") else "s3cr3t"
    value = VALUES.get((notifier.model_fields["type"].default, name), default)
    (tmp_path / "value").write_text(f"{value}\n")
    made = notifier.model_validate(
        beside(notifier, name) | {f"{name}_file": "value"}, context={"base": str(tmp_path)}
    )
    assert getattr(made, name) == Secret(file=tmp_path / "value")
    assert made.secrets_missing() == []


@pytest.mark.parametrize(("notifier", "name"), FIELDS)
def test_a_secret_given_twice_is_an_error_without_its_value(notifier, name):
    with pytest.raises(ValueError, match=f"give one of `{name}` and `{name}_file`") as caught:
        notifier.model_validate(beside(notifier, name) | {name: "s3cr3t", f"{name}_file": "value"})
    assert "s3cr3t" not in str(caught.value)
