"""GET /api/v1/groups/{id}: what became of a group that was accepted, for `alert-router send`.

Not open where the intake is not: what destinations answered is not for everyone.
"""

from aiohttp import web

from alert_router.outbox.as_json import row_as_json
from alert_router.outbox.base import StoreUnavailable
from alert_router.web.refuse import unavailable
from alert_router.web.site import SITE

_HEADERS = {"Cache-Control": "no-store"}


async def show(request: web.Request) -> web.Response:
    """The deliveries of the group with the id that the intake answered."""
    site = request.app[SITE]
    id_ = request.match_info["id"]
    try:
        rows = await site.ask(lambda store: store.of_group(id_))
    except StoreUnavailable:
        return unavailable("the store cannot be read")
    if not rows:
        why = "there are no deliveries of such a group, or it is not among the latest"
        return _answer(404, {"status": "unknown", "error": why})
    return _answer(200, {"id": id_, "deliveries": [row_as_json(row) for row in rows]})


def _answer(status: int, data: dict[str, object]) -> web.Response:
    return web.json_response(data, status=status, headers=_HEADERS)
