"""Baselines: the least an aiohttp program can do with the same body, under uvloop.

`bare` reads and parses it and answers; `relay` forwards it and keeps nothing; `sink` is the
destination, a counter; `refuse` is one that has to be held.
"""

import json
import sys

import aiohttp
import uvloop
from aiohttp import web


async def bare(request: web.Request) -> web.Response:
    """Read, parse, answer."""
    json.loads(await request.read())
    return web.Response(text="{}")


async def sink(request: web.Request) -> web.Response:
    """Read, count, answer."""
    await request.read()
    request.app[COUNT][0] += 1
    return web.Response(text="ok")


async def refuse(request: web.Request) -> web.Response:
    """What holds a destination: its address is wrong."""
    await request.read()
    return web.Response(status=404)


async def count(request: web.Request) -> web.Response:
    """How many the sink has had."""
    return web.Response(text=str(request.app[COUNT][0]))


async def relay(request: web.Request) -> web.Response:
    """Forward, then answer with what the destination said."""
    app = request.app
    async with app[SESSION].post(
        app[TARGET], data=await request.read(), headers={"Content-Type": "application/json"}
    ) as answer:
        await answer.read()
        return web.Response(status=answer.status, text="{}")


COUNT: web.AppKey[list[int]] = web.AppKey("count", list)
TARGET: web.AppKey[str] = web.AppKey("target", str)
SESSION: web.AppKey[aiohttp.ClientSession] = web.AppKey("session", aiohttp.ClientSession)


async def build(kind: str, target: str) -> web.Application:
    """The application of that kind."""
    app = web.Application()
    app[COUNT] = [0]
    app[TARGET] = target
    app[SESSION] = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    handlers = {"bare": bare, "sink": sink, "relay": relay, "refuse": refuse}
    app.router.add_post("/webhook", handlers[kind])
    app.router.add_get("/count", count)
    return app


def main() -> None:
    """`python -m benchmarks.baseline KIND PORT [TARGET]`."""
    kind, port, *rest = sys.argv[1:]
    uvloop.install()
    web.run_app(
        build(kind, rest[0] if rest else ""),
        host="127.0.0.1",
        port=int(port),
        access_log=None,
        print=None,
    )


if __name__ == "__main__":
    main()
