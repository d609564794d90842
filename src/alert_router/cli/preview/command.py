"""The command: which messages, and whether they are drawn here, on a page, or told as data."""

import json
import shutil
import sys
from pathlib import Path
from secrets import token_hex
from typing import Any

import click
import structlog
from pydantic_core import to_json

from alert_router.cli import CONFIG
from alert_router.cli.output import (
    clean_lines,
    console,
    join,
    output_option,
    print_json,
    show,
    tell,
)
from alert_router.cli.preview.looks import look
from alert_router.cli.preview.messages import Preview, make
from alert_router.cli.preview.page import Card, page
from alert_router.cli.preview.terminal import drawn
from alert_router.cli.unwanted import UNWANTED
from alert_router.config import default_config_path
from alert_router.model import PayloadError
from alert_router.notify.console import ConsoleNotifier, write
from alert_router.notify.registry import NOTIFIERS
from alert_router.server.runtime import read_runtime

_ALL = "all"


@click.command()
@CONFIG
@click.argument("payload", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option("--receiver", help="As if posted to /webhook/RECEIVER.")
@click.option("--notifier", help="Only for notifiers of this name.")
@click.option(
    "--type",
    "chosen",
    type=click.Choice([*sorted(NOTIFIERS), _ALL]),
    multiple=True,
    help="As if each receiver had one notifier of this type, with the type's defaults; may be "
    "repeated, and `all` stands for all types.",
)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    metavar="FILE",
    help="Write a page that shows each destination's message side by side.",
)
@click.option("--raw", is_flag=True, help="Print what would be sent as it is, not as it looks.")
@output_option
@click.pass_context
def preview(
    ctx: click.Context,
    config: Path | None,
    payload: Path,
    receiver: str | None,
    notifier: str | None,
    chosen: tuple[str, ...],
    html: Path | None,
    raw: bool,
    as_json: bool,
) -> None:
    """Show what each destination would be sent for the webhook body in the file PAYLOAD (- is
    standard input).

    Sends nothing and reads no secret. Exit 1: the body is no alert group.
    """
    if notifier and chosen:
        raise click.UsageError("give one of --notifier and --type")
    if html and (raw or as_json):
        raise click.UsageError("--html goes with neither --raw nor --output json")
    # What cannot be enriched or rendered is logged: not among what is shown.
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    snapshot = read_runtime(config or default_config_path())
    receivers = snapshot.state.receivers.notifiers
    if receiver is not None and receiver not in receivers:
        raise click.BadParameter(
            f"{receiver!r} is none of {', '.join(receivers)}", param_hint="--receiver"
        )
    body = _read(payload)
    try:
        previews = make(body, snapshot, receiver or "", _types(chosen))
    except PayloadError as error:
        tell(f"{payload}: not an alert group: {clean_lines(str(error))}")
        ctx.exit(1)
    previews = [one for one in previews if notifier in (None, one.destination.notifier)]
    if as_json:
        print_json([_as_json(one) for one in previews])
    elif html is not None:
        _write(html, page(f"Preview of {payload.name}", [_card(one) for one in previews]))
    elif previews:
        for one in previews:
            _show(one, raw=raw)
    else:
        show("no notifier would be sent anything")


def _types(chosen: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(NOTIFIERS)) if _ALL in chosen else tuple(dict.fromkeys(chosen))


def _read(path: Path) -> bytes:
    if str(path) == "-":
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        raise click.UsageError(f"cannot read {str(path)!r}: {error.strerror}") from None


def _write(path: Path, text: str) -> None:
    """Whole or not at all, so that what was there before is never left in halves."""
    target = path.resolve()  # a link stays one
    beside = target.with_name(f".{token_hex(8)}.html")
    try:
        if target.exists() and not target.is_file():  # a pipe, say
            target.write_text(text, encoding="utf-8")
        else:
            with beside.open("x", encoding="utf-8") as file:
                file.write(text)
            if target.exists():
                shutil.copymode(target, beside)
            beside.replace(target)
    except OSError as error:
        raise click.UsageError(f"cannot write {str(path)!r}: {error.strerror}") from None
    finally:
        beside.unlink(missing_ok=True)
    show(f"written: {path}")


def _as_json(one: Preview) -> dict[str, Any]:
    return {
        "receiver": one.destination.receiver,
        "notifier": one.destination.notifier,
        "type": one.notifier.type,
        "payload": one.readable,
    }


def _card(one: Preview) -> Card:
    to = one.destination
    if one.payload is None:
        return Card(to.receiver, to.notifier, one.notifier.type, unwanted=UNWANTED[one.unwanted])
    return Card(
        to.receiver,
        to.notifier,
        one.notifier.type,
        look(one.notifier.type, one.readable),
        _pretty(one.readable),
        f"{len(to_json(one.readable)) / 1000:.1f} kB" if not isinstance(one.readable, str) else "",
    )


def _pretty(data: Any) -> str:
    text = data if isinstance(data, str) else json.dumps(data, indent=2, ensure_ascii=False)
    return clean_lines(text)


def _show(one: Preview, *, raw: bool) -> None:
    to = f"{one.destination.receiver}/{one.destination.notifier}"
    show(join(("── ", "dim"), (to, "bold"), f" ({one.notifier.type})", (" ──", "dim")))
    if one.payload is None:
        show(join((f"nothing: it wants {UNWANTED[one.unwanted]}", "dim")))
    elif raw:
        show(_pretty(one.readable))
    elif isinstance(one.notifier, ConsoleNotifier) and console().is_terminal:
        write(one.payload, one.notifier.timeout)
    else:
        show(*drawn(look(one.notifier.type, one.readable)))
