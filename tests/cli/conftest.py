"""The commands run in a directory of their own."""

from pathlib import Path

import pytest

from tests.cli.world import Router, make_router


@pytest.fixture
def router(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Router:
    monkeypatch.chdir(tmp_path)
    return make_router(tmp_path)
