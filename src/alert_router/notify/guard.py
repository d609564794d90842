"""Which addresses a connection may go to, judged where the socket is made.

The name that was resolved does not count: whatever the resolver said, and however often it
changed its mind, an address that is not allowed is never connected to. Destinations are named by
the operator alone, so private networks are allowed unless the operator says which; the addresses
at which clouds hand out credentials never are, unless they are listed.
"""

import asyncio
import errno
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from alert_router.notify.resolve import Resolve, system

_NAT64 = IPv6Network("64:ff9b::/96")
# All of IPv6 that is given out as public (RFC 4291, 2.4; IANA). What lies outside it `ipaddress`
# calls global too: site-local, a network's own NAT64, IPv4 addresses in other forms.
_PUBLIC_IPV6 = IPv6Network("2000::/3")

Network = IPv4Network | IPv6Network


def _is_part_of(network: Network, others: Iterable[Network]) -> bool:
    return any(
        network.version == other.version and network.subnet_of(other)  # type: ignore[arg-type]
        for other in others
    )


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(map(ip_network, texts))


# Within a machine, a site or a cluster: loopback, RFC 1918, RFC 6598 (some pods), RFC 4193.
_INSIDE = _networks(
    "127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
    "fc00::/7",
)  # fmt: skip
# Link-local, and where clouds serve metadata outside of it: AWS, Alibaba, Azure, Google, Oracle,
# Scaleway.
_METADATA = _networks(
    "169.254.0.0/16", "fe80::/10", "fd00:ec2::/32", "100.100.100.200/32", "168.63.129.16/32",
    "fd20:ce::254/128", "192.0.0.192/32", "fd00:42::42/128",
)  # fmt: skip

AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, Any]


class ForbiddenAddress(OSError):
    """A connection that was not made, since the configuration does not allow its address. The
    text names the address and what to write."""

    def __init__(self, address: str, what: str) -> None:
        # With a number, aiohttp keeps it where a host has several such addresses.
        super().__init__(
            errno.EACCES,
            f"{address} is {what}; to allow it, add its network to `delivery.private_destinations`",
        )


class Guard:
    """Allows public addresses, and those in `private` networks; without any given, loopback,
    private and unique-local ones. Link-local and metadata addresses only where given."""

    def __init__(self, private: Iterable[Network] | None = None) -> None:
        self._given = () if private is None else tuple(private)
        # A network that merely contains such an address, as 0.0.0.0/0 does, does not mean it.
        self._metadata_given = tuple(net for net in self._given if _is_part_of(net, _METADATA))
        self._inside = _INSIDE if private is None else ()

    def check(self, address: str) -> None:
        """Raises ForbiddenAddress for an address (text, a zone allowed) not to be connected to."""
        ip = _plain(ip_address(address))
        if _within(ip, _METADATA):
            if not _within(ip, self._metadata_given):
                raise ForbiddenAddress(address, "a link-local or cloud metadata address")
            return
        if _within(ip, self._given):
            return
        given_out = ip.version == 4 or ip in _PUBLIC_IPV6
        is_public = given_out and ip.is_global and not ip.is_multicast
        if not is_public and not _within(ip, self._inside):
            raise ForbiddenAddress(address, "not a public address")

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

    async def connect(self, host: str, port: int, resolve: Resolve = system) -> socket.socket:
        """A socket connected to the first address of the host that answers. Raises OSError,
        ForbiddenAddress where none of its addresses is allowed."""
        loop = asyncio.get_running_loop()
        trouble: OSError = OSError(f"{host} has no address")
        for address in await resolve_host(host, port, resolve):
            try:
                self.check(address)
                made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
            except OSError as error:
                trouble = error
                continue
            made.setblocking(False)
            try:
                await loop.sock_connect(made, (address, port))
            except OSError as error:
                made.close()
                trouble = error
            except BaseException:
                made.close()
                raise
            else:
                return made
        raise trouble


async def resolve_host(host: str, port: int, resolve: Resolve) -> list[str]:
    """The addresses of a host, which may be an address itself. Raises OSError."""
    try:
        ip_address(host)
    except ValueError:
        return [found["host"] for found in await resolve(host, port)]
    return [host]


def _within(ip: IPv4Address | IPv6Address, networks: Iterable[Network]) -> bool:
    return any(ip.version == net.version and ip in net for net in networks)


def _plain(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address within an IPv6 one, by which a private network could be reached too:
    mapped, 6to4, Teredo (as `ipaddress` has them) and NAT64 (RFC 6052)."""
    if not isinstance(ip, IPv6Address):
        return ip
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None) or ip


EVERYWHERE = Guard(_networks("0.0.0.0/0", "::/0"))
