"""An Adaptive Card as Teams shows it: containers, lines of runs, code blocks, folds, buttons."""

import json
from collections.abc import Iterator
from typing import Any

from alert_router.cli.preview.nodes import (
    Box,
    Fold,
    Line,
    Look,
    Node,
    Rule,
    Span,
    address,
    buttons,
    line,
    pre,
)
from alert_router.markdown import visible

_STYLES = {"attention": "red", "warning": "yellow", "good": "green", "accent": "blue"}


def look(payload: Any) -> Look:
    """The cards of a message for Teams."""
    nodes: list[Node] = []
    for attachment in payload["attachments"]:
        card = attachment["content"]
        nodes += _elements(card["body"])
        nodes += buttons((action["title"], action.get("url")) for action in card.get("actions", ()))
    return Look(tuple(nodes), "teams")


def _elements(elements: list[Any]) -> Iterator[Node]:
    heads: dict[str, str] = {}  # the title of each container that folds, by its id
    for element in elements:
        folds = element.get("selectAction", {}).get("targetElements", [])
        if folds:
            heads[folds[0]] = _words(element)
        elif element.get("id") in heads:
            inner = tuple(_elements(element["items"]))
            title = heads[element["id"]].lstrip("▾▸ ")
            yield Fold(title, inner, element.get("isVisible", True))
        elif element.get("isVisible", True):
            yield from _element(element)


def _element(element: Any) -> Iterator[Node]:
    if element.get("separator"):
        yield Rule()
    match element["type"]:
        case "RichTextBlock":
            yield _line(element)
        case "CodeBlock":
            yield pre(element["codeSnippet"])
        case "Container":
            colour = _STYLES.get(element.get("style", ""), "grey")
            inner = tuple(_elements(element["items"]))
            yield Box(inner, colour, filled="style" in element)
        case "TextBlock":
            yield line(element["text"])
        case _:
            yield pre(json.dumps(element, indent=2, ensure_ascii=False))


def _line(element: Any) -> Line:
    runs = element["inlines"]
    is_head = any(run.get("size") == "Large" for run in runs)
    is_small = all(run.get("size") == "Small" for run in runs)
    return Line(tuple(map(_span, runs)), "head" if is_head else "small" if is_small else "")


def _span(run: Any) -> Span:
    return Span(
        visible(run["text"]),
        bold=run.get("weight") == "Bolder",
        italic=bool(run.get("italic")),
        strike=bool(run.get("strikethrough")),
        code=run.get("fontType") == "Monospace" and run.get("size") != "Small",
        url=address(run.get("selectAction", {}).get("url")),
    )


def _words(element: Any) -> str:
    return visible("".join(run["text"] for item in element["items"] for run in item["inlines"]))
