"""What people do about a group, on its page or by the links in messages: tick a step, take the
group, say whether a runbook helped. GET shows what a link does, POST does it, so that what opens
links by itself does nothing.
"""

from functools import partial
from urllib.parse import quote

import structlog
from aiohttp import web

from alert_router.deliver.action_links import LinkRefused, verify
from alert_router.fields import SecretUnavailable
from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.model import Action, ActionKind
from alert_router.server.context import SITE
from alert_router.server.pages.context import PAGES
from alert_router.server.pages.group import NOT_HERE, GroupView, ShownStep, make_view
from alert_router.server.pages.people import (
    ActionRefused,
    clean_name,
    person,
    read_fields,
    read_form,
    remember,
)
from alert_router.server.pages.render import answer, page, top

log = structlog.get_logger(__name__)

_ABOUT_STEPS = ("tick ", "untick ", "fixed ")
_BY_LINK = " (by link)"  # after a name: nobody has checked it
_QUESTIONS = {
    "take": "I have it",
    "helped": "The runbook helped",
    "not_helped": "The runbook did not help",
}
_CHANGED = "The runbook has changed meanwhile: use the group's page instead."


async def act(request: web.Request) -> web.Response:
    """POST /groups/{id}/actions: `do` says what, `who` who where that is not known."""
    who = person(request)
    try:
        form = await read_form(request, who)
        name = who.name if who.is_certain else clean_name(form.get("who", "")) or who.name
        if not name:
            raise ActionRefused("Write your name first, so that others see who does what.")
        id_, do = request.match_info["id"], form.get("do", "")
        if do != "name":
            view = await view_of(request.app, id_, form.get("alert", ""))
            await perform(request.app, view, do, name)
    except ActionRefused as error:
        return _refusal(request, str(error), 403)
    except ValueError as error:
        return _refusal(request, str(error), 409)
    except StoreUnavailable:
        return _refusal(request, "The store cannot be written: nothing was kept.", 503)
    query = f"?alert={quote(form['alert'], safe='')}" if form.get("alert") else ""
    place = f"#step-{do.partition(' ')[2]}" if do.startswith(_ABOUT_STEPS) else ""
    done = web.Response(status=303, headers={"Location": f"../{id_}{query}{place}"})
    remember(request, done, who, name)
    return done


async def view_of(app: web.Application, id_: str, chosen: str = "") -> GroupView:
    """What the page of a group shows now. Raises ActionRefused and StoreUnavailable."""
    site = app[SITE]
    history = await site.ask(lambda store: store.history(id_))
    view = None
    if history is not None:
        make = partial(make_view, history, id_, chosen, site.runtime(), site.outbox.now())
        view = await app[PAGES].aside.run(make)
    if view is None and site.outbox.is_spooling:
        raise ActionRefused(NOT_HERE)
    if view is None:
        raise ActionRefused("There is no such alert group, or it was deleted after its time.")
    return view


async def perform(app: web.Application, view: GroupView, do: str, who: str, **names: str) -> None:
    """Keep what somebody did with a button of a group's page. `names` go into the log. Raises
    ActionRefused, ValueError as `Outbox.act`, and StoreUnavailable."""
    site = app[SITE]
    refuse_late(view, do)
    action = action_of(view, do, who, site.outbox.now())
    if action is None:
        raise ActionRefused("The runbook has changed meanwhile: load the page again.")
    if await site.ask(lambda store: store.act(view.identity, action)):
        log.info("action", kind=action.kind, who=who, group_id=view.id, step=action.title, **names)
    app[PAGES].live.touch()


def refuse_late(view: GroupView, do: str) -> None:
    """Raise ActionRefused for what makes no sense any more."""
    if do == "take" and view.is_over:
        raise ActionRefused("All its alerts are resolved already.")


def _refusal(request: web.Request, text: str, status: int) -> web.Response:
    return answer(page("error.html", top(request), text=text), status)


def action_of(view: GroupView, do: str, who: str, now: float) -> Action | None:
    """The action that a button means; None if the page has no such button."""
    word, _, about = do.partition(" ")
    plain = {"take": ActionKind.TAKE, "release": ActionKind.RELEASE}
    if word in plain and not about:
        return Action(plain[word], who, now, view.since)
    opinions = {"helped": ActionKind.HELPED, "not_helped": ActionKind.NOT_HELPED}
    steps = {"tick": ActionKind.TICK, "untick": ActionKind.UNTICK, "fixed": ActionKind.HELPED}
    for runbook in view.runbooks:
        if word in opinions and runbook.id == about:
            return Action(opinions[word], who, now, view.since, runbook.id, runbook.revision)
        for step in runbook.steps:
            if word in steps and step.key == about:
                return Action(
                    steps[word], who, now, view.since, runbook.id, runbook.revision, step.key,
                    step.title,
                )  # fmt: skip
    return None


async def show_link(request: web.Request) -> web.Response:
    """GET /act/{token}: what the link does, and a button that does it."""
    try:
        id_, do = await _read(request)
        view = await view_of(request.app, id_)
        refuse_late(view, do)
        if action_of(view, do, "", 0.0) is None:
            raise ActionRefused(_CHANGED)
    except (LinkRefused, ActionRefused) as error:
        return _link_refused(request, str(error), 403)
    except (StoreUnavailable, SecretUnavailable):
        return _link_refused(request, "The store cannot be read: try again in a while.", 503)
    return _page(request, view, do)


async def act_by_link(request: web.Request) -> web.Response:
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
        return _link_refused(request, str(error), 403)
    except ValueError as error:
        return _link_refused(request, str(error), 409)
    except (StoreUnavailable, SecretUnavailable):
        return _link_refused(request, "The store cannot be written: nothing was kept.", 503)
    made = _page(request, view, do, done=True)
    if not who.is_certain:
        remember(request, made, who, name)
    return made


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


def _link_refused(request: web.Request, text: str, status: int) -> web.Response:
    return answer(page("link.html", top(request), refused=text), status, forms=True)
