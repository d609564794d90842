"""Adaptive Card elements, as JSON: lines of text, code, links, containers.

Text is always in a TextRun, which Teams does not parse as Markdown, so that no value can format,
link or mention.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from alert_router.fields import LONGEST_URL
from alert_router.markdown import visible
from alert_router.notify.by_severity import named
from alert_router.notify.chat import ADDRESS
from alert_router.notify.links import encoded

Element = dict[str, Any]
Look = dict[str, Any]
Run = tuple[str, Look]

MAX_BUTTONS = 6  # Teams hides any more of them

MONOSPACE: Look = {"fontType": "Monospace"}
BOLD: Look = {"weight": "Bolder"}
SUBTLE: Look = {"isSubtle": True, "size": "Small"}
TIGHT = {"spacing": "None"}

# Shown instead of code by a client without CodeBlock, where there is no room to repeat the code.
ELSEWHERE = "A command: open this on a computer, or see the runbook page."

# Teams makes a local time of `{{DATE(...)}}` in a run. In two runs it is only text.
_FORMULA = re.compile(r"(?<=\{)(?=\{(?:DATE|TIME))")

# Languages of code blocks in runbooks, and Teams' names for them
# (learn.microsoft.com, Teams platform, "Code blocks in Adaptive Cards").
_LANGUAGES = {
    **dict.fromkeys(("bash", "sh", "shell", "zsh", "console", "shell-session"), "Bash"),
    **dict.fromkeys(("sql", "psql", "pgsql", "postgresql"), "SQL"),
    **dict.fromkeys(("py", "python"), "Python"),
    **dict.fromkeys(("ps1", "powershell", "pwsh"), "PowerShell"),
    **dict.fromkeys(("js", "javascript"), "JavaScript"),
    **dict.fromkeys(("go", "golang"), "Go"),
    "json": "JSON",
    "java": "Java",
    "xml": "XML",
    "html": "HTML",
}


def line(runs: Iterable[Run], **more: Any) -> Element:
    """A line of text: a RichTextBlock of runs. One without words has a space."""
    inlines = [
        {"type": "TextRun", "text": part} | look
        for text, look in runs
        for part in _FORMULA.split(visible(text))
        if part
    ]
    return {
        "type": "RichTextBlock",
        "inlines": inlines or [{"type": "TextRun", "text": " "}],
    } | more


def code(text: str, language: str, *, twice: bool) -> Element:
    """A whole code block; `twice` repeats it for clients without CodeBlock."""
    shown = visible(text)
    instead = line([(shown, MONOSPACE)] if twice else [(ELSEWHERE, SUBTLE)])
    return {
        "type": "CodeBlock",
        "codeSnippet": shown,
        "language": _LANGUAGES.get(language, "PlainText"),
        "fallback": instead,
    }


def link(url: str) -> Look:
    """What makes a run a link; nothing where the URL is not one for a browser."""
    address = encoded(url)
    if not ADDRESS.match(url) or len(address) > LONGEST_URL:
        return {}
    return {"selectAction": {"type": "Action.OpenUrl", "url": address}}


def buttons(pairs: Iterable[tuple[str, str]]) -> list[Element]:
    """Buttons below the card that open pages; only for URLs that Teams accepts."""
    found = ((title, link(url).get("selectAction")) for title, url in pairs)
    return [action | {"title": visible(title)} for title, action in found if action][:MAX_BUTTONS]


def mentions(names: Iterable[str]) -> list[Element]:
    """The entities of a card for names of the form `Ann Smith <id>`."""
    found = filter(None, map(named, names))
    return [
        {"type": "mention", "text": f"<at>{name}</at>", "mentioned": {"id": id, "name": name}}
        for name, id in found
    ]


def foldable(id: str, title: str, items: Sequence[Element], *, opened: bool) -> list[Element]:
    """A heading, and under it what a click on the heading shows and hides."""
    if not items:
        return [line([(title, BOLD)], spacing="Medium")]
    action = {
        "type": "Action.ToggleVisibility",
        "title": "Show or hide",
        "targetElements": [id, f"{id}-opened", f"{id}-closed"],
    }
    heads = [
        {
            "type": "Container",
            "id": f"{id}-{state}",
            "spacing": "Medium",
            "selectAction": action,
            "items": [line([(f"{mark} {title}", BOLD)])],
        }
        | ({} if opened is (state == "opened") else {"isVisible": False})
        for state, mark in (("opened", "▾"), ("closed", "▸"))
    ]
    body = {"type": "Container", "id": id, "spacing": "Small", "items": list(items)}
    return [*heads, body if opened else body | {"isVisible": False}]
