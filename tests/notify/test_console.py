"""The console's messages, in a log and on a real terminal."""

import asyncio
import io
import os
import pty
import re
import sys
import threading

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router.markdown import visible
from alert_router.notify.base import Delivered, Failed, Reason, Sending
from alert_router.notify.console import ConsoleNotifier, line, write
from tests.notify.console_rules import check
from tests.notify.destination import attempted
from tests.notify.notifications import HOSTILE, alert, notification, section

CONSOLE = ConsoleNotifier()
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


async def sent(notifier, told):
    async with aiohttp.ClientSession() as session:
        return await attempted(notifier, notifier.render(told), Sending(session, "1"))


def on_terminal(monkeypatch, told):
    """What a terminal is sent."""
    mine, theirs = pty.openpty()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    read = []

    def reading():
        while chunk := os.read(mine, 65536):
            read.append(chunk)
            if b"\x04END" in b"".join(read):
                return

    reader = threading.Thread(target=reading)
    reader.start()
    with os.fdopen(theirs, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert asyncio.run(sent(CONSOLE, told)) == Delivered()
        stream.write("\x04END")
        stream.flush()
        reader.join(5)
        monkeypatch.undo()
    os.close(mine)
    return b"".join(read).decode().replace("\r\n", "\n").replace("\x04END", "")


async def test_a_log_gets_plain_text(capsys):
    assert await sent(CONSOLE, notification()) == Delivered()
    text = capsys.readouterr().out
    check(text)
    assert text.startswith("\nCRITICAL: PodCrash\n  A pod crashes\n    namespace=prod pod=a-1\n")
    assert "\nDetection\n  Who is it?\n  1. Look at the pod.\n" in text
    assert "\n       kubectl delete pod a-1 -n prod && echo '<done>'\n" in text
    assert "[red]" not in text


def test_a_terminal_gets_colours_and_commands_that_can_be_pasted(monkeypatch):
    long = "kubectl get pods " + "--show-labels " * 40 + "&& echo '[bold]' :fire:"
    told = notification(sections=(section("Detection", f"```bash\n{long}\n```"),))
    text = on_terminal(monkeypatch, told)
    assert "\x1b[" in text
    words = ESCAPE.sub("", text)
    assert any(line.strip() == long for line in words.split("\n"))
    assert "│" not in words


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_label_can_command_a_terminal(monkeypatch, hostile):
    told = notification([alert(pod=hostile, annotations={"summary": hostile})])
    check(ESCAPE.sub("", on_terminal(monkeypatch, told)))


async def test_an_encoding_without_a_character_shows_its_number(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="")
    monkeypatch.setattr(sys, "stdout", stream)
    told = notification([alert(annotations={"summary": "größer"})])
    assert await sent(CONSOLE, told) == Delivered()
    assert rb"gr\xf6\xdfer" in stream.buffer.getvalue()


async def test_a_closed_output_is_a_failure_not_an_exception(monkeypatch):
    stream = io.StringIO()
    stream.close()
    for output in (stream, None):
        monkeypatch.setattr(sys, "stdout", output)
        failed = await sent(CONSOLE, notification())
        assert failed == Failed(Reason.CONNECTION, "standard output is closed")


async def test_a_reader_that_has_gone_is_a_failure(monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w")
    monkeypatch.setattr(sys, "stdout", stream)
    failed = await sent(CONSOLE, notification())
    assert failed == Failed(Reason.CONNECTION, "cannot write: Broken pipe", in_doubt=True)
    monkeypatch.undo()
    with pytest.raises(BrokenPipeError):
        stream.close()


async def test_a_reader_that_does_not_read_holds_nobody_up(monkeypatch):
    reading, writing = os.pipe()
    stream = os.fdopen(writing, "w")
    monkeypatch.setattr(sys, "stdout", stream)
    large = notification(sections=(section("Detection", "word " * 200_000),))
    hurried = ConsoleNotifier(timeout=0.2)
    first, second = await asyncio.gather(sent(hurried, large), sent(hurried, large))
    assert {first.reason, second.reason} == {Reason.TIMEOUT}
    monkeypatch.undo()
    drain = threading.Thread(
        target=lambda: [None for _ in iter(lambda: os.read(reading, 65536), b"")]
    )
    drain.start()
    assert await sent(CONSOLE, notification()) == Delivered()  # its lock is free again
    stream.close()
    drain.join(5)
    os.close(reading)


async def test_messages_are_not_mixed(capsys):
    told = [notification([alert(pod=f"a-{n}")]) for n in range(8)]
    await asyncio.gather(*(sent(CONSOLE, one) for one in told))
    alone = sorted(CONSOLE.readable(CONSOLE.render(one)) for one in told)
    text = capsys.readouterr().out
    assert len(text) == sum(map(len, alone))
    assert all(one in text for one in alone)


STYLE = re.compile(r"\x1b\[[0-9;]*m")
LANGUAGES = [
    "",
    "bash",
    "sh",
    "console",
    "promql",
    "logql",
    "yaml",
    "json",
    "sql",
    "no-such",
    "\x00",
]


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def typed(monkeypatch, code, language, columns="30"):
    """The rows of a code block as a terminal shows them, without colours and indentation."""
    stream = Terminal()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "stdout", stream)
    write((line("code", code, 2, language=language),), 1)
    monkeypatch.undo()
    shown = STYLE.sub("", stream.getvalue()).removesuffix("\n\n")
    return [row.removeprefix("  ") for row in shown.split("\n")]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "code",
    [
        "cat <<-END\n\tone\n\tEND",
        "awk -F'\t' '{print $1}'",
        f"kubectl get pod {'x' * 300} -n prod",
        "[bold]not markup[/bold] :smile: https://router.example/x",
        "\n\nbetween empty lines\n\n",
        "ends in \\\n  a continuation",
        "$ uptime\n up 3 days\n$ exit",
    ],
)
def test_code_is_shown_exactly(monkeypatch, language, code):
    assert typed(monkeypatch, code, language) == code.split("\n")


@settings(max_examples=60, deadline=None)
@given(
    code=st.text(st.characters(codec="utf-8"), max_size=200), language=st.sampled_from(LANGUAGES)
)
def test_any_code_is_shown_exactly_but_for_what_a_terminal_obeys(code, language):
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert typed(monkeypatch, code, language) == visible(code).split("\n")


@pytest.mark.parametrize("columns", ["1", "20", "200"])
def test_the_width_of_the_terminal_changes_nothing(monkeypatch, columns):
    code = "kubectl delete pod a-1 -n prod --wait=false"
    assert typed(monkeypatch, code, "bash", columns) == [code]
