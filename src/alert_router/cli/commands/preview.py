"""`alert-router preview`: what each destination would receive for a payload."""

import json
import shutil
from pathlib import Path
from secrets import token_hex
from typing import Any

import click
from pydantic_core import to_json
from rich.style import Style
from rich.text import Text

from alert_router.cli.formats.drawing import Card, page, text_lines
from alert_router.cli.options import (
    annotation_option,
    config_option,
    json_option,
    read_body,
    resolved_option,
)
from alert_router.cli.output import (
    clean_lines,
    console,
    join,
    print_json,
    show,
    show_error,
)
from alert_router.config import default_config_path
from alert_router.model import PayloadError
from alert_router.notify.console import ConsoleNotifier, write
from alert_router.notify.registry import NOTIFIERS
from alert_router.preview.drawing import designer, draw
from alert_router.preview.messages import SKIP_REASONS, Preview, make_previews
from alert_router.preview.sample_alert import as_group
from alert_router.runtime import read_runtime

_ALL = "all"


@click.command()
@config_option
@click.argument("what", nargs=-1, required=True, metavar="PAYLOAD|-|LABEL=VALUE...")
@click.option(
    "--runbooks",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Use the runbooks of this directory, without any configuration.",
)
@annotation_option
@resolved_option
@click.option("--receiver", help="Preview as if posted to /webhook/RECEIVER.")
@click.option("--notifier", help="Only notifiers with this name.")
@click.option(
    "--type",
    "chosen",
    type=click.Choice([*sorted(NOTIFIERS), _ALL]),
    multiple=True,
    help="Preview as if each receiver had one notifier of this type, with default settings. "
    "Repeatable; `all` means all types.",
)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    metavar="FILE",
    help="Write a page that shows the messages side by side.",
)
@click.option("--raw", is_flag=True, help="Print the payloads instead of drawing them.")
@json_option
@click.pass_context
def preview(
    ctx: click.Context,
    config: Path | None,
    what: tuple[str, ...],
    runbooks: Path | None,
    annotations: dict[str, str],
    resolved: bool,
    receiver: str | None,
    notifier: str | None,
    chosen: tuple[str, ...],
    html: Path | None,
    raw: bool,
    as_json: bool,
) -> None:
    """Show what each destination would receive for the payload in a file (- for standard input),
    or for a test alert with the given LABEL=VALUE pairs.

    The payload is a webhook body, one alert, a list of alerts, or the answer of an API of
    Prometheus, Alertmanager or Grafana. Sends nothing and reads no secret. Exit 1: there is no
    alert in it.
    """
    if runbooks and config:
        raise click.UsageError("--runbooks and --config exclude each other")
    if notifier and chosen:
        raise click.UsageError("--notifier and --type exclude each other")
    if html and (raw or as_json):
        raise click.UsageError("--html excludes --raw and --output json")
    runtime = read_runtime(runbooks or config or default_config_path())
    receivers = runtime.names
    if receiver is not None and receiver not in receivers:
        message = f"{receiver!r} is not a receiver; choose one of {', '.join(receivers)}"
        raise click.BadParameter(message, param_hint="--receiver")
    notifiers = list(dict.fromkeys(one.notifier for one in runtime.notifiers))
    if notifier is not None and notifier not in notifiers:
        message = f"{notifier!r} is not a notifier; choose one of {', '.join(notifiers)}"
        raise click.BadParameter(message, param_hint="--notifier")
    body = read_body(ctx, what, annotations, resolved=resolved)
    selected = tuple(sorted(NOTIFIERS)) if _ALL in chosen else tuple(dict.fromkeys(chosen))
    try:
        previews = make_previews(as_group(body), runtime, receiver or "", selected)
    except PayloadError as error:
        show_error(f"{what[0]}: not an alert group: {clean_lines(str(error))}")
        ctx.exit(1)
    previews = [it for it in previews if notifier in (None, it.destination.notifier)]
    if as_json:
        print_json([_as_json(it) for it in previews])
    elif html is not None:
        _write(html, page(f"Preview of {_name(what)}", [_card(it) for it in previews]))
    elif previews:
        for it in previews:
            _show(it, raw=raw)
    else:
        show("no notifier would receive anything")


def _write(path: Path, text: str) -> None:
    """Write the file atomically: readers see the old page or the new one, never a part."""
    target = path.resolve()  # a symbolic link stays one
    temporary = target.with_name(f".{token_hex(8)}.html")
    try:
        if target.exists() and not target.is_file():  # for example a pipe
            target.write_text(text, encoding="utf-8")
        else:
            with temporary.open("x", encoding="utf-8") as file:
                file.write(text)
            if target.exists():
                shutil.copymode(target, temporary)
            temporary.replace(target)
    except OSError as error:
        raise click.UsageError(f"cannot write {str(path)!r}: {error.strerror}") from None
    finally:
        temporary.unlink(missing_ok=True)
    show(f"written: {path}")


def _as_json(it: Preview) -> dict[str, Any]:
    return {
        "receiver": it.destination.receiver,
        "notifier": it.destination.notifier,
        "type": it.notifier.type,
        "payload": it.readable,
        "designer": designer_url[1] if (designer_url := _designer(it)) else None,
    }


def _designer(it: Preview) -> tuple[str, str] | None:
    return None if it.payload is None else designer(it.notifier.type, it.readable)


def _name(what: tuple[str, ...]) -> str:
    is_test_alert = len(what) > 1 or "=" in what[0]
    return " ".join(what) if is_test_alert else Path(what[0]).name


def _card(it: Preview) -> Card:
    to, type_ = it.destination, it.notifier.type
    if it.payload is None:
        return Card(to.receiver, to.notifier, type_, skipped=SKIP_REASONS[it.skipped_by])
    return Card(
        to.receiver,
        to.notifier,
        type_,
        draw(type_, it.readable),
        _pretty(it.readable),
        f"{len(to_json(it.readable)) / 1000:.1f} kB" if not isinstance(it.readable, str) else "",
        designer=_designer(it),
    )


def _pretty(data: Any) -> str:
    text = data if isinstance(data, str) else json.dumps(data, indent=2, ensure_ascii=False)
    return clean_lines(text)


def _show(it: Preview, *, raw: bool) -> None:
    to = f"{it.destination.receiver}/{it.destination.notifier}"
    show(join(("── ", "dim"), (to, "bold"), f" ({it.notifier.type})", (" ──", "dim")))
    if it.payload is None:
        show(join((SKIP_REASONS[it.skipped_by], "dim")))
    elif raw:
        show(_pretty(it.readable))
    elif isinstance(it.notifier, ConsoleNotifier) and console().is_terminal:
        write(it.payload, it.notifier.timeout)
    else:
        show(*text_lines(draw(it.notifier.type, it.readable).elements))
    tool = None if raw else _designer(it)
    if tool:
        name, url = tool
        if console().is_terminal:  # the URL is as long as the message
            show(Text(name, style=Style(dim=True, link=url)))
        else:
            show(join((f"{name}: ", "dim"), url))
