"""What all pages share: templates, the one stylesheet, the script, headers that allow nothing else,
and how a runbook is shown.

A runbook is whatever its author wrote: what is made of it is escaped, then sanitized.
"""

import base64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import blake2b, sha256, sha384
from importlib.resources import files
from pathlib import PurePath
from urllib.parse import quote

import jinja2
import nh3
from aiohttp import web
from markupsafe import Markup

from alert_router.enrich.shell.effects import effects
from alert_router.markdown import Block, Code, to_html, visible
from alert_router.model.problem import Place
from alert_router.preview.drawing import FILTERS, HtmlDocument, Panel
from alert_router.runbook.model import Runbook
from alert_router.runbook.pictures import is_picture
from alert_router.runbook.sections import with_keys

# The look of each level of severity.
TONES = {"critical": "bad", "error": "bad", "warning": "warn", "info": "", "resolved": "good"}
PREFIX: web.AppKey[str] = web.AppKey("prefix", str)  # of all paths: "", or "/alerts"

_REMEMBERED = 1024  # characters of the longest block whose mark is remembered

_STATIC = files("alert_router.server.pages") / "static"
_STYLE = (_STATIC / "style.css").read_text(encoding="utf-8")
_SCRIPT = (_STATIC / "pages.js").read_bytes()
SCRIPT_NAME = f"pages-{sha256(_SCRIPT).hexdigest()[:12]}.js"


def _digest(made: bytes) -> str:
    return base64.b64encode(made).decode()


_STYLE_HASH = _digest(sha256(_STYLE.encode()).digest())
# The stylesheet is in the page, so that a saved page is whole; its digest allows it and no other.
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src 'self' data:; base-uri 'none'; "
    "frame-ancestors 'none'; "
)
_NO_SCRIPT = _POLICY + "form-action 'none'"
_WITH_FORMS = _POLICY + "form-action 'self'"
_WITH_SCRIPT = _WITH_FORMS + "; script-src 'self'; connect-src 'self'"

_TAGS = {
    *("h1", "h2", "h3", "h4", "h5", "h6", "p", "blockquote", "hr", "br", "div"),
    *("ul", "ol", "li", "input", "dl", "dt", "dd", "pre", "code"),
    *("a", "strong", "em", "del", "span", "img"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
_ATTRIBUTES = {
    "a": {"href"},
    "img": {"src", "alt"},
    "ol": {"start"},
    "input": {"type", "checked", "disabled"},
}


def _cleaner(everywhere: set[str]) -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=_TAGS,
        attributes=_ATTRIBUTES | {"*": everywhere},
        url_schemes={"http", "https", "mailto"},
        clean_content_tags={"script", "style", "title"},
        link_rel="noopener noreferrer",
    )


_whole_page, _fragment = _cleaner({"id", "class"}), _cleaner({"class"})

_templates = jinja2.Environment(
    loader=jinja2.ChoiceLoader(
        [
            jinja2.PackageLoader("alert_router.server.pages"),
            jinja2.PackageLoader("alert_router", "preview"),  # drawings of messages
        ]
    ),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    # No page contains control characters of an alert.
    finalize=lambda value: visible(value) if type(value) is str else value,
)
_templates.globals |= {
    "style": _STYLE,
    "script": SCRIPT_NAME,
    "integrity": f"sha384-{_digest(sha384(_SCRIPT).digest())}",
}


def _document(document: HtmlDocument) -> Markup:
    """A message in HTML, without its styles, which the policy does not allow."""
    made = Markup(harmless(document.html, with_ids=False))  # noqa: S704 - sanitized
    return Markup('<div class="document">{}</div>').format(made)


def _attributes(panel: Panel) -> Markup:
    color = "" if panel.color.startswith("#") else panel.color
    return Markup('class="box{} {}"').format(" filled" if panel.filled else "", color)


def harmless(html: str, *, with_ids: bool = True) -> str:
    """HTML of a runbook without anything active. Without ids where other elements have some."""
    return (_whole_page if with_ids else _fragment).clean(html)


_templates.filters |= FILTERS | {"html_document": _document, "attributes": _attributes}


def top(request: web.Request) -> str:
    """The way from a page up to the first one, relative: the page may be reached under a prefix
    that a proxy takes off before it asks us. Counted as a browser does, in the path as it is
    written: an encoded slash parts nothing."""
    path = request.rel_url.raw_path.removeprefix(request.app[PREFIX])
    return "../" * (path.count("/") - 1) or "./"


def page(template: str, root: str, **values: object) -> str:
    """The text of a page; `root` is what relative links in it begin with."""
    return _templates.get_template(template).render(root=root, **values)


def part(tag: str, name: str, *, id_: str = "", class_: str = "", **values: object) -> str:
    """A part of a page that is replaced when it changes: `tag` is its element, with an id, and a
    digest of its content to compare."""
    inner = _templates.get_template(f"parts/{name}.html").render(**values)
    digest = sha256(f"{class_}\0{inner}".encode(errors="replace")).hexdigest()[:16]
    attribute = f' class="{class_}"' if class_ else ""
    return f'<{tag} id="{id_ or name}" data-hash="{digest}"{attribute}>\n{inner}</{tag}>'


def answer(
    text: str, status: int = 200, *, scripts: bool = False, forms: bool = False
) -> web.Response:
    """A page as an answer; with `forms` forms may be sent to us, with `scripts` our own run too."""
    policy = _WITH_FORMS if forms else _NO_SCRIPT
    headers = {
        "Content-Security-Policy": _WITH_SCRIPT if scripts else policy,
        # Other sites learn nothing. Our forms would be sent with `Origin: null` without one; the
        # address of a link in a message is a secret, and its form needs no origin.
        "Referrer-Policy": "no-referrer" if forms else "same-origin",
    }
    if scripts or forms:  # it holds what only this person may see
        headers["Cache-Control"] = "no-store"
    return web.Response(
        text=text, status=status, content_type="text/html", charset="utf-8", headers=headers
    )


def unless_known(request: web.Request, made: web.Response) -> web.Response:
    """The page with a tag, or 304 for who has it already."""
    tag = sha256(made.body if isinstance(made.body, bytes) else b"").hexdigest()[:24]
    if request.headers.get("If-None-Match") == f'"{tag}"':
        return web.Response(status=304)
    made.headers["ETag"] = f'"{tag}"'
    return made


async def script(_: web.Request) -> web.Response:
    """GET the script, whose name changes with its content."""
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return web.Response(
        body=_SCRIPT, content_type="text/javascript", charset="utf-8", headers=headers
    )


Picture = Callable[[str], str | None]


def page_of(runbook: Runbook) -> str:
    """The path of the page of a runbook, or of the section of one, from the root."""
    file = runbook.parent or runbook
    anchor = "" if runbook.parent is None else f"#{quote(runbook.id.removeprefix(f'{file.id}#'))}"
    return f"runbooks/{quote(file.id, errors='replace')}{'/' if file.is_index else ''}{anchor}"


def short(place: Place | None) -> str:
    """`routing.yaml:12:3`: the path of a file says nothing to whoever reads a page."""
    return "" if place is None else str(replace(place, file=PurePath(place.file).name))


def html(blocks: Sequence[Block], picture: Picture, *, with_ids: bool = False) -> str:
    """Blocks as harmless HTML, with marks on commands that change something. `picture` gives the
    address of the picture that a link leads to, or None."""
    if not blocks:
        return ""
    return harmless(to_html(blocks, before_code=_mark, picture=picture), with_ids=with_ids)


def beside(url: str) -> str | None:
    """The picture that a relative link on a runbook's own page leads to."""
    is_relative = not url.startswith("/") and ":" not in url.partition("/")[0]
    return url if is_relative and is_picture(url) else None


def _mark(code: Code) -> tuple[str, str] | None:
    """The class and the words of the mark before a block of commands."""
    if len(code.text) > _REMEMBERED:
        return _mark_of(code.text, code.language)
    return _remembered_mark(code.text, code.language)


def _mark_of(text: str, language: str) -> tuple[str, str] | None:
    found = effects(Code(text, language))
    if found.destroys:
        return "changes destroys", f"Deletes or stops something: {', '.join(found.destroys)}"
    if found.changes:
        return "changes", f"Changes something: {', '.join(found.changes)}"
    return None


# The values of labels are in it: 4 MiB of them at most.
_remembered_mark = lru_cache(maxsize=1024)(_mark_of)


def steps_of(runbook: Runbook) -> Iterator[tuple[str, str]]:
    """The keys of all steps, and their titles."""
    for section, keys in with_keys(runbook, runbook.id):
        for key, step in zip(keys, section.steps, strict=True):
            yield key, step.title


@lru_cache(maxsize=1024)
def revision(runbook: Runbook) -> str:
    """A digest of a runbook's content, 8 hexadecimal digits."""
    return blake2b(repr(runbook.blocks).encode(errors="replace"), digest_size=4).hexdigest()
