"""Which lines of a code block are commands, and what remains of them without prompts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router.enrich.shell import command_spans, shell_language, split
from alert_router.markdown import Code
from tests.speed import assert_linear


def parts(text: str, language: str = "") -> list[tuple[str, str]]:
    return [(part.language, part.text) for part in split(Code(text, language))]


@pytest.mark.parametrize(
    "prompt",
    ["$ ", "  $ ", "user@host:~$ ", "[root@x ~]# ", "[user@host dir]$ ", "sh-4.2$ ", "bash-5.1# ",
     "root@x:/# ", "(env) u@h:~/a$ ", "~/src $ ", "/ # ", "user@host ~ $ "],
)  # fmt: skip
@pytest.mark.parametrize("language", ["", "bash", "console", "8sh", "shell-session", "terminal"])
def test_prompts_are_removed_and_output_is_kept_apart(prompt: str, language: str) -> None:
    text = f"{prompt}kubectl get pods\nNAME  READY\nweb-1 1/1\n{prompt}uptime\n{prompt}date"
    shell = "bash" if language == "bash" else "sh"

    assert parts(text, language) == [
        (shell, "kubectl get pods"),
        ("text", "NAME  READY\nweb-1 1/1"),
        (shell, "uptime\ndate"),
    ]


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("$ c \\\n    --all\nout", "c \\\n    --all"),
        ("$ c \\\n> --all\nout", "c \\\n--all"),
        ("$ c |\n  d\nout", "c |\n  d"),
        ("$ c '{\n  a\n}'\nout", "c '{\n  a\n}'"),
        ("$ for x in 1; do\n>   c $x\n> done\nout", "for x in 1; do\n  c $x\ndone"),
        ("$ for x in 1; do\n  c $x\ndone\nout", "for x in 1; do\n  c $x\ndone"),
        ("$ cat <<EOF\nx\nEOF\nout", "cat <<EOF\nx\nEOF"),
        ("$ cat <<EOF\n$ x\nEOF\nout", "cat <<EOF\n$ x\nEOF"),
        ("# why\n$ c\nout", "# why\nc"),
    ],
)
def test_a_command_of_several_lines_stays_together(text: str, command: str) -> None:
    assert parts(text) == [("sh", command), ("text", "out")]


def test_what_seems_to_continue_an_unfinished_command_is_output() -> None:
    assert parts("$ echo it's\nits output\n$ d") == [
        ("sh", "echo it's"),
        ("text", "its output"),
        ("sh", "d"),
    ]


@pytest.mark.parametrize(
    "text",
    ["# delete the pod\nkubectl delete pod x", "# kubectl delete pod x\nkubectl get pods",
     "# rm -rf the data\nout", "# find all\nout", "# kubectl get the pods",
     "# HELP up\n# TYPE up gauge",
     "kubectl get pods # kubectl delete pod", "/usr/bin/c # rm x", "git@host:x # rm y"],
)  # fmt: skip
@pytest.mark.parametrize("language", ["", "bash", "console"])
def test_a_comment_never_becomes_a_command(text: str, language: str) -> None:
    assert "\n".join(part for _, part in parts(text, language)) == text


@pytest.mark.parametrize(
    "text",
    [
        "# systemctl restart kubelet",
        "# NS=$(c)",
        "# cat /etc/fstab\n# mount -a",
        "\n# df\n\n# reboot -f",
    ],
)
def test_a_console_needs_no_output_to_show_the_prompt_of_root(text: str) -> None:
    commands = text.strip().replace("# ", "")
    assert parts(text, "shell-session") == [("sh", commands)]
    for language in ("", "bash"):
        assert "\n".join(part for _, part in parts(text, language)) == text


@pytest.mark.parametrize(
    "text",
    ["# Stop it\n# systemctl stop x", "# systemctl stop x\nls", "# service is down", "# kind\n# x"],
)
def test_a_console_in_which_one_such_line_may_be_a_comment_stays(text: str) -> None:
    assert parts(text, "console") == [("console", text)]


@pytest.mark.parametrize("language", ["", "console"])
def test_the_prompt_of_root_is_removed_where_it_is_certain(language: str) -> None:
    text = "# ceph health\nHEALTH_OK\n# ceph osd tree"

    assert parts(text, language) == [
        ("sh", "ceph health"),
        ("text", "HEALTH_OK"),
        ("sh", "ceph osd tree"),
    ]


def test_statements_of_databases_are_apart_from_the_shell() -> None:
    text = "$ psql\ndb=# select 1,\ndb-# 2;\n 1 | 2\nmysql> show tables;\n127.0.0.1:6379> PING"

    assert parts(text) == [
        ("sh", "psql"),
        ("sql", "select 1,\n2;"),
        ("text", " 1 | 2"),
        ("sql", "show tables;"),
        ("redis", "PING"),
    ]


@pytest.mark.parametrize(
    ("text", "is_shell"),
    [
        ("kubectl get pods", True),
        ("# why\nsudo systemctl restart x", True),
        ("NS=a\nkubectl -n $NS get pods", True),
        ("find / -name x", True),
        ("find the pod", False),
        ("key=value", False),
        ("NAME READY\nkubectl 1/1", False),
        ("apiVersion: v1\nkind: Pod", False),
        ("", False),
    ],
)
def test_a_block_without_a_language_is_shell_if_that_is_certain(text: str, is_shell: bool) -> None:
    assert (shell_language(Code(text)) != "") == is_shell


def test_without_prompts_only_known_commands_are_commands() -> None:
    text = "kubectl get pods\nNAME READY\nkubectl get nodes"

    assert [text[start:end] for start, end in command_spans(text, "")] == [
        "kubectl get pods",
        "kubectl get nodes",
    ]
    assert parts(text) == [("", text)]


_PIECES = [
    *("$ ", "# ", "> ", "a@b:~$ ", "\n", "\n", "kubectl get pods", "'", '"', "\\", "<<EOF", "EOF"),
    *(" do", "done", "x", " ", "{", "}", "postgres=# ", "-> ", "`"),
]


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(_PIECES), max_size=30).map("".join),
    st.sampled_from(["", "sh", "console"]),
)
def test_no_line_is_lost_and_no_comment_begins_to_run(text: str, language: str) -> None:
    shown = [line for _, part in parts(text, language) for line in part.split("\n") if line.strip()]
    written = [line for line in text.split("\n") if line.strip(" ")]

    assert len(shown) <= len(written)
    assert all(
        any(line.endswith(found.rstrip()) for line in map(str.rstrip, written)) for found in shown
    )


@pytest.mark.parametrize(
    ("start", "piece"),
    [("", "$ 'x\n"), ("", "$ x\n"), ("", "# a\n"), ("", "$ <<E\n"), ("$ <<E\n", "x\n"), ("", "a@"),
     ("", "["), ("", "A=b "), ("$ do\n", "do\n"), ("", "/a")],
)  # fmt: skip
def test_a_long_block_takes_linear_time(start: str, piece: str) -> None:
    assert_linear(lambda size: parts(start + piece * size), 12_500)
