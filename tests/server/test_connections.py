"""How many connections there are, whatever clients and aiohttp do with them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import Mock

from aiohttp import web

from alert_router.metrics import Metrics
from alert_router.server.connections import Connection, Patience


class Transport(asyncio.Transport):
    """Of a client that reads nothing: a connection that is closed stays until it is aborted, and is
    lost a moment later."""

    def __init__(self) -> None:
        super().__init__()
        self.is_aborted = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def is_closing(self) -> bool:
        return self.is_aborted

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def close(self) -> None:
        pass

    def abort(self) -> None:
        self.is_aborted = True


@contextmanager
def listening(most: int) -> Iterator[tuple[Patience, list[tuple[Connection, Transport]]]]:
    made: list[tuple[Connection, Transport]] = []
    patience = Patience(60.0, most, Metrics(), Mock())
    yield patience, made
    patience.close()


async def answer(_: web.BaseRequest) -> web.Response:
    return web.Response()


def connect(patience: Patience) -> tuple[Connection, Transport]:
    loop = asyncio.get_running_loop()
    connection = Connection(web.Server(answer), patience, Mock(), loop=loop)
    transport = Transport()
    connection.connection_made(transport)
    return connection, transport


async def test_connections_that_aiohttp_is_closing_make_room_for_new_ones() -> None:
    with listening(2) as (patience, made):
        for _ in range(6):
            made.append(connect(patience))
            made[-1][0].force_close()  # as after the keep-alive timeout
        assert [transport.is_aborted for _, transport in made] == [True] * 4 + [False] * 2


async def test_connections_that_come_together_each_take_the_place_of_another_one() -> None:
    with listening(2) as (patience, made):
        made += [connect(patience) for _ in range(6)]
        assert [transport.is_aborted for _, transport in made] == [True] * 4 + [False] * 2
        for connection, transport in made[:4]:
            connection.connection_lost(None)
            assert transport.is_aborted
        made.append(connect(patience))
        assert [transport.is_aborted for _, transport in made] == [True] * 5 + [False] * 2


async def test_connections_that_are_being_answered_are_kept_and_the_new_one_goes() -> None:
    with listening(2) as (patience, made):
        made += [connect(patience) for _ in range(2)]
        for connection, _ in made:
            connection.request_began()
        made.append(connect(patience))
        assert [transport.is_aborted for _, transport in made] == [False, False, True]
