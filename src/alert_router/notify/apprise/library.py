"""Apprise itself, loaded where it is first needed: its URLs, what they take, and one send.

All of it blocks; whoever calls it does so in a thread of its own.
"""

import re
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from alert_router.notify.answers import judge
from alert_router.notify.apprise.confined import confined
from alert_router.notify.apprise.heard import Heard, listening
from alert_router.notify.apprise.message import chosen
from alert_router.notify.base import Delivered, Failed, Outcome, Reason, Remedy
from alert_router.notify.guard import Guard
from alert_router.notify.redact import clean

MISSING = (
    "the package `apprise` is not installed: `pip install 'alert-router[apprise]'`, or take a "
    "notifier of another type"
)
# Among the forms of a service's URL: one that names no host and no account shows something on the
# machine that the router runs on, or writes to its log.
_NOWHERE = "{schema}://"
_STATUS = re.compile(r"\berror=(\d{3})\b")
_UNREACHED = re.compile(r"connection error|timed? ?out|socket exception", re.IGNORECASE)
_MOST_SAID = 500  # characters
_BLENDED = 20  # characters that a title has around it where it stands within the text


def is_installed() -> bool:
    """Whether Apprise is to be had."""
    return find_spec("apprise") is not None


def objection(url: str) -> str:
    """What is wrong with an Apprise URL, in a sentence that does not tell it; empty if nothing."""
    return _loaded(url)[1]


def send(url: str, said: dict[str, Any], seconds: float, guard: Guard) -> Outcome:
    """Send a message, of which as much as the service takes. Apprise tells of success or failure
    alone: what else is known was read from its log."""
    plugin, wrong = _loaded(url)
    if wrong:
        return Failed(Reason.MISCONFIGURED, f"`url`: {wrong}", Remedy.HOLD)
    plugin.redirects = False
    plugin.socket_connect_timeout = plugin.socket_read_timeout = seconds
    title, text = _fitted(plugin, said)
    with confined(guard) as refused, listening() as heard:
        # Upstream: neither cut nor split by Apprise, whatever the URL asks for.
        is_sent = plugin.notify(
            body=text, title=title, notify_type=said["type"], body_format="text",
            overflow="upstream",
        )  # fmt: skip
    if is_sent:
        return Delivered()
    if refused:
        return Failed(Reason.MISCONFIGURED, clean(str(refused[0].strerror), [url]), Remedy.HOLD)
    return _failed(heard, url)


def _failed(heard: Heard, url: str) -> Failed:
    words = " ".join(heard.warnings)
    told = clean(words[:_MOST_SAID], [url]) or "Apprise says no more than that it failed"
    status = _STATUS.search(words)
    if status is not None and int(status[1]) >= 300:
        failed = judge(int(status[1]), {}, told.encode(), [url])
        assert isinstance(failed, Failed)
        return replace(failed, in_doubt=failed.in_doubt or heard.may_have_arrived)
    if heard.unconnected and not heard.may_have_arrived:
        message = clean(f"cannot connect: {heard.unconnected[0]} ({told})", [url])
        return Failed(Reason.CONNECTION, message)
    reason = Reason.CONNECTION if _UNREACHED.search(words) else Reason.SERVER_ERROR
    return Failed(reason, told, in_doubt=True)


def _fitted(plugin: Any, said: dict[str, Any]) -> tuple[str, str]:
    """Title and text within what the service takes, measured as Apprise sends them: what is
    markup in a service's format is escaped there, and longer for it."""
    from apprise.conversion import convert_between  # noqa: PLC0415

    form = plugin.resolve_format("text")

    def length(text: str) -> int:
        return len(plugin.dialect_convert(convert_between("text", form, text), form))

    title = said["title"][: plugin.title_maxlen] if plugin.title_maxlen else said["title"]
    room, lines = plugin.body_maxlen - plugin.overflow_buffer, plugin.body_max_line_count
    if not plugin.title_maxlen:
        room, lines = room - length(title) - _BLENDED, lines - bool(lines)
    elif plugin.overflow_amalgamate_title:
        room -= len(title) + 2

    def fits(text: str) -> bool:
        return length(text) <= room and (not lines or text.count("\n") < lines)

    return title, chosen(said["texts"], fits)


def _loaded(url: str) -> tuple[Any, str]:
    """The service of a URL, or what is wrong with that."""
    import apprise  # noqa: PLC0415  # an extra, and half a second to load
    from apprise.plugins import N_MGR  # noqa: PLC0415

    schema = url.strip().partition(":")[0].lower()
    if schema in N_MGR and _NOWHERE in N_MGR[schema].templates:
        return None, f"{schema}:// is for the machine that the router runs on, and goes nowhere"
    asset = apprise.AppriseAsset(http_redirects=False)
    with listening():
        plugin = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if plugin is None or _NOWHERE in plugin.templates:
        return None, "it is no URL that Apprise knows"
    template = getattr(plugin, "template", None)
    if isinstance(template, apprise.AppriseAttachment) and len(template):
        return None, "a `template` of Apprise's would take the message's place; leave it out"
    return plugin, ""
