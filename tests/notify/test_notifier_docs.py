"""The pages about notifiers: one for each, its examples load, its keys and limits are told."""

import json
import re
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

from alert_router.notify import slack
from alert_router.notify.base import Notifier, Reason
from alert_router.notify.http import HttpNotifier, Tls
from alert_router.notify.registry import NOTIFIERS, AnyNotifier
from alert_router.notify.webhook import WebhookNotifier
from tests.notify.notifications import notification
from tests.notify.pages import PAGES, page, with_table


def test_each_notifier_has_a_page_and_a_row_in_the_table():
    assert {path.stem for path in PAGES.glob("*.md")} == {*NOTIFIERS, "README", "templates"}
    assert page("README") == with_table(page("README")), "run `python -m tests.notify.pages`"


@pytest.mark.parametrize("type_", NOTIFIERS)
def test_every_example_loads_as_that_type(type_):
    examples = re.findall(r"^```yaml\n(.*?)^```", page(type_), re.MULTILINE | re.DOTALL)
    assert examples
    for example in examples:
        notifier = TypeAdapter(AnyNotifier).validate_python(
            yaml.safe_load(example), context={"base": Path("/etc")}
        )
        assert notifier.type == type_


@pytest.mark.parametrize("type_", sorted(set(NOTIFIERS) - {"webhook"}))  # its body is on its page
def test_every_page_has_a_picture_that_loads_quickly(type_):
    assert f"](pictures/{type_}.png)" in page(type_)
    assert (PAGES / "pictures" / f"{type_}.png").stat().st_size <= 150_000


@pytest.mark.parametrize("type_", NOTIFIERS)
def test_every_page_says_where_its_credential_comes_from_and_what_becomes_of_errors(type_):
    assert "\n## When it fails\n" in page(type_)
    if any("Secret" in str(field.annotation) for field in NOTIFIERS[type_].model_fields.values()):
        assert re.search(r"^## Getting |credential", page(type_), re.MULTILINE)


@pytest.mark.parametrize("type_", NOTIFIERS)
def test_every_key_of_its_own_is_on_the_page(type_):
    own = set(NOTIFIERS[type_].model_fields) - set(Notifier.model_fields)
    if issubclass(NOTIFIERS[type_], HttpNotifier):
        own -= set(HttpNotifier.model_fields)
    keys = {NOTIFIERS[type_].model_fields[name].alias or name for name in own}
    assert {key for key in keys if f"`{key}`" not in page(type_)} == set()


def test_the_keys_of_all_that_speak_http_are_told_once():
    keys = (set(HttpNotifier.model_fields) - set(Notifier.model_fields)) | set(Tls.model_fields)
    assert {key for key in keys if f"`{key}`" not in page("README")} == set()


def test_the_webhooks_example_has_the_keys_of_a_real_body():
    (example,) = re.findall(r"^```json\n(.*?)^```", page("webhook"), re.MULTILINE | re.DOTALL)
    body = json.loads(WebhookNotifier(url="http://h").render(notification()))
    for key, told in json.loads(example).items():
        assert shape(told) == shape(body[key])


def shape(value):
    """The keys of data, and of the first of whatever there are several."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return [shape(inner) for inner in value[:1]] if isinstance(value, list) and value else None


def test_slacks_limits_are_those_of_the_code():
    told = dict(re.findall(r"^\| (\w[\w ]+) \| (\d+)", page("slack"), re.MULTILINE))
    assert told == {
        "blocks of a message": str(slack.MAX_BLOCKS),
        "text of a section": str(slack.MAX_SECTION),
        "header": str(slack.MAX_HEADER),
    }


def test_every_reason_an_answer_can_have_is_explained():
    ours = {Reason.INTERNAL, Reason.EXPIRED, Reason.DISCARDED}
    assert {reason for reason in Reason if f"`{reason}`" not in page("README")} == ours
