"""The notifier `apprise`: any of the services that Apprise supports, by an Apprise URL.

The second choice: Apprise blocks, opens its own connections, and reports success or failure without
a reason.
"""

import asyncio
import logging
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal, Self

from pydantic import model_validator

from alert_router.fields import SecretField, SecretUnavailable
from alert_router.markdown import Block, visible
from alert_router.markdown.tree import Rewrite
from alert_router.model.severity import Level
from alert_router.notification import Detail, Notification
from alert_router.notify import message, wording
from alert_router.notify.base import Delivered, Failed, Notifier, Outcome, Reason, Sending
from alert_router.notify.render import PlainTextRenderer
from alert_router.redaction import clean

MAX_SENDS = 32  # at once, those that were given up included
MORE = "…"
_BLENDED = 20  # characters that a title has around it where it stands within the text
# Among the forms of a service's URL: one that names no host and no account shows something on the
# machine that the router runs on, or writes to its log.
_LOCAL = "{schema}://"
# What many services take for a mention, a channel or a tag: with a word joiner (U+2060) behind it,
# it is plain text.
_OBEYED = re.compile(r"[@#<!](?=\S)")
# Apprise's words for severities.
_TYPES: Mapping[Level, str] = {
    "critical": "failure",
    "error": "failure",
    "warning": "warning",
    "info": "info",
    "resolved": "success",
}

_free = threading.BoundedSemaphore(MAX_SENDS)


@dataclass(frozen=True, slots=True)
class ApprisePayload:
    """Title, Apprise's word for the severity, and the text at each level of detail, the most
    detailed first. Each text is pieces that are kept or left out as a whole: how much a service
    accepts is only known when its secret URL is read."""

    title: str
    type: str
    texts: tuple[tuple[str, ...], ...]


class AppriseNotifier(Notifier):
    """Sends to one Apprise URL."""

    type: Literal["apprise"] = "apprise"
    url: SecretField
    """An Apprise URL, such as `gotify://host/token`."""

    @model_validator(mode="after")
    def _installed(self) -> Self:
        if find_spec("apprise") is None:
            raise ValueError(
                "the package `apprise` is not installed: `pip install 'alert-router[apprise]'`, or "
                "use a notifier of another type"
            )
        return self

    def secrets_missing(self) -> list[str]:
        """As every notifier's, and whether Apprise supports the URL."""
        missing = super().secrets_missing()
        if not missing:
            try:
                _service(self.url.read())
            except SecretUnavailable as error:
                missing.append(str(error))
        return missing

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> ApprisePayload:
        """Title, type, and the text at each level of detail from `detail` down."""
        grade = wording.grade(notification)
        title = next(message.outline(notification, Detail.MINIMAL))
        renderer = AppriseRenderer()
        texts = (
            renderer.parts(message.outline(notification, Detail(level)))
            for level in range(detail, Detail.MINIMAL - 1, -1)
        )
        return ApprisePayload(
            title=renderer.literal(f"{grade.emoji} {title}"),
            type=_TYPES[grade.level],
            texts=tuple(tuple(filter(None, pieces)) for pieces in texts),
        )

    def readable(self, payload: ApprisePayload) -> dict[str, str]:
        """The most detailed text; a service that accepts less is sent less."""
        text = "\n".join(payload.texts[0]).strip("\n")
        return {"title": payload.title, "type": payload.type, "body": text}

    async def notify(self, payload: ApprisePayload, sending: Sending) -> Outcome:
        url, seconds = self.url.read(), self.timeout
        try:
            async with asyncio.timeout(seconds):
                is_sent = await _in_thread(lambda: _send(_service(url), payload, seconds))
        except TimeoutError:
            return Failed(Reason.TIMEOUT, f"no answer within {seconds:g} s", in_doubt=True)
        except _Busy:
            return Failed(Reason.TIMEOUT, f"{MAX_SENDS} earlier sends by Apprise still hang")
        except SecretUnavailable:
            raise
        except Exception as error:  # a service's own code may raise anything
            return Failed(
                Reason.INTERNAL, clean(f"Apprise failed: {error}", self.url.parts()), in_doubt=True
            )
        if is_sent:
            return Delivered()
        why = "Apprise could not send it, and does not say why: try the URL with `apprise -vv`"
        return Failed(Reason.SERVER_ERROR, why, in_doubt=True)


class AppriseRenderer(PlainTextRenderer):
    """Words on which most services do nothing; the title is a field of its own."""

    def literal(self, text: str) -> str:
        return _OBEYED.sub(lambda found: f"{found[0]}\u2060", visible(text))

    def title(self, part: message.Title) -> Iterable[str]:
        return ()

    def alert(self, part: message.AlertLine) -> Iterable[str]:
        first, *others = map(self.literal, part.lines())
        yield from (first, *(f"  {line}" for line in others))

    def template_text(self, blocks: Sequence[Block]) -> Iterable[str]:
        # Values of alerts are among its words.
        literal = Rewrite(words=self.literal, code_text=str, url=str)
        yield self.joined_blocks(literal.blocks(blocks))


class _Busy(Exception):
    """So many earlier calls have not ended that no other is started."""


async def _in_thread(call: Callable[[], bool]) -> bool:
    """What the call returns, from a daemon thread: one that hangs delays neither the loop nor the
    end of the process. Raises _Busy, and what the call raises."""
    free = _free
    if not free.acquire(blocking=False):
        raise _Busy
    loop = asyncio.get_running_loop()
    done: asyncio.Future[bool] = loop.create_future()

    def settle(result: bool, error: Exception | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)

    def work() -> None:
        result, raised = False, None
        try:
            result = call()
        except Exception as error:
            raised = error
        finally:
            free.release()
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, raised)

    threading.Thread(target=work, name="apprise", daemon=True).start()
    return await done


def _service(url: str) -> Any:
    """The plugin of an Apprise URL. Raises SecretUnavailable where it cannot be used."""
    import apprise  # noqa: PLC0415  # an extra, and half a second to load
    from apprise.plugins import N_MGR  # noqa: PLC0415

    logging.getLogger("apprise").disabled = True  # it logs secrets
    schema = url.strip().partition(":")[0].lower()
    if schema in N_MGR and _LOCAL in N_MGR[schema].templates:
        raise SecretUnavailable(f"`url`: {schema}:// notifies only the router's own machine")
    asset = apprise.AppriseAsset(http_redirects=False)
    plugin = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if plugin is None or _LOCAL in plugin.templates:
        raise SecretUnavailable("`url`: not a URL that Apprise supports")
    template = getattr(plugin, "template", None)
    if isinstance(template, apprise.AppriseAttachment) and len(template):
        raise SecretUnavailable("`url`: an Apprise `template` would replace the message; remove it")
    return plugin


def _send(plugin: Any, payload: ApprisePayload, seconds: float) -> bool:
    """Whether Apprise sent the message, with as much text as the service accepts."""
    plugin.redirects = False
    plugin.socket_connect_timeout = plugin.socket_read_timeout = seconds
    title, text = _fitted(plugin, payload)
    # Upstream: neither cut nor split by Apprise, whatever the URL asks for.
    return bool(
        plugin.notify(
            body=text, title=title, notify_type=payload.type, body_format="text",
            overflow="upstream",
        )
    )  # fmt: skip


def _fitted(plugin: Any, payload: ApprisePayload) -> tuple[str, str]:
    """Title and text within what the service accepts, measured as Apprise sends them: escaped
    where the service's format has markup, and longer for it."""
    from apprise.conversion import convert_between  # noqa: PLC0415

    form = plugin.resolve_format("text")

    def length(text: str) -> int:
        return len(plugin.dialect_convert(convert_between("text", form, text), form))

    title = payload.title[: plugin.title_maxlen or None]
    room, lines = plugin.body_maxlen - plugin.overflow_buffer, plugin.body_max_line_count
    if not plugin.title_maxlen:
        room, lines = room - length(title) - _BLENDED, lines - bool(lines)
    elif plugin.overflow_amalgamate_title:
        room -= len(title) + 2

    def fits(text: str) -> bool:
        return length(text) <= room and (not lines or text.count("\n") < lines)

    return title, _chosen(payload.texts, fits)


def _chosen(texts: Sequence[Sequence[str]], fits: Callable[[str], bool]) -> str:
    """The most detailed text that fits; of the least detailed one as many pieces as fit, and of
    its first piece what fits."""
    for pieces in texts:
        text = "\n".join(pieces).strip("\n")
        if fits(text):
            return text
    first, *others = texts[-1]
    while first and not fits(f"{first}\n{MORE}"):
        first = first.split("\n")[0] if "\n" in first else first[: len(first) * 3 // 4]
    if first != texts[-1][0]:
        return f"{first}{MORE}"
    kept = first
    for piece in others:
        if not fits(f"{kept}\n{piece}\n{MORE}"):
            break
        kept = f"{kept}\n{piece}"
    return f"{kept}\n{MORE}"
