"""The page about configuration: its examples load."""

import re
from pathlib import Path

import pytest

from alert_router.checks.routing_tests import load_cases
from alert_router.config import load

PAGE = (Path(__file__).parents[2] / "docs/configuration.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(
    r'^```yaml(?: title="(\w+)\.yaml")?\n(.*?)^```', PAGE, re.MULTILINE | re.DOTALL
)
NAMES = "receivers: [{name: oncall}, {name: pager}, {name: data}]\n"


def test_there_is_an_example_of_each_file():
    assert {kind for kind, _ in EXAMPLES} == {"", "routing", "cases"}


@pytest.mark.parametrize(("kind", "text"), EXAMPLES)
def test_every_example_loads(tmp_path, kind, text):
    routing = _routing_for(text if not kind else NAMES)
    files = {"": NAMES, "routing": routing, "cases": "cases: []\n"}
    for name, content in (files | {kind: text}).items():
        (tmp_path / f"{name or 'main'}.yaml").write_text(content, encoding="utf-8")
    assert load(tmp_path / "main.yaml").config.receivers
    assert isinstance(load_cases(tmp_path / "cases.yaml"), list)


def test_the_example_with_everything_has_the_defaults(tmp_path):
    texts = [text for kind, text in EXAMPLES if not kind][:2]
    least, everything = (_config(tmp_path, text) for text in texts)
    assert everything.delivery == least.delivery
    assert everything.log == least.log
    assert everything.severities.scale() == least.severities.scale()
    assert everything.routing == least.routing
    changed = {"auth": None, "external_url": ""}
    assert everything.http.model_copy(update=changed) == least.http
    (named,), (plain,) = (c.receivers[0].notifiers for c in (everything, least))
    assert named.model_copy(update={"name": ""}) == plain


def _routing_for(main):
    return f"route: {{receiver: {'oncall' if 'receivers:' in main else 'default'}}}\n"


def _config(directory, text):
    (directory / "main.yaml").write_text(text, encoding="utf-8")
    (directory / "routing.yaml").write_text(_routing_for(text), encoding="utf-8")
    return load(directory / "main.yaml").config
