"""Every secret of every notifier can come from a file, the optional ones too."""

import typing

import pytest

from alert_router.notify import AnyNotifier, WebhookNotifier
from alert_router.secret import Secret

NOTIFIERS = typing.get_args(typing.get_args(AnyNotifier)[0])
FIELDS = [
    (notifier, name)
    for notifier in NOTIFIERS
    for name, field in notifier.model_fields.items()
    if "Secret" in str(field.annotation) and "dict" not in str(field.annotation)
]


def test_there_are_optional_secrets_among_them():
    assert (WebhookNotifier, "bearer_token") in FIELDS


@pytest.mark.parametrize(("notifier", "name"), FIELDS)
def test_a_secret_can_come_from_a_file(tmp_path, notifier, name):
    (tmp_path / "value").write_text("s3cr3t\n")
    fields = {"url": "https://h/x"} if name != "url" else {}
    if name == "password":
        fields["username"] = "router"
    made = notifier.model_validate(
        fields | {f"{name}_file": "value"}, context={"base": str(tmp_path)}
    )
    assert getattr(made, name) == Secret(file=tmp_path / "value")
    assert made.secrets_missing() == []


@pytest.mark.parametrize(("notifier", "name"), FIELDS)
def test_a_secret_given_twice_is_an_error_without_its_value(notifier, name):
    fields = {"url": "https://h/x", "username": "router"} if notifier is WebhookNotifier else {}
    with pytest.raises(ValueError, match=f"give one of `{name}` and `{name}_file`") as caught:
        notifier.model_validate(fields | {name: "s3cr3t", f"{name}_file": "value"})
    assert "s3cr3t" not in str(caught.value)
