"""Whether a destination can be reached as far as its name tells: it resolves, to an address that
may be connected to. Nothing is connected to.
"""

from enum import StrEnum
from typing import NamedTuple

from alert_router.notify.guard import ForbiddenAddress, Guard, resolve_host
from alert_router.notify.resolve import Resolve


class Obstacle(StrEnum):
    """What keeps a destination from being reached."""

    UNRESOLVED = "unresolved"
    FORBIDDEN = "forbidden"


class Unreachable(NamedTuple):
    """An obstacle in a sentence, and what the resolver said."""

    obstacle: Obstacle
    message: str
    reason: str = ""


async def obstacle(host: str, guard: Guard, resolve: Resolve) -> Unreachable | None:
    """What keeps a host from being reached; None where at least one of its addresses may be
    connected to."""
    try:
        addresses = await resolve_host(host, 0, resolve)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a valid name"
        return Unreachable(
            Obstacle.UNRESOLVED, f"the name {host} does not resolve", reason or str(error)
        )
    refused = None
    for address in addresses:
        try:
            guard.check(address)
        except ForbiddenAddress as error:
            refused = error
        else:
            return None
    if refused is None:  # a name without any address
        return Unreachable(Obstacle.UNRESOLVED, f"the name {host} does not resolve")
    named = "" if host in addresses else f"{host} resolves to "
    return Unreachable(Obstacle.FORBIDDEN, f"{named}{refused.strerror}")
