"""A real server on a real socket that answers as badly as it is told to."""

import asyncio
import contextlib
import itertools
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from alert_router.deliver import attempt
from alert_router.notify.base import Notifier, Outcome, Sending

Script = Callable[["Destination", asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Destination:
    """What it was sent, and how much it sent."""

    port: int = 0
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    sent: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, path: str = "/", scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}{path}"


LONG = 30.0  # seconds: the limit of an attempt that is over because `time_passes`


def time_passes() -> None:
    """Whatever the running loop waits for with a limit of up to LONG has waited too long. So a
    limit ends where a script says so, and nowhere else on a slow machine."""
    loop = asyncio.get_running_loop()
    clock = loop.time
    setattr(loop, "time", lambda: clock() + LONG)  # noqa: B010 - a method


async def attempted(notifier: Notifier, payload: Any, sending: Sending) -> Outcome:
    """The outcome of sending, as a delivery sees it."""
    outcome, _ = await attempt.send(notifier, payload, sending)
    return outcome


@asynccontextmanager
async def serve(script: Script) -> AsyncIterator[Destination]:
    """A destination that reads each request whole and then follows the script."""
    here = Destination()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            here.requests.append(await _request(reader))
            await script(here, writer)
        here.gone.set()
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    here.port = server.sockets[0].getsockname()[1]
    try:
        yield here
    finally:
        server.close()


async def _request(reader: asyncio.StreamReader) -> tuple[str, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {
        name.lower(): value.strip()
        for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    return head[0], headers, await reader.readexactly(int(headers["content-length"]))


def answer(status: int, text: bytes = b"", *headers: str) -> Script:
    """A whole answer."""

    async def script(here: Destination, writer: asyncio.StreamWriter) -> None:
        await _head(writer, status, f"Content-Length: {len(text)}", *headers)
        writer.write(text)
        await writer.drain()

    return script


def in_turn(*scripts: Script) -> Script:
    """Each request is answered by the next of these."""
    left = list(scripts)

    async def script(here: Destination, writer: asyncio.StreamWriter) -> None:
        await left.pop(0)(here, writer)

    return script


def echo(status: int) -> Script:
    """Everything it was sent comes back, the secret parts included."""

    async def script(here: Destination, writer: asyncio.StreamWriter) -> None:
        line, headers, _ = here.requests[-1]
        said = f"{headers['host']} {line} {' '.join(headers.values())}".encode()
        await _head(writer, status, f"Content-Length: {len(said)}")
        writer.write(said)
        await writer.drain()

    return script


def drip(status: int) -> Script:
    """An answer whose body never ends, and comes a byte at a time. Soon time passes."""

    async def script(here: Destination, writer: asyncio.StreamWriter) -> None:
        await _head(writer, status, "Content-Length: 100000")
        for number in itertools.count():
            if writer.transport.is_closing():
                return
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.01)
            if number == 10:
                time_passes()

    return script


def stream(status: int, size: int) -> Script:
    """A body of that many bytes, made up while it is sent."""

    async def script(here: Destination, writer: asyncio.StreamWriter) -> None:
        await _head(writer, status, f"Content-Length: {size}")
        while here.sent < size:
            writer.write(b"x" * 65536)
            await writer.drain()
            here.sent += 65536

    return script


async def hang(here: Destination, writer: asyncio.StreamWriter) -> None:
    """No answer, and time passes, until the other side has had enough."""
    time_passes()
    while not writer.transport.is_closing():
        await asyncio.sleep(0.01)


async def drop(here: Destination, writer: asyncio.StreamWriter) -> None:
    """The request is read, and the connection closed."""


async def reset(here: Destination, writer: asyncio.StreamWriter) -> None:
    """The request is read, and the connection reset."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def garbage(here: Destination, writer: asyncio.StreamWriter) -> None:
    """An answer that is no HTTP."""
    writer.write(b"220 mail.example ESMTP\r\n\r\n")
    await writer.drain()


async def _head(writer: asyncio.StreamWriter, status: int, *headers: str) -> None:
    # One request a connection: the script is over when it has been answered.
    lines = [f"HTTP/1.1 {status} Whatever", "Connection: close", *headers, "", ""]
    writer.write("\r\n".join(lines).encode())
    await writer.drain()
