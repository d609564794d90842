"""Watching files: what they look like from outside, and when that changes."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

import structlog
from watchfiles import awatch

log = structlog.get_logger(__name__)

_POLL = 5.0  # seconds; a look costs a stat for each file
_DEBOUNCE = 400  # milliseconds: an editor or a sync writes several files in a row


def fingerprint(paths: Iterable[Path]) -> bytes:
    """What the files below the paths look like from outside: names, sizes, times.

    Equal fingerprints mean nothing to do; symbolic links are followed. What cannot be looked at,
    or goes meanwhile, is passed over. 16 bytes for each path, one after the other.
    """
    return b"".join(map(_fingerprint, paths))


def _fingerprint(root: Path) -> bytes:
    digest = blake2b(digest_size=16)
    for path in _at_and_below(root):
        try:
            stat = path.stat()
        except OSError:
            continue
        seen = f"{path}\0{stat.st_mtime_ns}\0{stat.st_size}\0{stat.st_ino}\n"
        digest.update(os.fsencode(seen))  # a name may be any bytes
    return digest.digest()


def has_changed_since(moment: float, files: Iterable[Path]) -> bool:
    """Whether one of the files may have changed since then, Unix seconds."""
    try:
        return any(file.stat().st_mtime >= moment - 1 for file in files)
    except OSError:
        return True


def _at_and_below(root: Path) -> Iterator[Path]:
    if not _is_directory(root):
        yield root
    for directory, folders, files in os.walk(root):
        folders.sort()
        yield from (Path(directory, name) for name in sorted(folders + files))


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # one that may not be looked at
        return False


async def changes(paths: Iterable[Path], seen: bytes) -> AsyncIterator[None]:
    """Yields each time that the paths' fingerprint is another than the last; the first is compared
    with `seen`, taken when the paths were read, so that no change falls between. Never ends."""
    paths = list(paths)
    async for _ in _ticks(paths):
        now = await asyncio.to_thread(fingerprint, paths)
        if now != seen:
            seen = now
            yield


async def _ticks(paths: Iterable[Path]) -> AsyncIterator[None]:
    """Whenever something may have changed: at once, at an event, or a while without one."""
    yield
    directories = {path for path in paths if _is_directory(path)}
    # Beside a file anything may lie: `/` with all that is below, if that is where a file should be.
    parents = {path.parent for path in paths} - directories
    beside = {parent for parent in parents if _is_directory(parent)}
    streams = [_events(directories, below=True), _events(beside, below=False)]
    waiting = {asyncio.ensure_future(anext(stream)): stream for stream in streams}
    try:
        while True:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                stream = waiting.pop(task)
                task.result()
                waiting[asyncio.ensure_future(anext(stream))] = stream
            yield
    finally:
        for task in waiting:
            task.cancel()


async def _events(directories: set[Path], *, below: bool) -> AsyncIterator[None]:
    """At an event in the directories, with `below` in all that are below too, or after a while."""
    if directories:
        try:
            async for _ in awatch(
                *directories,
                debounce=_DEBOUNCE,
                rust_timeout=int(_POLL * 1000),
                yield_on_timeout=True,
                recursive=below,
            ):
                yield
        except OSError as error:  # no inotify watches left: polling still serves
            log.warning("cannot watch directories; polling instead", error=str(error))
    while True:
        await asyncio.sleep(_POLL)
        yield
