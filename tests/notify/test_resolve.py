"""Resolving names: each once at a time, in a time of its own, the last good answer behind it."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest

from alert_router.notify import egress
from alert_router.notify.egress import Guard, Obstacle, Resolver, obstacle


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


def answer(address: str) -> list[dict[str, Any]]:
    return [{"hostname": "x", "host": address, "port": 0, "family": 2, "proto": 0, "flags": 0}]


async def never(_: str = "") -> Any:
    await asyncio.Event().wait()


def refuse(_: str) -> Any:
    raise OSError(None, "DNS server returned answer with no data")


@pytest.fixture
def cares(monkeypatch: pytest.MonkeyPatch) -> _Cares:
    it = _Cares(lambda _: answer("192.0.2.1"))
    monkeypatch.setattr(Resolver, "_current", lambda _: it)
    return it


async def addresses(resolver: Resolver, host: str = "a.test", port: int = 443) -> list[str]:
    return [found["host"] for found in await resolver.resolve(host, port)]


async def test_one_look_up_serves_all_who_ask_for_a_name_at_once(cares: _Cares) -> None:
    gate = asyncio.Event()

    async def late() -> Any:
        await gate.wait()
        return answer("192.0.2.1")

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
    cares.answer = lambda host: never() if host == "hang.test" else answer("192.0.2.1")
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
    cares.answer = lambda _: answer("192.0.2.2")
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
        return [one for address in found for one in answer(address)]

    it = await obstacle(host, Guard(), look_up)
    assert (it.obstacle if it else None) is expected
    assert says in (it.message if it else "")
