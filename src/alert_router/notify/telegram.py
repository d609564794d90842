"""The notifier `telegram`: messages of a bot, which are changed later, as text with entities.

Entities say which words of the text are bold, code or a link. Nothing in the text is markup, so
nothing is escaped. Offsets and lengths count UTF-16 code units
(core.telegram.org/bots/api#messageentity). Refusals are recognized by words of the Bot API server
(`description`); there is no list of them.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv6Address
from typing import Annotated, Any, Literal

from pydantic import Field

from alert_router.fields import (
    LONGEST_URL,
    ApiUrl,
    Rate,
    RateField,
    Secret,
    SecretField,
    SecretUnavailable,
    written,
)
from alert_router.markdown import Emphasis, Inline, Strike, Strong, plain, visible
from alert_router.model import Status
from alert_router.notification import Detail, Notification
from alert_router.notify import message, wording
from alert_router.notify.base import (
    Delivered,
    Failed,
    Mentions,
    Outcome,
    Reason,
    Remedy,
    Sending,
    continued,
    mention_names,
    mentioning,
    misconfigured,
    named,
    reference,
)
from alert_router.notify.chat import ADDRESS
from alert_router.notify.http import Answer, AnswerRules, HttpNotifier
from alert_router.notify.links import encoded
from alert_router.notify.message import fit, outline
from alert_router.notify.render import LineRenderer
from alert_router.notify.render import utf16_units as units

# What Telegram finds in a text by itself, whatever entities it is sent (tdlib, find_entities in
# MessageEntity.cpp): @names, which it notifies, #tags, $TAGS, /commands, URLs, numbers of phones
# and bank cards. A word joiner (U+2060) behind a match prevents it.
_FOUND = re.compile(
    r"""
      [@](?=\w)
    | [#](?=[\w\u200c\u0d80-\u0dff])
    | [$](?=[A-Z]|1INCH)
    | (?<!\w)/(?=\w)
    | :(?=//)
    | \.(?=[^\s.0-9])           # a name of a host: its last part begins with no digit
    | \.(?=[0-9]+\.[0-9]+\.[0-9])  # an IPv4 address; 0.5 and 1.25.3 stay as they are
    | [+](?=[0-9])
    | (?:[0-9][ -]*){12}(?=[0-9])
    """,
    re.VERBOSE,
)
# Which URLs a text_link may have; for a single other one the whole message is refused:
# "entity URL '...' is invalid" (tdlib, check_link in LinkManager.cpp, parse_url in HttpUrl.cpp).
# There must be a dot in the host, so http://alertmanager:9093 is refused, and mailto: becomes
# http://mailto:.
_NAME = r"(?:[a-z0-9_-]|%[0-9a-f]{2})+"
_LINKED = re.compile(
    rf"https?://(?:{_NAME}(?:\.{_NAME})+\.?|\[(?P<v6>[0-9a-f:.]+)\])(?::(?P<port>[0-9]{{1,5}}))?(?:[/?#].*)?",
    re.IGNORECASE,
)
_LANGUAGE = re.compile(r"[A-Za-z0-9+#-]{1,30}")
_LONGEST_SHOWN = 250  # characters of a URL that stands in the text
_CODE = ("code", "pre")


@dataclass(frozen=True, slots=True)
class Entity:
    """What a stretch of the text is. `url` goes with `text_link`, `language` with `pre`, `user`
    (an id) with `text_mention`."""

    type: str
    offset: int
    length: int
    url: str = ""
    language: str = ""
    user: int = 0

    def as_json(self) -> dict[str, Any]:
        """The entity as the Bot API has it."""
        found: dict[str, Any] = {"type": self.type, "offset": self.offset, "length": self.length}
        more: dict[str, Any] = {"url": self.url, "language": self.language}
        if self.user:
            more["user"] = {"id": self.user}
        return found | {name: value for name, value in more.items() if value}


@dataclass(frozen=True, slots=True)
class Marked:
    """Some text and its entities, sorted, the outer ones first."""

    text: str
    entities: tuple[Entity, ...] = ()

    @property
    def units(self) -> int:
        """How long it is to Telegram."""
        return units(self.text)

    @property
    def urls(self) -> int:
        """Characters of all URLs in it."""
        return sum(len(entity.url) for entity in self.entities)


def joined(parts: Iterable[Marked], between: str = "") -> Marked:
    """The parts one after another."""
    texts: list[str] = []
    entities: list[Entity] = []
    offset = 0
    for number, part in enumerate(parts):
        if number:
            texts.append(between)
            offset += units(between)
        texts.append(part.text)
        entities += (replace(one, offset=one.offset + offset) for one in part.entities)
        offset += part.units
    return Marked("".join(texts), tuple(entities))


def literal(text: str) -> Marked:
    """Words in which Telegram finds nothing by itself."""
    return Marked(_FOUND.sub(lambda found: f"{found[0]}\u2060", visible(text)))


def code(text: str, kind: str = "code", language: str = "") -> Marked:
    """Words as code, exactly as they are: Telegram looks for nothing in it."""
    words = visible(text)
    if not words.strip():
        return Marked(words)
    known = language if kind == "pre" and _LANGUAGE.fullmatch(language) else ""
    return Marked(words, (Entity(kind, 0, units(words), language=known),))


def mentioned(name: str) -> Marked:
    """`@name`, which Telegram finds by itself, or `Ann <123>`: the name, for that user."""
    found = named(name)
    if found is None:
        return Marked(name)
    return Marked(found[0], (Entity("text_mention", 0, units(found[0]), user=int(found[1])),))


def is_linked(url: str) -> bool:
    """Whether Telegram accepts a link to it."""
    found = _LINKED.fullmatch(encoded(url))
    if found is None or len(found[0]) > LONGEST_URL:
        return False
    if found["port"] is not None and not 0 < int(found["port"]) < 65536:
        return False
    return found["v6"] is None or _is_v6(found["v6"])


def link(url: str, words: str) -> Marked:
    """Words with a link. A URL that Telegram does not link stands behind them, as code, to be
    copied; where the URL is not one for a browser there are only the words."""
    label, address = literal(words), encoded(url)
    if is_linked(url):
        return _over("text_link", label if label.text.strip() else Marked("link"), url=address)
    if not ADDRESS.match(url) or len(address) > _LONGEST_SHOWN:
        return label
    if words.strip() in ("", url, address):
        return code(address)
    return joined((label, Marked(" ("), code(address), Marked(")")))


def _is_v6(text: str) -> bool:
    try:
        return bool(IPv6Address(text))
    except ValueError:
        return False


def emphasised(kind: str, words: Marked) -> Marked:
    """Words that are `bold`, `italic` or `strikethrough`. Code cannot be any of these."""
    if any(one.type in _CODE for one in words.entities):
        return words
    others = tuple(one for one in words.entities if one.type != kind)
    return _over(kind, Marked(words.text, others))


def trimmed(marked: Marked) -> Marked:
    """Without white space at its end, as Telegram would send it on."""
    text = marked.text.rstrip()
    end = units(text)
    kept = (replace(e, length=min(e.length, end - e.offset)) for e in marked.entities)
    return Marked(text, tuple(entity for entity in kept if entity.length > 0))


def _over(kind: str, words: Marked, url: str = "") -> Marked:
    """The entity over all of the words but the white space around them."""
    core = words.text.strip()
    if not core:
        return words
    start = units(words.text[: words.text.index(core)])
    whole = Entity(kind, start, units(core), url)
    entities = sorted((whole, *words.entities), key=lambda e: (e.offset, -e.length))
    return Marked(words.text, tuple(entities))


# core.telegram.org/bots/api#sendmessage: 4,096 after entities are parsed, in UTF-16 code units;
# core.telegram.org/api/entities: of more than 100 entities the rest is ignored.
MAX_UNITS = 4096
MAX_ENTITIES = 100
_MAX_URLS = 10_000  # characters; that there is a limit is known (ENTITIES_TOO_LONG), not which

_URGENT = "Mitigation"  # the standard name of a section
_CUT = Marked(wording.cut_note("Telegram"))
_KINDS = {Strong: "bold", Emphasis: "italic", Strike: "strikethrough"}


def render(notification: Notification, detail: Detail) -> dict[str, Any]:
    """The message with as much detail as fits, and with further steps in the room that is left."""
    level, parts = fit(
        detail,
        lambda level: (level, list(outline(notification, level))),
        lambda made: _fits(_whole(_pieces(made[1]))),
    )
    if level < detail:
        parts = _filled(parts, outline(notification, detail))
    return _as_json(_pieces(parts))


def render_change(notification: Notification) -> dict[str, Any]:
    """The reply to a message that was changed: the current state."""
    parts = [
        part
        for part in outline(notification, Detail.MINIMAL)
        if isinstance(part, message.REPLIED) or part == message.Note(message.RESENT)
    ]
    return _as_json([*TelegramRenderer().parts(parts), Marked("")])


def _as_json(pieces: list[Marked]) -> dict[str, Any]:
    whole = _cut(pieces)
    return {
        "text": whole.text,
        "entities": [entity.as_json() for entity in whole.entities],
        # Telegram would otherwise fetch what links lead to.
        "link_preview_options": {"is_disabled": True},
    }


def _whole(pieces: Iterable[Marked]) -> Marked:
    return trimmed(joined(pieces, "\n"))


def _fits(whole: Marked) -> bool:
    sizes = (whole.units, len(whole.entities), whole.urls)
    limits = (MAX_UNITS, MAX_ENTITIES, _MAX_URLS)
    return all(size <= limit for size, limit in zip(sizes, limits, strict=True))


def _cost(pieces: Iterable[Marked]) -> tuple[int, int, int]:
    """How much of the three limits pieces take, each with a line feed. It only adds up, so that
    what fits is found in one go."""
    found = list(pieces)
    return (
        sum(piece.units + 1 for piece in found),
        sum(len(piece.entities) for piece in found),
        sum(piece.urls for piece in found),
    )


def _left(pieces: Iterable[Marked]) -> list[int]:
    """How much of the three limits these pieces leave."""
    limits = (MAX_UNITS, MAX_ENTITIES, _MAX_URLS)
    return [limit - cost for limit, cost in zip(limits, _cost(pieces), strict=True)]


def _filled(
    parts: list[message.OutlinePart], full: Iterable[message.OutlinePart]
) -> list[message.OutlinePart]:
    """The parts with as many steps as fit shown as they are in `full`: the first of each section,
    then the others, Mitigation's before any."""
    full_steps = {id(part.step): part for part in full if isinstance(part, message.StepLine)}
    steps = [
        ((part.number > 1, part.section != _URGENT, index), index, full_steps[id(part.step)])
        for index, part in enumerate(parts)
        if isinstance(part, message.StepLine)
    ]
    renderer = TelegramRenderer()
    filled, left = list(parts), _left(_pieces(parts))
    for _, index, step in sorted(steps, key=lambda each: each[0]):
        costs = _cost(renderer.part(parts[index])), _cost(renderer.part(step))
        rest = [room + before - after for room, before, after in zip(left, *costs, strict=True)]
        if min(rest) >= 0:
            filled[index], left = step, rest
    return filled


def _cut(pieces: list[Marked]) -> Marked:
    """As many pieces as fit, and always the last, the links."""
    whole = _whole(pieces)
    if _fits(whole):
        return whole
    *body, foot = pieces
    left, kept = _left((foot, _CUT)), 0
    for piece in body:
        left = [room - cost for room, cost in zip(left, _cost((piece,)), strict=True)]
        if min(left) < 0:
            break
        kept += 1
    return _whole([*body[:kept], _CUT, foot])


def _pieces(parts: Sequence[message.OutlinePart]) -> list[Marked]:
    """Lines and whole code blocks, the links last."""
    renderer = TelegramRenderer()
    pieces: list[Marked] = []
    is_first = True
    for part in parts:
        pieces += renderer.part(part)
        if isinstance(part, message.RunbookTitle):
            if not is_first and not is_linked(part.url):
                pieces.append(link(part.url, ""))  # the first one's URL stands among the links
            is_first = False
    links = (link(url, words) for words, url in message.all_links(parts))
    # A link whose URL is too long for Telegram is only words by now.
    row = joined((each for each in links if each.entities), " · ")
    return [*pieces, joined((Marked("\n"), row)) if row.text else row]


class TelegramRenderer(LineRenderer[Marked, Marked]):
    """Spans and blocks as texts with entities."""

    def title(self, part: message.Title) -> Iterator[Marked]:
        yield self.line(self.bold(str(part)), f"{part.grade.emoji} ")

    def mention(self, names: Sequence[str]) -> Iterator[Marked]:
        yield joined(map(mentioned, names), " ")

    def more(self, part: message.More) -> Iterator[Marked]:
        yield link(part.url, str(part)) if is_linked(part.url) else literal(str(part))

    def runbook(self, part: message.RunbookTitle) -> Iterator[Marked]:
        title = link(part.url, part.text) if is_linked(part.url) else literal(part.text)
        yield self.line(emphasised("bold", title), "\n")
        about = "; ".join(filter(None, (part.provenance, part.about)))
        yield emphasised("italic", literal(about))

    def step(self, part: message.StepLine) -> Iterator[Marked]:
        yield self.line(self.spans(part.words), f"{part.number}. ")
        yield from self.below_step(part.blocks)

    def links(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Marked]:
        return ()  # they are the last line

    def line(self, text: Marked, lead: str = "", *, is_continued: bool = False) -> Marked:
        return joined((Marked(self.margin + lead), text))

    def bold(self, text: str) -> Marked:
        return emphasised("bold", literal(text))

    def code_block(self, text: str, language: str) -> Marked:
        return code(text, "pre", language)

    def value(self, text: str) -> Marked:
        return code(text)

    def text(self, text: str) -> Marked:
        return literal(text)

    def code_span(self, text: str) -> Marked:
        return code(text)

    def link(self, url: str, children: Sequence[Inline]) -> Marked:
        return link(url, plain(children))

    def line_break(self, hard: bool) -> Marked:
        return Marked("\n" if hard else " ")

    def marked(self, span: Strong | Emphasis | Strike) -> Marked:
        return emphasised(_KINDS[type(span)], self.spans(span.children))

    def joined(self, spans: Iterable[Marked]) -> Marked:
        return joined(spans)


_TOKEN = re.compile(r"[0-9]+:[A-Za-z0-9_-]+")
ChatId = Annotated[
    int | str,
    written(
        r"@[A-Za-z][A-Za-z0-9_]+|-?[0-9]+",
        "a chat's number such as -1001234567890, or @name of a public channel or group",
    ),
]

# True of every message to this chat.
_WRONG_CHAT = (
    *("chat not found", "chat_id", "upgraded to a supergroup", "thread not found"),
    *("not enough rights", "have no rights", "need administrator rights", "write_forbidden"),
    *("peer_id_invalid", "topic_closed", "topic_deleted", "chat_restricted", "user is deactivated"),
    "chat_send_plain_forbidden",
)
# The message to change is gone, or may no longer be changed.
_GONE = ("message to edit not found", "message can't be edited", "message_id_invalid")
_WRONG_LINK = ("entity url", "wrong http url", "entity_texturl_invalid")


def _says(answer: Answer, *words: str) -> bool:
    description = str(answer.data.get("description", "")).lower()
    return any(each in description for each in words)


def _parameter(answer: Answer, name: str) -> float | None:
    parameters = answer.data.get("parameters")
    found = parameters.get(name) if isinstance(parameters, dict) else None
    return float(found) if isinstance(found, int | float) else None


def _confirms(answer: Answer) -> Outcome | bool:
    ok = answer.data.get("ok")
    if not isinstance(ok, bool) or ok:
        return bool(ok)
    # The server refuses with a status of its own; a proxy may have lost it.
    message = f"Telegram says: {answer.data.get('description')}"
    return Failed(Reason.REJECTED, message, Remedy.SMALLER)


def _refused(answer: Answer) -> Outcome | None:
    if answer.status != 400:
        return None
    if _says(answer, "message is not modified"):
        return Delivered()
    moved = _parameter(answer, "migrate_to_chat_id")
    if moved is not None:
        return misconfigured(f"the group is a supergroup now: set its chat_id to {moved:.0f}")
    if _says(answer, *_WRONG_CHAT):
        return misconfigured(f"Telegram says: {answer.data.get('description')}")
    return None


_USERNAME = re.compile(r"@[A-Za-z][A-Za-z0-9_]{3,31}")


def _mention(name: str) -> str | None:
    found = named(name)
    return name if _USERNAME.fullmatch(name) or (found and found[1].isdecimal()) else None


_MENTIONS = mention_names(_mention, "@username, or a name and the user's number: Ann <123456>")


@dataclass(frozen=True, slots=True)
class TelegramPayload:
    """The message, the reply to it when it is changed, and whether the group is over."""

    message: dict[str, Any]
    reply: dict[str, Any]
    over: bool


class TelegramNotifier(HttpNotifier):
    """Posts to one chat. The message is changed when its group changes. Telegram does not notify
    people of that, so a short reply to it is sent too."""

    rules = AnswerRules(
        confirms=_confirms,
        refused=_refused,
        wait=lambda answer: _parameter(answer, "retry_after"),
    )

    type: Literal["telegram"] = "telegram"
    rate_limit: RateField | None = Rate(20, 60.0)  # what a group accepts from a bot
    bot_token: SecretField
    """The bot's token."""
    chat_id: ChatId
    """The chat: a number, or `@name` of a public channel or group."""
    message_thread_id: int | None = None
    """The topic of a group that has topics."""
    disable_notifications: bool = False
    """Whether messages arrive without a sound."""
    reply: bool = True
    """Whether a short reply says that a message was changed."""
    mention: Annotated[Mentions, _MENTIONS] = Field(default_factory=dict)
    """Whom to mention while alerts fire: `@username`, or `Ann <123456>`."""
    api_url: ApiUrl = "https://api.telegram.org"
    """The Bot API's address, for a server of your own."""

    def secrets(self) -> list[Secret]:
        """As of any notifier, and the part of the token after its colon: whoever encodes the URL
        again may write the colon as %3A."""
        found = super().secrets()
        try:
            half = self.bot_token.read().partition(":")[2]
        except SecretUnavailable:
            return found
        return [*found, Secret(plain=half)] if half else found

    @property
    def changes_messages(self) -> bool:
        """As of any notifier."""
        return True

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> TelegramPayload:
        """The message, and what a change of it needs."""
        notification = mentioning(notification, self.mention)
        return TelegramPayload(
            message=render(notification, detail),
            reply=render_change(notification),
            over=notification.status is Status.RESOLVED,
        )

    async def notify(self, payload: TelegramPayload, sending: Sending) -> Outcome:
        names = {"chat_id", "message_id"}
        place = continued(sending.reference, names, over=payload.over)
        if place is None or place["chat_id"] != self.chat_id:
            return await self._begin(payload, sending)
        outcome, answer = await self._call("editMessageText", place | payload.message, sending)
        if _says(answer, *_GONE):
            return await self._begin(payload, sending)
        if isinstance(outcome, Failed) or sending.only_change:
            return outcome
        if self.reply:
            to = {"message_id": place["message_id"], "allow_sending_without_reply": True}
            replied, _ = await self._send(payload.reply | {"reply_parameters": to}, sending)
            if isinstance(replied, Failed):
                return replied
        return Delivered(reference(place, over=payload.over))

    async def _begin(self, payload: TelegramPayload, sending: Sending) -> Outcome:
        """A new message, to be changed later."""
        if sending.only_change:
            return Delivered()
        outcome, answer = await self._send(payload.message, sending)
        if isinstance(outcome, Failed):
            return outcome
        result = answer.data.get("result")
        found = result.get("message_id") if isinstance(result, dict) else None
        if not isinstance(found, int):
            return Delivered()
        place = {"chat_id": self.chat_id, "message_id": found}
        return Delivered(reference(place, over=payload.over))

    async def _send(self, body: dict[str, Any], sending: Sending) -> tuple[Outcome, Answer]:
        more: dict[str, Any] = {}
        if self.disable_notifications:
            more["disable_notification"] = True
        if self.message_thread_id is not None:
            more["message_thread_id"] = self.message_thread_id
        return await self._call("sendMessage", {"chat_id": self.chat_id} | body | more, sending)

    async def _call(
        self, method: str, arguments: dict[str, Any], sending: Sending
    ) -> tuple[Outcome, Answer]:
        """A call of the Bot API."""
        token = self.bot_token.read()
        if not _TOKEN.fullmatch(token):
            raise SecretUnavailable("`bot_token` is invalid: expected the form 123456:ABC-DEF")
        url = f"{self.api_url}/bot{token}/{method}"
        outcome, answer = await self.request(sending, url, arguments)
        if _says(answer, *_WRONG_LINK):  # a link is not worth the message
            kept = [one for one in arguments["entities"] if one["type"] != "text_link"]
            return await self.request(sending, url, arguments | {"entities": kept})
        return outcome, answer
