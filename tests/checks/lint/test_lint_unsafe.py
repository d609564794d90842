"""Destructive commands that stay dangerous whatever is filled in."""

import pytest

from tests.checks.lint.kit import fence, found, linted

UNSAFE = "runbook-unsafe-command"


@pytest.mark.parametrize(
    "text",
    [
        "cd /data/$volume\nrm -rf ./*",
        "cd /data/$volume; ls\nrm -rf cache",
        "cd /x\nfind . -name '*.log' -delete",
        "$ cd /x\n$ rm -rf *",
    ],
)
def test_a_deletion_after_a_cd_that_may_fail_is_reported(tmp_path, text):
    [(*_, message)] = found(linted(tmp_path, fence(text)), UNSAFE)
    assert message.endswith("runs even if the `cd` before it fails")


@pytest.mark.parametrize(
    "text", ["rm -rf $volume", 'rm -rf "$mountpoint"', "kubectl delete $pod", "rm -r -f ${x}"]
)
def test_a_destructive_command_of_a_placeholder_alone_is_reported(tmp_path, text):
    [(*_, message)] = found(linted(tmp_path, fence(text)), UNSAFE)
    assert "the only argument of" in message


@pytest.mark.parametrize(
    "text",
    [
        "cd /data/$volume && rm -rf ./*",
        "cd /data || exit 1\nrm -rf ./*",
        "set -e\ncd /data\nrm -rf ./*",
        "cd /data\nrm -rf /tmp/cache",
        "cd /data\nls",
        "kubectl delete pod $pod -n $namespace",
        "kubectl drain $node --ignore-daemonsets",
        "dir=$(mktemp -d)\nrm -rf $dir",
        "rm -rf /data/$volume",
    ],
)
def test_a_guarded_or_named_deletion_is_not(tmp_path, text):
    assert found(linted(tmp_path, fence(text)), UNSAFE) == []
