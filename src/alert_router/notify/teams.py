"""The notifier `teams`: a message with one Adaptive Card, within the limits of Teams.

Text is always in a TextRun, which Teams does not parse as Markdown, so that no value can format,
link or mention. Bold, links and code are properties of runs.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic_core import to_json

from alert_router.fields import LONGEST_URL, Rate, RateField, SecretField, is_web_url
from alert_router.markdown import Emphasis, Inline, Strike, Strong, plain, visible
from alert_router.notification import Detail, Notification
from alert_router.notify import message, wording
from alert_router.notify.base import Mentions, Outcome, Sending, mention_names, mentioning, named
from alert_router.notify.chat import ADDRESS
from alert_router.notify.http import Answer, AnswerRules, HttpNotifier
from alert_router.notify.links import encoded
from alert_router.notify.message import fit, outline
from alert_router.notify.render import LineRenderer

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


# Teams accepts about 28 KB (learn.microsoft.com, "Create incoming webhooks": "28 KB"), counted
# after it has put the card into JSON of its own. So two limits: bytes as they are sent, and bytes
# once they are a string in JSON, in ASCII.
MAX_SENT = 20_000
MAX_ENCODED = 27_000
_MAX_SUMMARY = 300  # characters

_OLD = "This version of Teams cannot show the message: open it in Teams on a computer."
# A terminal's color of a severity is one of few, as are the styles of a container.
_STYLES = {
    "red": "attention",
    "magenta": "attention",
    "yellow": "warning",
    "green": "good",
    "blue": "accent",
}
_LOOKS: dict[type, Look] = {
    Strong: BOLD,
    Emphasis: {"italic": True},
    Strike: {"strikethrough": True},
}


def render(notification: Notification, detail: Detail) -> dict[str, Any]:
    """The message with as much detail as fits."""
    twice = _is_room_for_twice(notification)
    whole = fit(detail, lambda level: _message(notification, level, twice), _fits)
    _cut(whole)
    return whole


def _is_room_for_twice(notification: Notification) -> bool:
    """Whether commands can be repeated for clients without CodeBlock, at the most detail that fits
    if they are not. It does not depend on the detail asked for, so that less detail is never a
    longer message."""

    def make(level: Detail) -> tuple[Detail, dict[str, Any]]:
        return level, _message(notification, level, twice=False)

    level, _ = fit(Detail.FULL, make, lambda made: _fits(made[1]))
    return _fits(_message(notification, level, twice=True))


def _fits(whole: dict[str, Any]) -> bool:
    sent, encoded = _sizes(whole)
    return sent <= MAX_SENT and encoded <= MAX_ENCODED


def _sizes(data: Any) -> tuple[int, int]:
    """Bytes as sent, and as a string in JSON."""
    sent = to_json(data)
    return len(sent), len(json.dumps(sent.decode()))


def _cut(whole: dict[str, Any]) -> None:
    """Cut the card's body where it does not fit: its last elements go, the buttons stay."""
    if _fits(whole):
        return
    card = whole["attachments"][0]["content"]
    body, card["body"] = card["body"], [line([(wording.cut_note("Teams"), SUBTLE)])]
    sent, encoded = _sizes(whole)
    kept = []
    for element in body:
        sizes = _sizes(element)
        sent, encoded = sent + sizes[0] + 1, encoded + sizes[1] + 1
        if sent > MAX_SENT or encoded > MAX_ENCODED:
            break
        kept.append(element)
    card["body"][:0] = kept


def _message(notification: Notification, detail: Detail, twice: bool) -> dict[str, Any]:
    parts = list(outline(notification, detail))
    entities = mentions(notification.mentions)
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.5",
        "fallbackText": _OLD,
        "msteams": {"width": "Full"} | ({"entities": entities} if entities else {}),
        "body": list(_body(parts, TeamsRenderer(twice))),
        "actions": buttons(message.all_links(parts)),
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {
        "type": "message",
        # What a notification and the list of chats show.
        "summary": visible(wording.push(notification, _MAX_SUMMARY)),
        "attachments": [{"contentType": kind, "content": card}],
    }


def _body(parts: Sequence[message.OutlinePart], renderer: "TeamsRenderer") -> Iterator[Element]:
    """The elements, those of a section under a heading that folds."""
    runbooks = sections = 0
    title = ""
    items: list[Element] = []
    for part in [*parts, message.Links(())]:  # the end of the last section
        if title and isinstance(part, message.SectionTitle | message.RunbookTitle | message.Links):
            # Usually there is one runbook; of several, the first is the likeliest.
            yield from foldable(f"s{sections}", title, items, opened=runbooks == 1)
            title, items = "", []
        if isinstance(part, message.RunbookTitle):
            runbooks += 1
        if isinstance(part, message.SectionTitle):
            title, sections = part.text, sections + 1
        elif title:
            items += renderer.part(part)
        else:
            yield from renderer.part(part)


class TeamsRenderer(LineRenderer[Element, list[Run]]):
    """Spans as runs, blocks as elements; `twice` repeats code for clients without CodeBlock."""

    indent = "\N{NO-BREAK SPACE}" * 4  # a browser makes one space of several usual ones

    def __init__(self, twice: bool) -> None:
        self._twice = twice

    def title(self, part: message.Title) -> Iterator[Element]:
        text = line([(f"{part.grade.emoji} {part}", BOLD | {"size": "Large"})])
        style = _STYLES.get(part.grade.terminal, "emphasis")
        yield {"type": "Container", "style": style, "bleed": True, "items": [text]}

    def mention(self, names: Sequence[str]) -> Iterator[Element]:
        # Only here is text parsed: it is the operator's.
        words = " ".join(entity["text"] for entity in mentions(names))
        yield {"type": "TextBlock", "text": words, "wrap": True}

    def shared(self, part: message.CommonFacts) -> Iterator[Element]:
        yield from (line([(text, {})]) for text in part.texts)
        if part.labels:
            yield line([(f"All: {part.pairs(' · ')}", SUBTLE | MONOSPACE)])

    def alert(self, part: message.AlertLine) -> Iterator[Element]:
        if part.text:
            yield line([(part.text, {})])
        if part.labels and part.text:
            yield line([(part.pairs(" · "), SUBTLE | MONOSPACE)], **TIGHT)
        elif part.labels:
            yield line([(part.pairs(" · "), MONOSPACE)])
        for text in filter(None, (part.description, part.facts())):
            yield line([(text, SUBTLE)], **TIGHT)

    def more(self, part: message.More) -> Iterator[Element]:
        yield line([(str(part), link(part.url))])

    def note(self, text: str) -> Iterator[Element]:
        yield line([(text, {"italic": True})])

    def runbook(self, part: message.RunbookTitle) -> Iterator[Element]:
        look = BOLD | (link(part.url) if is_web_url(part.url) else {})
        yield line([(part.text, look)], separator=True, spacing="Medium")
        for text in filter(None, (part.provenance, part.about)):
            yield line([(text, SUBTLE)], **TIGHT)

    def step(self, part: message.StepLine) -> Iterator[Element]:
        first, *more = self.lines(part.words)
        yield line([(f"{part.number}. ", BOLD), *first], spacing="Medium")
        yield from map(line, more)
        yield from self.below_step(part.blocks)

    def links(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Element]:
        return ()  # the buttons

    def line(self, text: list[Run], lead: str = "", *, is_continued: bool = False) -> Element:
        spacing = {"spacing": "Small"} if lead else TIGHT if is_continued else {}
        return line([(self.margin + lead, {}), *text], **spacing)

    def bold(self, text: str) -> list[Run]:
        return [(_on_one_line(text), BOLD)]

    def code_block(self, text: str, language: str) -> Element:
        return code(text, language, twice=self._twice)

    def value(self, text: str) -> Element:
        return line([(text, MONOSPACE)])

    def lines(self, spans: Sequence[Inline]) -> list[list[Run]]:
        """Spans as runs, a list for each line; neighbours of the same look are one run."""
        lines: list[list[Run]] = [[]]
        for text, look in self.spans(spans):
            if text == "\n":
                lines.append([])
            elif lines[-1] and lines[-1][-1][1] == look:
                lines[-1][-1] = (lines[-1][-1][0] + text, look)
            elif text:
                lines[-1].append((text, look))
        return lines

    def text(self, text: str) -> list[Run]:
        return [(_on_one_line(text), {})]

    def code_span(self, text: str) -> list[Run]:
        return [(_on_one_line(text), MONOSPACE)]

    def link(self, url: str, children: Sequence[Inline]) -> list[Run]:
        return [(_on_one_line(plain(children)) or url, link(url))]

    def line_break(self, hard: bool) -> list[Run]:
        return [("\n" if hard else " ", {})]

    def marked(self, span: Strong | Emphasis | Strike) -> list[Run]:
        look = _LOOKS[type(span)]
        return [(text, look | inner) for text, inner in self.spans(span.children)]

    def joined(self, spans: Iterable[list[Run]]) -> list[Run]:
        return [run for runs in spans for run in runs]


def _on_one_line(text: str) -> str:
    """Words whose line breaks are spaces: a line begins only where the tree says so."""
    return text.replace("\r", " ").replace("\n", " ")


# Codes of a 400 that are true of every message: the flow is disabled or deleted, or its trigger
# expects other bodies (Power Automate's `error.code`).
_WRONG_FLOW = frozenset(("WorkflowTriggerIsNotEnabled", "TriggerInputSchemaMismatch"))


def _wrong_flow(answer: Answer) -> bool:
    error = answer.data.get("error")
    return isinstance(error, dict) and str(error.get("code")) in _WRONG_FLOW


_ID = re.compile(r"[\w.+-]+@[\w.-]+|[0-9a-fA-F-]{36}")


def _mention(name: str) -> str | None:
    found = named(name)
    return name if found and _ID.fullmatch(found[1]) else None


_MENTIONS = mention_names(
    _mention, "Ann Smith <ann@example.org>: name, and sign-in name or object id"
)


class TeamsNotifier(HttpNotifier):
    """Posts to one channel or chat: that of the workflow. A card that was posted is not changed
    later, and a resend is another card."""

    # 202 comes as soon as the flow is triggered; its body says nothing.
    rules = AnswerRules(is_misconfigured=_wrong_flow)

    type: Literal["teams"] = "teams"
    rate_limit: RateField | None = Rate(4, 1.0)  # Teams accepts four requests a second
    url: SecretField
    """The URL of the workflow's webhook."""
    mention: Annotated[Mentions, _MENTIONS] = Field(default_factory=dict)
    """Whom to mention while alerts fire: `Ann Smith <ann@example.org>`."""

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> dict[str, Any]:
        """The message with its one card."""
        return render(mentioning(notification, self.mention), detail)

    async def notify(self, payload: dict[str, Any], sending: Sending) -> Outcome:
        return await self.post(sending, self.url.read(), payload)
