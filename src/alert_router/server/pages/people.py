"""Who looks and acts: a name in a cookie or from a proxy, and forms that only our pages send."""

import asyncio
import hmac
import re
import secrets
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from ipaddress import ip_address
from urllib.parse import quote, unquote

from aiohttp import web
from multidict import MultiDictProxy

from alert_router.config.model import Http
from alert_router.server.context import SITE
from alert_router.server.pages.render import PREFIX
from alert_router.server.requests import from_other_site

_SESSION, _NAME = "alert_router_session", "alert_router_name"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,64}")
_LONGEST_NAME = 60  # characters
_A_YEAR = 365 * 86_400
FORM = "application/x-www-form-urlencoded"
NOT_OURS = "This form was not sent by a page of this router."


@dataclass(frozen=True, slots=True)
class Person:
    """Who sends a request. `name` is empty where it is not known yet; `is_certain` if a proxy says
    so. `may_act` is false where a proxy has to say who it is and does not."""

    name: str
    is_certain: bool
    may_act: bool
    session: str

    @property
    def token(self) -> str:
        """What a form of this person's has to contain."""
        return sha256(f"form\0{self.session}".encode()).hexdigest()[:32]


class ActionRefused(Exception):
    """A form that is not accepted; the message is for people."""


def person(request: web.Request) -> Person:
    """Who sends the request."""
    session = request.cookies.get(_SESSION, "")
    if not _TOKEN.fullmatch(session):
        session = secrets.token_urlsafe(24)
    people = request.app[SITE].runtime().config.http.people
    if people is None:
        return Person(clean_name(unquote(request.cookies.get(_NAME, ""))), False, True, session)
    name = clean_name(request.headers.get(people.header, "")) if _is_proxy(request) else ""
    return Person(name, True, bool(name), session)


def _is_proxy(request: web.Request) -> bool:
    people = request.app[SITE].runtime().config.http.people
    try:
        address = ip_address((request.remote or "").partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return people is not None and any(mapped in network for network in people.proxies)


def may_administrate(request: web.Request, who: Person, is_guarded: bool) -> bool:
    """Whether to let somebody replay and discard: who has credentials, or whom a proxy names. An
    address proves nothing: behind a proxy on this machine everybody has its address."""
    auth = request.app[SITE].runtime().config.http.auth
    if is_guarded or (who.is_certain and who.may_act):
        return True
    return auth is not None and not auth.protect.isdisjoint(("pages", "actions"))


def clean_name(text: str) -> str:
    """A name on one line, of at most 60 characters."""
    printable = "".join(char if char.isprintable() else " " for char in text[: 4 * _LONGEST_NAME])
    return " ".join(printable.split())[:_LONGEST_NAME].strip()


def remember(request: web.Request, answer: web.Response, who: Person, name: str = "") -> None:
    """Set the cookies that the answer needs: the session's, and the name's where one is given."""
    http: Http = request.app[SITE].runtime().config.http
    is_secure = request.secure or http.external_url.startswith("https://")
    set_cookie = partial(
        answer.set_cookie,
        path=request.app[PREFIX] or "/",
        httponly=True,
        samesite="Lax",
        secure=is_secure,
    )
    if request.cookies.get(_SESSION) != who.session:
        set_cookie(_SESSION, who.session)
    if name and not who.is_certain:
        set_cookie(_NAME, quote(name, safe=""), max_age=_A_YEAR)


async def read_form(request: web.Request, who: Person) -> "MultiDictProxy[str]":
    """The fields of a form that one of our pages sent. Raises ActionRefused."""
    if from_other_site(request, request.app[SITE].runtime().config.http.external_url):
        raise ActionRefused(NOT_OURS)
    form = await read_fields(request)
    if not hmac.compare_digest(form.get("token", "").encode(), who.token.encode()):
        raise ActionRefused("This page is too old, or cookies are off: load it again.")
    if not who.may_act:
        raise ActionRefused("The proxy does not say who you are, so that you can only read.")
    return form


async def read_fields(request: web.Request) -> "MultiDictProxy[str]":
    """The fields of a form, whoever sent it, without files. Raises ActionRefused."""
    if request.content_type != FORM:
        raise ActionRefused(NOT_OURS)
    try:
        async with asyncio.timeout(request.app[SITE].runtime().config.http.body_timeout):
            return await request.post()  # type: ignore[return-value]
    except TimeoutError:
        raise ActionRefused("The form did not arrive in time.") from None
    except (LookupError, UnicodeError):  # the charset that it names
        raise ActionRefused(NOT_OURS) from None
