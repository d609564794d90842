"""Ids for batches: sortable by time, unlike any other, and without a place to leak from."""

import os
import time
from uuid import UUID


def webhook_id() -> str:
    """A UUID of version 7 (RFC 9562): 48 bits of unix milliseconds, then randomness."""
    milliseconds = time.time_ns() // 1_000_000
    number = milliseconds << 80 | int.from_bytes(os.urandom(10))
    number = number & ~(0xF << 76) | 0x7 << 76
    return str(UUID(int=number & ~(0b11 << 62) | 0b10 << 62))
