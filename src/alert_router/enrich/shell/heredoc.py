"""Reads the bodies of here-documents.

A value in one may not end it: a line that could become the delimiter is not filled.
"""

import re

from alert_router.enrich.shell.grammar import Grammar
from alert_router.enrich.shell.marks import HereDocument, Mark, Unsure, Use


def read_bodies(script: Grammar) -> None:
    """Read the bodies of all pending here-documents; the first begins at hand."""
    pending, script.pending = script.pending, []
    for document in pending:
        _read(script, document)


def _read(script: Grammar, document: HereDocument) -> None:
    start, close, after = _find(script, document)
    before = len(script.marks)
    if document.quoted:
        script.literal_marks(start, close)
    else:
        outer, script.end = script.end, close
        script.pos = start
        script.double_quoted("")
        script.end = outer
    script.pos = after
    marks = script.marks[before:]
    for mark in marks:
        if document.runs:
            mark.refuse(Use.RUN)
        elif _could_end(script.text, start, close, mark, marks, document):
            mark.refuse()


def _find(script: Grammar, document: HereDocument) -> tuple[int, int, int]:
    """Where the body begins and ends, and where the text goes on."""
    start = at = script.pos
    joined = False
    while at < script.end:
        close = script.text.find("\n", at, script.end)
        close = script.end if close < 0 else close
        line = script.text[at:close]
        if document.tabs:
            line = line.lstrip("\t")
        if line == document.delimiter:
            if joined:  # bash would join this line to the one before
                raise Unsure
            return start, at, min(close + 1, script.end)
        joined = line.endswith("\\") and not document.quoted
        at = close + 1
    raise Unsure


def _could_end(
    text: str, start: int, close: int, mark: Mark, marks: list[Mark], document: HereDocument
) -> bool:
    """Whether values could make the mark's line one that ends the here-document."""
    begin = max(text.rfind("\n", 0, mark.start) + 1, start)
    end = text.find("\n", mark.end, close)
    end = close if end < 0 else end
    if text[:begin].endswith("\\\n") or text[begin:end].endswith("\\"):
        return True  # a part of a longer line
    while document.tabs and text.startswith("\t", begin):
        begin += 1
    literal, pattern, at = "", [], begin
    for other in sorted((m for m in marks if begin <= m.start < end), key=lambda m: m.start):
        literal += text[at : other.start]
        pattern += [re.escape(text[at : other.start]), ".*"]
        at = other.end
    pattern.append(re.escape(text[at:end]))
    whole = not (literal + text[at:end]).strip()
    return whole or re.fullmatch("".join(pattern), document.delimiter) is not None
