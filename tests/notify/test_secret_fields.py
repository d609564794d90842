"""Every secret of every notifier can come from a file, the optional ones too."""

import pytest

from alert_router.fields import Secret
from alert_router.notify.registry import NOTIFIERS
from alert_router.notify.webhook import WebhookNotifier

FIELDS = [
    (notifier, name)
    for notifier in NOTIFIERS.values()
    for name, field in notifier.model_fields.items()
    if "Secret" in str(field.annotation) and "dict" not in str(field.annotation)
]

# What else a notifier needs beside the field under test, where that is not its `url` alone.
BESIDE = {
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
