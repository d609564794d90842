"""What PagerDuty's Events API v2 takes: a strict schema of the request, written from its public
documentation and nothing of ours, and a server that answers as PagerDuty does to what breaks it.

Stricter than PagerDuty's own OpenAPI: no unknown fields; lengths; addresses in ASCII.
"""

import json
import re
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from alert_router.notify.pagerduty import PagerDutyNotifier
from tests.notify.case import PATH, WORD, Case
from tests.notify.destination import Script, answer

KEY = "0123456789abcdef0123456789abcdef"
SUCCESS = b'{"status":"success","message":"Event processed","dedup_key":"x"}'

_ADDRESS = {"type": "string", "pattern": r"^https?://[!-~]+$", "maxLength": 8192}
_WORDS = {"type": "string", "minLength": 1}
_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["routing_key", "event_action", "dedup_key", "payload"],
    "properties": {
        "routing_key": {"type": "string", "pattern": "^[0-9a-zA-Z]{32}$"},
        "event_action": {"enum": ["trigger", "acknowledge", "resolve"]},
        "dedup_key": {"type": "string", "minLength": 1, "maxLength": 255},
        "client": _WORDS,
        "client_url": _ADDRESS,
        "links": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["href"],
                "properties": {"href": _ADDRESS, "text": _WORDS},
            },
        },
        "payload": {
            "type": "object",
            "additionalProperties": False,
            "required": ["summary", "source", "severity"],
            "properties": {
                "summary": {"type": "string", "minLength": 1, "maxLength": 1024},
                "source": {"type": "string", "minLength": 1, "maxLength": 255},
                "severity": {"enum": ["critical", "error", "warning", "info"]},
                "timestamp": {
                    "type": "string",
                    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$",
                },
                "component": {"type": "string", "minLength": 1, "maxLength": 255},
                "group": {"type": "string", "minLength": 1, "maxLength": 255},
                "class": {"type": "string", "minLength": 1, "maxLength": 255},
                "custom_details": {"type": "object", "additionalProperties": _WORDS},
            },
        },
    },
}
_VALIDATOR = Draft202012Validator(_SCHEMA, format_checker=FormatChecker())
# What a terminal, a phone's display or a parser of JSON could stumble over.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_FENCED = re.compile(r"^(`{3,})\n(.*?)\n\1$", re.DOTALL | re.MULTILINE)


def objections(event: Any, size: int) -> list[str]:
    """What PagerDuty would find wrong with an event of that many bytes."""
    found = [f"{error.json_path}: {error.message[:200]}" for error in _VALIDATOR.iter_errors(event)]
    if size > 512_000:
        found.append(f"an event of {size} bytes")
    return found


def check(events: Any) -> None:
    """All that holds of the events of a notification."""
    assert isinstance(events, list)
    assert events
    keys = [event["dedup_key"] for event in events]
    assert len(set(keys)) == len(keys), "one event under a key, or their order would matter"
    for event in events:
        assert "routing_key" not in event, "a secret is among what is shown"
        whole = {"routing_key": KEY} | event
        assert objections(whole, len(json.dumps(whole, ensure_ascii=False).encode())) == []
        _clean(event)


def _clean(told: Any) -> None:
    if isinstance(told, dict):
        for name, value in told.items():
            _clean(name)
            _clean(value)
    elif isinstance(told, list):
        for value in told:
            _clean(value)
    else:
        assert not _UNSEEN.search(told), "a character that is obeyed instead of shown"


def pagerduty() -> Script:
    """PagerDuty: takes what keeps the rules, and says in its own words what does not."""

    async def script(here: Any, writer: Any) -> None:
        line, headers, body = here.requests[-1]
        wrong = objections(json.loads(body), len(body))
        if line.split()[0] != "POST" or headers["content-type"] != "application/json":
            wrong.append("not JSON by POST")
        said = {"status": "invalid event", "message": "Event object is invalid", "errors": wrong}
        reply = answer(400, json.dumps(said).encode()) if wrong else answer(202, SUCCESS)
        await reply(here, writer)

    return script


def commands(event: Any) -> list[str]:
    """The commands of an event as a reader copies them."""
    told = event["payload"]["custom_details"].values()
    return [found[2] for text in told for found in _FENCED.finditer(text)]


CASES = [
    Case(
        f"pagerduty-{dedup}",
        lambda url, dedup=dedup, **k: PagerDutyNotifier(
            routing_key=f"k{WORD}", url=url.replace(PATH, "/v2/enqueue"), dedup=dedup, **k
        ),
        check,
        ok=SUCCESS,
        any_url=False,
        patience=60.0,
    )
    for dedup in ("group", "alert")
]
