"""`alert-router send`: post a payload or a test alert to a running router, and follow it.

TLS and credentials come from `--http.config.file`, in the format of Alertmanager's `http_config`.
"""

import asyncio
import json
import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import quote

import aiohttp
import click
from pydantic import (
    BaseModel,
    ConfigDict,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from rich.text import Text

from alert_router import __version__
from alert_router.cli.options import (
    annotation_option,
    config_option,
    json_option,
    read_body,
    resolved_option,
)
from alert_router.cli.output import (
    clean_lines,
    join,
    print_json,
    show,
    show_error,
    styled,
)
from alert_router.config import Config, default_config_path, load
from alert_router.config.validate import in_order, validate
from alert_router.fields import SecretField, SecretUnavailable, WithSecrets
from alert_router.model.problem import ProblemsError
from alert_router.notify.http import Tls, authorization
from alert_router.outbox.model import State
from alert_router.preview.messages import SKIP_REASONS
from alert_router.yaml_source import read

_STRICT = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class _BasicAuth(WithSecrets):
    model_config = _STRICT

    username: str
    """The user's name."""
    password: SecretField
    """The password."""


class _Authorization(WithSecrets):
    model_config = _STRICT

    type: Literal["Bearer"] = "Bearer"
    """The kind of the token."""
    credentials: SecretField
    """The token."""


class HttpConfig(BaseModel):
    """The whole file."""

    model_config = _STRICT

    tls_config: Tls = Tls()
    """Certificates for the router."""
    basic_auth: _BasicAuth | None = None
    """A user name and a password."""
    authorization: _Authorization | None = None
    """A token instead."""

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        if self.basic_auth and self.authorization:
            raise ValueError("give one of `basic_auth` and `authorization`, not both")
        return self

    def headers(self) -> dict[str, str]:
        """What authenticates; none without credentials. Raises SecretUnavailable."""
        user, token = self.basic_auth, self.authorization
        return authorization(
            token.credentials if token else None,
            user.username if user else "",
            user.password if user else None,
        )

    def tls(self, *, insecure: bool) -> ssl.SSLContext:
        """The context for connections. Raises SecretUnavailable."""
        if insecure:
            return self.tls_config.model_copy(update={"insecure_skip_verify": True}).context()
        return self.tls_config.context()


def read_http_config(path: Path | None) -> HttpConfig:
    """The file; the defaults without one. Raises ProblemsError with everything that is wrong."""
    if path is None:
        return HttpConfig()
    document = read(path, missing="`--http.config.file` names it")
    config, problems = validate(document, HttpConfig)
    if config is None or document.problems:
        raise ProblemsError(in_order([*document.problems, *problems]))
    return config


_WAIT = 30.0  # seconds: a first attempt, and a retry or two of a slow destination
_POLL_INTERVAL = 0.2  # seconds
_TIMEOUT = 30.0  # seconds; the router answers within two
_MAX_ANSWER = 1024 * 1024  # bytes


class CannotFollow(Exception):
    """The router does not report the deliveries; the message says why."""


class SentRow(BaseModel):
    """A delivery as the router reports it."""

    id: int
    receiver: str
    notifier: str
    state: State
    attempts: int
    due_at: datetime | None
    reason: str
    message: str

    @property
    def is_skipped(self) -> bool:
        """Whether the notifier's filters skip every alert of the group."""
        return self.state is State.DELIVERED and bool(self.reason)

    @property
    def is_sent(self) -> bool:
        return self.state is State.DELIVERED and not self.reason

    def due_in(self, now: float) -> float | None:
        """Seconds until the next attempt; None if one is running or none will follow."""
        return self.due_at.timestamp() - now if self.due_at else None


class _Answer(BaseModel):
    deliveries: list[SentRow]


_ANSWER = TypeAdapter(_Answer)


@dataclass(frozen=True, slots=True)
class RouterClient:
    """A running router: its base URL, the headers that authenticate, and its TLS."""

    base: str
    headers: dict[str, str]
    tls: ssl.SSLContext
    server_name: str | None = None

    async def request(self, method: str, url: str, body: bytes | None = None) -> tuple[int, str]:
        """Status and text of the answer. Raises aiohttp.ClientError, TimeoutError, ValueError."""
        headers = {"User-Agent": f"alert-router/{__version__}"} | self.headers
        if body is not None:
            headers["Content-Type"] = "application/json"
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT)) as session,
            # A redirect is not an acceptance, and the credentials are not for its target.
            session.request(
                method,
                url,
                data=body,
                headers=headers,
                allow_redirects=False,
                ssl=self.tls,
                server_hostname=self.server_name,
            ) as response,
        ):
            answer = bytearray()
            async for chunk in response.content.iter_chunked(8192):
                answer += chunk
                if len(answer) >= _MAX_ANSWER:
                    break
            return response.status, answer[:_MAX_ANSWER].decode("utf-8", "replace")

    async def follow(self, id: str, seconds: float) -> list[SentRow]:
        """The group's deliveries once each has a result, or after this many seconds. A delivery
        whose next attempt is due later is not waited for. Raises CannotFollow."""
        url = f"{self.base}/api/v1/groups/{quote(id, safe='')}"
        deadline = time.time() + seconds
        while True:
            rows = await self._deliveries(url)
            if time.time() >= deadline or all(_is_settled(row, deadline) for row in rows):
                return rows
            await asyncio.sleep(_POLL_INTERVAL)

    async def _deliveries(self, url: str) -> list[SentRow]:
        try:
            status, answer = await self.request("GET", url)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise CannotFollow(f"cannot query {url}: {_reason(error)}") from None
        if status == 404:
            raise CannotFollow(
                "the router has no deliveries of this group: its receiver may have no notifier, "
                "or the router is older than this command"
            )
        if status != 200:
            raise CannotFollow(f"cannot query {url}: the router answered {status}: {answer}")
        try:
            return _ANSWER.validate_json(answer).deliveries
        except ValidationError:
            raise CannotFollow(f"{url} did not answer with a list of deliveries") from None


@click.command()
@config_option
@click.argument("what", nargs=-1, required=True, metavar="PAYLOAD|-|LABEL=VALUE...")
@click.option("--to", "receiver", metavar="RECEIVER", help="Post to /webhook/RECEIVER.")
@click.option(
    "--url",
    envvar="ALERT_ROUTER_URL",
    show_envvar=True,
    help="URL of the router. Default: http.listen of the configuration.",
)
@click.option(
    "--http.config.file",
    "http_config",
    type=click.Path(path_type=Path),
    envvar="ALERT_ROUTER_HTTP_CONFIG",
    show_envvar=True,
    help="TLS and credentials for the router, in the format of Alertmanager's http_config.",
)
@click.option("--insecure", is_flag=True, help="Accept any certificate of the router.")
@annotation_option
@resolved_option
@click.option(
    "--wait",
    type=click.FloatRange(0, 3600),
    metavar="SECONDS",
    help="Follow the deliveries for this long. Default: 30 with --to, else 0.",
)
@json_option
@click.pass_context
def send(
    ctx: click.Context,
    config: Path | None,
    what: tuple[str, ...],
    receiver: str | None,
    url: str | None,
    http_config: Path | None,
    insecure: bool,
    annotations: dict[str, str],
    resolved: bool,
    wait: float | None,
    as_json: bool,
) -> None:
    """Post a payload file (- for standard input), or a test alert with the given LABEL=VALUE
    pairs, to a running router.

    With --to the command tests a receiver end to end and reports each destination's answer. URL
    and credentials come from the configuration, those of a web configuration from
    --http.config.file. Exit 0: the router answered 200 and, if the command waits, every notifier
    that does not skip the alert has delivered it; 1: otherwise.
    """
    body = read_body(ctx, what, annotations, resolved=resolved)
    client = read_http_config(http_config)
    loaded = _config(config, needed=url is None)
    if url is None:
        _require_receiver(loaded, receiver)
    base = (url or _listen_url(loaded)).rstrip("/")
    target = f"{base}/webhook" + (f"/{quote(receiver, safe='')}" if receiver else "")
    try:
        headers = client.headers() or _credentials(loaded)
        tls = client.tls(insecure=insecure)
        router = RouterClient(base, headers, tls, client.tls_config.server_name)
        status, answer = asyncio.run(router.request("POST", target, body))
    except SecretUnavailable as error:
        show_error(f"cannot send: {error}")
        ctx.exit(1)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        show_error(f"cannot reach {target}: {_reason(error)}")
        ctx.exit(1)
    accepted = _parsed(answer)
    if not as_json:
        show(join((str(status), "bold green" if status == 200 else "bold red"), f" from {target}"))
        show(clean_lines(answer))
    seconds = wait if wait is not None else _WAIT if receiver else 0.0
    rows = _follow(router, accepted, seconds) if status == 200 and seconds else None
    if as_json:
        deliveries = [row.model_dump(mode="json") for row in rows] if rows is not None else None
        print_json({"url": target, "status": status, "answer": accepted, "deliveries": deliveries})
    elif rows is not None:
        if accepted.get("status") == "duplicate":
            show("duplicate: nothing new is sent; the deliveries of the accepted group are:")
        show(*_lines(rows, seconds, time.time()))
        if receiver and all(row.receiver != receiver for row in rows):
            message = "is not configured there: its alerts go to the default receiver"
            show_error(f"{receiver!r} {message}")
    is_delivered = rows is not None and _is_delivered(rows, receiver)
    ctx.exit(0 if status == 200 and (not seconds or is_delivered) else 1)


def _follow(router: RouterClient, accepted: Any, seconds: float) -> list[SentRow] | None:
    """The deliveries of the accepted group; None, after an error message, if unknown."""
    id_ = accepted.get("id") if isinstance(accepted, dict) else None
    try:
        if not isinstance(id_, str):
            raise CannotFollow("the answer has no group `id`, so the deliveries are unknown")
        return asyncio.run(router.follow(id_, seconds))
    except CannotFollow as error:
        show_error(str(error))
        return None


def _is_settled(row: SentRow, deadline: float) -> bool:
    due_in = row.due_in(deadline)
    return row.state is not State.WAITING or (due_in is not None and due_in > 0)


def _is_delivered(rows: Sequence[SentRow], receiver: str | None) -> bool:
    """Whether every notifier that does not skip the group has it, and there is at least one, and
    one of `receiver`."""
    wanted = [row for row in rows if not row.is_skipped]
    is_there = receiver is None or any(row.receiver == receiver for row in rows)
    return is_there and bool(wanted) and all(row.is_sent for row in wanted)


def _lines(rows: Sequence[SentRow], seconds: float, now: float) -> Iterator[Text]:
    """A line for each delivery: destination, result, and the destination's message."""
    names = [f"{row.receiver}/{row.notifier}" for row in rows]
    width = max(map(len, names), default=0)
    for name, row in zip(names, rows, strict=True):
        if row.is_skipped:
            result = styled(SKIP_REASONS.get(row.reason, f"skipped: {row.reason}"), "yellow")
        elif row.is_sent:
            result = styled("delivered", "bold green")
        else:
            is_failed = row.state is State.DEAD or bool(row.reason)
            words = ("failed", "bold red") if is_failed else ("still pending", "bold yellow")
            result = join(words, _details(row, seconds, now))
        yield join((f"{name:<{width}}", "bold"), "  ", result)


def _details(row: SentRow, seconds: float, now: float) -> str:
    parts = [part for part in (row.reason, row.message) if part]
    details = ": " + ": ".join(parts) if parts else ""
    if row.state is State.DEAD:
        return f"{details}; kept as a dead letter: alert-router deliveries replay {row.id}"
    if row.state is not State.WAITING:
        return details
    due_in = row.due_in(now)
    if due_in is None:
        return f"{details}; being sent, no answer within {seconds:g} s"
    if due_in <= 0:
        return details
    if row.attempts:
        return f"{details}; retry in {due_in:.0f} s"
    return f"{details}; the destination is paused for {due_in:.0f} s"


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(
        error.os_error, ConnectionRefusedError
    ):
        return "connection refused; start the router (alert-router serve), or pass --url"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        hint = "pass --http.config.file with its `ca_file` and `server_name`, or --insecure"
        return f"the certificate cannot be verified: {error.certificate_error}; {hint}"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the connection was closed without an answer; with TLS, the URL begins with https://"
    return str(error)


def _require_receiver(config: Config | None, receiver: str | None) -> None:
    """A receiver that is not configured would notify the default receiver instead."""
    names = [one.name for one in config.receivers] if config else []
    if receiver is not None and receiver not in names:
        message = f"{receiver!r} is not a receiver; choose one of {', '.join(names)}"
        raise click.BadParameter(message, param_hint="--to")


def _config(path: Path | None, *, needed: bool) -> Config | None:
    """The configuration; None if the default file is missing and not needed."""
    if path is None:
        path = default_config_path()
        if not needed and not path.exists():
            return None
    return load(path).config


def _listen_url(config: Config | None) -> str:
    """The router's URL as this machine reaches it."""
    assert config is not None
    listen = config.http.listen
    host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{listen.port}"


def _credentials(config: Config | None) -> dict[str, str]:
    """The header of `http.auth`. Raises SecretUnavailable."""
    auth = config.http.auth if config else None
    if auth is None:
        return {}
    return authorization(auth.bearer_token, auth.username, auth.password)


def _parsed(answer: str) -> Any:
    """The answer as JSON if it is JSON, else as text."""
    try:
        return json.loads(answer)
    except (ValueError, RecursionError):
        return answer
