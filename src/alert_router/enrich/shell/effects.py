"""What commands of a code block change: those that destroy, and those that only change something.

A command that only mentions another (in a comment, in a pattern of `grep`, in `echo`) or that only
tries (`--dry-run`) changes nothing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from alert_router.enrich.shell.session import SHELL_LANGUAGES, command_ranges, shell_language
from alert_router.markdown import Code

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
# Something of this is in every destructive command: most are done with after one search.
_QUICK = re.compile(
    r"delete|drain|replicas|grace-period|--force|helm|destroy|\brm\b|\bdd\b|mkfs|wipefs|shred|\bdel\b"
    r"|prune|terminat|\brb\b|flush|drop|truncate|update",
    re.IGNORECASE,
)
# `-h` asks for help only at the end: before a word it is the host of redis-cli, psql and mysql.
_TRIES = re.compile(
    r"--dry-run(?!=none)|\bcan-i\b|\bexplain\b|(?<=\s)(?:--help(?!\S)|-h\s*$)|\bterraform\s+plan\b"
)
_MENTIONS = re.compile(
    r"\s*(?:sudo\s+)?(?:[efz]?grep|rg|ag|echo|printf|man|which|type|alias|journalctl|history|#|//|--\s)"
)
# Commands that change something and destroy nothing, by what names them.
_CHANGES = re.compile(
    rf"\b(?:kubectl|oc|kubecolor){_OPTIONS}\s+(?:apply|create|edit|patch|replace|scale|autoscale|label"
    r"|annotate|taint|cordon|uncordon|set\s+\w+|rollout\s+(?:restart|undo|pause|resume)|cp|debug|run)\b"
    rf"|\b(?:helm|helmfile){_OPTIONS}\s+(?:install|upgrade|apply|sync)\b"
    r"|\b(?:terraform|tofu|terragrunt|pulumi)\s+(?:apply|import|up|state\s+(?:mv|rm|push))\b"
    r"|\b(?:argocd\s+app|flux)\s+(?:sync|set|rollback|reconcile|suspend|resume|delete)\b"
    r"|\bsystemctl\s+(?:-\S+\s+)*(?:start|stop|restart|try-restart|reload|enable|disable|mask|unmask"
    r"|kill|reset-failed|daemon-reload|isolate|reboot|poweroff)\b"
    r"|\bservice\s+\S+\s+(?:start|stop|restart|reload|force-reload)\b|/etc/init\.d/\S+\s+\w+"
    r"|\b(?:docker|podman|nerdctl)(?:[- ]compose)?\s+(?:container\s+)?(?:start|stop|restart|kill|rm"
    r"|rmi|run|up|down|update|pause)\b"
    r"|\bcurl\b[^|;]{0,400}?(?:-X\s*|--request[= ])['\"]?(?:POST|PUT|PATCH)\b"
    r"|\b(?:aws\s+[\w-]+|gcloud(?:\s+[\w-]+){1,4}|az(?:\s+[\w-]+){1,4})\s+(?:create|update|modify|put"
    r"|reboot|start|stop|restart|reset|resize|set|failover|attach|detach|scale)(?:-[\w-]+)?\b"
    r"|\betcdctl\b(?:\s+-\S+){0,8}\s+(?:put|defrag|compact|compaction|member\s+\w+|alarm\s+disarm)\b"
    r"|\brabbitmqctl\s+(?:-\S+\s+\S+\s+)?(?:stop\w*|start\w*|reset|force_\w+|purge_queue|delete_\w+|set_\w+)"
    r"|\bnodetool\s+(?:-\S+\s+\S+\s+){0,4}(?:repair|drain|decommission|cleanup|compact|removenode|flush)\b"
    r"|\bkafka-\S+\b[^|;]{0,400}?\s--(?:alter|execute|create|reset-offsets)\b"
    r"|\bredis-cli\b[^|;]{0,200}?\s(?i:config\s+set|set|del|unlink|failover|client\s+kill|cluster\s+\w+)\b"
    r"|\bsed\s+(?:-\S+\s+)*-i|\b(?:vault|consul)\s+(?:kv\s+)?(?:put|write|delete|reload|leave)\b"
    r"|\bamtool\s+silence\s+(?:add|expire)\b"
    r"|(?:^|(?<=[\s;&|(]))(?:sudo\s+)?(?:kill|killall|pkill|reboot|shutdown|poweroff|halt|rm|mv|rmdir"
    r"|truncate|chmod|chown|iptables\s+-[ADIRF]|sysctl\s+-w|umount|mount\s+\S|swapoff|swapon|fsck|e2fsck"
    r"|lvextend|resize2fs|xfs_growfs|logrotate|ansible-playbook|crontab\s+-[re]"
    r"|(?:apt|apt-get|yum|dnf|zypper|apk|pip|npm)\s+(?:-\S+\s+)*(?:install|remove|upgrade|update|purge))(?=\s|$)"
)
_QUERY_CHANGES = re.compile(
    r"\b(?:INSERT\s+INTO|UPDATE\s+\S+\s+SET|DELETE\s+FROM|ALTER\s+\w+|CREATE\s+(?:UNIQUE\s+)?(?:INDEX|TABLE)"
    r"|VACUUM|REINDEX|GRANT|REVOKE|SET\s+GLOBAL|KILL\s+\d|pg_cancel_backend)\b",
    re.IGNORECASE,
)
_DROPPED = re.compile(
    r"DROP\s+(?:MATERIALIZED\s+)?\w+\s+(?:CONCURRENTLY\s+)?(?:IF\s+EXISTS\s+)?"
    r"(?P<name>[\w.\"]+)(?!\s*,)(?![\w.\"$<{])",
    re.IGNORECASE,
)
_NAME = 40  # characters
_STATEMENT = 4_000  # characters of a query
_EXAMINED = 32 * 1024  # characters of a block
_EXAMINED_COMMAND = 2_000  # characters
_SPLIT = re.compile(
    r"""(?P<kept>\\.|'[^']*'|"(?:\\.|[^"\\])*")"""
    r"""|(?P<comment>(?:(?<=\s)|(?<![^\n]))\#[^\n]*|(?<![^\n])[ \t]*--\s[^\n]*)"""
    r"""|(?P<end>[;|&\n]+|\$\()""",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Command:
    """A command that changes something: its name, and its place in the code block."""

    name: str
    start: int
    end: int


def destructive_commands(code: Code) -> Iterator[Command]:
    """The destructive commands of a block, in order, each once."""
    if code.language not in _LANGUAGES or not _QUICK.search(code.text):
        return
    is_text = not code.language and not shell_language(code)  # perhaps a log: a line is a statement
    for start, end in command_ranges(code):
        for at, text in _simple_commands(code.text[start:end]):
            if not _QUICK.search(text) or _MENTIONS.match(text) or _TRIES.search(text):
                continue
            found = [
                Command(name, start + at + match.start(group), start + at + match.end())
                for name, pattern in _PATTERNS
                if (match := pattern.search(text))
                and (name not in _QUERY or not is_text or match.start() == _indent(text))
                and not (name.endswith("WHERE") and _has_where(code, start + at + match.start()))
                and not (name == "DROP" and _is_created(code.text, start + at + match.start()))
                for group in ("at" if "at" in pattern.groupindex else 0,)
            ]
            if found:  # one word of it is enough
                yield min(found, key=lambda command: command.start)


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())


@dataclass(frozen=True, slots=True)
class Effects:
    """The names of a block's commands that destroy, and of those that only change something."""

    destroys: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()


def effects(code: Code) -> Effects:
    """What the commands of a block do, as far as the tables say. In code of other languages and in
    long blocks some are missed: none is certain to be harmless."""
    part = replace(code, text=code.text[:_EXAMINED])
    destroys = dict.fromkeys(command.name for command in destructive_commands(part))
    changes: dict[str, None] = {}
    if part.language in _LANGUAGES:
        for start, end in command_ranges(part):
            for _, whole in _simple_commands(part.text[start:end]):
                text = whole[:_EXAMINED_COMMAND]
                if _MENTIONS.match(text) or _TRIES.search(text):
                    continue
                found = _CHANGES.search(text) or _QUERY_CHANGES.search(text)
                if found and not any(pattern.search(text) for _, pattern in _PATTERNS):
                    changes[" ".join(found[0].split())[:_NAME]] = None
    return Effects(tuple(destroys), tuple(changes))


def _has_where(code: Code, start: int) -> bool:
    """Whether a statement has a WHERE on a later line."""
    end = code.text.find(";", start)
    text = code.text[start : min(end if end >= 0 else len(code.text), start + _STATEMENT)]
    return re.search(r"\bWHERE\b", text, re.IGNORECASE) is not None


def _is_created(text: str, start: int) -> bool:
    """Whether the one thing that a DROP drops is created before it in the same block."""
    dropped = _DROPPED.match(text, start)
    if dropped is None:
        return False
    name = re.escape(dropped["name"])
    created = rf"\bCREATE\b[^;]{{0,80}}\s{name}(?![\w.\"])"
    before = text[max(0, start - _STATEMENT) : start]
    return re.search(created, before, re.IGNORECASE) is not None


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
