"""Which destinations have taken a group that no store has and that others refused: when its sender
posts it again, only the others get it."""

from collections import OrderedDict
from collections.abc import Collection

from alert_router.outbox.model import Destination, NewGroup, Target

_MOST = 10_000  # what is forgotten is sent once more


class Taken:
    """Times are seconds of a clock that only goes forward."""

    def __init__(self) -> None:
        self._taken: OrderedDict[tuple[bytes, Destination], tuple[object, float]] = OrderedDict()

    def left(self, group: NewGroup, since: float) -> list[Target]:
        """The targets without those that took this last, then or later."""
        return [target for target in group.targets if not self._has(group, target, since)]

    def note(self, group: NewGroup, refused: Collection[Target], now: float) -> None:
        """All targets but these have it now. Once all have it, its sender does not post it again:
        what is equal and comes later is news."""
        for target in group.targets:
            key = (group.identity, target.destination)
            if target in refused:
                continue
            self._taken.pop(key, None)
            if refused:
                self._taken[key] = (_content(group, target), now)
        while len(self._taken) > _MOST:
            self._taken.popitem(last=False)

    def forget(self) -> None:
        """A store takes groups again, perhaps newer ones."""
        self._taken.clear()

    def _has(self, group: NewGroup, target: Target, since: float) -> bool:
        content, at = self._taken.get((group.identity, target.destination), (None, since))
        return at >= since and content == _content(group, target)


def _content(group: NewGroup, target: Target) -> object:
    return group.content, target.fingerprints
