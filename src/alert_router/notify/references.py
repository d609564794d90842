"""The reference that one delivery leaves for the next, so that a group's message is updated.

A message is updated from when its group fires until all of it is resolved; a group that fires again
after that gets a new message.
"""

from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json, to_json


def reference(place: Mapping[str, str | int], *, over: bool) -> str:
    """The reference to a message at this place; `over` once its group is resolved."""
    return to_json(dict(place) | {"over": over}).decode()


def continued(left: str | None, names: set[str], *, over: bool) -> dict[str, Any] | None:
    """The place, with these names, of the message to update; None where a new one is due: no
    delivery left a reference, or the group was resolved and fires again."""
    try:
        data = from_json(left or "")
    except ValueError:
        return None
    if not isinstance(data, dict) or not names | {"over"} <= data.keys():
        return None
    return None if data["over"] and not over else {name: data[name] for name in sorted(names)}
