"""Two routers with spools on one database that fails by chance at every answer: nothing that was
accepted is lost, and the last message of each lane says how things are."""

import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.model import Action, ActionKind, Claim, Destination, Settlement, Verdict
from alert_router.outbox.spooled import SpooledOutbox
from tests.outbox.kit import NOW, A, B, group, names, open_postgres, open_sqlite, take
from tests.outbox.test_spooled import unhurried

LANES = ("one", "two")
STEPS = 60


class Outages:
    """Routers, what they accepted and sent, and chance."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.faults = 1.0  # 0: no more
        self.now = NOW
        self.routers: list[SpooledOutbox] = []
        self.accepted: list[tuple[str, str, Destination]] = []  # group, lane and destination
        self.sent: list[tuple[str, Destination, list[str]]] = []  # lane, destination and groups
        self.ticked: set[str] = set()
        self.running: list[tuple[SpooledOutbox, Claim]] = []

    async def open(self, folder: Any) -> None:
        shared = await open_postgres(folder.parent)
        for name in "accept", "settle", "reconcile", "act":
            setattr(shared, name, self._failing(getattr(shared, name)))
        setattr(shared, "now", lambda: self.now)  # noqa: B010 - a method
        router = SpooledOutbox(shared, await open_sqlite(folder))
        await router.start()
        self.routers.append(router)

    def _failing(self, ask: Callable[..., Any]) -> Callable[..., Any]:
        async def answer(*arguments: Any) -> Any:
            luck = self.chance.random()
            if luck < 0.1 * self.faults:
                raise StoreUnavailable("it was not asked")
            if ask.__name__ == "reconcile" and luck < 0.2 * self.faults:
                raise ValueError("this group is refused")
            found = await ask(*arguments)
            if luck > 1 - 0.15 * self.faults:
                raise StoreUnavailable("its answer was lost")
            return found

        return answer

    async def step(self) -> None:
        self.now += self.chance.choice((0.1, 1, 5))
        router = self.chance.choice(self.routers)
        do = self.chance.choices(
            (self.accept, self.claim, self.end, self.tick, self.fail, self.look),
            weights=(6, 5, 6, 1, 1, 4),
        )[0]
        await do(router)

    async def accept(self, router: SpooledOutbox) -> None:
        lane, to = self.chance.choice(LANES), self.chance.choice(((A,), (A, B)))
        name = f"g{self.now - NOW:.1f}"
        await router.accept(group(name, *to, lane=lane, at=self.now), 0.0)
        self.accepted += [(name, lane, one) for one in to]

    async def claim(self, router: SpooledOutbox) -> None:
        to, limit = self.chance.choice((A, B)), self.chance.choice((1, 3))
        claims = await take(router, to, limit=limit, now=self.now, owner=router.owner)
        self.running += [(router, claim) for claim in claims]

    async def end(self, _: SpooledOutbox) -> None:
        if self.running:
            router, claim = self.running.pop(self.chance.randrange(len(self.running)))
            ends = (Verdict.DELIVERED, Verdict.RETRY, Verdict.DOUBT)
            await self.settle(router, claim, self.chance.choices(ends, weights=(7, 2, 1))[0])

    async def settle(self, router: SpooledOutbox, claim: Claim, verdict: Verdict) -> None:
        if verdict is Verdict.DELIVERED or (
            verdict is Verdict.DOUBT and self.chance.random() < 0.5
        ):
            [lane] = {lane for name, lane, _ in self.accepted if name == names(claim)[-1]}
            self.sent.append((lane, claim.destination, names(claim)))
        due_at = self.now + self.chance.choice((0, 10))
        await router.settle(claim, Settlement(verdict, self.now, due_at=due_at))

    async def tick(self, router: SpooledOutbox) -> None:
        step = f"s{self.now - NOW:.1f}"
        action = Action(ActionKind.TICK, "Ana", self.now, NOW, step=step)
        await router.act(self.chance.choice(LANES).encode(), action)
        self.ticked.add(step)

    async def fail(self, router: SpooledOutbox) -> None:
        router._go_down("the test says so")

    async def look(self, router: SpooledOutbox) -> None:
        """As each second, whatever is put off."""
        router._failed.clear()
        with suppress(StoreUnavailable):
            await router._look_again()

    async def end_all(self) -> None:
        """No more faults: everything that is pending is sent."""
        self.faults = 0.0
        for router, claim in self.running:
            await self.settle(router, claim, Verdict.DELIVERED)
        for _ in range(9):
            self.now += 100
            for router in self.routers:
                await self.look(router)
            for router in self.routers:
                for to in A, B:
                    for claim in await take(router, to, now=self.now, owner=router.owner):
                        await self.settle(router, claim, Verdict.DELIVERED)

    def judge(self) -> None:
        for router in self.routers:
            assert not router.is_spooling
            assert not router.spooled_identities
            assert not router._unsettled
        for name, lane, to in self.accepted:
            messages = [its for it, there, its in self.sent if (it, there) == (lane, to)]
            assert any(name in its for its in messages), f"{name} is lost"
            newest = [one for one, it, there in self.accepted if (it, there) == (lane, to)][-1]
            assert messages[-1][-1] == newest, f"{lane} ends with {messages[-1]}, not {newest}"


@pytest.mark.parametrize("seed", range(5))
async def test_whatever_fails_nothing_is_lost_and_the_newest_is_sent_last(
    tmp_path, monkeypatch, seed
):
    unhurried(monkeypatch)
    outages = Outages(seed)
    for name in "ab":
        (tmp_path / name).mkdir()
        await outages.open(tmp_path / name)
    for _ in range(STEPS):
        await outages.step()
    await outages.end_all()
    outages.judge()
    kept = await outages.routers[0].actions_since(0, 999)
    assert sorted(action.step for _, action in kept) == sorted(outages.ticked)
    for router in outages.routers:
        await router.close()
