"""The contract of a store: what it accepts, hands out and settles.

A store knows rows, lanes and leases. It does not know runbooks, routes or destinations, and
decides nothing about retries: it does what a Settlement says. The values that pass through it
are in `model`. Each part of the program asks for the part of the contract that it needs.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from alert_router.fields import Rate
from alert_router.outbox.model import (
    ALL_DELIVERIES,
    Accepted,
    Action,
    Backlog,
    Claim,
    DeliveryFilter,
    DeliveryRow,
    Destination,
    Health,
    HeartbeatState,
    History,
    LatestGroup,
    NewGroup,
    Observation,
    Probe,
    Settlement,
    Usage,
)


class StoreUnavailable(Exception):
    """Nothing could be made durable now (disk full, failed fsync, lock), or the store cannot be
    opened; the message says which and names the store. Nothing was accepted."""


class StoreRefused(StoreUnavailable):
    """The store cannot be opened, and that will not pass by itself: another service has it, it is
    another program's or of a newer version, or its directory is missing."""


class StoreEnded(StoreUnavailable):
    """The store can do nothing any more in this process: only a restart helps."""


class Intake(Protocol):
    """The part of a store that accepts. Every coroutine of a store raises StoreUnavailable where
    it cannot read or write now."""

    def now(self) -> float:
        """The store's clock, Unix seconds. Every time that is passed to a store is one of it."""
        ...

    def has_room(self, *, reserve: int, coming: int) -> bool:
        """Whether bodies of `coming` bytes that are being received can be stored, and leave
        `reserve` bytes for everything else."""
        ...

    async def accept(self, group: NewGroup, dedup_window: float) -> Accepted:
        """Make the group and its deliveries durable in one transaction, or say which accepted
        group it repeats: equal `content` as the last accepted one of its `identity`, not older
        than `dedup_window` seconds, and not `is_repeat`. On return it is on disk."""
        ...


class Deliveries(Protocol):
    """The part of a store that hands out what is pending and takes the outcomes."""

    @property
    def owner(self) -> str:
        """The name of this process in leases. No other process that runs has it."""
        ...

    @property
    def is_shared(self) -> bool:
        """Whether other services may use the store at the same time."""
        ...

    def now(self) -> float:
        """As `Intake.now`."""
        ...

    async def recover(self, owner: str, keep: Collection[int] = ()) -> int:
        """End the leases of an owner whose process is gone, as if they had run out now, except
        those of the lanes in `keep`; how many. Leases of others end by time."""
        ...

    async def claim(
        self,
        destination: Destination,
        *,
        owner: str,
        limit: int,
        now: float,
        lease: float,
        fold: bool,
        probe: Probe | None = None,
        rate: Rate | None = None,
        changes: bool = False,
    ) -> list[Claim]:
        """Up to `limit` lanes of the destination that are due and not leased, critical first,
        then oldest. Each claim takes all that waits in its lane (bounded in rows and bytes),
        or the oldest alone where `fold` is false; a batch in doubt goes again as it was.

        None before the `next_at` of the destination's health, except with `probe`: that is one
        lane, whatever its destination's health. Services that share a store have one probe of a
        destination at a time, none before its `asked_until`, and keep to `rate` together: a claim
        without `probe` is one where another has found the destination failing.

        With `changes`, where nothing is due: lanes whose message does not say yet what people
        did."""
        ...

    async def settle(self, claimed: Claim, settlement: Settlement) -> bool:
        """Write how a claim ended; False if the fence says that another has taken it since.
        Writing the same end of the same claim again changes nothing."""
        ...

    def announce(self, destination: Destination) -> None:
        """Let the other services that share the store look for what is due to the destination:
        this one cannot take all of it now."""
        ...

    def listen(self, wake: Callable[[Destination | None], None]) -> None:
        """Call `wake` with each destination for which another service has made something due; None
        means any. Some calls may be lost: what is due is also found by looking."""
        ...

    async def sent(self, destination: Destination, *, since: float, now: float) -> list[float]:
        """When the destination got a message after `since`, one time for each: those that it
        took, and as of `now` those in doubt. Refused ones are not among them."""
        ...

    async def health(self, destination: Destination) -> Health:
        """How the destination is, as the last settlement said. A pause that the destination asked
        for is kept until it ends, and among services that share a store, who did not know that it
        was failing changes nothing else."""
        ...


class Administration(Protocol):
    """The part of a store that people and the background tasks use."""

    @property
    def why_unusable(self) -> str | None:
        """Why nothing can be read or written now; None while all is well."""
        ...

    @property
    def is_spooling(self) -> bool:
        """Whether a shared store cannot be used, so that a store of this machine is."""
        ...

    @property
    def outages(self) -> int:
        """How often a shared store was in use and could no longer be used."""
        ...

    @property
    def spooled_identities(self) -> frozenset[bytes]:
        """Those of which something is in the store of this machine beside a shared one: what that
        has is later than what the shared one has."""
        ...

    @property
    def unmovable(self) -> Mapping[bytes, str]:
        """The identities that stay in the store of this machine, where they are delivered, since
        they cannot be moved into the shared one: each with the reason."""
        ...

    async def spooled(self) -> int:
        """How many deliveries are pending in the store of this machine beside a shared one."""
        ...

    async def divert(
        self,
        destination: Destination,
        to: tuple[Destination, ...],
        *,
        failing_before: float,
        now: float,
    ) -> int:
        """Where the destination has taken nothing since `failing_before` or longer: send all
        that is pending for it to the others too, each delivery once, and none that is a fallback
        itself; how many. What the others get anyway is not sent twice."""
        ...

    async def backlog(self) -> list[Backlog]:
        """Per destination that ever had rows; cheap enough to ask every few seconds."""
        ...

    async def deliveries(
        self,
        wanted: DeliveryFilter = ALL_DELIVERIES,
        *,
        limit: int = 100,
        before: int | None = None,
    ) -> list[DeliveryRow]:
        """Deliveries, newest first; `before` is the id of the last row of the page before.
        Dead are those that nobody has replayed."""
        ...

    async def last_successes(self) -> dict[Destination, float]:
        """When each destination last took a message, Unix seconds; without those whose last one is
        pruned, or that took none of the latest 10,000."""
        ...

    async def of_group(self, group: str) -> list[DeliveryRow]:
        """The deliveries of an accepted group, oldest first; none where it had none or they were
        pruned."""
        ...

    async def show(self, delivery: int) -> tuple[DeliveryRow, bytes] | None:
        """A delivery and the body of its group."""
        ...

    async def replay(
        self, delivery: int, *, now: float, to: Destination | None = None, force: bool = False
    ) -> int:
        """Send a dead or delivered one again, as a new delivery at its lane's end; its id.
        Raises LookupError if there is none, ValueError if it is still pending, and ValueError
        without `force` if it was replayed before or its lane has since moved on: the same or
        a later group was delivered or waits."""
        ...

    async def discard(self, delivery: int, *, now: float) -> None:
        """Delete a dead or waiting delivery. LookupError if there is none, ValueError if it was
        delivered or is being sent."""
        ...

    async def expire(
        self, *, older_than: float, now: float, served: Collection[Destination]
    ) -> Counter[Destination]:
        """Make dead, with the reason `expired`, what was accepted before `older_than` and is not
        being sent; how many deliveries for which destination. Of the destinations `served` only
        what was tried since then: by itself, or by another delivery to a destination that is
        failing."""
        ...

    async def hasten(self, *, latest: float, now: float) -> int:
        """What is to be tried again, or rests, until later than `latest` is due now; and nothing
        fails since later than now. How many. No schedule asks for so late a time: it is left of
        a clock that was ahead and has been set back."""
        ...

    async def prune(self, *, delivered_before: float, dead_before: float, limit: int) -> int:
        """Delete at most `limit` rows that are settled that long, with the groups and lanes that
        go with them, fewer where that takes long; how many went, so that 0 means done. What is
        remembered of a group goes later than its deliveries: its last word by a day, its message's
        reference by a week."""
        ...

    async def observe(self, observations: Sequence[Observation]) -> None:
        """Add to the counts; once a day has MOST_A_DAY of them, new names to those of OTHERS.
        A short transaction where the observations are few."""
        ...

    async def observed(self, day: int) -> list[Observation]:
        """The counts of one day: one for each alert name, runbook and way."""
        ...

    async def forget_observed(self, *, before_day: int, limit: int) -> int:
        """Delete at most `limit` counts of earlier days; how many went."""
        ...

    async def history(self, group: str) -> History | None:
        """What is kept of the alert group that the accepted group `group` belongs to; None where
        that one had no deliveries or they were pruned."""
        ...

    async def latest(self, after: int, limit: int) -> list[LatestGroup]:
        """At most `limit` groups that were accepted after the one with the number `after`, in
        order, fewer where they are large."""
        ...

    async def latest_spooled(self, after: int, limit: int) -> list[LatestGroup]:
        """As `latest`, in the store of this machine beside a shared one: it has its own numbers."""
        ...

    async def act(self, identity: bytes, action: Action) -> bool:
        """Keep what somebody did about a group, and have its messages changed; False if it
        changes nothing. Raises ValueError where MOST_ACTIONS were kept about it."""
        ...

    async def actions_since(self, since: float, limit: int) -> list[tuple[bytes, Action]]:
        """At most `limit` actions since that time, oldest first, each with the identity."""
        ...

    async def usage(self, runbook: str) -> list[Usage]:
        """How often each step of a runbook was ticked and whether it helped, by revision, the
        latest first."""
        ...

    async def secret(self, name: str) -> bytes:
        """The random value of that name, 32 bytes, the same for all services that share the store.
        It is made when it is asked for first."""
        ...

    async def forget_actions(self, *, before: float, limit: int) -> int:
        """Delete at most `limit` actions from before that time; how many went."""
        ...

    async def beat(self, names: Collection[str], now: float) -> None:
        """The heartbeats of these names were received."""
        ...

    async def heartbeats(self, names: Collection[str], now: float) -> list[HeartbeatState]:
        """How these heartbeats are. The time of one that was never received begins now. While a
        shared store cannot be used: only those that this service itself has received since."""
        ...

    async def change_heartbeat(
        self, before: HeartbeatState, missing_since: float, group: NewGroup
    ) -> bool:
        """Write down that a heartbeat is missing, or with 0 that it is back, and accept the group
        that notifies of that, in one transaction. False, and nothing of it, if the heartbeat is no
        longer as `before`: it was received, or another service has done it."""
        ...

    async def forget_heartbeat(self, name: str) -> None:
        """Delete what is known of a heartbeat."""
        ...

    async def close(self) -> None:
        """Finish what was begun and let go of the store."""
        ...


class Outbox(Intake, Deliveries, Administration, Protocol):
    """A durable store."""
