"""`alert-router init`: a configuration from three answers."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from alert_router.cli.commands.init import _SECRETS
from alert_router.config import load
from tests.programs import PATIENCE


@pytest.fixture
def empty(router):
    """The router's directory with runbooks and nothing else."""
    for path in (router.config, Path("routing.yaml")):
        path.unlink()
    return router


@pytest.mark.parametrize("type_", _SECRETS)
def test_the_written_configuration_has_no_errors(empty, type_):
    answer = empty.json("init", "--type", type_, "--external-url", "https://a.example.org/alerts")

    assert answer["files"] == ["alert-router.yaml", "routing.yaml"]
    assert empty.run("check").exit_code == 0
    [receiver] = load(empty.config).config.receivers
    assert [it.type for it in receiver.notifiers] == [type_]


def test_runbooks_are_found_from_the_directory_of_the_configuration(empty):
    Path("my books").symlink_to("runbooks")
    result = empty.run("init", "--config", "etc/router/main.yaml", "--runbooks", "my books")
    assert result.exit_code == 0
    assert "2 runbooks in my books" in result.stdout
    loaded = load(Path("etc/router/main.yaml"))
    assert loaded.config.runbooks.path.resolve() == Path("runbooks").resolve()


@pytest.mark.parametrize("existing", ["alert-router.yaml", "routing.yaml"])
def test_an_existing_file_is_kept_and_nothing_is_written(empty, existing):
    Path(existing).write_text("mine", encoding="utf-8")

    result = empty.run("init")

    assert result.exit_code == 1
    assert f"{existing} already exists" in result.stderr
    assert Path(existing).read_text(encoding="utf-8") == "mine"
    assert len(list(Path().glob("*.yaml"))) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--runbooks", "nowhere"],
        ["--type", "pigeon"],
        ["--external-url", "ftp://example.org"],
    ],
)
def test_invalid_answers_are_a_usage_error_and_nothing_is_written(empty, arguments):
    assert empty.run("init", *arguments).exit_code == 2
    assert list(Path().glob("*.yaml")) == []


def test_a_terminal_is_asked_three_questions(empty):
    parent, child = pty.openpty()
    program = [sys.executable, "-m", "alert_router", "init", "--config", "main.yaml"]
    with subprocess.Popen(program, stdin=child, stdout=subprocess.PIPE, text=True) as process:
        os.write(parent, b"\nslack\nhttps://alerts.example.org\n")
        output = process.communicate(timeout=PATIENCE)[0]
    os.close(parent)
    os.close(child)

    assert process.returncode == 0, output
    assert "Put the url of slack into /run/secrets/alert-router/slack-url" in output
    loaded = load(Path("main.yaml"))
    assert loaded.config.http.external_url == "https://alerts.example.org"
