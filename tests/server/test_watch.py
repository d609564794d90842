"""Noticing changes, whatever lies in the watched directories."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import watchfiles

from alert_router import watch
from alert_router.watch import changes, fingerprint
from tests.programs import eventually


def test_a_change_below_a_directory_changes_its_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.md").write_text("one")
    before = fingerprint([tmp_path])
    assert fingerprint([tmp_path]) == before
    (tmp_path / "deep" / "a.md").write_text("three")
    assert fingerprint([tmp_path]) != before


def test_a_file_alone_and_one_that_is_not_there_have_fingerprints(tmp_path: Path) -> None:
    file = tmp_path / "routing.yaml"
    missing = fingerprint([file])
    file.write_text("route: {}")
    assert fingerprint([file]) != missing


def test_a_name_that_is_no_text_is_watched_like_any_other(tmp_path: Path) -> None:
    before = fingerprint([tmp_path])
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xffd.md")).write_text("# Bad\n")
    assert fingerprint([tmp_path]) != before


def test_a_file_whose_link_leads_nowhere_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "a.md").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    before = fingerprint([tmp_path])
    (tmp_path / "z.md").write_text("# Z\n")
    assert fingerprint([tmp_path]) != before


async def test_only_what_is_below_watched_directories_is_watched(tmp_path, monkeypatch):
    """A missing directory in `/` must not make all of the machine's files watched."""
    asked: dict[Path, bool] = {}

    async def awatch(*paths: Path, recursive: bool, **more: object) -> AsyncIterator[object]:
        asked.update(dict.fromkeys(paths, recursive))
        async for each in watchfiles.awatch(*paths, recursive=recursive, **more):
            yield each

    monkeypatch.setattr(watch, "awatch", awatch)
    (tmp_path / "config").mkdir()
    (tmp_path / "runbooks" / "deep").mkdir(parents=True)
    file = tmp_path / "config" / "alert-router.yaml"
    file.write_text("one")
    paths = [file, tmp_path / "runbooks", tmp_path / "missing"]
    found: list[None] = []

    async def follow() -> None:
        async for _ in changes(paths, fingerprint(paths)):
            found.append(None)

    following = asyncio.create_task(follow())
    await eventually(lambda: len(asked) == 3, "the watches")
    assert asked == {tmp_path / "runbooks": True, tmp_path / "config": False, tmp_path: False}
    for number, path in enumerate([file, tmp_path / "runbooks" / "deep" / "a.md"], 1):
        path.write_text("another")
        await eventually(lambda: len(found) == number, "the change")  # noqa: B023
    (tmp_path / "missing").mkdir()
    (tmp_path / "missing" / "b.md").write_text("# B")
    await eventually(lambda: len(found) >= 3, "what was missing")
    following.cancel()
