"""`alert-router send`: post a payload, or a made-up alert, to a running router.

What the router makes of it is the router's; here its answer is shown as it came.
"""

import asyncio
import json
import sys
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import click

from alert_router import __version__
from alert_router.cli import CONFIG
from alert_router.cli.labels import make_alert, make_group, pairs
from alert_router.cli.output import clean_lines, join, output_option, print_json, show, tell
from alert_router.config import Config, default_config_path, load
from alert_router.secret import SecretUnavailable

_TIMEOUT = 30.0  # seconds; the router answers within two
_MAX_ANSWER = 64 * 1024  # bytes of an answer that are shown


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
    as_json: bool,
) -> None:
    """Post a payload file (- is standard input), or an alert made of LABEL=VALUE arguments, to
    a running router.

    The address and the credentials are the configuration's. Exit 0: the router answered 200;
    1: anything else.
    """
    body = _body(ctx, what, annotations, resolved)
    loaded = _config(config, needed=url is None)
    base = url or _address(loaded)
    target = base.rstrip("/") + "/webhook" + (f"/{quote(receiver, safe='')}" if receiver else "")
    try:
        status, answer = asyncio.run(_post(target, body, _credentials(loaded)))
    except SecretUnavailable as error:
        tell(f"cannot send: {error}")
        ctx.exit(1)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        reason = "no answer in time" if isinstance(error, TimeoutError) else str(error)
        tell(f"cannot reach {target}: {reason}")
        ctx.exit(1)
    if as_json:
        print_json({"url": target, "status": status, "answer": _parsed(answer)})
    else:
        show(join((str(status), "bold green" if status == 200 else "bold red"), f" from {target}"))
        show(clean_lines(answer))
    ctx.exit(0 if status == 200 else 1)


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


async def _post(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT)
    sent = headers | {
        "Content-Type": "application/json",
        "User-Agent": f"alert-router/{__version__}",
    }
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        # A redirect is no acceptance, and the credentials are not for wherever it leads.
        session.post(url, data=body, headers=sent, allow_redirects=False) as response,
    ):
        answer = bytearray()
        async for chunk in response.content.iter_chunked(8192):
            answer += chunk
            if len(answer) >= _MAX_ANSWER:
                break
        return response.status, answer[:_MAX_ANSWER].decode("utf-8", "replace")


def _parsed(answer: str) -> Any:
    try:
        return json.loads(answer)
    except ValueError:
        return answer
