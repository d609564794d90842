"""Which commands of a code block delete, overwrite or cut off.

A command that only mentions another (in a comment, in the pattern of `grep`, in `echo`) or that
only tries (`--dry-run`) is none.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from alert_router.checks.lint.fences import commands
from alert_router.enrich.shell import SHELL_LANGUAGES
from alert_router.markdown import Code

_DATABASE = frozenset(("sql", "psql", "pgsql", "postgresql", "mysql", "plsql", "redis", "cql"))
_READ = SHELL_LANGUAGES | _DATABASE | {"", "zsh", "shel", "cmd"}

# Options before a verb, each with or without a word of its own.
_OPTIONS = r"(?:\s+-{1,2}[\w-]+(?:[= ](?!(?:delete|drain|scale|uninstall|rollback)\b)[^\s-]\S*)?)*"
_STATEMENT_END = r"[^;\"']*"
_SHELL = {
    "kubectl delete": rf"\b(?:kubectl|oc|kubecolor){_OPTIONS}\s+delete\b",
    "kubectl drain": rf"\b(?:kubectl|oc(?:\s+adm)?|kubecolor){_OPTIONS}\s+drain\b",
    "--replicas=0": r"(?<=\s)--replicas[= ]0(?!\d)",
    "--grace-period=0": r"(?<=\s)--grace-period[= ]0(?!\d)",
    "--force": r"^\s*[\w./$({].*?\s(?P<at>--force)(?:=true)?(?![\w=-])",
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
_HINT = re.compile(
    r"delete|drain|replicas|grace-period|--force|helm|destroy|\brm\s|\bdd\s|mkfs|wipefs|shred|\bdel\s"
    r"|prune|terminat|\brb\s|flush|drop|truncate|update",
    re.IGNORECASE,
)

# `-h` asks for help at the end only: before a word it is the host of redis-cli, psql and mysql.
_TRIES = re.compile(
    r"--dry-run(?!=none)|\bcan-i\b|\bexplain\b|(?<=\s)(?:--help(?!\S)|-h\s*$)|\bterraform\s+plan\b"
)
_MENTIONS = re.compile(
    r"\s*(?:sudo\s+)?(?:[efz]?grep|rg|ag|echo|printf|man|which|type|alias|journalctl|history|#|//|--\s)"
)


@dataclass(frozen=True, slots=True)
class Danger:
    """What a command does, by the name it goes by, and where in the block it stands."""

    name: str
    start: int
    end: int


def dangers(code: Code) -> Iterator[Danger]:
    """The commands of a block that delete, overwrite or cut off, in order, each once."""
    if code.language not in _READ or not _HINT.search(code.text):
        return
    for start, end in commands(code):
        for at, text in _simple(code.text[start:end]):
            if _MENTIONS.match(text) or _TRIES.search(text):
                continue
            found = [
                Danger(name, start + at + match.start(group), start + at + match.end())
                for name, pattern in _PATTERNS
                if (match := pattern.search(text))
                and not (name.endswith("WHERE") and _goes_on(code.text, start + at + match.start()))
                for group in ("at" if "at" in pattern.groupindex else 0,)
            ]
            if found:  # one word of it is enough
                yield min(found, key=lambda danger: danger.start)


def _goes_on(text: str, start: int) -> bool:
    """Whether a statement has its WHERE on a line of its own."""
    end = text.find(";", start)
    return re.search(r"\bWHERE\b", text[start : end if end >= 0 else None], re.I) is not None


_SPLIT = re.compile(
    r"""(?P<kept>\\.|'[^']*'|"(?:\\.|[^"\\])*")"""
    r"""|(?P<comment>(?:(?<=\s)|(?<![^\n]))\#[^\n]*|(?<![^\n])[ \t]*--\s[^\n]*)"""
    r"""|(?P<end>[;|&\n]+|\$\()""",
    re.DOTALL,
)


def _simple(text: str) -> Iterator[tuple[int, str]]:
    """The single commands of a text with their offsets; quotes are looked into, comments not."""
    at = 0
    for match in _SPLIT.finditer(text):
        if match["kept"] is None:
            if text[at : match.start()].strip():
                yield at, text[at : match.start()]
            at = match.end()
    if text[at:].strip():
        yield at, text[at:]
