"""The pages behind the links in messages: GET shows what a link does, POST does it, so that what
opens links by itself does nothing."""

import structlog
from aiohttp import web

from alert_router.deliver.action_links import LinkRefused, verify
from alert_router.fields import SecretUnavailable
from alert_router.outbox.base import StoreUnavailable
from alert_router.server.context import SITE
from alert_router.server.pages.actions import action_of, perform, refuse_late, view_of
from alert_router.server.pages.group import GroupView, ShownStep
from alert_router.server.pages.people import (
    ActionRefused,
    clean_name,
    person,
    read_fields,
    remember,
)
from alert_router.server.pages.render import answer, page, top

log = structlog.get_logger(__name__)

_BY_LINK = " (by link)"  # after a name: nobody has checked it
_QUESTIONS = {
    "take": "I have it",
    "helped": "The runbook helped",
    "not_helped": "The runbook did not help",
}


async def show(request: web.Request) -> web.Response:
    """GET /act/{token}: what the link does, and a button that does it."""
    try:
        id_, do = await _read(request)
        view = await view_of(request.app, id_)
        refuse_late(view, do)
        if action_of(view, do, "", 0.0) is None:
            raise ActionRefused(_CHANGED)
    except (LinkRefused, ActionRefused) as error:
        return _refusal(request, str(error), 403)
    except (StoreUnavailable, SecretUnavailable):
        return _refusal(request, "The store cannot be read: try again in a while.", 503)
    return _page(request, view, do)


async def act(request: web.Request) -> web.Response:
    """POST /act/{token}: do it. `who` is the name, `step` the step that helped."""
    who = person(request)
    try:
        id_, do = await _read(request)
        form = await read_fields(request)
        name = clean_name(form.get("who", ""))
        if not name and not (who.is_certain and who.name):
            raise ActionRefused("Write your name first, so that others see who does what.")
        view = await view_of(request.app, id_)
        step = form.get("step", "")
        if step and step not in {it.key for it in _steps(view, do)}:
            raise ActionRefused(_CHANGED)
        shown = who.name if who.is_certain and who.name else f"{name}{_BY_LINK}"
        await perform(request.app, view, f"fixed {step}" if step else do, shown)
    except (LinkRefused, ActionRefused) as error:
        return _refusal(request, str(error), 403)
    except ValueError as error:
        return _refusal(request, str(error), 409)
    except (StoreUnavailable, SecretUnavailable):
        return _refusal(request, "The store cannot be written: nothing was kept.", 503)
    made = _page(request, view, do, done=True)
    if not who.is_certain:
        remember(request, made, who, name)
    return made


_CHANGED = "The runbook has changed meanwhile: use the group's page instead."


async def _read(request: web.Request) -> tuple[str, str]:
    """The group and the action of the link."""
    site = request.app[SITE]
    key = await site.link_key.read(site.runtime())
    if key is None:
        raise LinkRefused("Links in messages are switched off.")
    return verify(key, request.match_info["token"], site.outbox.now())


def _steps(view: GroupView, do: str) -> list[ShownStep]:
    """The steps of which one may have helped."""
    word, _, id_ = do.partition(" ")
    found = [runbook.steps for runbook in view.runbooks if runbook.id == id_]
    return found[0] if word == "helped" and found else []


def _page(request: web.Request, view: GroupView, do: str, *, done: bool = False) -> web.Response:
    word, _, id_ = do.partition(" ")
    titles = [runbook.title for runbook in view.runbooks if runbook.id == id_]
    text = page(
        "link.html",
        top(request),
        view=view,
        who=person(request),
        words=_QUESTIONS[word],
        runbook=titles[0] if titles else "",
        steps=_steps(view, do),
        done=done,
    )
    return answer(text, forms=True)


def _refusal(request: web.Request, text: str, status: int) -> web.Response:
    return answer(page("link.html", top(request), refused=text), status, forms=True)
