"""The pages about configuration: their defaults are those of the code."""

import re
from pathlib import Path

import pytest

from alert_router.config import load
from alert_router.notify.registry import NOTIFIERS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "configuration.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_example_with_everything_has_the_defaults(tmp_path):
    least, everything = (_config(tmp_path, text) for text in EXAMPLES[:2])
    assert everything.delivery == least.delivery
    assert everything.log == least.log
    assert everything.severities.scale() == least.severities.scale()
    assert everything.routing == least.routing
    changed = {"auth": None, "external_url": ""}
    assert everything.http.model_copy(update=changed) == least.http
    (named,), (plain,) = (c.receivers[0].notifiers for c in (everything, least))
    assert named.model_copy(update={"name": ""}) == plain


@pytest.mark.parametrize("type_", NOTIFIERS)
def test_every_default_on_a_notifiers_page_is_that_of_the_reference(type_):
    reference = (DOCS / "configuration-reference.md").read_text(encoding="utf-8")
    section = reference.split(f"\n### `{type_}`\n")[1].split("\n### ")[0]
    wanted = dict(re.findall(r"^\| `(\w+)`[^|]* \| [^|]* \| (`[^|]+`) \|", section, re.MULTILINE))
    page = (DOCS / f"notifiers/{type_}.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `(\w+)`[^|]* \| (`[^|]+`) \|", page, re.MULTILINE))
    for key in told.keys() & wanted.keys():
        assert (key, told[key]) == (key, wanted[key])


def _routing_for(main):
    return f"route: {{receiver: {'oncall' if 'receivers:' in main else 'default'}}}\n"


def _config(directory, text):
    (directory / "main.yaml").write_text(text, encoding="utf-8")
    (directory / "routing.yaml").write_text(_routing_for(text), encoding="utf-8")
    return load(directory / "main.yaml").config
