"""Which addresses a connection may go to, judged where the socket is made.

The name that was resolved does not count: whatever the resolver said, and however often it
changed its mind, an address that is not allowed is never connected to.
"""

import asyncio
import errno
import socket
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

_NAT64 = IPv6Network("64:ff9b::/96")
# All of IPv6 that is given out as public (RFC 4291, 2.4; IANA). What lies outside it `ipaddress`
# calls global too: site-local, a network's own NAT64, IPv4 addresses in other forms.
_PUBLIC_IPV6 = IPv6Network("2000::/3")

Network = IPv4Network | IPv6Network
AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, Any]


class ForbiddenAddress(OSError):
    """A connection that was not made, since its address is not a public one and the
    configuration does not allow it. The text names the address and what to write."""

    def __init__(self, address: str) -> None:
        # With a number, aiohttp keeps it where a host has several such addresses.
        super().__init__(
            errno.EACCES,
            f"{address} is no public address; if it is meant, allow its network in "
            "`delivery.private_destinations`",
        )


class Guard:
    """Allows public addresses, and those in `private` networks (None: every address)."""

    def __init__(self, private: Iterable[Network] | None = None) -> None:
        self._private = None if private is None else tuple(private)

    def check(self, address: str) -> None:
        """Raises ForbiddenAddress for an address (text, a zone allowed) not to be connected to."""
        if self._private is None:
            return
        ip = _plain(ip_address(address))
        given_out = ip.version == 4 or ip in _PUBLIC_IPV6
        if given_out and ip.is_global and not ip.is_multicast:
            return
        if not any(ip.version == net.version and ip in net for net in self._private):
            raise ForbiddenAddress(address)

    def objection(self, host: str) -> str:
        """What keeps a host from being connected to, as far as its name tells: that of an
        address, or of this machine. Empty for any other name, which is judged once resolved."""
        try:
            self.check("127.0.0.1" if host.lower() == "localhost" else host)
        except ForbiddenAddress as error:
            return str(error.strerror)
        except ValueError:  # no address
            pass
        return ""

    def open(self, info: AddressInfo) -> socket.socket:
        """A socket for an address that may be connected to; for aiohttp's connector. Raises
        ForbiddenAddress."""
        family, kind, protocol, _, where = info
        self.check(where[0])
        return socket.socket(family, kind, protocol)

    async def connect(self, host: str, port: int) -> socket.socket:
        """A socket connected to the first address of the host that answers. Raises OSError,
        ForbiddenAddress where none of its addresses is allowed."""
        loop = asyncio.get_running_loop()
        found: Sequence[AddressInfo] = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        trouble: OSError = OSError(f"{host} has no address")
        for info in found:
            try:
                made = self.open(info)
            except OSError as error:
                trouble = error
                continue
            made.setblocking(False)
            try:
                await loop.sock_connect(made, info[4])
            except OSError as error:
                made.close()
                trouble = error
            except BaseException:
                made.close()
                raise
            else:
                return made
        raise trouble


def _plain(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address within an IPv6 one, by which a private network could be reached too:
    mapped, 6to4, Teredo (as `ipaddress` has them) and NAT64 (RFC 6052)."""
    if not isinstance(ip, IPv6Address):
        return ip
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None) or ip


EVERYWHERE = Guard()
