"""Commands that delete, overwrite or shut down: without a warning, or unsafe whatever is filled in.

A warning counts in the step, in its section before the first step, and in a comment of the same
code block. A command that only mentions another (in a comment, in a pattern of `grep`, in `echo`)
or that only tries (`--dry-run`) is not destructive.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from alert_router.checks.lint.shell import command_ranges
from alert_router.checks.lint.source import RunbookSource
from alert_router.checks.lint.traverse import all_blocks
from alert_router.enrich.placeholder import PLACEHOLDER, name_of
from alert_router.enrich.shell import SHELL_LANGUAGES, own_variables
from alert_router.markdown import Block, Code, Heading, Paragraph, Table, plain
from alert_router.model.problem import Problem
from alert_router.runbook import Section

_DATABASE_LANGUAGES = frozenset(
    ("sql", "psql", "pgsql", "postgresql", "mysql", "plsql", "redis", "cql")
)
_LANGUAGES = SHELL_LANGUAGES | _DATABASE_LANGUAGES | {"", "cmd"}

# Options before a subcommand, each with or without a value.
_OPTIONS = r"(?:\s+-{1,2}[\w-]+(?:[= ](?!(?:delete|drain|scale|uninstall|rollback)\b)[^\s-]\S*)?)*"
_STATEMENT_END = r"[^;\"']*"
_SHELL = {
    "kubectl delete": rf"\b(?:kubectl|oc|kubecolor){_OPTIONS}\s+delete\b",
    "kubectl drain": rf"\b(?:kubectl|oc(?:\s+adm)?|kubecolor){_OPTIONS}\s+drain\b",
    "--replicas=0": r"(?<=\s)--replicas[= ]0(?!\d)",
    "--grace-period=0": r"(?<=\s)--grace-period[= ]0(?!\d)",
    # With package managers it is about their cache or the answer to a question.
    "--force": r"^\s*(?=\S)(?!(?:sudo\s+)?(?:npm|yarn|pnpm|pip3?|composer|brew|gem)\s)[\w./$({]"
    r".*?\s(?P<at>--force)(?:=true)?(?![\w=-])",
    "helm uninstall": rf"\bhelm{_OPTIONS}\s+(?:uninstall|delete)\b",
    "helm rollback": rf"\bhelm{_OPTIONS}\s+rollback\b",
    "terraform destroy": rf"\b(?:terraform|tofu|terragrunt){_OPTIONS}\s+destroy\b",
    "rm -r": r"(?:^|(?<=[\s;&|('\"]))rm\s+(?:-\S+\s+)*-(?:\w*[rR]\w*|-recursive)(?!\S)",
    "find -delete": r"(?:^|(?<=[\s;&|(]))find\s[^|;]*\s-delete(?!\S)",
    "dd": r"(?:^|(?<=[\s;&|(]))dd\s[^|;&]*\bof=(?!/dev/null)",
    "mkfs": r"(?:^|(?<=[\s;&|(]))mkfs(?:\.\w+)?(?=\s)",
    "wipefs": r"(?:^|(?<=[\s;&|(]))(?:wipefs|shred)(?=\s)",
    "etcdctl del": r"\betcdctl\b(?:\s+\S+)*?\s+del(?=\s)",
    "docker prune": r"\b(?:docker|podman)\s+(?:system|volume)\s+(?:prune|rm)\b",
    "aws delete": r"\baws\s+[\w-]+\s+(?:delete|terminate)-[\w-]+|\baws\s+s3\s+(?:rm|rb)\b",
    "gcloud delete": r"\b(?:gcloud|az)\s+(?:[\w-]+\s+)+delete\b",
    "curl -X DELETE": r"\bcurl\b[^|;]*(?:-X\s*|--request[= ])['\"]?DELETE\b",
    "kafka --delete": r"\bkafka-\S+\b[^|;]*\s--delete\b",
}
_QUERY = {
    "FLUSHALL": r"\bFLUSHALL\b",
    "FLUSHDB": r"\bFLUSHDB\b",
    "DROP": r"\bDROP\s+(?:TABLE|DATABASE|SCHEMA|INDEX|ROLE|USER|VIEW|MATERIALIZED|OWNED|KEYSPACE"
    r"|SEQUENCE|TRIGGER|FUNCTION|COLUMN|PARTITION)\b",
    "TRUNCATE": r"\bTRUNCATE\s+(?:TABLE\s+)?(?!-)[A-Za-z_\"<$]",
    "DELETE without WHERE": rf"\bDELETE\s+FROM\s+(?!{_STATEMENT_END}\bWHERE\b)[\w.\"<$]",
    "UPDATE without WHERE": rf"\bUPDATE\s+[\w.\"]+\s+SET\s+(?!{_STATEMENT_END}\bWHERE\b)",
    "pg_terminate_backend": r"\bpg_terminate_backend\s*\(",
}
_PATTERNS = [(name, re.compile(pattern)) for name, pattern in _SHELL.items()]
_PATTERNS += [(name, re.compile(pattern, re.IGNORECASE)) for name, pattern in _QUERY.items()]
# Something of this is in every destructive command: most blocks are done with after one search.
_QUICK = re.compile(
    r"delete|drain|replicas|grace-period|--force|helm|destroy|\brm\s|\bdd\s|mkfs|wipefs|shred|\bdel\s"
    r"|prune|terminat|\brb\s|flush|drop|truncate|update",
    re.IGNORECASE,
)
# `-h` asks for help only at the end: before a word it is the host of redis-cli, psql and mysql.
_TRIES = re.compile(
    r"--dry-run(?!=none)|\bcan-i\b|\bexplain\b|(?<=\s)(?:--help(?!\S)|-h\s*$)|\bterraform\s+plan\b"
)
_MENTIONS = re.compile(
    r"\s*(?:sudo\s+)?(?:[efz]?grep|rg|ag|echo|printf|man|which|type|alias|journalctl|history|#|//|--\s)"
)
_SPLIT = re.compile(
    r"""(?P<kept>\\.|'[^']*'|"(?:\\.|[^"\\])*")"""
    r"""|(?P<comment>(?:(?<=\s)|(?<![^\n]))\#[^\n]*|(?<![^\n])[ \t]*--\s[^\n]*)"""
    r"""|(?P<end>[;|&\n]+|\$\()""",
    re.DOTALL,
)
_WARNING = re.compile(
    r"\bwarn|\bcaution|\bcareful|\bdanger|\bdestructi|\birreversib|\birrevocab|\bpermanent"
    r"|\bno (?:way|going) back|\bpoint of no return|\bdata[ -]?loss|\bdowntime|\boutage|\brisk"
    r"|\bdisrupt|\binterrupt|\b(?:can ?not|can't|never) be (?:undone|reversed|recovered|restored)"
    r"|\blast resort|\blos(?:e|es|ing|t)\b|\bunavailable|⚠|\[!(?:WARNING|CAUTION|IMPORTANT)\]"
    r"|\b(?:will|would|may|can) (?:\w+ )?(?:delete|remove|drop|wipe|kill|terminate|evict|break|cut)"
    r"|\b(?:deletes|removes|drops|wipes|kills|terminates|evicts|breaks|cuts|throws|discards)\b",
    re.IGNORECASE,
)
_DROPPED = re.compile(
    r"DROP\s+(?:MATERIALIZED\s+)?\w+\s+(?:CONCURRENTLY\s+)?(?:IF\s+EXISTS\s+)?"
    r"(?P<name>[\w.\"]+)(?!\s*,)(?![\w.\"$<{])",
    re.IGNORECASE,
)
_COMMENT = re.compile(r"(?:^|[ \t])(?:#|--)[^\n]*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Command:
    """A destructive command: the name it is reported by, and its place in the code block."""

    name: str
    start: int
    end: int


def check(source: RunbookSource) -> Iterator[Problem]:
    """Every destructive command of one runbook that has no warning or is unsafe."""
    if not _has_commands(source.runbook.blocks):
        return
    yield from _without_warning(source)
    yield from _unsafe(source)


def _commands(code: Code) -> Iterator[_Command]:
    """The destructive commands of a block, in order, each once."""
    if code.language not in _LANGUAGES or not _QUICK.search(code.text):
        return
    for start, end in command_ranges(code):
        for at, text in _simple_commands(code.text[start:end]):
            if _MENTIONS.match(text) or _TRIES.search(text):
                continue
            found = [
                _Command(name, start + at + match.start(group), start + at + match.end())
                for name, pattern in _PATTERNS
                if (match := pattern.search(text))
                and not (name.endswith("WHERE") and _has_where(code, start + at + match.start()))
                and not (name == "DROP" and _is_created(code.text, start + at + match.start()))
                for group in ("at" if "at" in pattern.groupindex else 0,)
            ]
            if found:  # one word of it is enough
                yield min(found, key=lambda command: command.start)


def _has_where(code: Code, start: int) -> bool:
    """Whether a statement has a WHERE on a later line."""
    end = code.text.find(";", start)
    text = code.text[start : end if end >= 0 else None]
    return re.search(r"\bWHERE\b", text, re.IGNORECASE) is not None


def _is_created(text: str, start: int) -> bool:
    """Whether the one thing that a DROP drops is created before it in the same block."""
    dropped = _DROPPED.match(text, start)
    if dropped is None:
        return False
    name = re.escape(dropped["name"])
    created = rf"\bCREATE\b[^;]{{0,80}}\s{name}(?![\w.\"])"
    return re.search(created, text[:start], re.IGNORECASE) is not None


def _simple_commands(text: str) -> Iterator[tuple[int, str]]:
    """The single commands of a text with their offsets, quoted text included, comments not."""
    at = 0
    for match in _SPLIT.finditer(text):
        if match["kept"] is None:
            if text[at : match.start()].strip():
                yield at, text[at : match.start()]
            at = match.end()
    if text[at:].strip():
        yield at, text[at:]


def _has_commands(blocks: Iterable[Block]) -> bool:
    codes = (block for block in all_blocks(blocks) if isinstance(block, Code))
    return any(next(_commands(code), None) is not None for code in codes)


# Without a warning


def _without_warning(source: RunbookSource) -> Iterator[Problem]:
    """Each kind of command once a step."""
    first = min((section.line for section in source.runbook.sections), default=None)
    before = [block for block in source.runbook.blocks if first is None or block.line < first]
    yield from _in(source, before, warned=False)
    for section in source.runbook.sections:
        yield from _in_section(source, section)


def _in_section(source: RunbookSource, section: Section) -> Iterator[Problem]:
    warned = _warns(plain(section.title))
    yield from _in(source, section.intro, warned)
    warned = warned or any(_block_warns(block) for block in all_blocks(section.intro))
    for step in section.steps:
        yield from _in(source, step.blocks, warned or _warns(step.title))


def _in(source: RunbookSource, blocks: Sequence[Block], warned: bool) -> Iterator[Problem]:
    reported: set[str] = set()
    for block in all_blocks(blocks):
        if warned:
            return
        if not isinstance(block, Code):
            warned = _block_warns(block)
            continue
        for command in _commands(block):
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


def _unsafe(source: RunbookSource) -> Iterator[Problem]:
    shell = [code.text for code in source.codes if code.language in SHELL_LANGUAGES]
    own = own_variables(shell).own
    for code in source.parsable_codes:
        for command in _commands(code) if code.language in SHELL_LANGUAGES else ():
            if message := _after_cd(code.text, command):
                hint = (
                    "Join them with `&&`, or use an absolute path: if `cd` fails, the command runs "
                    "in the current directory."
                )
            elif message := _only_a_placeholder(code.text, command, own):
                hint = "Name the kind of resource or a parent directory, so that nothing else fits."
            else:
                continue
            place = source.in_code(code, command.start)
            yield source.problem("runbook-unsafe-command", message, *place, hint=hint)


def _after_cd(text: str, command: _Command) -> str:
    if command.name not in _ON_DIRECTORY or _SET_E.search(text[: command.start]):
        return ""
    if not _RELATIVE.search(_whole(text, command)):
        return ""
    moved = list(_CD.finditer(text, 0, command.start))
    if not moved or _GUARDED.search(moved[-1]["rest"]):
        return ""
    return f"`{command.name}` runs even if the `cd` before it fails"


def _only_a_placeholder(text: str, command: _Command, own: frozenset[str]) -> str:
    if command.name not in _ON_ANYTHING:
        return ""
    words = [
        word.strip("\"'")
        for word in _whole(text, command).split()[1:]
        if not word.startswith("-") and word not in _VERBS
    ]
    match = PLACEHOLDER.fullmatch(words[0]) if len(words) == 1 else None
    if match is None or name_of(match) in own:
        return ""
    return f"the only argument of `{command.name}` is the placeholder `{words[0]}`"


def _whole(text: str, command: _Command) -> str:
    """From the first word of the command to its end."""
    end = re.compile(r"[;&|\n]|\Z").search(text, command.start)
    return text[command.start : end.start() if end else len(text)]
