"""The notifier's keys, which are Alertmanager's, and sending by a mail server.

aiosmtplib holds the conversation. What decides is when an error came: before the message began to
leave, nothing is in doubt; after that, only an answer says that it arrived.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

import structlog
from aiosmtplib import (
    SMTP,
    SMTPException,
    SMTPRecipientsRefused,
    SMTPResponse,
    SMTPResponseException,
    SMTPSenderRefused,
)
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from alert_router.fields import SecretField
from alert_router.notification import Detail, Notification
from alert_router.notify.base import (
    Delivered,
    Failed,
    Notifier,
    Outcome,
    Reason,
    Remedy,
    Sending,
    misconfigured,
)
from alert_router.notify.egress import ForbiddenAddress
from alert_router.notify.email_message import (
    ADDRESS_HEADERS,
    EmailPayload,
    Mailbox,
    compose,
    message_id,
    parse_mailbox,
    parse_mailboxes,
    render,
    split_mailboxes,
)
from alert_router.notify.http import HeaderName, Tls
from alert_router.redaction import clean

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
    # The client closes it, also where this fails: its number, if it were closed here too, could be
    # another connection's by then.
    await client.connect(
        sock=await sending.guard.connect(account.host, account.port, sending.resolve)
    )
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


_HOST_AND_PORT = re.compile(r"(?:[\w.-]+|\[[0-9A-Fa-f:.%\w]+\]):(?P<port>[0-9]{1,5})")
_IMPLICIT_TLS = 465  # RFC 8314
_LOCAL_HOSTS = frozenset(("localhost", "127.0.0.1", "::1"))
_LONGEST_NAME = 50  # so that a value fits beside it in a line
_LONGEST_VALUE = 900  # in one line, of the 998 bytes of RFC 5322
_RESERVED = frozenset(
    (
        *("from", "to", "subject", "date", "message-id", "in-reply-to", "references"),
        *("auto-submitted", "mime-version", "content-type", "content-transfer-encoding"),
    )
)


def _smarthost(text: str) -> str:
    found = _HOST_AND_PORT.fullmatch(text)
    if not found or not 0 < int(found["port"]) < 65536:
        raise ValueError("expected host:port, such as smtp.example.org:587")
    return text


def _mailbox(value: object) -> object:
    return parse_mailbox(value) if isinstance(value, str) else value


def _items(value: object) -> object:
    """The items of one text with commas, or of a list of such texts."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        return texts
    return [item for text in texts for item in split_mailboxes(text)]


Address = Annotated[Mailbox, BeforeValidator(_mailbox)]
Addresses = Annotated[tuple[Address, ...], BeforeValidator(_items)]


def _header_name(name: str) -> str:
    if name.lower() in ("cc", "bcc"):
        raise ValueError(f"write it as the key `{name.lower()}` beside `to`")
    if name.lower() in _RESERVED:
        raise ValueError("this header is set by the router itself")
    if len(name) > _LONGEST_NAME:
        raise ValueError(f"expected a name of at most {_LONGEST_NAME} characters")
    return name


def _header_value(text: str) -> str:
    if not 0 < len(text) <= _LONGEST_VALUE or not text.strip():
        raise ValueError(f"expected text of at most {_LONGEST_VALUE} characters")
    return text


HeaderValue = Annotated[str, AfterValidator(_header_value)]


class EmailNotifier(Notifier):
    """Sends by a mail server."""

    type: Literal["email"] = "email"
    to: Addresses = Field(min_length=1)
    """The recipients, as a list or separated by commas."""
    cc: Addresses = ()
    """Further recipients."""
    bcc: Addresses = ()
    """Further recipients that no header names."""
    from_: Address = Field(alias="from")
    """The sender; replies go there."""
    smarthost: Annotated[str, AfterValidator(_smarthost)]
    """The mail server, `host:port`; port 465 is TLS from the start, others use STARTTLS."""
    hello: str = ""
    """What the router calls itself to the server; the machine's name if not set."""
    auth_username: str = ""
    """The login's name."""
    auth_password: SecretField | None = None
    """The login's password."""
    require_tls: bool = True
    """Whether nothing is sent to a server without STARTTLS; `false` does not use STARTTLS at
    all."""
    tls: Tls = Tls()
    """Certificates for this server."""
    headers: dict[Annotated[HeaderName, AfterValidator(_header_name)], HeaderValue] = Field(
        default_factory=dict
    )
    """Further headers, except those that the router sets itself."""

    @model_validator(mode="after")
    def _user_with_password(self) -> Self:
        if bool(self.auth_username) != bool(self.auth_password):
            raise ValueError("`auth_username` and `auth_password` go together")
        port = self.smarthost.rpartition(":")[2]
        is_plain = not self.require_tls and int(port) != _IMPLICIT_TLS
        if self.auth_password and is_plain and self.host() not in _LOCAL_HOSTS:
            raise ValueError("the password would be sent without TLS: remove `require_tls: false`")
        return self

    @model_validator(mode="after")
    def _addresses_in_headers(self) -> Self:
        for name, value in self.headers.items():
            if name.lower() in ADDRESS_HEADERS:
                try:
                    parse_mailboxes(value)
                except ValueError as error:
                    raise ValueError(f"`headers`: {name}: {error}") from None
        return self

    def secrets_missing(self) -> list[str]:
        """As every notifier's, and messages about files of `tls` that cannot be used."""
        return [*super().secrets_missing(), *self.tls.unusable()]

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> EmailPayload:
        """Subject, text and HTML, and which thread they belong to."""
        return render(notification, detail)

    async def notify(self, payload: EmailPayload, sending: Sending) -> Outcome:
        domain = self.from_.domain
        host, port = self.host(), int(self.smarthost.rpartition(":")[2])
        account = Account(
            host=host,
            port=port,
            hello=self.hello or socket.gethostname() or "localhost",
            implicit=port == _IMPLICIT_TLS,
            require_tls=self.require_tls,
            context=self.tls.context(),
            server_name=self.tls.server_name or host,
            username=self.auth_username,
            password=self.auth_password.read() if self.auth_password else "",
        )
        mail = compose(
            payload,
            sender=self.from_,
            to=self.to,
            cc=self.cc,
            id=message_id(sending.id, domain),
            thread=message_id(payload.thread, domain),
            now=datetime.now(UTC),
            headers=self.headers,
        )
        boxes = (*self.to, *self.cc, *self.bcc)
        recipients = list(dict.fromkeys(box.address for box in boxes))
        sender = self.from_.address
        return await send(account, sending, sender, recipients, mail, self.timeout)

    def host(self) -> str:
        """The mail server's."""
        return self.smarthost.rpartition(":")[0].strip("[]")
