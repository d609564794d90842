"""The formats that runbooks are written in, and their readers: each yields the same tree."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from types import MappingProxyType

from alert_router.formats.asciidoc import read_asciidoc
from alert_router.markdown import Document, parse_document

__all__ = [
    "ASCIIDOC",
    "NOT_READ",
    "RST",
    "SUFFIXES",
    "Include",
    "format_of",
    "read_document",
    "without_suffix",
]

Include = Callable[[str], str | None]

_MARKDOWN = (".md", ".markdown", ".md.erb", ".html.md", ".html.md.erb", ".markdown.erb")
_MDX = (".mdx",)
ASCIIDOC = (".adoc", ".asciidoc", ".asc")
RST = (".rst", ".rest")  # read if the extra `rst` is installed
SUFFIXES = (*_MARKDOWN, *_MDX, *ASCIIDOC, *(RST if find_spec("docutils") else ()))

# Formats that runbooks are written in as well.
NOT_READ = (".htm", ".html", ".org", ".textile", *RST)


def format_of(name: str) -> str:
    """The suffix of a file that can be read, in lower case; empty for other files."""
    lower = name.lower()
    return max((each for each in SUFFIXES if lower.endswith(each)), key=len, default="")


def without_suffix(name: str) -> str:
    """A file's name, or its path, without the suffix of a format that can be read."""
    suffix = format_of(name)
    return name[: len(name) - len(suffix)]


def read_document(
    text: str,
    name: str,
    include: Include = lambda target: None,
    attributes: Mapping[str, str] = MappingProxyType({}),
) -> Document:
    """The document in a file of that name, Markdown if its suffix is not known. `include` returns
    the text of a file that AsciiDoc includes; None where it may not or cannot be read. `attributes`
    are those that AsciiDoc is given from outside."""
    suffix = format_of(name)
    if suffix in ASCIIDOC:
        return read_asciidoc(text, include, attributes)
    if suffix in RST:
        # docutils is an extra, and slow to import.
        from alert_router.formats.restructuredtext import read_restructuredtext  # noqa: PLC0415

        return read_restructuredtext(text)
    return parse_document(text, mdx=suffix in _MDX)
