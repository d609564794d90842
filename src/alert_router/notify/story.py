"""Where a group's message is kept up to date: the reference that one delivery leaves for the next.

A story begins when a group fires and is over when all of it is resolved; what fires after that is
a new one, with a message of its own. How a message is changed is each notifier's.
"""

from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json, to_json


def reference(place: Mapping[str, str | int], *, over: bool) -> str:
    """Where a message is, and whether its story is over."""
    return to_json(dict(place) | {"over": over}).decode()


def continued(left: str | None, names: set[str], *, over: bool) -> dict[str, Any] | None:
    """The place, with these names, of the message that is to be changed, where the group is now
    over or not; None where no delivery of ours left one, or a new story begins."""
    try:
        data = from_json(left or "")
    except ValueError:
        return None
    if not isinstance(data, dict) or not names | {"over"} <= data.keys():
        return None
    return None if data["over"] and not over else {name: data[name] for name in sorted(names)}
