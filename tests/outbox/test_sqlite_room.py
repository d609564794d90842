"""How much room there is beside the store."""

from pathlib import Path

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
