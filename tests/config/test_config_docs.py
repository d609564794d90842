"""The page about configuration: the example with everything has the defaults."""

import re
from pathlib import Path

from alert_router.config import load

PAGE = (Path(__file__).parents[2] / "docs/configuration.md").read_text(encoding="utf-8")
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


def _routing_for(main):
    return f"route: {{receiver: {'oncall' if 'receivers:' in main else 'default'}}}\n"


def _config(directory, text):
    (directory / "main.yaml").write_text(text, encoding="utf-8")
    (directory / "routing.yaml").write_text(_routing_for(text), encoding="utf-8")
    return load(directory / "main.yaml").config
