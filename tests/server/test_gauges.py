"""How much room there is beside the store."""

from pathlib import Path

from alert_router.server.status import Room


def nothing() -> int:
    return 0


def test_there_is_room_where_more_is_free_than_the_reserve(tmp_path: Path) -> None:
    assert Room(tmp_path, lambda: 1, nothing).has_room()
    assert not Room(tmp_path, lambda: 2**62, nothing).has_room()


def test_a_disk_that_does_not_answer_has_no_room(tmp_path: Path) -> None:
    assert not Room(tmp_path / "gone", lambda: 1, nothing).has_room()


def test_bodies_on_their_way_and_stored_since_the_last_look_take_room(tmp_path: Path) -> None:
    assert not Room(tmp_path, lambda: 1, lambda: 2**62).has_room()
    room = Room(tmp_path, lambda: 1, nothing)
    assert room.has_room()
    room.stored(2**62)
    assert not room.has_room()
