"""How much room there is beside the store."""

import shutil
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from alert_router.outbox.sqlite import outbox
from alert_router.outbox.sqlite.outbox import DiskReserve


def test_there_is_room_where_more_is_free_than_the_reserve(tmp_path: Path) -> None:
    assert DiskReserve(tmp_path).has_room(reserve=1, coming=0)
    assert not DiskReserve(tmp_path).has_room(reserve=2**62, coming=0)


def test_a_disk_that_does_not_answer_has_no_room(tmp_path: Path) -> None:
    assert not DiskReserve(tmp_path / "gone").has_room(reserve=1, coming=0)


def test_bodies_on_their_way_and_stored_since_the_last_look_take_room(tmp_path: Path) -> None:
    room = DiskReserve(tmp_path)
    assert not room.has_room(reserve=1, coming=2**62)
    assert room.has_room(reserve=1, coming=0)
    room.stored(2**62)
    assert not room.has_room(reserve=1, coming=0)


def test_the_log_says_once_that_the_disk_is_full_and_once_that_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free, clock = iter((100, 10, 5, 100, 100)), count(step=2)
    monkeypatch.setattr(outbox, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=next(free)))
    room = DiskReserve(tmp_path)
    with capture_logs() as lines:
        for _ in range(5):
            room.has_room(reserve=50, coming=0)
    assert [(line["event"], line["free"], line["reserve"]) for line in lines] == [
        ("disk is full: free space is below delivery.reserve", 10, 50),
        ("disk has free space again", 100, 50),
    ]
