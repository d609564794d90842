"""Where connections may go: names are resolved here, and addresses judged where the socket is made.

The resolved name does not count: an address that is not allowed is never connected to, whatever
the resolver answers and however often it changes. Destinations are named by the operator alone, so
private networks are allowed unless the operator lists which; the addresses at which clouds serve
credentials never are, unless they are listed.
"""

import asyncio
import errno
import socket
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import AsyncResolver, ThreadedResolver

Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Awaitable[list[ResolveResult]]]
AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, Any]

_NAT64 = IPv6Network("64:ff9b::/96")
# All of IPv6 that is assigned as public (RFC 4291, 2.4; IANA). `ipaddress` calls more of it global:
# site-local, a network's own NAT64, IPv4 addresses in other forms.
_PUBLIC_IPV6 = IPv6Network("2000::/3")


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(map(ip_network, texts))


# Within a machine, a site or a cluster: loopback, RFC 1918, RFC 6598 (some pods), RFC 4193.
_PRIVATE = _networks(
    "127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
    "fc00::/7",
)  # fmt: skip
# Link-local, and where clouds serve metadata outside of it: AWS, Alibaba, Azure, Google, Oracle,
# Scaleway.
_METADATA = _networks(
    "169.254.0.0/16", "fe80::/10", "fd00:ec2::/32", "100.100.100.200/32", "168.63.129.16/32",
    "fd20:ce::254/128", "192.0.0.192/32", "fd00:42::42/128",
)  # fmt: skip


class ForbiddenAddress(OSError):
    """A connection that was not made, since the configuration does not allow its address. The
    text names the address and what to configure."""

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
        self._given = _PRIVATE if private is None else tuple(private)
        # A network that merely contains such an address, as 0.0.0.0/0 does, does not mean it.
        self._metadata = tuple(net for net in self._given if _is_metadata(net))

    def check(self, address: str) -> None:
        """Raises ForbiddenAddress for an address (text, a zone allowed) not to be connected to."""
        ip = _embedded(ip_address(address))
        if _within(ip, _METADATA):
            if not _within(ip, self._metadata):
                raise ForbiddenAddress(address, "a link-local or cloud metadata address")
            return
        is_public = ip.is_global and not ip.is_multicast
        if ip.version == 6:
            is_public = is_public and ip in _PUBLIC_IPV6
        if not is_public and not _within(ip, self._given):
            raise ForbiddenAddress(address, "not a public address")

    def objection(self, host: str) -> str:
        """What forbids connecting to a host, as far as its name tells: that of an address, or of
        this machine. Empty for any other name, which is judged once resolved."""
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

    async def connect(self, host: str, port: int, resolve: Resolve) -> socket.socket:
        """A socket connected to the first address of the host that answers. Raises OSError,
        ForbiddenAddress where none of its addresses is allowed."""
        loop = asyncio.get_running_loop()
        failure: OSError = OSError(f"{host} has no address")
        for address in await _addresses(host, port, resolve):
            try:
                self.check(address)
                made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
            except OSError as error:
                failure = error
                continue
            made.setblocking(False)
            try:
                await loop.sock_connect(made, (address, port))
            except OSError as error:
                made.close()
                failure = error
            except BaseException:
                made.close()
                raise
            else:
                return made
        raise failure


def _is_metadata(network: Network) -> bool:
    return any(
        network.version == other.version and network.subnet_of(other)  # type: ignore[arg-type]
        for other in _METADATA
    )


def _within(ip: IPv4Address | IPv6Address, networks: Iterable[Network]) -> bool:
    return any(ip.version == net.version and ip in net for net in networks)


def _embedded(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address within an IPv6 one, by which a private network could be reached too:
    mapped, 6to4, Teredo (as `ipaddress` has them) and NAT64 (RFC 6052)."""
    if not isinstance(ip, IPv6Address):
        return ip
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None) or ip


EVERYWHERE = Guard(_networks("0.0.0.0/0", "::/0"))


# Names


LOOK_UP = 5.0  # seconds for one look-up
_FRESH = 30.0  # seconds an answer is used without asking again
_STALE = 86_400.0  # seconds a good answer is used where there is none better
_RECHECK = 10.0  # seconds after a failed look-up in which the last good answer is used at once
_PATIENCE = 0.5  # seconds to wait for a better answer than the last good one
_MAX_NAMES = 1024

_TRIES = 2
_RESOLV_CONF = Path("/etc/resolv.conf")


@dataclass(slots=True)
class _Known:
    """The last good answer for a name, and since when looking it up again has failed."""

    addresses: list[ResolveResult]
    at: float
    failed_at: float = -inf


_Key = tuple[str, socket.AddressFamily]


class Resolver(AbstractResolver):
    """Resolves without occupying threads: by c-ares, which reads /etc/hosts and /etc/resolv.conf
    as the system does. Of one event loop.

    Each name is looked up once at a time, within a time of its own, so that a server that does not
    answer for one name delays no other. An answer is kept; where a later look-up fails or hangs,
    the last good one is used instead.
    """

    def __init__(self, look_up: float = LOOK_UP) -> None:
        self._look_up = look_up
        self._cares: AsyncResolver | None = None
        self._settings: tuple[int, int] | None = None
        self._known: dict[_Key, _Known] = {}
        self._asking: dict[_Key, asyncio.Task[list[ResolveResult]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a host. Raises OSError where there are none."""
        key = (host.lower(), family)
        known, now = self._known.get(key), time.monotonic()
        if known is not None and now - known.at < _FRESH:
            return _with_port(known.addresses, port)
        task = self._asking.get(key)
        if task is None:
            self._asking[key] = task = asyncio.create_task(self._ask(host, key))
            task.add_done_callback(lambda task: self._asked(key, task))
        if known is None or now - known.at > _STALE:
            return _with_port(await asyncio.shield(task), port)
        if now - known.failed_at >= _RECHECK:
            await asyncio.wait([task], timeout=_PATIENCE)
        if task.done() and not task.cancelled() and task.exception() is None:
            return _with_port(task.result(), port)
        return _with_port(known.addresses, port)

    async def close(self) -> None:
        """Stop asking."""
        for task in self._asking.values():
            task.cancel()
        if self._cares is not None:
            await self._cares.close()
            self._cares = None

    async def _ask(self, host: str, key: _Key) -> list[ResolveResult]:
        try:
            async with asyncio.timeout(self._look_up):
                addresses = await self._current().resolve(host, 0, key[1])
        except TimeoutError:
            raise OSError(None, f"no answer about {host} within {self._look_up:g} s") from None
        if len(self._known) >= _MAX_NAMES and key not in self._known:
            self._known.pop(next(iter(self._known)))
        self._known[key] = _Known(addresses, time.monotonic())
        return addresses

    def _asked(self, key: _Key, task: "asyncio.Task[list[ResolveResult]]") -> None:
        self._asking.pop(key, None)
        if task.cancelled() or task.exception() is None:  # also: nobody may wait for it any more
            return
        if known := self._known.get(key):
            known.failed_at = time.monotonic()

    def _current(self) -> AsyncResolver:
        """c-ares, with the settings as they are now: it reads them once."""
        settings = _stamp(_RESOLV_CONF)
        if self._cares is None or settings != self._settings:
            # The old one still answers what it was asked.
            self._cares = AsyncResolver(timeout=self._look_up / (2 * _TRIES), tries=_TRIES)
            self._settings = settings
        return self._cares


async def system(host: str, port: int) -> list[ResolveResult]:
    """Resolve by the system's own means, in a thread: for commands, which delay nobody."""
    return await ThreadedResolver().resolve(host, port, socket.AF_UNSPEC)


async def _addresses(host: str, port: int, resolve: Resolve) -> list[str]:
    """The addresses of a host, which may be an address itself. Raises OSError."""
    try:
        ip_address(host)
    except ValueError:
        return [found["host"] for found in await resolve(host, port)]
    return [host]


def _with_port(addresses: list[ResolveResult], port: int) -> list[ResolveResult]:
    return [ResolveResult(**{**address, "port": port}) for address in addresses]


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino


# Reachability, as far as names tell


class Obstacle(StrEnum):
    """Why a destination cannot be reached."""

    UNRESOLVED = "unresolved"
    FORBIDDEN = "forbidden"


class Unreachable(NamedTuple):
    """An obstacle as a message, and what the resolver said."""

    obstacle: Obstacle
    message: str
    reason: str = ""


async def obstacle(host: str, guard: Guard, resolve: Resolve) -> Unreachable | None:
    """Why a host cannot be reached; None where at least one of its addresses may be connected to.
    Nothing is connected to."""
    unresolved = f"the name {host} does not resolve"
    try:
        addresses = await _addresses(host, 0, resolve)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a valid name"
        return Unreachable(Obstacle.UNRESOLVED, unresolved, reason or str(error))
    refused = None
    for address in addresses:
        try:
            guard.check(address)
        except ForbiddenAddress as error:
            refused = error
        else:
            return None
    if refused is None:  # a name without any address
        return Unreachable(Obstacle.UNRESOLVED, unresolved)
    named = "" if host in addresses else f"{host} resolves to "
    return Unreachable(Obstacle.FORBIDDEN, f"{named}{refused.strerror}")
