"""How many messages a destination takes in a time: `1/s`, `20/m`, `100/h`.

Keeping to it is the deliverer's.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

_RATE = re.compile(r"([1-9][0-9]{0,5})/(s|m|h)")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `messages` in `seconds`."""

    messages: int
    seconds: float

    def __str__(self) -> str:
        unit = next(unit for unit, seconds in _SECONDS.items() if seconds == self.seconds)
        return f"{self.messages}/{unit}"


def parse_rate(text: str) -> Rate:
    """The rate that a text says. ValueError."""
    found = _RATE.fullmatch(text)
    if found is None:
        raise ValueError("expected a rate such as 1/s, 20/m or 100/h")
    return Rate(int(found[1]), _SECONDS[found[2]])


def _rate(value: Any) -> Any:
    return parse_rate(value) if isinstance(value, str) else value


RateField = Annotated[Rate, BeforeValidator(_rate), PlainSerializer(str)]
