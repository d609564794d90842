"""The talk with a mail server, command by command, and what its answers mean.

Which part of the talk an error fell into decides: before the message has left, nothing is in
doubt; after it, only an answer says that it is there.
"""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

import aiosmtplib
import structlog
from aiosmtplib import SMTP, SMTPException, SMTPResponseException

from alert_router.notify.base import Delivered, Failed, Outcome, Reason, Remedy
from alert_router.notify.guard import ForbiddenAddress, Guard
from alert_router.notify.redact import clean
from alert_router.notify.resolve import Resolve, system

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Account:
    """Where and as whom to send. `implicit` TLS from the first byte, else STARTTLS where
    `require_tls` or where it is offered."""

    host: str
    port: int
    hello: str
    implicit: bool
    require_tls: bool
    context: ssl.SSLContext
    server_name: str
    username: str = ""
    password: str = ""


@dataclass(slots=True)
class _Progress:
    sent: bool = False  # the message itself has begun to leave


async def send(
    account: Account,
    guard: Guard,
    sender: str,
    to: Sequence[str],
    message: bytes,
    limit: float,
    resolve: Resolve = system,
) -> Outcome:
    """Send within `limit` seconds. Never raises for what happens there."""
    progress = _Progress()
    hidden = [account.password] if account.password else []
    try:
        async with asyncio.timeout(limit):
            return await _talk(account, guard, resolve, sender, to, message, progress, hidden)
    except ForbiddenAddress as error:
        return Failed(Reason.MISCONFIGURED, clean(error.strerror or ""), Remedy.HOLD)
    except TimeoutError:
        what = "no answer" if progress.sent else "not connected and greeted"
        return Failed(Reason.TIMEOUT, f"{what} within {limit:g} s", in_doubt=progress.sent)
    except ssl.SSLError as error:
        why = clean(f"TLS: {error.reason or 'refused'}", hidden)
        return Failed(Reason.CONNECTION, why, in_doubt=progress.sent)
    except (SMTPException, OSError, ValueError) as error:
        why = clean(str(error) or type(error).__name__, hidden)
        return Failed(Reason.CONNECTION, f"the connection broke: {why}", in_doubt=progress.sent)


async def _talk(
    account: Account,
    guard: Guard,
    resolve: Resolve,
    sender: str,
    to: Sequence[str],
    message: bytes,
    progress: _Progress,
    hidden: list[str],
) -> Outcome:
    socket = await guard.connect(account.host, account.port, resolve)
    server = SMTP(
        hostname=account.server_name,
        local_hostname=account.hello,
        use_tls=account.implicit,
        start_tls=False,
        tls_context=account.context,
        timeout=None,
        sock=socket,
    )
    try:
        await server.connect()
    except SMTPResponseException as error:
        socket.close()
        return _judge_server(error, hidden)
    except BaseException:
        socket.close()
        raise
    try:
        if refused := await _enter(server, account, hidden):
            return refused
        taken, later, never = await _envelope(server, sender, to)
        if not taken:
            return _nobody(later, never, hidden)
        progress.sent = True
        try:
            await server.data(message)
        except SMTPResponseException as error:
            return _judge_message(error, hidden)
        return _delivered(later, never, hidden)
    except SMTPResponseException as error:
        return _judge_server(error, hidden)
    finally:
        server.close()


async def _enter(server: SMTP, account: Account, hidden: list[str]) -> Failed | None:
    """Who we are, TLS, login."""
    await server.ehlo()
    if not account.implicit:
        if server.supports_extension("starttls"):
            await server.starttls(server_hostname=account.server_name, tls_context=account.context)
            await server.ehlo()
        elif account.require_tls:
            message = "the server offers no TLS, and `require_tls` asks for it"
            return Failed(Reason.MISCONFIGURED, message, Remedy.HOLD)
    if account.username:
        try:
            await server.login(account.username, account.password)
        except aiosmtplib.SMTPAuthenticationError as error:
            return _judge_server(error, hidden)
        except SMTPException as error:
            message = clean(f"cannot log in: {error}", hidden)
            return Failed(Reason.MISCONFIGURED, message, Remedy.HOLD)
    return None


Refusals = dict[str, SMTPResponseException]


async def _envelope(
    server: SMTP, sender: str, to: Sequence[str]
) -> tuple[list[str], Refusals, Refusals]:
    """Sender and recipients: those who were taken, who are refused for now, and for good."""
    await server.mail(sender)
    taken: list[str] = []
    later: Refusals = {}
    never: Refusals = {}
    for address in to:
        try:
            await server.rcpt(address)
            taken.append(address)
        except SMTPResponseException as error:
            (later if error.code < 500 else never)[address] = error
    return taken, later, never


def _nobody(later: Refusals, never: Refusals, hidden: list[str]) -> Failed:
    """No recipient was taken."""
    if later:
        address, error = next(iter(later.items()))
        return Failed(Reason.SERVER_ERROR, clean(f"{address}: {_said(error)}", hidden))
    address, error = next(iter(never.items()))
    message = clean(f"{address}: {_said(error)}", hidden)
    return Failed(Reason.MISCONFIGURED, message, Remedy.HOLD)


def _delivered(later: Refusals, never: Refusals, hidden: list[str]) -> Outcome:
    """The message is with those who were taken. For whoever is refused for now all of it goes
    again, under its Message-ID: a repeat is better than nothing."""
    for address, error in never.items():
        log.error("a recipient is refused for good", error=clean(f"{address}: {_said(error)}"))
    if later:
        address, error = next(iter(later.items()))
        message = clean(f"delivered to others, but {address}: {_said(error)}", hidden)
        return Failed(Reason.SERVER_ERROR, message, in_doubt=True)
    return Delivered()


def _judge_server(error: SMTPResponseException, hidden: list[str]) -> Failed:
    """A refusal that is not about the message: for now (4yz), or of our settings (5yz). After
    RFC 5321, 4.2.1."""
    message = clean(_said(error), hidden)
    if error.code < 500:
        return Failed(Reason.SERVER_ERROR, message)
    return Failed(Reason.MISCONFIGURED, message, Remedy.HOLD)


def _judge_message(error: SMTPResponseException, hidden: list[str]) -> Failed:
    """A refusal of the message itself: nothing of it was taken. What is no answer of SMTP's says
    nothing about that."""
    message = clean(_said(error), hidden)
    if not 400 <= error.code < 600:
        return Failed(Reason.BAD_ANSWER, message, in_doubt=True)
    if error.code < 500:
        return Failed(Reason.SERVER_ERROR, message)
    too_large = error.code == 552
    return Failed(Reason.TOO_LARGE if too_large else Reason.REJECTED, message, Remedy.SMALLER)


def _said(error: SMTPResponseException) -> str:
    return f"{error.code} {error.message}"
