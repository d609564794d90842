"""The notifier's keys, its messages as blocks of Block Kit, how they are posted and changed, and
what the Web API's answers mean.

What alerts say goes into plain_text objects, which Slack does not parse, so that no value can
format, link or ping; what runbooks say is mrkdwn.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote, urlencode

from pydantic import Field, model_validator
from pydantic_core import to_json

from alert_router.fields import ApiUrl, Rate, RateField, Secret, SecretField
from alert_router.markdown import (
    Code,
    Emphasis,
    Inline,
    Quote,
    Strike,
    Strong,
    Table,
    plain,
    rows_as_list,
    visible,
)
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
    reference,
)
from alert_router.notify.http import Answer, AnswerRules, HttpNotifier
from alert_router.notify.message import fit, outline
from alert_router.notify.render import LineRenderer

Block = dict[str, Any]

# In characters and blocks, counted after escaping (docs.slack.dev, reference/block-kit).
MAX_BLOCKS = 50
MAX_SECTION = 3000
MAX_HEADER = 150
MAX_OPTION = 75

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


@dataclass(frozen=True, slots=True)
class Piece:
    """Some of a message: `text` is mrkdwn; `code` goes between fences, escaped; `plain` is not
    parsed by Slack, escaped; so is `verbatim`, which is code."""

    kind: Literal["text", "code", "plain", "verbatim"]
    text: str


def escape(text: str) -> str:
    """Text without the three characters that Slack parses, so that no mention can arise."""
    return visible(text).translate(_ESCAPES)


def header(text: str) -> Block:
    """A header of escaped text, cut to its limit."""
    return {"type": "header", "text": _plain(cut(text, MAX_HEADER))}


def context(text: str) -> Block:
    """A line of small mrkdwn."""
    return {"type": "context", "elements": [_mrkdwn(text)]}


def button(words: str, value: str) -> Block:
    """A button whose press sends the value, of at most 2,000 characters."""
    return {"type": "button", "text": _plain(words), "value": value}


def select(words: str, options: Iterable[tuple[str, str]]) -> Block:
    """A menu of plain texts, each with the value that choosing it sends, at most 75 characters."""
    return {
        "type": "static_select",
        "placeholder": _plain(words),
        "options": [
            {"text": _plain(cut(escape(text), MAX_OPTION) or "…"), "value": value}
            for text, value in options
        ],
    }


def actions(elements: Sequence[Block]) -> Block:
    """Buttons and menus in a row. Their ids only have to differ."""
    numbered = [element | {"action_id": f"act-{n}"} for n, element in enumerate(elements)]
    return {"type": "actions", "elements": numbered}


def sections(groups: Iterable[Sequence[Piece]]) -> list[Block]:
    """Groups of pieces in as few sections as hold them. A group (a step) is kept together where
    it fits into one; a longer one is cut between pieces, then between lines."""
    blocks: list[Block] = []
    held, held_plain = "", False

    def flush() -> None:
        nonlocal held
        if held.strip():
            text = held.strip("\n")
            body = _plain(text) if held_plain else _mrkdwn(text)
            # Without `expand` Slack hides the end of a long section behind "See more".
            blocks.append({"type": "section", "text": body, "expand": True})
        held = ""

    for group in groups:
        parts = [
            (piece.kind in ("plain", "verbatim"), text)
            for piece in group
            for text in _fitting(piece)
        ]
        size = sum(len(text) + 1 for _, text in parts)
        if len(held) + size > MAX_SECTION >= size:
            flush()
        for is_plain, text in parts:
            if held and (is_plain != held_plain or len(held) + 1 + len(text) > MAX_SECTION):
                flush()
            held, held_plain = f"{held}\n{text}" if held else text, is_plain
    flush()
    return blocks


def cut(text: str, limit: int) -> str:
    """Escaped text cut to `limit` characters, not through the middle of an escape or a link."""
    if len(text) <= limit:
        return text
    short = text[: limit - 1]
    for opening, closing in (("&", ";"), ("<", ">")):
        start = short.rfind(opening)
        # An escaped text has no `&` and no `<` but those that begin an escape or a link.
        if start >= 0 and closing not in short[start:]:
            short = short[:start]
    return short + "…"


def _fitting(piece: Piece) -> Iterator[str]:
    """The piece in parts that fit into a section; of code all or nothing."""
    if piece.kind in ("code", "verbatim"):
        code = f"```\n{piece.text}\n```" if piece.kind == "code" else piece.text
        yield code if len(code) <= MAX_SECTION else wording.too_long("Slack")
        return
    lines: list[str] = []
    size = 0
    for line in (cut(line, MAX_SECTION) for line in piece.text.split("\n")):
        if lines and size + len(line) > MAX_SECTION:
            yield "\n".join(lines)
            lines, size = [], 0
        lines.append(line)
        size += len(line) + 1
    yield "\n".join(lines)


def _mrkdwn(text: str) -> Block:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}


_MAX_FALLBACK = 1000  # characters of the text that a phone's notification shows
# A formatting character at the border of a word would format; with a zero-width space behind it,
# it is plain text.
_FORMATTING = re.compile(r"(?<!\w)[*_~`]|[*_~`](?!\w)")
_SCHEMES = ("http://", "https://", "mailto:")
_MAX_STEPS = 20  # to choose from: they take room in the message
_LONGEST_ID = 500
_LONGEST_URL = 1400  # characters, encoded: two of them fit into one line of text
_MARKS = {Strong: "*", Emphasis: "_", Strike: "~"}


def render(
    notification: Notification,
    detail: Detail,
    most: int | None = None,
    pressed: Block | None = None,
) -> dict[str, Any]:
    """The message with as much detail as fits into its blocks, and, where `most` is given, into
    that many characters of all its blocks as JSON; above its links the buttons `pressed`."""
    more = [pressed] if pressed else []

    def fits(blocks: list[Block]) -> bool:
        if len(blocks) + len(more) > MAX_BLOCKS:
            return False
        return most is None or len(to_json(blocks + more).decode()) <= most

    blocks = fit(detail, lambda level: _blocks(outline(notification, level)), fits)
    while not fits(blocks):  # the first ones, and the last, which has the links
        del blocks[-2 if len(blocks) > 2 else -1]
    has_links = bool(blocks) and blocks[-1]["type"] == "context"
    at = len(blocks) - has_links
    return _message(notification, [*blocks[:at], *more, *blocks[at:]])


def buttons(notification: Notification) -> Block | None:
    """What people can press: that they have it and which step is done, or at the end whether the
    runbook helped. A value is the group and what the button of its page says."""
    group = notification.groups[-1]
    if notification.group.firing:
        elements = [button("I have it", f"{group} take")]
        if notification.steps_left:
            steps = [
                (title, f"{group} tick {key}")
                for key, title in notification.steps_left[:_MAX_STEPS]
            ]
            elements.append(select("Step done", steps))
    else:
        elements = [
            button(words, f"{group} {do} {part.id}")
            for part in notification.runbooks[:1]
            for words, do in (("The runbook helped", "helped"), ("It did not", "not_helped"))
            if len(part.id) <= _LONGEST_ID
        ]
    return actions(elements) if elements else None


def render_change(notification: Notification) -> dict[str, Any]:
    """The reply in a message's thread when the message itself was changed: the current state."""
    parts = [
        part
        for part in outline(notification, Detail.MINIMAL)
        if isinstance(part, message.REPLIED) or part == message.Note(message.RESENT)
    ]
    return _message(notification, sections([SlackRenderer().parts(parts)]))


def _message(notification: Notification, blocks: list[Block]) -> dict[str, Any]:
    text = cut(escape(wording.push(notification, _MAX_FALLBACK)), _MAX_FALLBACK)
    return {
        "text": " ".join((*notification.mentions, text)),
        "blocks": blocks,
        # Slack would otherwise fetch what links lead to.
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _blocks(parts: Iterable[message.OutlinePart]) -> list[Block]:
    renderer = SlackRenderer()
    blocks: list[Block] = []
    groups: list[list[Piece]] = []  # what is kept together

    def flush() -> None:
        blocks.extend(sections(groups))
        groups.clear()

    for part in parts:
        pieces = list(renderer.part(part))
        match part:
            case message.Title():
                blocks.append(header(pieces[0].text))
            case message.Links():
                flush()
                blocks.append(context(pieces[0].text))
            case message.RunbookTitle():
                flush()
                blocks.append({"type": "divider"})
                groups.append(pieces)
            case message.Body() if groups:
                groups[-1] += pieces
            case _:
                groups.append(pieces)
    flush()
    return blocks


class SlackRenderer(LineRenderer[Piece, str]):
    """Text and code as pieces, for `blocks.sections` to pack."""

    def title(self, part: message.Title) -> Iterator[Piece]:
        yield Piece("plain", escape(f"{part.grade.emoji} {part}"))

    def mention(self, names: Sequence[str]) -> Iterator[Piece]:
        yield Piece("text", " ".join(names))

    def shared(self, part: message.CommonFacts) -> Iterator[Piece]:
        yield Piece("plain", escape("\n".join(part.lines())))

    def alert(self, part: message.AlertLine) -> Iterator[Piece]:
        yield Piece("plain", escape("• " + "\n    ".join(part.lines())))

    def more(self, part: message.More) -> Iterator[Piece]:
        yield Piece("text", linked(part.url, str(part)))

    def note(self, text: str) -> Iterator[Piece]:
        yield Piece("plain", escape(text))

    def runbook(self, part: message.RunbookTitle) -> Iterator[Piece]:
        yield Piece("text", f"*{linked(part.url, part.text)}*")
        for text in filter(None, (part.provenance, part.about)):
            yield Piece("plain", escape(text))

    def step(self, part: message.StepLine) -> Iterator[Piece]:
        yield self.line(self.spans(part.words), f"{part.number}. ")
        yield from self.below_step(part.blocks)

    def links(self, pairs: Sequence[tuple[str, str]]) -> Iterator[Piece]:
        yield Piece("text", "  ·  ".join(linked(url, words) for words, url in pairs))

    def line(self, text: str, lead: str = "", *, is_continued: bool = False) -> Piece:
        return Piece("text", f"{self.margin}{lead}{text}")

    def deeper(self, by: str) -> "SlackRenderer":
        return self.nested(self.margin + by)

    def bold(self, text: str) -> str:
        return f"*{literal(text)}*"

    def code_block(self, text: str, language: str) -> Piece:
        # Three backticks within would end the fence, and what follows would be markup.
        return Piece("verbatim" if "```" in text else "code", escape(text))

    def value(self, text: str) -> Piece:
        return Piece("plain", escape(text))

    def quote(self, block: Quote) -> Iterator[Piece]:
        for piece in SlackRenderer().blocks(block.blocks):
            # Slack's quotes do not nest; a `>` of the text itself is escaped by now.
            if piece.kind != "text" or piece.text.startswith("> "):
                yield piece
            else:
                yield Piece("text", "> " + piece.text.replace("\n", "\n> "))

    def table(self, block: Table) -> Iterable[Piece]:
        if as_list := rows_as_list(block):
            return self.list_block(as_list)
        rows = (" | ".join(map(plain, row)) for row in (block.header, *block.rows))
        return self.code(Code("\n".join(rows)))

    def text(self, text: str) -> str:
        return literal(text)

    def code_span(self, text: str) -> str:
        # There is no way to write a backtick within code on a line.
        code = escape(text).replace("`", "\N{MODIFIER LETTER GRAVE ACCENT}")
        return f"`{code}`" if code.strip() else code

    def line_break(self, hard: bool) -> str:
        return "\n" if hard else " "

    def link(self, url: str, children: Sequence[Inline]) -> str:
        return linked(url, plain(children))

    def marked(self, span: Strong | Emphasis | Strike) -> str:
        inner = self.spans(span.children).strip()
        mark = _MARKS[type(span)]
        # Slack formats one line at a time, and not around code that ends the word.
        return f"{mark}{inner}{mark}" if inner and "\n" not in inner else inner

    def joined(self, spans: Iterable[str]) -> str:
        return "".join(spans)


def literal(text: str) -> str:
    """Words in which no character formats."""
    return _FORMATTING.sub(lambda found: found[0] + "\u200b", escape(text))


def linked(url: str, label: str) -> str:
    """`<url|label>`; only the label where the URL is not one for a browser."""
    words = literal(label.replace("|", "\N{BROKEN BAR}").replace("\n", " "))
    scheme, colon, rest = url.partition(":")
    # Characters that Slack would parse, or that no URL has, are encoded.
    address = quote(scheme.lower() + colon + rest, safe="%/:=&?~#+!$,;'@()*[]-._", errors="replace")
    address = address.replace("&", "&amp;")
    if not url.lower().startswith(_SCHEMES) or len(address) > _LONGEST_URL:
        return words
    return f"<{address}|{words}>" if words.strip() else f"<{address}>"


# chat.postMessage refuses all blocks together (msg_blocks_too_long) from some 13,200 characters
# on; the limit is not documented, so there is a margin.
MAX_TOTAL = 12_000
_FORM = "application/x-www-form-urlencoded"

# Error codes of chat.postMessage and chat.update (docs.slack.dev, reference/methods).
_IN_DOUBT = frozenset(("internal_error", "fatal_error", "request_timeout"))
_LATER = frozenset(("service_unavailable", "team_added_to_org", "accesslimited"))
_RATE = frozenset(("ratelimited", "rate_limited", "message_limit_exceeded"))
_MESSAGE = frozenset(
    (
        *("msg_too_long", "msg_blocks_too_long", "invalid_blocks", "invalid_blocks_format"),
        *("no_text", "markdown_text_conflict", "too_many_attachments", "invalid_arguments"),
        *("invalid_post_type", "block_mismatch", "invalid_metadata_format", "invalid_json"),
    )
)
# The message to change is gone, or may no longer be changed: only a new one is left.
_GONE = frozenset(
    (
        *("message_not_found", "cant_update_message", "edit_window_closed", "is_inactive"),
        *("cant_broadcast_message", "thread_not_found", "update_failed"),
    )
)


def _web_api(answer: Answer) -> Outcome | bool:
    """The Web API answers 200 with `"ok": false` and an error code. An unknown code is taken for a
    fault of the token or the channel: Slack's own failures have names."""
    if not isinstance(answer.data.get("ok"), bool):
        return False
    if answer.data["ok"]:
        return True
    code = str(answer.data.get("error", ""))
    message = f"Slack says: {code or 'not ok'}"
    if code in _IN_DOUBT:
        return Failed(Reason.SERVER_ERROR, message, in_doubt=True)
    if code in _RATE:
        return Failed(Reason.RATE_LIMITED, message)
    if code in _LATER:
        return Failed(Reason.SERVER_ERROR, message)
    if code in _MESSAGE:
        return Failed(Reason.REJECTED, message, Remedy.SMALLER)
    return misconfigured(message)


_WEB_API = AnswerRules(confirms=_web_api)


_ID = re.compile(r"(?:<@|<!subteam\^)?(?P<id>[SUW][A-Z0-9]{4,20})>?")
_ALL = re.compile(r"(?:<!|@)?(?P<name>here|channel|everyone)>?")


def _mention(name: str) -> str | None:
    if found := _ALL.fullmatch(name):
        return f"<!{found['name']}>"
    if found := _ID.fullmatch(name):
        return f"<!subteam^{found['id']}>" if found["id"][0] == "S" else f"<@{found['id']}>"
    return None


_MENTIONS = mention_names(
    _mention, "the id of a user group (S012AB3CD) or a user (U012AB3CD), here, channel, everyone"
)


@dataclass(frozen=True, slots=True)
class BotPayload:
    """The message, the reply in its thread when it is changed, and whether the group is over."""

    message: dict[str, Any]
    reply: dict[str, Any]
    over: bool


class SlackNotifier(HttpNotifier):
    """Posts to one channel: the webhook's own, or `channel` by a bot.

    A bot changes its message when its group changes, and says so in the message's thread.
    """

    # An incoming webhook answers `ok`, in plain text.
    rules = AnswerRules(confirms=lambda answer: answer.body.strip() == b"ok")

    type: Literal["slack"] = "slack"
    rate_limit: RateField | None = Rate(1, 1.0)  # a channel accepts about one a second
    url: SecretField | None = None
    """The URL of an incoming webhook."""
    bot_token: SecretField | None = None
    """Instead of a URL: a bot's token, `xoxb-...`."""
    app_token: SecretField | None = None
    """The app's token, `xapp-...`: messages of the bot have buttons, which Socket Mode hears."""
    channel: str = ""
    """Where the bot posts: a channel's id, or `#name`."""
    thread: bool = True
    """Whether the bot says in the message's thread that the message was changed."""
    broadcast: bool = False
    """Whether that is shown in the channel too."""
    mention: Annotated[Mentions, _MENTIONS] = Field(default_factory=dict)
    """Whom to mention while alerts fire: ids of user groups and users, `here`, `channel`."""
    api_url: ApiUrl = "https://slack.com/api"
    """The Web API's address, for GovSlack or a proxy."""

    @property
    def changes_messages(self) -> bool:
        """As of any notifier: an incoming webhook cannot."""
        return self.bot_token is not None

    @model_validator(mode="after")
    def _webhook_or_bot(self) -> Self:
        if (self.url is None) == (self.bot_token is None):
            raise ValueError(
                "give one of `url` (an incoming webhook, Alertmanager's `api_url`) and `bot_token`"
            )
        if (self.bot_token is None) == bool(self.channel):
            raise ValueError("`bot_token` and `channel` go together")
        if self.app_token is not None and self.bot_token is None:
            raise ValueError("`app_token` is for the buttons of a bot: it goes with `bot_token`")
        if self.broadcast and not self.thread:
            raise ValueError("`broadcast` shows replies of the thread: it goes with `thread`")
        return self

    def render(
        self, notification: Notification, detail: Detail = Detail.FULL
    ) -> dict[str, Any] | BotPayload:
        """A webhook's message, or what a bot posts."""
        notification = mentioning(notification, self.mention)
        if self.bot_token is None:
            return render(notification, detail)
        pressed = None
        if self.app_token is not None:
            pressed = buttons(notification)
            notification = replace(notification, actions=())
        return BotPayload(
            message=render(notification, detail, MAX_TOTAL, pressed),
            reply=render_change(notification),
            over=notification.status is Status.RESOLVED,
        )

    async def notify(self, payload: dict[str, Any] | BotPayload, sending: Sending) -> Outcome:
        if not isinstance(payload, BotPayload):
            assert self.url is not None
            return await self.post(sending, self.url.read(), payload)
        place = continued(sending.reference, {"channel", "ts"}, over=payload.over)
        if place is None:
            return await self._begin(payload, sending)
        outcome, answer = await self._call("chat.update", payload.message | place, sending)
        if answer.data.get("error") in _GONE:
            return await self._begin(payload, sending)
        if isinstance(outcome, Failed) or sending.only_change:
            return outcome
        if self.thread:
            thread = {"thread_ts": place["ts"], "reply_broadcast": self.broadcast}
            reply = payload.reply | {"channel": place["channel"]} | thread
            replied, answer = await self._call("chat.postMessage", reply, sending)
            # A missing thread is not worth a repeat: the message itself is up to date by now.
            if isinstance(replied, Failed) and answer.data.get("error") not in _GONE:
                return replied
        return Delivered(_reference(place, over=payload.over))

    async def _begin(self, payload: BotPayload, sending: Sending) -> Outcome:
        """A new message, to be changed later."""
        if sending.only_change:
            return Delivered()
        arguments = payload.message | {"channel": self.channel}
        outcome, answer = await self._call("chat.postMessage", arguments, sending)
        if isinstance(outcome, Failed):
            return outcome
        return Delivered(_reference(answer.data, over=payload.over))

    async def open_socket(self, sending: Sending) -> str | Failed:
        """The address of a websocket for Socket Mode, which lets whoever has it in."""
        outcome, answer = await self._call("apps.connections.open", b"", sending, self.app_token)
        if isinstance(outcome, Failed):
            return outcome
        url = str(answer.data.get("url", ""))
        is_open = self.api_url.startswith("http://") and url.startswith("ws://")
        if not is_open and not url.startswith("wss://"):
            return misconfigured("Slack names no address to connect to")
        return url

    async def name_of(self, user: str, sending: Sending) -> str:
        """The name that a person shows; empty where Slack does not say, as without `users:read`."""
        body = urlencode({"user": user}).encode()
        _, answer = await self._call("users.info", body, sending)
        found = answer.data.get("user")
        person = found if isinstance(found, dict) else {}
        profile = person.get("profile")
        shown = profile if isinstance(profile, dict) else {}
        names = (shown.get("display_name"), shown.get("real_name"), person.get("name"))
        return next((name for name in names if isinstance(name, str) and name.strip()), "")

    async def whisper(self, channel: str, user: str, text: str, sending: Sending) -> None:
        """Say something that only one person sees."""
        arguments = {"channel": channel, "user": user, "text": escape(text)}
        await self._call("chat.postEphemeral", arguments, sending)

    async def _call(
        self,
        method: str,
        arguments: dict[str, Any] | bytes,
        sending: Sending,
        token: Secret | None = None,
    ) -> tuple[Outcome, Answer]:
        """A call of the Web API, by the bot unless another token is given; JSON, or a form."""
        token = token or self.bot_token
        assert token is not None
        form = isinstance(arguments, bytes)
        headers = {
            "Authorization": f"Bearer {token.read()}",
            "Content-Type": _FORM if form else "application/json; charset=utf-8",
        }
        url = f"{self.api_url}/{method}"
        return await self.request(sending, url, arguments, headers=headers, rules=_WEB_API)


def _reference(answer: dict[str, Any], *, over: bool) -> str | None:
    """The reference to a message; None where Slack did not say where it is."""
    place = {"channel": str(answer.get("channel", "")), "ts": str(answer.get("ts", ""))}
    return reference(place, over=over) if all(place.values()) else None
