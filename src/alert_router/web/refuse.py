"""Refusals: the answers in JSON that say why not. Which status is right is for who answers."""

from aiohttp import web

_RETRY_AFTER = "5"  # seconds; Alertmanager has a back-off of its own, others may heed it


def refuse(status: int, why: str, *, close: bool = False) -> web.Response:
    """An answer with the reason; the connection is closed after it if `close`."""
    body = {"status": "refused", "error": why}
    answer = web.json_response(body, status=status)
    if close:
        answer.force_close()
    return answer


def unavailable(why: str, *, close: bool = False) -> web.Response:
    """503, for trouble of ours that may pass: Alertmanager tries that again."""
    answer = refuse(503, why, close=close)
    answer.headers["Retry-After"] = _RETRY_AFTER
    return answer
