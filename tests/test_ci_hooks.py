"""What other repositories use of this one: the hooks for pre-commit, and the examples for CI."""

import re
import shlex
from pathlib import Path

import click
import pytest
import yaml

from alert_router.cli import main

ROOT = Path(__file__).parent.parent
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
PAGE = (ROOT / "docs" / "ci.md").read_text()
EXAMPLES = [
    yaml.safe_load(text) for text in re.findall(r"^```yaml[^\n]*\n(.*?)^```", PAGE, re.M | re.S)
]


def parse(words: list[str]) -> None:
    """Understand a command line as the program does, without running it. Raises UsageError."""
    assert words.pop(0) == "alert-router"
    words = [str(ROOT / word) if (ROOT / word).is_file() else word for word in words]
    command: click.Command = main
    context = click.Context(main)
    while isinstance(command, click.Group):
        found = command.get_command(context, words[0])
        assert found is not None, words
        command, context = found, click.Context(found, parent=context, info_name=words.pop(0))
    command.parse_args(context, words)


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_every_hook_is_a_command_that_there_is(hook):
    assert hook["language"] == "python"
    names = ["runbooks/alerts/redis-issues.md"] if hook.get("pass_filenames", True) else []
    parse([*shlex.split(hook["entry"]), *hook.get("args", []), *names])


def test_the_hook_for_single_files_takes_runbooks_and_no_index():
    (hook,) = (hook for hook in HOOKS if hook.get("pass_filenames", True))
    taken = {
        name
        for name in ("runbooks/alerts/a.md", "runbooks/README.md", "docs/a.md", "runbooks/x.png")
        if re.search(hook["files"], name) and not re.search(hook["exclude"], name)
    }
    assert taken == {"runbooks/alerts/a.md"}


def test_the_example_for_pre_commit_uses_each_hook_as_it_may_be_used():
    (example,) = (example["repos"][0] for example in EXAMPLES if "repos" in example)
    known = {hook["id"]: hook for hook in HOOKS}
    assert {hook["id"] for hook in example["hooks"]} == set(known)
    for hook in example["hooks"]:
        whole = known[hook["id"]] | hook
        names = ["runbooks/alerts/redis-issues.md"] if whole.get("pass_filenames", True) else []
        parse([*shlex.split(whole["entry"]), *whole.get("args", []), *names])


def test_every_command_of_the_examples_is_one_that_there_is():
    lines = re.findall(r"(?:run: |^    - )(alert-router .*)$", PAGE, re.M)
    assert len(lines) >= 7
    for line in lines:
        parse(shlex.split(re.split(r" >>? ", line)[0]))
