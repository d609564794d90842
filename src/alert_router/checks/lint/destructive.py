"""Commands that delete, overwrite or shut down: without a warning, or unsafe whatever is filled in.

A warning counts in the step, in its section before the first step, and in a comment of the same
code block. A command that only mentions another (in a comment, in a pattern of `grep`, in `echo`)
or that only tries (`--dry-run`) is not destructive.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from alert_router.checks.lint.source import RunbookSource
from alert_router.enrich.placeholders import PLACEHOLDER, name_of
from alert_router.enrich.shell import SHELL_LANGUAGES, own_variables
from alert_router.enrich.shell.effects import Command, destructive_commands
from alert_router.markdown import Block, Code, Heading, Paragraph, Table, all_blocks, plain
from alert_router.model.problem import Problem
from alert_router.runbook import Section

_WARNING = re.compile(
    r"\bwarn|\bcaution|\bcareful|\bdanger|\bdestructi|\birreversib|\birrevocab|\bpermanent"
    r"|\bno (?:way|going) back|\bpoint of no return|\bdata[ -]?loss|\bdowntime|\boutage|\brisk"
    r"|\bdisrupt|\binterrupt|\b(?:can ?not|can't|never) be (?:undone|reversed|recovered|restored)"
    r"|\blast resort|\blos(?:e|es|ing|t)\b|\bunavailable|⚠|\[!(?:WARNING|CAUTION|IMPORTANT)\]"
    r"|\b(?:will|would|may|can) (?:\w+ )?(?:delete|remove|drop|wipe|kill|terminate|evict|break|cut)"
    r"|\b(?:deletes|removes|drops|wipes|kills|terminates|evicts|breaks|cuts|throws|discards)\b",
    re.IGNORECASE,
)
_COMMENT = re.compile(r"(?:^|[ \t])(?:#|--)[^\n]*", re.MULTILINE)


_Found = Mapping[Code, Sequence[Command]]  # the destructive commands of each block


def check(source: RunbookSource) -> Iterator[Problem]:
    """Every destructive command of one runbook that has no warning or is unsafe."""
    found = {code: each for code in source.codes if (each := tuple(destructive_commands(code)))}
    if found:
        yield from _without_warning(source, found)
        yield from _unsafe(source, found)


# Without a warning


def _without_warning(source: RunbookSource, found: _Found) -> Iterator[Problem]:
    """Each kind of command once a step."""
    first = min((section.line for section in source.runbook.sections), default=None)
    before = [block for block in source.runbook.blocks if first is None or block.line < first]
    yield from _in(source, found, before)
    for section in source.runbook.sections:
        yield from _in_section(source, found, section)


def _in_section(source: RunbookSource, found: _Found, section: Section) -> Iterator[Problem]:
    if _warns(plain(section.title)):
        return
    yield from _in(source, found, section.intro)
    steps = [step for step in section.steps if _has_any(found, step.blocks)]
    if steps and not any(map(_block_warns, all_blocks(section.intro))):
        for step in steps:
            if not _warns(step.title):
                yield from _in(source, found, step.blocks)


def _has_any(found: _Found, blocks: Sequence[Block]) -> bool:
    return any(isinstance(block, Code) and block in found for block in all_blocks(blocks))


def _in(source: RunbookSource, found: _Found, blocks: Sequence[Block]) -> Iterator[Problem]:
    reported: set[str] = set()
    for block in all_blocks(blocks) if _has_any(found, blocks) else ():
        if not isinstance(block, Code):
            if _block_warns(block):
                return
            continue
        for command in found.get(block, ()):
            comments = " ".join(_COMMENT.findall(block.text[: command.end]))
            if command.name in reported or _warns(comments):
                continue
            reported.add(command.name)
            yield source.problem(
                "runbook-destructive-command",
                f"no warning before `{command.name}`",
                *source.in_code(block, command.start),
                hint="Say before it, in this step, what is lost and whether it can be undone: a "
                'sentence that starts with "Warning:".',
            )


def _warns(text: str) -> bool:
    return _WARNING.search(text) is not None


def _block_warns(block: Block) -> bool:
    match block:
        case Heading() | Paragraph():
            return _warns(plain(block.children))
        case Table(header, rows):
            return any(_warns(plain(cell)) for row in (header, *rows) for cell in row)
        case _:
            return False


# Unsafe whatever is filled in

_CD = re.compile(r"^[ \t]*(?:[$#%]\s+)?(?:cd|pushd)\b(?P<rest>[^\n]*)$", re.MULTILINE)
_GUARDED = re.compile(r"&&|\|\|")
_SET_E = re.compile(r"^\s*set\s+-\w*e", re.MULTILINE)
_RELATIVE = re.compile(r"\s(?:\./|\.(?=\s|$)|\*|\w[\w-]*(?:/|\s|$))")
_ON_DIRECTORY = frozenset(("rm -r", "find -delete"))
# Their argument does not say what kind of thing it is.
_ON_ANYTHING = _ON_DIRECTORY | {"kubectl delete", "mkfs", "wipefs"}
_VERBS = frozenset(("delete", "drain", "uninstall", "rollback", "destroy", "del"))


def _unsafe(source: RunbookSource, found: _Found) -> Iterator[Problem]:
    for code in source.parsable_codes:
        for command in found.get(code, ()) if code.language in SHELL_LANGUAGES else ():
            if message := _after_cd(code.text, command):
                hint = (
                    "Join them with `&&`, or use an absolute path: if `cd` fails, the command runs "
                    "in the current directory."
                )
            elif message := _only_a_placeholder(source, code.text, command):
                hint = "Name the kind of resource or a parent directory, so that nothing else fits."
            else:
                continue
            place = source.in_code(code, command.start)
            yield source.problem("runbook-unsafe-command", message, *place, hint=hint)


def _after_cd(text: str, command: Command) -> str:
    if command.name not in _ON_DIRECTORY or _SET_E.search(text[: command.start]):
        return ""
    if not _RELATIVE.search(_whole(text, command)):
        return ""
    moved = list(_CD.finditer(text, 0, command.start))
    if not moved or _GUARDED.search(moved[-1]["rest"]):
        return ""
    return f"`{command.name}` runs even if the `cd` before it fails"


def _only_a_placeholder(source: RunbookSource, text: str, command: Command) -> str:
    if command.name not in _ON_ANYTHING:
        return ""
    words = [
        word.strip("\"'")
        for word in _whole(text, command).split()[1:]
        if not word.startswith("-") and word not in _VERBS
    ]
    match = PLACEHOLDER.fullmatch(words[0]) if len(words) == 1 else None
    if match is None:
        return ""
    shell = (code.text for code in source.codes if code.language in SHELL_LANGUAGES)
    if name_of(match) in own_variables(shell).own:
        return ""
    return f"the only argument of `{command.name}` is the placeholder `{words[0]}`"


def _whole(text: str, command: Command) -> str:
    """From the first word of the command to its end."""
    end = re.compile(r"[;&|\n]|\Z").search(text, command.start)
    return text[command.start : end.start() if end else len(text)]
