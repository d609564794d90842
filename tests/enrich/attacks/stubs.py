"""The only programs that the attacked shells find.

Recorders append their name, directory, additional environment and arguments to a file. The
interpreters execute what they are given, with the same stubs. The database runs its SQL on a table
of several rows and records a statement that touches more than one, for it has lost its condition.
"""

import shutil
import sys
from pathlib import Path

# One write for a record: the programs of a pipeline write at the same time.
_RECORD = '#!/bin/sh\nprintf "%s\\0" "${0##*/}" "$PWD" "$(export -p)" "$@" @@END@@ >> "$RECORD"\n'
_DATA = 'printf "%s\\0" "${0##*/}<stdin" "$PWD" "$(export -p)" "$(cat)" @@END@@ >> "$RECORD"\n'
_STDIN = f"if [ -p /dev/stdin ] || [ -f /dev/stdin ]; then {_DATA.strip()}; fi\n"

_RECORDERS = (
    "c d id rm mv cp dd chmod chown truncate shred mkfs systemctl service journalctl helm "
    "curl wget tar rsync scp git aws az kill pkill redis-cli mongosh logcli promtool "
    "etcdctl velero argocd terraform du df ls mkdir touch ln unlink sleep nc dig openssl "
    "kafka-topics.sh rabbitmqctl nodetool consul vault stern "
    "pgrep sponge make uptime gone"
)

_AFTER_DASHES = 'while [ $# -gt 0 ]; do a=$1; shift; [ "$a" = -- ] && exec "$@"; done\n'
_KUBECTL = (
    "for a; do case $a in apply|patch|create|replace) " + _STDIN.strip() + ";; "
    "exec|run|debug) " + _AFTER_DASHES.strip() + ";; esac; done\n"
)
_DOCKER = """case ${1-} in exec|run) shift ;; *) exit 0 ;; esac
while [ $# -gt 0 ]; do case $1 in
  -u|-w|-e|-v|--mount|--name|--user) shift 2 ;; -*) shift ;; *) break ;;
esac; done
[ $# -gt 1 ] || exit 0
shift; exec "$@"
"""
_SSH = """while [ $# -gt 0 ]; do case $1 in
  -[bcDEeFIiJLlmOopQRSWwB]) shift 2 ;; -*) shift ;; *) break ;;
esac; done
[ $# -gt 1 ] || exec sh
shift; exec sh -c "$*"
"""
_GCLOUD = """case " $* " in *" ssh "*) ;; *) exit 0 ;; esac
while [ $# -gt 0 ]; do a=$1; shift; case $a in
  --command) exec sh -c "$1" ;; --command=*) exec sh -c "${a#*=}" ;; --) exec sh -c "$*" ;;
esac; done
exec sh
"""
_SUDO = """while [ $# -gt 0 ]; do case $1 in
  -[ughpCTURD]) shift 2 ;; -*|[A-Za-z]*=*) shift ;; *) break ;;
esac; done
[ $# -gt 0 ] || exit 0
exec "$@"
"""
_FIND = """while [ $# -gt 0 ]; do case $1 in -exec|-execdir|-ok) shift; break ;; esac; shift; done
[ $# -gt 0 ] || { printf '%s\\n' ./f; exit 0; }
for a; do shift; case $a in \\;|+) break ;; "{}") set -- "$@" ./f ;; *) set -- "$@" "$a" ;; esac
done
exec "$@"
"""
_PARALLEL = 'while read -r line; do sh -c "$* $line" < /dev/null; done\n'
_CRONTAB = 'while read -r a b c d e line; do sh -c "$line" < /dev/null; done\n'
_SHELL_TEXT = (
    'while [ $# -gt 0 ]; do a=$1; shift; [ "$a" = -c ] && exec sh -c "$1"; done; exec sh\n'
)
_LAST_AS_TEXT = 'for a; do :; done; exec sh -c "$a"\n'

_DATABASE = f"""#!{sys.executable} -IS
import os, re, sqlite3, sys

arguments = sys.argv[1:]
name = os.path.basename(sys.argv[0])
texts, variables = [], {{}}
while arguments:
    word = arguments.pop(0)
    if word in ("-c", "-e", "-q", "--command", "--execute", "--query") and arguments:
        texts.append(arguments.pop(0))
    elif word in ("-v", "--set", "--variable") and arguments:
        key, _, value = arguments.pop(0).partition("=")
        variables[key] = value
    elif word.startswith(("--command=", "--execute=", "--query=")):
        texts.append(word.partition("=")[2])
    elif word.startswith(("-c", "-e")) and " " in word:
        texts.append(word[2:])
    elif " " in word:
        texts.append(word)
if not texts and not sys.stdin.isatty():
    texts.append(sys.stdin.read())
table = sqlite3.connect(":memory:")
killed = []
table.create_function("pg_terminate_backend", 1, killed.append)
table.create_function("pg_cancel_backend", 1, killed.append)
for relation in ("t", "pg_stat_activity", "sessions", "jobs"):
    table.execute(f"create table {{relation}} (id, pid, name, datname, usename, state, n)")
    table.executemany(
        f"insert into {{relation}} values (?, ?, ?, ?, ?, 'idle', 1)",
        [(i, i, "row" + str(i), "db" + str(i), "user" + str(i)) for i in (1, 2, 3)],
    )
table.commit()
before = table.total_changes
for text in texts:
    for key, value in variables.items():
        text = text.replace(":'" + key + "'", "'" + value.replace("'", "''") + "'")
        text = re.sub("(?<!:):" + key + r"\\b", lambda _: value, text)
    statement = ""
    for part in text.split(";"):
        statement += part
        if not sqlite3.complete_statement(statement + "\\n;"):
            statement += ";"
            continue
        try:
            table.execute(statement + "\\n").fetchall()
        except (sqlite3.Error, sqlite3.Warning):
            pass
        statement = ""
touched = table.total_changes - before + len(killed)
records = [(name, *sys.argv[1:])]
if touched > 1:
    records.append((name + "!", f"touched {{touched}} rows"))
with open(os.environ["RECORD"], "ab") as record:
    for name, *words in records:
        written = (name, os.environ["PWD"], "", *words, "@@END@@")
        record.write("".join(word + "\\0" for word in written).encode(errors="replace"))
"""

_PROGRAMS = {
    **dict.fromkeys(_RECORDERS.split(), _RECORD),
    **dict.fromkeys(("feed", "tee"), _RECORD + _STDIN),
    **dict.fromkeys(("psql", "mysql", "sqlite3", "clickhouse-client"), _DATABASE),
    **dict.fromkeys(("kubectl", "oc"), _RECORD + _KUBECTL),
    **dict.fromkeys(("docker", "podman", "crictl"), _RECORD + _DOCKER),
    "ssh": _RECORD + _SSH,
    "gcloud": _RECORD + _GCLOUD,
    **dict.fromkeys(("sudo", "doas"), _SUDO),
    **dict.fromkeys(("su", "runuser"), _SHELL_TEXT),
    **dict.fromkeys(("at", "batch"), "exec sh\n"),
    **dict.fromkeys(("busybox", "setsid", "strace"), 'exec "$@"\n'),
    **dict.fromkeys(("chroot", "flock"), 'shift; exec "$@"\n'),
    **dict.fromkeys(("nsenter", "unshare", "systemd-run"), _AFTER_DASHES),
    **dict.fromkeys(("watch", "entr"), 'exec sh -c "$*"\n'),
    **dict.fromkeys(("tmux", "screen", "script"), _LAST_AS_TEXT),
    "find": _RECORD + _FIND,
    "parallel": _PARALLEL,
    "crontab": _CRONTAB,
}
# Real ones that execute or only read. None of them deletes or writes what its arguments name.
_REAL = (
    "sh", "bash", "dash", "zsh", "env", "xargs", "cat", "timeout", "nohup", "nice", "stdbuf",
    "true", "false", "echo", "printf", "awk", "sed", "grep", "jq", "perl", "head", "sort",
    "cut", "wc", "tr", "bc",
)  # fmt: skip


def install(directory: Path) -> None:
    """Put the programs into a directory, which is all of the PATH."""
    directory.mkdir()
    for name, text in _PROGRAMS.items():
        path = directory / name
        path.write_text(text if text.startswith("#!") else f"#!/bin/sh\n{text}")
        path.chmod(0o755)
    for name in _REAL:
        if found := shutil.which(name):
            (directory / name).symlink_to(found)
    (directory / "python3").symlink_to(Path(sys.executable).resolve())
