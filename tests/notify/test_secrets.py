"""How a notifier is given its secrets, and that nothing tells them."""

import pytest
from pydantic import TypeAdapter, ValidationError

from alert_router.fields import Secret
from alert_router.notify.registry import AnyNotifier
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
        Secret(env="TOKEN"),
        Secret(plain="k"),
    }


def test_a_dump_describes_secrets_only():
    assert SlackNotifier(url="https://h/1").model_dump()["url"] == "Secret(plain)"
