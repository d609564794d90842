"""How each destination shows what it is sent, by the notifier's type.

Of the payload alone, never of the notification: what is seen is what is sent. A notifier that
has no look here is shown as data.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from alert_router.cli.preview import commonmark, entities, marks, teams
from alert_router.cli.preview.nodes import (
    Box,
    Fields,
    Fold,
    Frame,
    Line,
    Look,
    Node,
    Rule,
    buttons,
    line,
    pre,
    span,
)

_CHANGED = "What is said when the message is changed later"
_PRIORITIES = {5: "red", 4: "yellow", 3: "blue", 2: "grey", 1: "grey"}  # as ntfy's clients show


def look(type_: str, payload: Any) -> Look:
    """The message of a notifier of that type, from what `readable` tells of its payload. One of
    another shape than its look knows is shown as data."""
    known = _LOOKS.get(type_)
    if known is not None:
        try:
            return known(payload)
        except (KeyError, IndexError, TypeError, AttributeError, ValueError):
            return Look(_data(payload), about="of a shape that this preview does not know")
    return Look(_data(payload))


def _data(payload: Any) -> tuple[Node, ...]:
    is_text = isinstance(payload, str)
    return (pre(payload if is_text else json.dumps(payload, indent=2, ensure_ascii=False)),)


def _slack(payload: Any) -> Look:
    found = list(_slack_blocks(payload.get("message", payload)["blocks"]))
    if "reply" in payload:
        reply = tuple(_slack_blocks(payload["reply"]["blocks"]))
        found.append(Fold(_CHANGED, reply, opened=False))
    return Look(tuple(found), "slack")


def _slack_blocks(blocks: list[Any]) -> Iterator[Node]:
    before = ""
    for block in blocks:
        if before == block["type"] == "section":
            yield Line(())  # as Slack keeps its blocks apart
        before = block["type"]
        match block["type"]:
            case "header":
                yield line(marks.unescaped(block["text"]["text"]), "head")
            case "divider":
                yield Rule()
            case "section":
                yield from _slack_text(block["text"])
            case "context":
                for element in block["elements"]:
                    for node in _slack_text(element):
                        yield Line(node.spans, "small") if isinstance(node, Line) else node
            case _:
                yield from _data(block)


def _slack_text(text: Any) -> Iterator[Node]:
    if text["type"] == "mrkdwn":
        yield from marks.nodes(text["text"], escaped=True)
    else:
        yield line(marks.unescaped(text["text"]))


def _googlechat(payload: Any) -> Look:
    return Look(tuple(marks.nodes(payload["text"], escaped=False)), "googlechat")


def _pagerduty(payload: Any) -> Look:
    events = payload if isinstance(payload, list) else [payload]
    about = f"{len(events)} events" if len(events) > 1 else ""
    return Look(tuple(node for event in events for node in _event(event)), "pagerduty", about)


def _event(event: Any) -> Iterator[Node]:
    told = event.get("payload", {})
    colours = {"critical": "red", "error": "red", "warning": "yellow", "info": "blue"}
    colour = colours.get(told.get("severity", ""), "grey")
    if event["event_action"] == "resolve":
        colour = "green"
    head = line(told.get("summary") or f"{event['event_action']} {event['dedup_key']}", "head")
    yield Box((head,), colour)
    names = ("event_action", "severity", "source", "component", "group", "class", "timestamp")
    facts = {name: event.get(name, told.get(name)) for name in names} | {
        "dedup_key": event.get("dedup_key")
    }
    rows = tuple((name, (line(value),)) for name, value in facts.items() if value)
    yield Fields(rows)
    details = told.get("custom_details", {})
    if details:
        yield line("Custom details", "title")
        yield Fields(tuple((name, tuple(_fenced(value))) for name, value in details.items()))
    yield from buttons(
        (one.get("text") or one["href"], one["href"]) for one in event.get("links", ())
    )


def _fenced(text: Any) -> Iterator[Node]:
    """Plain text, with what stands between fences as code."""
    shown = text if isinstance(text, str) else json.dumps(text, indent=2, ensure_ascii=False)
    for number, part in enumerate(shown.split("```")):
        if number % 2:
            yield pre(part)
        elif part.strip():
            yield line(part.strip("\n"))


def _telegram(payload: Any) -> Look:
    reply = Fold(_CHANGED, tuple(entities.nodes(payload["reply"])), opened=False)
    return Look((*entities.nodes(payload["message"]), reply), "telegram")


def _ntfy(payload: Any) -> Look:
    head = Box((line(payload["title"], "head"),), _PRIORITIES.get(payload["priority"], "grey"))
    tags = line(" · ".join([f"priority {payload['priority']}", *payload["tags"]]), "small")
    actions = buttons((one["label"], one["url"]) for one in payload["actions"])
    return Look((head, *_fenced(payload["message"]), *actions, tags), "ntfy")


def _apprise(payload: Any) -> Look:
    colours = {"failure": "red", "warning": "yellow", "info": "blue", "success": "green"}
    head = Box((line(payload["title"], "head"),), colours.get(payload["type"], "grey"))
    return Look((head, *_fenced(payload["body"])), "apprise")


def _discord(payload: Any) -> Look:
    later = Fold(_CHANGED, tuple(_discord_message(payload["notice"])), opened=False)
    return Look((*_discord_message(payload["message"]), later), "discord")


def _discord_message(message: Any) -> Iterator[Node]:
    yield from commonmark.nodes(message["content"])
    for embed in message["embeds"]:
        yield Box(tuple(commonmark.nodes(embed["description"])), f"#{embed['color']:06x}")


def _mattermost(payload: Any) -> Look:
    return Look(tuple(commonmark.nodes(payload["text"])), "mattermost")


def _email(payload: Any) -> Look:
    subject = Line((span("Subject: "), span(payload["subject"], bold=True)))
    text = Fold("Plain text part", (pre(payload["text"]),), opened=False)
    return Look((subject, Frame(payload["html"], payload["text"]), text), "email")


def _console(payload: Any) -> Look:
    return Look((pre(payload),), "console")


_LOOKS: dict[str, Callable[[Any], Look]] = {
    "apprise": _apprise,
    "console": _console,
    "discord": _discord,
    "email": _email,
    "googlechat": _googlechat,
    "mattermost": _mattermost,
    "ntfy": _ntfy,
    "pagerduty": _pagerduty,
    "slack": _slack,
    "teams": teams.look,
    "telegram": _telegram,
}
