"""Paths in configuration, relative to the directory of the file that names them."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo


def base_of(info: ValidationInfo) -> Path:
    """The directory that relative paths are relative to: that of the file being read."""
    return Path((info.context or {}).get("base", "."))


def _resolve(path: Path, info: ValidationInfo) -> Path:
    if not path.parts:
        raise ValueError("expected a path")
    return base_of(info) / path


RelativePath = Annotated[Path, AfterValidator(_resolve)]
