"""A hook of MkDocs: what the pages in docs/ link to outside of it becomes part of the site.

On the Git host these links work as they are. In the site such a file is below `repository/`.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
_outside: dict[str, str] = {}  # by the place in the site, the path in the repository
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#|/)([^)#\s]+)(?=[)#])")
_CODE = re.compile(r"^ *(`{3,}).*?^ *\1|`[^`\n]+`", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"^ *\|.*$", re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add every file outside docs/ that a page links to, and what those link to."""
    pending = [f"docs/{file.src_uri}" for file in files.documentation_pages()]
    seen = set(pending)
    while pending:
        path = pending.pop()
        if not path.endswith(".md"):
            continue
        for _, target in _links(path, (ROOT / path).read_text(encoding="utf-8")):
            if target not in seen and not target.startswith("docs/") and (ROOT / target).is_file():
                seen.add(target)
                pending.append(target)
                uri = _site_uri(target)
                _outside[uri] = target
                files.append(File.generated(config, uri, abs_src_path=str(ROOT / target)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Make links across the border of docs/ those of the site, and write pipes for this parser."""
    here = _outside.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    replaced: dict[str, str] = {}
    for url, target in _links(here, markdown):
        if here.startswith("docs/") and target.startswith("docs/"):
            continue
        start = posixpath.dirname(page.file.src_uri)
        replaced[url] = posixpath.relpath(_site_uri(target), start or ".")
    markdown = _ROW.sub(_plain_pipes, markdown)
    return _LINK.sub(lambda match: replaced.get(match[0], match[0]), markdown)


def _plain_pipes(row: re.Match[str]) -> str:
    """The row without the backslashes before pipes in code: this parser would show them."""
    return re.sub(r"`[^`\n]+`", lambda code: code[0].replace(r"\|", "|"), row[0])


def _links(path: str, markdown: str) -> Iterator[tuple[str, str]]:
    """The relative links of a file: as written, and the path in the repository."""
    for match in _LINK.finditer(_CODE.sub("", markdown)):
        yield match[0], posixpath.normpath(posixpath.join(posixpath.dirname(path), match[0]))


def _site_uri(path: str) -> str:
    """Not a README.md, which the theme would make the first page of its section."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return "repository/" + path.replace("/README.md", ".md")
