"""The sandboxes of the shells that are installed."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.enrich.attacks.sandbox import SHELLS, Sandbox

# A run makes and removes fifty files. In memory, it does not wait for other tests' stores to be
# synced. Programs cannot be there: it may be mounted `noexec`.
_MEMORY = Path("/dev/shm")


@pytest.fixture(scope="session")
def sandboxes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Sandbox]]:
    """One for each shell. A missing one is reported by a test of its own."""
    with TemporaryDirectory(dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None) as rooms:
        yield [
            Sandbox(name, tmp_path_factory.mktemp(name) / "programs", Path(rooms))
            for name in SHELLS
            if shutil.which(name) or os.environ.get("CI")
        ]
