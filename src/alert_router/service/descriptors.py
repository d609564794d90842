"""Open files shared out, so that accepting connections leaves enough for the store and sending."""

import resource
from dataclasses import dataclass
from pathlib import Path

_UNKNOWN = 40  # open files where the system does not list them
_LEAST = 4
_AMPLE = 1024  # free ones from which on nothing needs to be shared out


@dataclass(frozen=True, slots=True)
class Shares:
    """Connections that may be accepted, and that may be opened to destinations, at a time; 0 for
    as many as are wanted. What they leave is the store's and that of files read now and then."""

    accepted: int
    opened: int


def share(wanted: int) -> Shares:
    """Of what is free now under this process's limit; `wanted` connections are accepted at most."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return Shares(wanted, 0)
    try:
        used = len(list(Path("/proc/self/fd").iterdir()))
    except OSError:
        used = _UNKNOWN
    return _shares(wanted, max(0, limit - used))


def _shares(wanted: int, free: int) -> Shares:
    """A third is for connections that come in, a half for those to destinations."""
    opened = 0 if free >= wanted + _AMPLE else max(_LEAST, free // 2)
    return Shares(min(wanted, max(_LEAST, free // 3)), opened)
