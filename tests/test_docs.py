"""The documents: links lead somewhere, and the generated pages are current."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from pydantic import BaseModel
from scripts.reference import PAGES as REFERENCES
from scripts.reference import tables

from alert_router.markdown import Block, CodeSpan, Heading, Inline, Link, parse, plain, slug

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    page for pattern in ("*.md", "docs/**/*.md", "runbooks/**/*.md") for page in ROOT.glob(pattern)
)


def walk(value: object) -> Iterator[object]:
    """Every block and span of a tree."""
    if isinstance(value, tuple):
        for item in value:
            yield from walk(item)
    elif hasattr(value, "__dataclass_fields__"):
        yield value
        for name in value.__dataclass_fields__:
            yield from walk(getattr(value, name))


def tree(page: Path) -> tuple[Block, ...]:
    return parse(page.read_text(encoding="utf-8"))


def links(page: Path) -> list[str]:
    return [span.url for span in walk(tree(page)) if isinstance(span, Link)]


@cache
def anchors(page: Path) -> set[str]:
    def words(children: tuple[Inline, ...]) -> str:
        return slug(plain(children))

    return {words(block.children) for block in walk(tree(page)) if isinstance(block, Heading)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_and_anchor_leads_somewhere(page: Path) -> None:
    for url in links(page):
        if re.match(r"[a-z]+:", url):
            continue
        path, _, anchor = url.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), url
        if anchor:
            assert anchor in anchors(target), url


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_module_that_a_page_names_exists(page: Path) -> None:
    if page.name == "CHANGELOG.md":  # what was
        return
    for span in walk(tree(page)):
        name = span.text if isinstance(span, CodeSpan) else ""
        if re.fullmatch(r"[a-z_]+(/[a-z_]+)+\.py", name):
            assert (ROOT / name).exists() or (ROOT / "src" / "alert_router" / name).exists(), name


def test_every_path_of_the_api_is_in_operations() -> None:
    description = ROOT / "src" / "alert_router" / "server" / "openapi.json"
    text = (ROOT / "docs" / "operations.md").read_text()
    listed = set(re.findall(r"/api/v1/[a-z{}/]+", text))
    assert set(json.loads(description.read_text())["paths"]) <= listed


def test_operations_explains_only_metrics_that_exist() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    table = text.split("## Metrics")[1].split("Worth an alert")[0]
    names = re.findall(r"^\| `([a-z_]+)", table, re.MULTILINE)
    assert len(names) > 5
    reference = (ROOT / "docs" / "metrics.md").read_text()
    assert [name for name in names if f"`alert_router_{name}`" not in reference] == []


@pytest.mark.parametrize("page", REFERENCES)
def test_the_generated_references_are_current(page: str) -> None:
    assert (ROOT / "docs" / page).read_text() == REFERENCES[page](), "run `make docs`"


def test_a_key_without_a_sentence_is_refused() -> None:
    class Settings(BaseModel):
        interval: int = 1

    with pytest.raises(LookupError, match=r"Settings\.interval has no docstring"):
        tables(Settings, {})


def test_the_changelog_has_a_place_for_what_is_not_released() -> None:
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text()
