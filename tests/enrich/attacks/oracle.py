"""What a filled command may do: what the author's command does with exactly the value as literal
text in that place, or with the inert token, or nothing at all.

The author's command is run with a word in the place of the placeholder that nothing mistakes;
what it records, with that word replaced, is what the filled command may record.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from alert_router.enrich.fill import filling
from alert_router.enrich.placeholders import AlertLabels
from alert_router.markdown import (
    Block,
    Code,
    CodeSpan,
    Heading,
    Inline,
    ListBlock,
    Paragraph,
    Quote,
    Table,
)
from alert_router.runbook import Runbook, parse_runbook
from tests.enrich.attacks.sandbox import Program, Ran, Sandbox

# The sets of values, as they are promised.
WHOLE = r"(?!.*\.\.)(?!.*://)[A-Za-z0-9/][A-Za-z0-9_.:/-]{0,252}"
JOINED = r"(?!.*\.\.)(?!.*--)[A-Za-z0-9][A-Za-z0-9_.-]*"
NUMBER = r"[0-9]{1,18}"
LITERAL = r"(?!.*--)[A-Za-z0-9][A-Za-z0-9_-]*"  # in a pattern: what means only itself there
NEVER = r"(?!)"

_TOKEN = r"FILL_IN_\w+\??"
_WORD = "Zq7"
_DIGITS = "70077"
_PROMPT = re.compile(r"^[$#] +", re.MULTILINE)


@dataclass(frozen=True)
class Attack:
    """A command of a runbook, and which values may at most be filled in it.

    `text` is shell, or with `markdown` the Markdown of a section. `references` are texts that do
    what the author means, if it is not `text` with a word in the placeholder's place.
    """

    text: str
    may: str
    labels: tuple[str, ...] = ("pod",)
    language: str = "sh"
    markdown: bool = False
    references: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    word: str = ""  # what is used in the placeholder's place

    def __post_init__(self) -> None:
        if not self.word:
            object.__setattr__(self, "word", _DIGITS if self.may == NUMBER else _WORD)

    def filled(self, value: str | None) -> str:
        """What one would paste of the filled runbook; without a value, no label is there."""
        labels = {} if value is None else dict.fromkeys(self.labels, value)
        if self.markdown:
            return fill_markdown(self.text, labels)
        return fill_markdown(f"```{self.language}\n{self.text}\n```", labels)

    def written(self) -> tuple[str, ...]:
        """What the author means, with the word in the placeholder's place."""
        if self.references:
            return self.references
        return (_PROMPT.sub("", with_word(self.text, self.labels, self.word)),)


def with_word(text: str, labels: Sequence[str], word: str) -> str:
    """A text with each placeholder of these labels replaced by the word."""
    names = "|".join(re.escape(form) for label in labels for form in (label, label.upper()))
    placeholder = (
        rf"\{{\{{\s*\$labels\.(?:{names})\s*\}}\}}"
        rf"|\\?(?<!\$)\$(?:\{{(?:{names})(?:[^\w}}][^}}]*)?\}}|(?:{names})(?!\w))"
    )
    # `$BASE$volume` must not come to mean another variable.
    text = re.sub(rf"(?<![\\$])\$([A-Za-z_]\w*|#)(?={placeholder})", r"${\1}", text)
    return re.sub(placeholder, word, text)


def fill_markdown(text: str, labels: Mapping[str, str]) -> str:
    """The code of a filled runbook, as it is pasted: without prompts, one after the other."""
    book = _parsed(text)
    section = filling(book).section(book.sections[0], AlertLabels(labels))
    blocks = [*section.intro, *(block for step in section.steps for block in step.blocks)]
    return "\n".join(_PROMPT.sub("", code) for block in blocks for code in _codes(block))


@lru_cache(maxsize=64)
def _parsed(text: str) -> Runbook:
    return parse_runbook(f"# R\n\n## Mitigation\n\n{text}\n", id="r", path="r.md")


def _codes(block: Block) -> list[str]:
    match block:
        case Code():
            return [block.text]
        case Heading() | Paragraph():
            return _spans(block.children)
        case Quote():
            return [code for inner in block.blocks for code in _codes(inner)]
        case ListBlock():
            return [code for item in block.items for b in item.blocks for code in _codes(b)]
        case Table():
            rows = (block.header, *block.rows)
            return [code for row in rows for cell in row for code in _spans(cell)]
        case _:
            return []


def _spans(spans: Sequence[Inline]) -> list[str]:
    found: list[str] = []
    for span in spans:
        if isinstance(span, CodeSpan):
            found.append(span.text)
        else:
            found += _spans(getattr(span, "children", ()))
    return found


@dataclass(frozen=True)
class Trial:
    """A filled text and the value that it was filled with, if any."""

    text: str
    value: str | None


def trials(attack: Attack, values: Sequence[str]) -> tuple[list[Trial], list[str]]:
    """The different texts that come out, the unfilled one first, and what is wrong with those that
    hold a value which must not get in."""
    unfilled = attack.filled(None)
    found = {unfilled: Trial(unfilled, None)}
    wrong = []
    for value in values:
        text = attack.filled(value)
        if text == unfilled:
            continue
        if not re.fullmatch(attack.may, value, re.ASCII):
            wrong.append(f"  value {_short(value)} got into\n{_indented(text)}")
        elif value not in attack.skip:
            found.setdefault(text, Trial(text, value))
    return list(found.values()), wrong


def judge(sandbox: Sandbox, attack: Attack, tried: Sequence[Trial]) -> list[str]:
    """What is wrong with what the texts do."""
    references = attack.written()
    ran = sandbox.run([*references, *(trial.text for trial in tried)])
    known, found = ran[: len(references)], ran[len(references) :]
    return [
        f"in {sandbox.name}\n{wrong}"
        for trial, result in zip(tried, found, strict=True)
        for wrong in compare(trial, attack.word, known, result)
    ]


def compare(trial: Trial, word: str, known: Sequence[Ran], ran: Ran) -> list[str]:
    """What is wrong with what a text did, by the reference that it is most like."""
    reasons = min((_differences(trial, word, expected, ran) for expected in known), key=len)
    if not reasons:
        return []
    value = "no value" if trial.value is None else f"value {_short(trial.value)}"
    expected = "\n  or\n".join(str(one) for one in known)
    return [
        f"  {value}: {'; '.join(reasons)}\n  command\n{_indented(trial.text)}\n  ran\n{ran}\n"
        f"  expected, with the value or the token for {word}\n{expected}\n{_indented(ran.errors)}"
    ]


def _differences(trial: Trial, word: str, expected: Ran, ran: Ran) -> list[str]:
    left = list(expected.programs)
    reasons = []
    for program in ran.programs:
        same = next((one for one in left if _matches(program, one, word, trial.value)), None)
        if same is None:
            reasons.append(f"the author's command does not run {program}")
        else:
            left.remove(same)
    # A token may stop what follows. A value that does so has changed the command's shape.
    if left and ran.programs and "FILL_IN_" not in trial.text:
        reasons += [f"this did not run: {program}" for program in left]
    for name in ran.files:
        if not any(_fits(name, known, word, None) for known in expected.files):
            reasons.append(f"a file was made: {name}")
    return reasons


def _matches(program: Program, expected: Program, word: str, value: str | None) -> bool:
    return len(program.arguments) == len(expected.arguments) and all(
        _fits(found, known, word, value)
        for found, known in zip(
            (program.name, program.directory, program.environment, *program.arguments),
            (expected.name, expected.directory, expected.environment, *expected.arguments),
            strict=True,
        )
    )


def _fits(found: str, known: str, word: str, value: str | None) -> bool:
    if word not in known:
        return found == known
    instead = _TOKEN if value is None else f"(?:{_TOKEN}|{re.escape(value)})"
    return re.fullmatch(instead.join(map(re.escape, known.split(word))), found) is not None


def _short(value: str) -> str:
    return repr(value if len(value) < 60 else f"{value[:50]}... of {len(value)} characters")


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
