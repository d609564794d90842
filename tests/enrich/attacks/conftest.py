"""The sandboxes of the shells that are installed."""

import os
import shutil

import pytest

from tests.enrich.attacks.sandbox import SHELLS, Sandbox


@pytest.fixture(scope="session")
def sandboxes(tmp_path_factory: pytest.TempPathFactory) -> list[Sandbox]:
    """One for each shell. A missing one is reported by a test of its own."""
    return [
        Sandbox(name, tmp_path_factory.mktemp(name))
        for name in SHELLS
        if shutil.which(name) or os.environ.get("CI")
    ]
