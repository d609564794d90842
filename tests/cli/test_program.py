"""The command line as a whole: its page, its help, and the installed program."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from alert_router.cli import main
from tests.programs import PATIENCE, write_config
from tests.programs import router as running_router

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
PROGRAM = Path(sys.executable).parent / "alert-router"


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


COMMANDS = dict(leaves(main))


def section(name: str) -> str:
    found = re.search(rf"^## {re.escape(name)}\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.S | re.M)
    assert found, f"docs/commands.md has no section {name}"
    return found[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_documents_every_command_option_and_exit_code(name):
    text = section(name)

    assert f"alert-router {name}" in text
    assert "Exit codes: 0" in text
    for option in COMMANDS[name].params:
        if isinstance(option, click.Option) and option.name not in ("config", "as_json"):
            assert f"`{option.opts[0]}" in text, option.opts[0]


def test_the_page_documents_no_other_commands():
    sections = re.findall(r"^## (.*)$", PAGE.read_text(), re.M)

    assert sections == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_help(name):
    for parameter in COMMANDS[name].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name
    assert COMMANDS[name].help


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"serve", "send", "health"}))
def test_every_reporting_command_takes_output_and_config(name):
    spelt = {word for parameter in COMMANDS[name].params for word in parameter.opts}

    # These are told what they are for: directories, or two stores.
    is_for_any = name in ("runbook lint", "runbook report", "storage copy")
    assert {"--output"} | (set() if is_for_any else {"--config"}) <= spelt


def program(router, *arguments, **environment):
    return subprocess.run(
        [PROGRAM, *arguments],
        cwd=router.directory,
        env=os.environ | {"ALERT_ROUTER_CONFIG": "alert-router.yaml"} | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_the_installed_program_works_in_a_pipe(router):
    done = program(router, "route", "test", "severity=critical", "--output", "json")

    assert (done.returncode, done.stderr) == (0, "")
    assert '"pager"' in done.stdout


def imported(trace: str) -> set[str]:
    """The modules in a trace of `python -X importtime`."""
    return set(re.findall(r"^import time:.*\| +(\S+)$", trace, re.MULTILINE))


async def test_serve_never_imports_the_checks(tmp_path):
    notifiers = [{"type": "console"}, {"type": "slack", "url": "https://hooks.example.org/x"}]
    config = write_config(tmp_path, notifiers)

    async with running_router(config, prefix=(sys.executable, "-X", "importtime")) as process:
        modules = imported(process.text())

    assert {"alert_router.outbox.sqlite", "uvloop"} <= modules
    unwanted = ("alert_router.checks", "alert_router.cli.commands.", "alert_router.cli.formats")
    assert not {name for name in modules if name.startswith(unwanted)}


def test_help_imports_no_command_and_no_heavy_library():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", PROGRAM, "--help"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )

    modules = imported(done.stderr)
    assert "alert_router.cli" in modules
    assert not {name for name in modules if name.startswith("alert_router.cli.commands.")}
    assert not modules & {"aiohttp", "jinja2", "pydantic", "rich", "yaml"}


def test_help_needs_no_configuration(router):
    router.config.unlink()

    done = program(router, "--help")

    assert done.returncode == 0
    assert [name for name in main.list_commands(click.Context(main)) if name in done.stdout] == (
        main.list_commands(click.Context(main))
    )


def test_a_locale_without_unicode_causes_no_traceback(router):
    router.write("runbooks/odd.md", "# Ünïcode → 𝄞\n\n- [ ] ☑\n")

    for arguments in (["runbook", "show", "odd"], ["runbook", "list"], ["route", "show"]):
        done = program(router, *arguments, PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


def test_a_closed_pipe_causes_no_traceback(router):
    done = subprocess.run(
        f"{PROGRAM} runbook list | true",
        shell=True,
        cwd=router.directory,
        env=os.environ | {"ALERT_ROUTER_CONFIG": "alert-router.yaml"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert "Traceback" not in done.stderr


def test_terminals_get_colors_unless_no_color_is_set(router):
    coloured = program(router, "route", "show", FORCE_COLOR="1", TERM="xterm-256color")
    plain = program(router, "route", "show", FORCE_COLOR="1", NO_COLOR="1", TERM="xterm-256color")

    assert "\x1b[" in coloured.stdout
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", plain.stdout)


def test_an_unusable_configuration_is_shown_problem_by_problem(router):
    router.write("routing.yaml", "route: {receiver: nobody}\n")

    done = program(router, "route", "show")

    assert done.returncode == 1
    assert done.stdout == ""
    assert "routing.yaml:1:" in done.stderr
    assert done.stderr.endswith("1 problem\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("output", ["text", "json"])
def test_a_full_disk_is_reported_in_one_line(output: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [PROGRAM, "runbook", "list", "--output", output],
            cwd=PAGE.parents[1],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "cannot write the output: No space left on device\n"
