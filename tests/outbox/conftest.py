"""Every driver proves itself with the same tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from alert_router.outbox.base import Outbox
from tests.outbox.kit import DRIVERS, Open


@pytest.fixture(params=DRIVERS)
def open_outbox(request: pytest.FixtureRequest) -> Open:
    return DRIVERS[request.param]


@pytest.fixture
async def outbox(open_outbox: Open, tmp_path: Path) -> AsyncIterator[Outbox]:
    opened = await open_outbox(tmp_path)
    yield opened
    await opened.close()
