"""Adding a notifier takes its module, one line of the registry, its test and its page."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

from alert_router.notify.registry import NOTIFIERS

DOCS = "tests/notify/test_notifier_docs.py"
ROOT = Path(__file__).parents[2]
# On CPython 3.11, schemathesis' plugin can fail at the end of a run.
PLAIN = ("-p", "no:cacheprovider", "-p", "no:schemathesis")
RULES = """
from alert_router.notify.chatroom import ChatroomNotifier
from tests.notify.case import Case

def check(payload):
    assert len(payload["text"]) <= 10_000

CASES = [
    Case("chatroom", lambda url, **k: ChatroomNotifier(url=url, **k), check, ok=b'{"ok": true}')
]
"""
PAGE = """# `chatroom`

Posts to a room.

```yaml
type: chatroom
url_file: /run/secrets/chatroom-url
```

The key `url` is the credential.

![A message](pictures/chatroom.png)

## When it fails

As [everywhere](README.md#how-answers-are-judged).
"""

# The conformance suite for the new notifier alone.
ALONE = """
from tests.notify.conformance import CASES

CASES[:] = [case for case in CASES if case.name == "chatroom"]
assert CASES
"""


@pytest.fixture
def checkout(tmp_path):
    """A copy of the project with one more notifier: that of the page on adding one."""
    for name in ("src", "tests/notify", "docs/notifiers"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("pyproject.toml", "tests/forked.py", "tests/programs.py", "tests/speed.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    pages = tmp_path / "docs/notifiers"
    [module] = re.findall(r"^```python\n(.*?)^```", (pages / "README.md").read_text(), re.M | re.S)
    (tmp_path / "src/alert_router/notify/chatroom.py").write_text(module)
    registry = tmp_path / "src/alert_router/notify/registry.py"
    line = '    "chatroom": "ChatroomNotifier",\n'
    registry.write_text(registry.read_text().replace('    "console"', f'{line}    "console"'))
    (tmp_path / "tests/notify/chatroom_rules.py").write_text(RULES)
    (tmp_path / "tests/notify/conftest.py").write_text(ALONE)
    (pages / "chatroom.md").write_text(PAGE)
    shutil.copy(pages / "pictures/ntfy.png", pages / "pictures/chatroom.png")
    return tmp_path


def run(checkout, *arguments):
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=checkout,
        env={"PYTHONPATH": f"{checkout / 'src'}:{checkout}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_a_new_notifier_passes_the_conformance_suite(checkout):
    run(checkout, "-m", "tests.notify.pages")
    assert (
        "| [`chatroom`](chatroom.md) | Posts to a room. |"
        in (checkout / "docs/notifiers/README.md").read_text()
    )
    suite = [f"tests/notify/test_{name}.py" for name in ("conformance", "conformance_http")]
    run(checkout, "-m", "pytest", "-q", *PLAIN, *suite)
    run(
        checkout,
        "-m",
        "pytest",
        "-q",
        *PLAIN,
        "tests/notify/test_notifier_docs.py",
    )
    run(checkout, "-m", "mypy", "--no-incremental", "src/alert_router/notify/chatroom.py")


def test_a_new_notifier_can_be_configured_and_previewed(checkout):
    assert "chatroom" in run(checkout, "-m", "alert_router", "preview", "--help")
    program = """
from pydantic import TypeAdapter
from alert_router.config.model import Config
receiver = {"name": "a", "notifiers": [{"type": "chatroom", "url": "http://h"}]}
print(Config.model_validate({"receivers": [receiver]}).receivers[0].notifiers[0].type)
"""
    assert run(checkout, "-c", program) == "chatroom\n"


def test_notifiers_do_not_import_each_other():
    graph = grimp.build_graph("alert_router")
    homes = {type_: f"alert_router.notify.{type_}" for type_ in NOTIFIERS}

    def belongs_to(module):
        return {t for t, home in homes.items() if module == home or module.startswith(f"{home}.")}

    wrong = [
        (module, imported)
        for module in graph.modules
        if module.startswith("alert_router.notify")
        for imported in graph.find_modules_directly_imported_by(module)
        if belongs_to(imported) and belongs_to(module) != belongs_to(imported)
    ]
    assert wrong == []
