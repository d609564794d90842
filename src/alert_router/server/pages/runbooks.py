"""Runbook pages, so that every link in a notification leads somewhere.

They are served under a policy that allows no script.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from urllib.parse import quote

from aiohttp import web

from alert_router.runbook import Catalogue, Runbook
from alert_router.runbook.pictures import PictureFile, find_picture, is_picture
from alert_router.server.context import SITE
from alert_router.server.pages.content import beside, html
from alert_router.server.pages.context import PAGES
from alert_router.server.pages.render import answer, page, top

_KEPT = 8 * 1024 * 1024  # characters of all pages that are kept


@dataclass(slots=True)
class Rendered:
    """Pages of the catalogue in force, made once each and one at a time, in a thread: a long
    runbook takes a while, and who asks without end must not keep alerts from being accepted."""

    catalogue: Catalogue | None = None
    texts: OrderedDict[tuple[str, str], str] = field(default_factory=OrderedDict)
    size: int = 0
    making: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def text(self, catalogue: Catalogue, id_: str, root: str, make: Callable[[], str]) -> str:
        """The page of that id as seen from that root."""
        async with self.making:
            if self.catalogue is not catalogue:
                self.catalogue, self.size = catalogue, 0
                self.texts.clear()
            found = self.texts.get((id_, root))
            if found is None:
                found = self.texts[id_, root] = await asyncio.to_thread(make)
                self.size += len(found)
            self.texts.move_to_end((id_, root))
            while self.size > _KEPT and len(self.texts) > 1:
                self.size -= len(self.texts.popitem(last=False)[1])
            return found


RENDERED: web.AppKey[Rendered] = web.AppKey("rendered", Rendered)


async def to_index(_: web.Request) -> web.Response:
    """GET /runbooks: the index has a slash at its end, for its relative links."""
    raise web.HTTPFound("./runbooks/")


def _to_root(request: web.Request) -> str:
    """The way from a page up to the index, relative: the page may be reached under a prefix that
    a proxy takes off before it asks us. Counted as a browser does, in the path as it is written:
    an encoded slash parts nothing."""
    return top(request).removeprefix("../") or "./"


async def index(request: web.Request) -> web.Response:
    """GET /runbooks/: all runbooks by category."""
    catalogue = request.app[SITE].runtime().catalogue
    root = _to_root(request)
    pages = request.app[RENDERED]
    return answer(await pages.text(catalogue, "", root, lambda: _index(catalogue, root)))


def _index(catalogue: Catalogue, root: str) -> str:
    rows = sorted(catalogue.runbooks.values(), key=lambda runbook: runbook.id)
    groups = [
        (category, list(members))
        for category, members in groupby(rows, key=lambda runbook: runbook.id.rpartition("/")[0])
    ]
    return page("index.html", root, groups=groups, broken=sorted(catalogue.broken))


async def show(request: web.Request) -> web.StreamResponse:
    """GET /runbooks/{id}: one runbook, or a picture beside one. With `.md` at its end, as links
    between runbooks have it, the way is shown."""
    id_ = request.match_info["id"]
    catalogue = request.app[SITE].runtime().catalogue
    bare = id_.rstrip("/")
    runbook = catalogue.get(bare)
    if runbook is not None and id_.endswith("/") == runbook.is_index:
        root = _to_root(request)
        make = partial(_runbook, runbook, root)
        return answer(await request.app[RENDERED].text(catalogue, bare, root, make))
    if runbook is None and is_picture(id_):
        picture = await request.app[PAGES].aside.run(find_picture, catalogue.root, id_)
        if picture is not None:
            return _picture(picture)
    if runbook is None and bare.endswith(".md"):
        runbook = catalogue.get(bare.removesuffix(".md"))
    if runbook is not None:
        # Only ids that the catalogue has get here, so that the target is always our own.
        query = f"?{request.rel_url.raw_query_string}" if request.rel_url.raw_query_string else ""
        slash = "/" if runbook.is_index else ""
        raise web.HTTPFound(_to_root(request) + quote(runbook.id) + slash + query)
    bare = bare.removesuffix(".md")
    near = sorted(key for key in catalogue.runbooks if key.endswith(bare.rpartition("/")[2]))
    return answer(page("missing.html", _to_root(request), id=id_, near=near[:5]), status=404)


def _picture(picture: PictureFile) -> web.FileResponse:
    """The file under a policy that allows it nothing, should it be opened on its own."""
    headers = {
        "Content-Type": picture.media_type,
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
        "Cache-Control": "private, max-age=60",
    }
    return web.FileResponse(picture.path, headers=headers)


def _runbook(runbook: Runbook, root: str) -> str:
    return page(
        "runbook.html", root, runbook=runbook, body=html(runbook.blocks, beside, with_ids=True)
    )
