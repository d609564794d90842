"""A name server on loopback that knows some names and never answers for others, and a process that
has it in its /etc/resolv.conf: in a mount namespace of its own.
"""

import asyncio
import os
import socket
import struct
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.programs import need

_A = 1
_NO_SUCH_NAME = 3


@dataclass
class NameServer(asyncio.DatagramProtocol):
    """Answers for `names`, for a second each; for those that begin with `hang` it says nothing."""

    names: Mapping[str, str]
    port: int = 0
    asked: list[str] = field(default_factory=list)
    silent: bool = False
    _transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport) -> None:
        self._transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr) -> None:
        name, kind, question = _question(data)
        self.asked.append(name)
        if self.silent or name.startswith("hang"):
            return
        assert self._transport is not None
        address = self.names.get(name)
        answers = b""
        if address and kind == _A:
            answers = struct.pack("!HHHIH", 0xC00C, _A, 1, 1, 4) + socket.inet_aton(address)
        flags = 0x8180 if address else 0x8180 | _NO_SUCH_NAME
        head = data[:2] + struct.pack("!HHHHH", flags, 1, bool(answers), 0, 0)
        self._transport.sendto(head + question + answers, addr)


def _question(data: bytes) -> tuple[str, int, bytes]:
    labels, at = [], 12
    while length := data[at]:
        labels.append(data[at + 1 : at + 1 + length].decode())
        at += 1 + length
    (kind,) = struct.unpack("!H", data[at + 1 : at + 3])
    return ".".join(labels).lower(), kind, data[12 : at + 5]


@asynccontextmanager
async def name_server(names: Mapping[str, str]) -> AsyncIterator[NameServer]:
    """A running one for the length of the block."""
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: NameServer(names), local_addr=("127.0.0.1", 0)
    )
    try:
        yield server
    finally:
        transport.close()


def asking(server: NameServer, folder: Path, more: str = "") -> tuple[str, ...]:
    """What to put before a command so that it asks this server. Skips where the system gives
    nobody a mount namespace."""
    unshare = need("unshare")
    probe = subprocess.run([unshare, "-rm", "true"], capture_output=True, check=False)
    if probe.returncode:
        why = f"no mount namespace: {probe.stderr.decode().strip()}"
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)
    settings = folder / "resolv.conf"
    settings.write_text(f"nameserver 127.0.0.1:{server.port}\n{more}")
    script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
    return (unshare, "-rm", "sh", "-c", script, str(settings))
