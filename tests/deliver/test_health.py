"""When a destination's loop may try again, and how long it sleeps until then."""

import pytest

from alert_router.config.model import Delivery
from alert_router.deliver.health import DestinationHealth
from alert_router.outbox.model import Claim, Destination, Health

NOW = 1_700_000_000.0


def failing(wait: float) -> DestinationHealth:
    """A destination that failed a moment before clock 100 and is tried again after `wait`."""
    health = DestinationHealth({})
    known = Health(NOW, 1, "connection", next_at=NOW + wait)
    health.recall(known, Delivery(), now=NOW, clock=100.0)
    return health


@pytest.mark.parametrize("clock", [100.0, 101.0, 103.9, 103.999_999, 104.0, 104.000_001, 170.0])
def test_a_loop_never_sleeps_past_the_moment_at_which_the_next_attempt_is_due(clock: float) -> None:
    health = failing(4.0)
    may_try = health.room(0, clock) > 0

    assert may_try == (clock >= 104.0)
    assert health.wait(clock) == pytest.approx(0.0 if may_try else 104.0 - clock)


@pytest.mark.parametrize("wait", [300.0, 0.0])
def test_a_page_is_known_to_every_attempt_that_was_claimed_before_it(wait: float) -> None:
    health = failing(wait)
    claim = Claim("w", 1, 1, Destination("oncall", "slack"), (), attempt=1)
    health.hurry(Delivery(), clock=105.0)
    for claimed, page in ((104.0, True), (106.0, False)):
        assert health.situation(claim, claimed, probe=True, cost=0.0, clock=107.0).page is page
