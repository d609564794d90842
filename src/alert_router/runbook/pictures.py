"""Pictures beside runbooks: which files are served, and only where their content is what their
names say.

SVG is not among them: opened on its own it is a document of the router's origin, which may hold
script.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

MAX_BYTES = 10 * 1024 * 1024

# By suffix the media type, and what the content begins with.
_TYPES = {
    ".png": ("image/png", b"\x89PNG\r\n\x1a\n"),
    ".jpg": ("image/jpeg", b"\xff\xd8\xff"),
    ".jpeg": ("image/jpeg", b"\xff\xd8\xff"),
    ".gif": ("image/gif", b"GIF8"),
    ".webp": ("image/webp", b"RIFF"),
}


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A picture: its file, with all links followed, and its media type."""

    path: Path
    media_type: str


def is_picture(url: str) -> bool:
    """Whether a URL's path ends as that of a picture."""
    path = url.partition("#")[0].partition("?")[0]
    return PurePosixPath(path).suffix.lower() in _TYPES


def find_picture(root: Path, path: str) -> PictureFile | None:
    """The picture at a path below the directory; None where there is none, where it leads out of
    the directory or to a hidden file, and where its content is something else."""
    name = PurePosixPath(path)
    known = _TYPES.get(name.suffix.lower())
    parts = path.split("/")
    if known is None or any(not part or part.startswith(".") for part in parts):
        return None
    try:
        top = os.path.realpath(root)
        real = Path(os.path.realpath(Path(top, path), strict=True))
        if not real.is_relative_to(top) or _TYPES.get(real.suffix.lower()) != known:
            return None
        # Opening a pipe would block.
        descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        try:
            status = os.fstat(descriptor)
            is_file = stat.S_ISREG(status.st_mode) and status.st_size <= MAX_BYTES
            head = os.read(descriptor, 16) if is_file else b""
        finally:
            os.close(descriptor)
    except (OSError, ValueError):  # a null byte in the name
        return None
    media_type, begin = known
    fits = head.startswith(begin) and (media_type != "image/webp" or head[8:12] == b"WEBP")
    return PictureFile(real, media_type) if fits else None
