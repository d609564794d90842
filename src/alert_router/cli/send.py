"""`alert-router send`: post a payload, or a made-up alert, to a running router.

What the router makes of it is the router's; here its answer is shown as it came.
"""

import asyncio
import json
import sys
import time
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import aiohttp
import click

from alert_router.cli import CONFIG
from alert_router.cli.labels import make_alert, make_group, pairs
from alert_router.cli.output import clean_lines, join, output_option, print_json, show, tell
from alert_router.cli.send_follow import CannotFollow, Followed, follow, told
from alert_router.cli.send_http import ask, parsed
from alert_router.config import Config, default_config_path, load
from alert_router.fields import SecretUnavailable

_WAIT = 30.0  # seconds: a first attempt and a retry or two of a destination that is slow


@click.command()
@CONFIG
@click.argument("what", nargs=-1, required=True, metavar="PAYLOAD|-|LABEL=VALUE...")
@click.option("--to", "receiver", metavar="RECEIVER", help="Post to /webhook/RECEIVER.")
@click.option("--url", help="The router's address; by default what http.listen says.")
@click.option(
    "--annotation",
    "annotations",
    multiple=True,
    metavar="NAME=VALUE",
    callback=pairs,
    help="An annotation of the made-up alert; may be repeated.",
)
@click.option("--resolved", is_flag=True, help="The made-up alert is resolved, not firing.")
@click.option(
    "--wait",
    type=click.FloatRange(0, 3600),
    metavar="SECONDS",
    help="Follow what becomes of it for so long; by default 30 with --to, else 0.",
)
@output_option
@click.pass_context
def send(
    ctx: click.Context,
    config: Path | None,
    what: tuple[str, ...],
    receiver: str | None,
    url: str | None,
    annotations: dict[str, str],
    resolved: bool,
    wait: float | None,
    as_json: bool,
) -> None:
    """Post a payload file (- is standard input), or an alert made of LABEL=VALUE arguments, to
    a running router.

    With --to the receiver is tested end to end: what each destination answered is told. The
    address and the credentials are the configuration's. Exit 0: the router answered 200 and,
    where it is waited for, every notifier that wants it was delivered; 1: anything else.
    """
    body = _body(ctx, what, annotations, resolved)
    loaded = _config(config, needed=url is None)
    if url is None:
        _refuse_unknown(loaded, receiver)
    base = (url or _address(loaded)).rstrip("/")
    target = f"{base}/webhook" + (f"/{quote(receiver, safe='')}" if receiver else "")
    try:
        headers = _credentials(loaded)
        status, answer = asyncio.run(ask("POST", target, headers, body))
    except SecretUnavailable as error:
        tell(f"cannot send: {error}")
        ctx.exit(1)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        tell(f"cannot reach {target}: {_reason(error)}")
        ctx.exit(1)
    if not as_json:
        show(join((str(status), "bold green" if status == 200 else "bold red"), f" from {target}"))
        show(clean_lines(answer))
    seconds = wait if wait is not None else _WAIT if receiver else 0.0
    followed = _follow(base, answer, headers, seconds) if status == 200 and seconds else None
    if as_json:
        rows = followed.as_json() if followed else None
        print_json({"url": target, "status": status, "answer": parsed(answer), "deliveries": rows})
    elif followed:
        _tell_of(followed, answer, receiver)
    good = status == 200 and (not seconds or (followed is not None and followed.is_good(receiver)))
    ctx.exit(0 if good else 1)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(
        error.os_error, ConnectionRefusedError
    ):
        return "nothing listens there; start the router (alert-router serve), or say --url"
    return str(error)


def _follow(base: str, answer: str, headers: dict[str, str], seconds: float) -> Followed | None:
    """What became of the accepted group; None, once said why, where that cannot be known."""
    accepted = parsed(answer)
    id_ = accepted.get("id") if isinstance(accepted, dict) else None
    try:
        if not isinstance(id_, str):
            raise CannotFollow("the answer names no group to ask for")
        return asyncio.run(follow(base, quote(id_, safe=""), headers, seconds))
    except CannotFollow as error:
        tell(str(error))
        return None


def _tell_of(followed: Followed, answer: str, receiver: str | None) -> None:
    if parsed(answer).get("status") == "duplicate":
        show("nothing new is sent: it is a duplicate of a group accepted before, of which")
    show(*told(followed.rows, followed.seconds, time.time()))
    if receiver and all(row.receiver != receiver for row in followed.rows):
        tell(f"{receiver!r} is not configured there: its alerts go to the default receiver")


def _refuse_unknown(config: Config | None, receiver: str | None) -> None:
    """A receiver that is not configured would have the default one told, whoever that wakes."""
    names = [one.name for one in config.receivers] if config else []
    if receiver is not None and receiver not in names:
        raise click.BadParameter(f"{receiver!r} is none of {', '.join(names)}", param_hint="--to")


def _body(
    ctx: click.Context, what: tuple[str, ...], annotations: dict[str, str], resolved: bool
) -> bytes:
    """The payload named, or that of the alert described."""
    is_file = len(what) == 1 and (what[0] == "-" or "=" not in what[0] or Path(what[0]).is_file())
    if not is_file:
        labels = pairs(ctx, next(p for p in ctx.command.params if p.name == "what"), what)
        labels = {"alertname": "TestAlert"} | labels
        alert = make_alert(labels, annotations, resolved=resolved, now=datetime.now(UTC))
        return json.dumps(make_group(alert, "alert-router-send").as_json()).encode()
    if annotations or resolved:
        raise click.UsageError("--annotation and --resolved go with LABEL=VALUE arguments")
    if what[0] == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(what[0]).read_bytes()
    except OSError as error:
        hint = "" if "=" in what[0] else "; a made-up alert is written LABEL=VALUE"
        raise click.UsageError(f"cannot read {what[0]!r}: {error.strerror}{hint}") from None


def _config(path: Path | None, *, needed: bool) -> Config | None:
    """The configuration; None where there is none and the address was given."""
    if path is None:
        path = default_config_path()
        if not needed and not path.exists():
            return None
    return load(path).config


def _address(config: Config | None) -> str:
    """Where the router listens, as this machine reaches it."""
    assert config is not None
    listen = config.http.listen
    host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{listen.port}"


def _credentials(config: Config | None) -> dict[str, str]:
    """The header that the intake asks for. Raises SecretUnavailable."""
    auth = config.http.auth if config else None
    if auth is None:
        return {}
    if auth.bearer is not None:
        return {"Authorization": f"Bearer {auth.bearer.read()}"}
    assert auth.password is not None
    both = f"{auth.username}:{auth.password.read()}".encode()
    return {"Authorization": f"Basic {b64encode(both).decode()}"}
