"""Sending by a mail server, and what its answers mean.

aiosmtplib holds the conversation. What decides is when an error came: before the message began to
leave, nothing is in doubt; after that, only an answer says that it arrived.
"""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from aiosmtplib import (
    SMTP,
    SMTPException,
    SMTPRecipientsRefused,
    SMTPResponse,
    SMTPResponseException,
    SMTPSenderRefused,
)

from alert_router.notify.base import (
    Delivered,
    Failed,
    Outcome,
    Reason,
    Remedy,
    Sending,
    misconfigured,
)
from alert_router.notify.egress import ForbiddenAddress
from alert_router.notify.redact import clean

log = structlog.get_logger(__name__)

_TOO_LARGE = 552


@dataclass(frozen=True, slots=True)
class Account:
    """Where and as whom to send: with TLS from the first byte if `implicit`, else with STARTTLS
    if `require_tls`, else without TLS."""

    host: str
    port: int
    hello: str
    implicit: bool
    require_tls: bool
    context: ssl.SSLContext
    server_name: str
    username: str = ""
    password: str = ""


class _Client(SMTP):
    has_begun = False  # to send the message itself

    async def data(self, message: str | bytes, /, **options: Any) -> SMTPResponse:
        self.has_begun = True
        return await super().data(message, **options)

    async def rset(self, **_: Any) -> SMTPResponse:
        # After a refusal the connection ends here: one that hangs would hide the refusal.
        return SMTPResponse(250, "")


async def send(
    account: Account,
    sending: Sending,
    sender: str,
    to: Sequence[str],
    message: bytes,
    limit: float,
) -> Outcome:
    """Send within `limit` seconds. Never raises for anything the server does."""
    hidden = [account.password] if account.password else []
    client = _Client(
        hostname=account.server_name,
        local_hostname=account.hello,
        use_tls=account.implicit,
        start_tls=account.require_tls and not account.implicit,
        tls_context=account.context,
        username=account.username or None,
        password=account.password or None,
        timeout=None,
    )
    try:
        async with asyncio.timeout(limit):
            return await _sent(client, account, sending, sender, to, message, hidden)
    except SMTPRecipientsRefused as error:
        return _no_recipient(error, hidden)
    except SMTPResponseException as error:
        return _refused(error, client.has_begun, hidden)
    except ForbiddenAddress as error:
        return misconfigured(clean(error.strerror or ""))
    except TimeoutError:
        what = "no answer" if client.has_begun else "not connected and greeted"
        return Failed(Reason.TIMEOUT, f"{what} within {limit:g} s", in_doubt=client.has_begun)
    except ssl.SSLError as error:
        why = clean(f"TLS: {error.reason or 'refused'}", hidden)
        return Failed(Reason.CONNECTION, why, in_doubt=client.has_begun)
    except (SMTPException, OSError, ValueError) as error:
        why = clean(str(error) or type(error).__name__, hidden)
        if isinstance(error, SMTPException) and not isinstance(error, OSError):
            # Not an answer, but what the server does not support: STARTTLS, or a way to log in.
            is_tls = "STARTTLS" in str(error)
            no_tls = "the server offers no TLS, and `require_tls` requires it"
            return misconfigured(no_tls if is_tls else f"cannot log in: {why}")
        why = f"the connection broke: {why}"
        return Failed(Reason.CONNECTION, why, in_doubt=client.has_begun)


async def _sent(
    client: _Client,
    account: Account,
    sending: Sending,
    sender: str,
    to: Sequence[str],
    message: bytes,
    hidden: list[str],
) -> Outcome:
    socket = await sending.guard.connect(account.host, account.port, sending.resolve)
    try:
        await client.connect(sock=socket)
    except BaseException:
        socket.close()
        raise
    try:
        refused, _ = await client.sendmail(sender, to, message)
    finally:
        client.close()
    return _accepted(refused, hidden)


def _accepted(refused: Mapping[str, SMTPResponse], hidden: list[str]) -> Outcome:
    """The server has the message for some recipients. For whoever is refused for now all of it is
    sent again, under its Message-ID: a repeat is better than nothing."""
    outcome: Outcome = Delivered()
    for address, (code, text) in refused.items():
        why = clean(f"{address}: {code} {text}", hidden)
        if code >= 500:
            log.error("recipient refused", error=why)
        elif isinstance(outcome, Delivered):
            why = f"delivered to others, but {why}"
            outcome = Failed(Reason.SERVER_ERROR, why, in_doubt=True)
    return outcome


def _no_recipient(error: SMTPRecipientsRefused, hidden: list[str]) -> Failed:
    for_now = [one for one in error.recipients if one.code < 500]
    first = (for_now or error.recipients)[0]
    why = clean(f"{first.recipient}: {first.code} {first.message}", hidden)
    return Failed(Reason.SERVER_ERROR, why) if for_now else misconfigured(why)


def _refused(error: SMTPResponseException, has_begun: bool, hidden: list[str]) -> Failed:
    """A refusal for now (4yz) or for good (5yz; RFC 5321, 4.2.1): of the message once it began to
    leave, and where its size is too large; before that of our settings."""
    why = clean(f"{error.code} {error.message}", hidden)
    if has_begun and not 400 <= error.code < 600:  # not an answer of SMTP's
        return Failed(Reason.BAD_ANSWER, why, in_doubt=True)
    if error.code < 500:
        return Failed(Reason.SERVER_ERROR, why)
    if error.code == _TOO_LARGE and (has_begun or isinstance(error, SMTPSenderRefused)):
        return Failed(Reason.TOO_LARGE, why, Remedy.SMALLER)
    return Failed(Reason.REJECTED, why, Remedy.SMALLER) if has_begun else misconfigured(why)
