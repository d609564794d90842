"""Shell and PromQL that do not parse, and fences that are never closed."""

import shutil

import pytest

from alert_router.checks.lint import shell
from tests.checks.lint.kit import fence, found, linted, pointed_at

SYNTAX = "runbook-shell-syntax"


@pytest.mark.parametrize(
    ("text", "message", "at"),
    [
        ("echo a\nkubectl get pods )", "unexpected token `)`", (9, 21)),
        ("if true; then\n  echo a", "unexpected end of file", (9, 6)),
        ("echo 'a", "unexpected EOF while looking for matching `'`", (8, 9)),
        (
            "cat <<EOF\nhello",
            "a here-document is not closed: `EOF` is expected on a line of its own",
            (8, 8),
        ),
    ],
)
def test_a_syntax_error_has_its_place(tmp_path, text, message, at):
    assert found(linted(tmp_path, fence(text)), SYNTAX) == [
        (*at, f"bash cannot parse this: {message}")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "kubectl logs <pod-name> -n <namespace>",
        "Warning  Failed  3m  2 node(s) didn't match\n  reach : 0x02 (Reachable)",
        "update -f </path/to/file>; lookup <user@host> <IP address?>",
        "kubectl logs {{ $labels.pod }} | grep -E '^(a|b)'",
        "curl -s <host>:<port>/metrics > <file name>",
        "for p in $(kubectl get pods -o name); do echo $p; done",
        "a=(1 2); echo ${a[@]} $((1 + 2)); [[ $a == x* ]] && case $b in x) ls;; esac",
        "diff <(ls a) <(ls b)",
        "rm !(keep)",
        "$ kubectl get pods\nNAME  READY (1/1)\n$ ls",
        "# it's a comment\nls",
        "[root@db ~]# kubectl get pods\nNAME READY (1/1)",
        "root@db:/home# patronictl list\n+ Cluster: (1) --+",
    ],
)
def test_placeholders_and_sessions_are_valid_shell(tmp_path, text):
    assert found(linted(tmp_path, fence(text)), SYNTAX) == []


def test_only_text_after_prompts_of_a_session_is_parsed(tmp_path):
    text = "$ kubectl get pods\nNAME (all)\n$ kubectl get )\nerror: it's gone"
    assert found(linted(tmp_path, fence(text, "console")), SYNTAX) == [
        (10, 18, "bash cannot parse this: unexpected token `)`")
    ]


@pytest.mark.parametrize("language", ["zsh", "ksh", "fish", "powershell", "", "text", "yaml"])
def test_other_languages_are_not_parsed_by_bash(tmp_path, language):
    assert found(linted(tmp_path, fence("echo ) (", language)), SYNTAX) == []


def test_bash_executes_nothing_of_a_text(tmp_path, monkeypatch):
    touched = tmp_path / "touched"
    start_up = tmp_path / "bashrc"
    start_up.write_text(f"touch {touched}\n", encoding="utf-8")
    monkeypatch.setenv("BASH_ENV", str(start_up))
    monkeypatch.setenv("ENV", str(start_up))
    monkeypatch.setenv("BASH_FUNC_echo%%", f"() {{ touch {touched}; }}")
    program = shutil.which("bash")
    if program is None:
        pytest.skip("there is no bash")

    for text in (
        f"touch {touched}\n(",
        f": $(touch {touched}) `touch {touched}`\n)",
        f"set +n\ntouch {touched}\n(",
        f"shopt -uo noexec; touch {touched}\n)",
        f"exit 0\n)\ntouch {touched}",
        f"a[$(touch {touched})]=1 )",
    ):
        assert shell.bash_errors(program, [text])
    assert not touched.exists()


def test_without_bash_one_info_counts_unchecked_commands(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert shutil.which("bash") is None
    files = {"a.md": fence("echo ) ("), "b.md": fence("ls )\n")}

    [problem] = [p for p in linted(tmp_path, files) if p.code.startswith("runbook-shell")]

    assert problem.severity == "info"
    assert problem.message == "bash is not installed: 2 commands are not checked"


@pytest.mark.parametrize(
    "query",
    [
        'up{namespace="$namespace", pod=~"$pod.*"}',
        "rate(errors_total[$__rate_interval]) > $threshold",
        "job:errors:rate5m{instance='<instance>'} offset <duration>",
        "topk(<n>, <metric>)",
        "# how many\nup\n\n# and how few\ndown == 0",
        "up == 0\nrate(errors_total[5m])",
        "sum by (pod) (\n  up\n)\n",
        'up{pod="{{ $labels.pod }}"}',
        "# nothing but a remark",
        "",
    ],
)
def test_queries_with_placeholders_parse(tmp_path, query):
    assert found(linted(tmp_path, fence(query, "promql")), "runbook-promql-syntax") == []


def test_the_invalid_query_among_several_is_reported(tmp_path):
    problems = linted(tmp_path, fence("up\n\nrate(errors[5m]\n\ndown", "promql"))

    [problem] = [p for p in problems if p.code == "runbook-promql-syntax"]
    assert pointed_at(problem) == "rate(errors[5m]"
    assert problem.place.line == 10


def test_the_invalid_query_among_one_line_queries_is_reported(tmp_path):
    problems = linted(tmp_path, fence("up == 0\nrate(errors[5m)\nsum(up)", "promql"))
    assert [line for line, _, _ in found(problems, "runbook-promql-syntax")] == [9]


def test_code_after_an_unclosed_fence_is_not_parsed(tmp_path):
    text = "# A\n\n```promql\nup\n\n## Mitigation\n\nIt's (here).\n"
    assert [p.code for p in linted(tmp_path, text)][:1] == ["runbook-unclosed-fence"]
    assert found(linted(tmp_path, text), "runbook-promql-syntax") == []


def test_deeply_nested_queries_are_not_parsed(tmp_path):
    for query in ("(" * 50_000, "-" * 50_000, "a+" * 5_000):
        linted(tmp_path, fence(query, "promql"))


def test_an_unclosed_fence_shows_the_line_that_opens_it(tmp_path):
    [problem] = [
        p
        for p in linted(tmp_path, "# A\n\n1. Do:\n\n   ```bash\n   ls\n")
        if p.code == "runbook-unclosed-fence"
    ]
    assert (problem.place.line, pointed_at(problem)) == (5, "```bash")
