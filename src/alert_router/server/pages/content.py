"""Runbooks as pages show them: HTML, the paths of pages and pictures, and what steps are counted
by."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import blake2b
from pathlib import PurePath
from urllib.parse import quote

from alert_router.enrich.shell.effects import effects
from alert_router.markdown import Block, Code, to_html
from alert_router.model.problem import Place
from alert_router.runbook.model import Runbook
from alert_router.runbook.pictures import is_picture
from alert_router.runbook.sections import with_keys
from alert_router.server.pages.render import harmless

Picture = Callable[[str], str | None]

_REMEMBERED = 1024  # characters of the longest block whose mark is remembered


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
