"""Where connections may go: judged at the socket, whatever a name resolves to."""

import asyncio
import socket
from ipaddress import ip_network

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver

from alert_router.notify.base import Failed, Reason, Remedy, Sending
from alert_router.notify.egress import EVERYWHERE, ForbiddenAddress, Guard, system
from tests.notify import destination
from tests.notify.conformance import CASES, PATH
from tests.notify.destination import answer, attempted
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
    notifier = WEBHOOK.make(url, timeout=5, **fields)
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
            await asyncio.wait_for(Guard().connect("127.0.0.1", taken.getsockname()[1], system), 5)
