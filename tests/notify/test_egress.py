"""Where connections may go: judged at the socket, whatever a name resolves to."""

import asyncio
import socket
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver

from alert_router.notify import egress
from alert_router.notify.base import Failed, Reason, Remedy, Sending
from alert_router.notify.egress import (
    EVERYWHERE,
    ForbiddenAddress,
    Guard,
    Obstacle,
    Resolver,
    obstacle,
    system,
)
from tests.notify import destination
from tests.notify.conformance import CASES, PATH
from tests.notify.destination import LONG, answer, attempted
from tests.notify.notifications import notification

PUBLIC_ONLY = Guard(())
(WEBHOOK,) = (case for case in CASES if case.name == "webhook")


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "100.64.0.1", "0.0.0.0"),
        *(
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1%eth0",
            "fd00::1",
        ),
        *("ff02::1", "::ffff:10.0.0.1", "2002:a00:1::1", "64:ff9b::a00:1"),
        *("fec0::1", "64:ff9b:1::a00:1", "::127.0.0.1", "::ffff:0:127.0.0.1"),
    ],
)
def test_what_is_not_public_is_refused(address):
    with pytest.raises(ForbiddenAddress, match="private_destinations"):
        PUBLIC_ONLY.check(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_what_is_public_is_allowed(address):
    PUBLIC_ONLY.check(address)


METADATA = [
    *("169.254.169.254", "169.254.170.2", "fe80::1", "fe80::1%eth0", "fd00:ec2::254"),
    *("100.100.100.200", "168.63.129.16", "192.0.0.192"),
    # The same in other forms: mapped, NAT64, 6to4.
    *("::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "::ffff:100.100.100.200"),
]


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "::1", "10.1.2.3", "172.31.0.1", "192.168.0.1", "100.64.0.1"),
        *("fd12:3456::1", "::ffff:10.0.0.1", "8.8.8.8", "2606:4700::1111"),
    ],
)
def test_what_is_inside_is_allowed_where_nothing_is_configured(address):
    Guard().check(address)


@pytest.mark.parametrize(
    "address",
    [
        *METADATA,
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "ff02::1",
        "fec0::1",
        "198.18.0.1",
    ],
)
def test_metadata_and_what_is_no_hosts_address_is_refused_where_nothing_is_configured(address):
    with pytest.raises(ForbiddenAddress, match="private_destinations"):
        Guard().check(address)


@pytest.mark.parametrize("address", METADATA)
def test_metadata_is_refused_beside_private_networks_and_allowed_by_its_own_entry(address):
    with pytest.raises(ForbiddenAddress, match="metadata"):
        Guard([ip_network("10.0.0.0/8"), ip_network("fd12::/16")]).check(address)
    plain = {"::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::"}
    own = "169.254.169.254" if address in plain else address.removeprefix("::ffff:")
    Guard([ip_network(own.partition("%")[0])]).check(address)


@pytest.mark.parametrize("address", METADATA)
def test_a_wide_network_does_not_admit_the_metadata_addresses_in_it(address):
    wide = ("0.0.0.0/0", "::/0", "100.64.0.0/10", "fc00::/7", "168.0.0.0/6")
    with pytest.raises(ForbiddenAddress, match="private_destinations"):
        Guard(map(ip_network, wide)).check(address)


def test_a_private_network_is_allowed_by_name_and_no_other():
    guard = Guard([ip_network("10.0.0.0/8"), ip_network("fd00::/8")])
    guard.check("10.255.0.1")
    guard.check("::ffff:10.0.0.1")
    guard.check("fd12::1")
    with pytest.raises(ForbiddenAddress):
        guard.check("127.0.0.1")


class _Names(AbstractResolver):
    """A resolver that answers with private addresses for a public name."""

    def __init__(self, *addresses):
        self.addresses = addresses

    async def resolve(self, host, port=0, family=socket.AF_INET):
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST,
            }
            for address in self.addresses
        ]

    async def close(self):
        pass


async def send(url, guard, *names, **fields):
    notifier = WEBHOOK.make(url, timeout=LONG, **fields)
    resolver = _Names(*names) if names else None
    connector = aiohttp.TCPConnector(socket_factory=guard.open, resolver=resolver)
    async with aiohttp.ClientSession(connector=connector) as session:
        sending = Sending(session=session, id="msg-1", guard=guard)
        return await attempted(notifier, notifier.render(notification()), sending)


@pytest.mark.parametrize("names", [["127.0.0.1"], ["127.0.0.1", "::1"]])
async def test_a_name_that_leads_inside_holds_the_destination(names):
    async with destination.serve(answer(200)) as server:
        failed = await send(f"http://hooks.example:{server.port}{PATH}", PUBLIC_ONLY, *names)
    assert isinstance(failed, Failed)
    assert (failed.reason, failed.remedy) == (Reason.MISCONFIGURED, Remedy.HOLD)
    assert not failed.in_doubt
    assert "127.0.0.1 is not a public address" in failed.message
    assert server.requests == []


async def test_a_proxy_inside_has_to_be_allowed_too():
    async with destination.serve(answer(200)) as server:
        url, proxy = "http://192.0.2.1/x", server.url()
        failed = await send(url, PUBLIC_ONLY, proxy=proxy)
        assert failed.reason is Reason.MISCONFIGURED
        assert server.requests == []
        await send(url, Guard([ip_network("127.0.0.0/8")]), proxy=proxy)
        ((line, _, _),) = server.requests
    assert line == "POST http://192.0.2.1/x HTTP/1.1"


async def test_a_connection_of_our_own_is_guarded_alike():
    async with destination.serve(answer(200)) as server:
        with pytest.raises(ForbiddenAddress):
            await PUBLIC_ONLY.connect("127.0.0.1", server.port, system)
        made = await EVERYWHERE.connect("127.0.0.1", server.port, system)
        assert made.getpeername()[1] == server.port
        made.close()


async def test_a_host_without_an_open_port_says_so():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            await Guard().connect("127.0.0.1", taken.getsockname()[1], system)


class _Cares:
    """Answers as `answer` says."""

    def __init__(self, answer: Callable[[str], Any]) -> None:
        self.answer = answer
        self.asked: list[str] = []

    async def resolve(self, host, port=0, family=socket.AF_UNSPEC):
        self.asked.append(host)
        found = self.answer(host)
        return await found if asyncio.iscoroutine(found) else found

    async def close(self) -> None:
        pass


def resolved(address: str) -> list[dict[str, Any]]:
    return [{"hostname": "x", "host": address, "port": 0, "family": 2, "proto": 0, "flags": 0}]


async def never(_: str = "") -> Any:
    await asyncio.Event().wait()


def refuse(_: str) -> Any:
    raise OSError(None, "DNS server returned answer with no data")


@pytest.fixture
def cares(monkeypatch: pytest.MonkeyPatch) -> _Cares:
    it = _Cares(lambda _: resolved("192.0.2.1"))
    monkeypatch.setattr(Resolver, "_current", lambda _: it)
    return it


async def addresses(resolver: Resolver, host: str = "a.test", port: int = 443) -> list[str]:
    return [found["host"] for found in await resolver.resolve(host, port)]


async def test_one_look_up_serves_all_who_ask_for_a_name_at_once(cares: _Cares) -> None:
    gate = asyncio.Event()

    async def late() -> Any:
        await gate.wait()
        return resolved("192.0.2.1")

    cares.answer = lambda _: late()
    resolver = Resolver()
    asking = [asyncio.create_task(resolver.resolve("a.test", n)) for n in range(50)]
    await asyncio.sleep(0)
    asking[0].cancel()  # whoever gives up takes the answer from nobody
    gate.set()
    found = await asyncio.gather(*asking[1:])
    assert [one[0]["port"] for one in found] == list(range(1, 50))
    assert cares.asked == ["a.test"]
    assert await addresses(resolver) == ["192.0.2.1"]
    assert cares.asked == ["a.test"], "an answer is kept for a while"


async def test_a_name_for_which_nobody_answers_is_given_up_in_time_and_delays_no_other(
    cares: _Cares,
) -> None:
    cares.answer = lambda host: never() if host == "hang.test" else resolved("192.0.2.1")
    resolver = Resolver(look_up=0.05)
    hanging = asyncio.create_task(resolver.resolve("hang.test", 1))
    await asyncio.sleep(0)
    assert await addresses(resolver) == ["192.0.2.1"]
    assert not hanging.done()
    with pytest.raises(OSError, match="no answer about"):
        await hanging


@pytest.mark.parametrize("trouble", [refuse, never])
async def test_the_last_good_answer_is_used_where_there_is_none_better(
    cares: _Cares, monkeypatch: pytest.MonkeyPatch, trouble: Callable[[str], Any]
) -> None:
    resolver = Resolver(look_up=0.05)
    assert await addresses(resolver) == ["192.0.2.1"]
    monkeypatch.setattr(egress, "_FRESH", 0.0)
    monkeypatch.setattr(egress, "_PATIENCE", 0.01)
    cares.answer = trouble
    assert await addresses(resolver) == ["192.0.2.1"]
    cares.answer = lambda _: resolved("192.0.2.2")
    monkeypatch.setattr(egress, "_RECHECK", 0.0)
    monkeypatch.setattr(egress, "_PATIENCE", 5.0)
    await asyncio.sleep(0.1)  # until the look-up that hung has been given up
    assert await addresses(resolver) == ["192.0.2.2"]
    monkeypatch.setattr(egress, "_STALE", 0.0)
    cares.answer = refuse
    with pytest.raises(OSError, match="no data"):
        await addresses(resolver)


async def test_nothing_is_asked_any_more_once_it_is_closed(cares: _Cares) -> None:
    cares.answer = never
    resolver = Resolver()
    asking = asyncio.create_task(resolver.resolve("a.test", 1))
    await asyncio.sleep(0)
    await resolver.close()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_localhost_needs_no_name_server() -> None:
    resolver = Resolver()
    found = await addresses(resolver, "localhost")
    await resolver.close()
    assert set(found) <= {"127.0.0.1", "::1"}
    assert found


@pytest.mark.parametrize(
    ("host", "found", "expected", "says"),
    [
        ("a.test", ["8.8.8.8"], None, ""),
        ("a.test", ["169.254.169.254", "10.0.0.1"], None, ""),
        ("a.test", ["169.254.169.254"], Obstacle.FORBIDDEN, "a.test resolves to 169.254.169.254"),
        ("169.254.169.254", [], Obstacle.FORBIDDEN, "169.254.169.254 is a link-local"),
        ("a.test", [], Obstacle.UNRESOLVED, "the name a.test does not resolve"),
    ],
)
async def test_a_destination_is_reached_by_one_allowed_address(host, found, expected, says) -> None:
    async def look_up(_: str, __: int) -> Any:
        return [one for address in found for one in resolved(address)]

    it = await obstacle(host, Guard(), look_up)
    assert (it.obstacle if it else None) is expected
    assert says in (it.message if it else "")
