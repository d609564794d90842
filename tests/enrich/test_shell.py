"""Shell commands in real shells: exactly the value within an argument, or an inert token."""

import os
import pty
import string
import time
from pathlib import Path
from subprocess import Popen

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from alert_router.enrich.fill import filling
from alert_router.enrich.placeholder import AlertLabels, Place, may_fill, token
from alert_router.enrich.shell import Filled, compile_fences
from alert_router.markdown import Code
from alert_router.runbook import parse_runbook
from tests.enrich.real_shells import SHELLS, Ran, Shell
from tests.enrich.shell_templates import FILLED, NOT_FILLED
from tests.programs import need

_STANDS_FOR = "Zq7"
_TOKEN = "FILL_IN_pod"
_HOSTILE = [
    "", "$(touch pwned)", "; touch pwned", "`touch pwned`", "--all", "-rf", "..", "a/../b", "a\nb",
    "a b", "'", '"', "\\", "~root", "*", "{a,b}", "!!", "a=b", "é", "x" * 300, "a\x00", "\ud800",
    "a\n", "#", "a;c", "a&", "$pod", "${pod}", "{{ $labels.pod }}", "a,b", "٣",
]  # fmt: skip
_JOINED = [
    "5",
    "a",
    "a.",
    "PATH",
    "EOF",
    "if",
    "done",
    "eval",
    "10.0.0.1",
    "web-5d9c7-x2x",
    "a-",
    "0x1f",
]
_PASTE = 'NS=$namespace\nkubectl -n "$NS" delete pods --all\ncd /data/$volume\nrm -rf ./*\nc end\n'
_IN_A_COMMENT = "psql -c \"delete from t where id = 2 /* it's */ or id = $pod or name = 'x'\""
_WHOLE = ["/", "//", "/etc/passwd", "10.0.0.1:9090", "x" * 253]
_plain = st.sampled_from(_JOINED) | st.text(
    string.ascii_letters + string.digits + "_.-", min_size=1, max_size=20
).filter(lambda value: may_fill(Place.LITERAL, value))


def fill(text: str, labels: dict[str, str], language: str = "bash") -> Filled:
    return compile_fences([(text, language)])[0].fill(AlertLabels(labels))


def fill_runbook(text: str, labels: dict[str, str]) -> list[str]:
    """The texts of the code blocks of a runbook."""
    book = parse_runbook(f"# R\n\n## Mitigation\n\n{text}", id="r", path="r.md")
    section = filling(book).section(book.sections[0], AlertLabels(labels))
    blocks = [*section.intro, *(block for step in section.steps for block in step.blocks)]
    return [block.text for block in blocks if isinstance(block, Code)]


@pytest.fixture(scope="module", params=SHELLS)
def shell(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def reference(shell: Shell) -> list[Ran]:
    """What the commands do with a value that nothing could mistake."""
    return shell.run([fill(text, {"pod": _STANDS_FOR}).text for text in FILLED])


@pytest.mark.parametrize("text", FILLED)
def test_a_plain_value_is_put_in_place(text: str) -> None:
    filled = fill(text, {"pod": _STANDS_FOR})

    assert filled.values == ()
    assert _TOKEN not in filled.text
    assert _STANDS_FOR in filled.text


@settings(
    deadline=None, max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@example("PATH")
@example("EOF")
@example("5")
@example("if")
@given(_plain)
def test_shells_pass_exactly_the_value_and_run_nothing_else(
    shell: Shell, reference: list[Ran], value: str
) -> None:
    found = shell.run([fill(text, {"pod": value}).text for text in FILLED])

    for text, known, ran in zip(FILLED, reference, found, strict=True):
        if fill(text, {"pod": value}).values:
            continue  # beside a dot, a value that ends with one is not filled
        expected = known.with_value(_STANDS_FOR, value)
        assert ran == Ran(tuple(sorted(expected.programs)), expected.files), text


@pytest.mark.parametrize("value", _WHOLE)
@pytest.mark.parametrize(
    "text",
    ["df -h $pod", 'df -h "$pod"; d', "du --path=$pod", "c '$pod'", "kubectl exec x -- c $pod"],
)
def test_a_whole_argument_may_be_a_path_or_an_address(text: str, value: str) -> None:
    assert value in fill(text, {"pod": value}).text


@pytest.mark.parametrize("text", NOT_FILLED)
def test_where_a_value_would_be_more_than_an_argument_the_token_stays(text: str) -> None:
    filled = fill(text, {"pod": _STANDS_FOR})

    assert _STANDS_FOR not in filled.text
    assert _TOKEN in filled.text
    assert filled.values == (("pod", _STANDS_FOR),)


def test_an_unfilled_command_has_no_empty_argument_and_no_shorter_path(shell: Shell) -> None:
    """Whatever is missing: no shell and no interpreter makes nothing of it."""
    texts = [*FILLED, *NOT_FILLED]
    assert not any("$pod" in fill(text, {}).text for text in texts)

    for text, ran in zip(texts, shell.run([fill(text, {}).text for text in texts]), strict=True):
        for program in ran.programs:
            assert "" not in program or "$" in fill(text, {}).text, (text, ran)
            assert not {"/data/", "/data", "/", "/x/"} & set(program), (text, ran)
            assert program[0] != "psql" or program[1] == "3 rows", (text, ran)


@pytest.mark.parametrize("name", ["bash", "zsh"])
def test_a_paste_whose_first_line_is_not_filled_deletes_nothing_of_another_namespace(
    name: str, tmp_path: Path
) -> None:
    runner = Shell(name, tmp_path)
    record = tmp_path / "record"
    parent, child = pty.openpty()
    process = Popen(
        [need(name), "--norc" if name == "bash" else "-f", "-i"],
        stdin=child, stdout=child, stderr=child, cwd=tmp_path, start_new_session=True,
        env={
            "PATH": str(runner.programs), "RECORD": str(record), "HOME": str(tmp_path),
            "TERM": "dumb",
        },
    )  # fmt: skip
    os.close(child)
    try:
        os.write(parent, fill(_PASTE, {}).text.encode())
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and b"end" not in (
            record.read_bytes() if record.exists() else b""
        ):
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
        os.close(parent)

    assert b"kubectl\0-n\0FILL_IN_namespace\0delete" in record.read_bytes()


@pytest.mark.parametrize("value", ["/", "//", "/.", "a/b", "host:x", "a--b", "-", "..", "a..b"])
@pytest.mark.parametrize(
    "text",
    ["rm -r /data/$pod", 'rm -r "$pod/tmp"', 'rm -r /data/"$pod"', "rm -r ${pod}x", "rm $1$pod",
     "tar czf $pod.tar.gz x", "tee $pod.log", "kubectl apply -f $pod.yaml", "c http://$pod.svc:80/"],
)  # fmt: skip
def test_a_part_of_an_argument_is_a_plain_name(text: str, value: str) -> None:
    assert fill(text, {"pod": value}).text == fill(text, {}).text
    assert fill(text, {"pod": value}).values == (("pod", value),)


@pytest.mark.parametrize("value", _HOSTILE)
def test_no_command_holds_a_hostile_value(value: str) -> None:
    for text in [*FILLED, *NOT_FILLED]:
        filled = fill(text, {"pod": value})

        assert filled.text == fill(text, {}).text
        assert {value for _, value in filled.values} == {value}


@settings(deadline=None)
@given(st.text(), st.sampled_from([*FILLED, *NOT_FILLED]))
def test_what_is_not_plain_never_gets_into_a_command(value: str, text: str) -> None:
    if not may_fill(Place.WHOLE, value):
        assert fill(text, {"pod": value}).text == fill(text, {}).text


@pytest.mark.parametrize(
    ("text", "value", "filled"),
    [
        ('psql -c "delete from t where id = $pod"', "2", True),
        ('psql -c "delete from t where id = $pod"', "id", False),
        ('psql -c "delete from t where id = $pod"', "id--", False),
        ('psql -c "delete from t where id = $pod"', "0-1", False),
        ("psql -c \"delete from t where name = '$pod'\"", "b", True),
        ("psql -c 'delete from t where name = \"$pod\"'", "name", False),
        ("psql <<EOF\ndelete from t where id = $pod\nEOF", "id", False),
        ("psql <<EOF\ndelete from t where id = $pod\nEOF", "2", True),
        ('echo "delete from t where id = $pod" | psql', "2", False),
        ("psql -c \"delete from t where name like '$pod%'\"", "b", False),
        (_IN_A_COMMENT, "id", False),
    ],
)
def test_a_statement_keeps_its_condition(shell: Shell, text: str, value: str, filled: bool) -> None:
    command = fill(text, {"pod": value}).text
    [ran] = shell.run([command])

    assert (_TOKEN not in command) == filled
    left = {words[1] for words in ran.programs if words[0] == "psql"}
    assert left <= {"2 rows", "3 rows"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("awk '/$pod/ {print}' f", "zz"), ("awk '/$pod/' f", "5"), ("sed 's/a/$pod/' f", "5"),
        ("jq '.[] | select(test(\"$pod\"))'", "zz"), ("grep $pod f", "a.b"),
        ("logcli query '{app=~\"$pod\"}'", "zz"), ("perl -ne 'print if /$pod/'", "5"),
    ],
)  # fmt: skip
def test_nothing_is_filled_in_a_regular_expression(text: str, value: str) -> None:
    assert value not in fill(text, {"pod": value}).text.replace("FILL_IN_pod", "")


def test_a_variable_beside_a_value_keeps_its_name(shell: Shell) -> None:
    text = fill('BASE=/data\nrm -rf "$BASE$volume/"', {"volume": "v1"}).text
    [ran] = shell.run([text])

    assert ran.programs == (("rm", "-rf", "/data/v1/"),) or "BASEv1" not in text
    assert ("rm", "-rf", "/datav1/") in ran.programs


def test_names_of_the_environment_are_left_to_it() -> None:
    text = "c $VAULT_ADDR $KUBECONFIG $API_HOST $PGPASSWORD $HOME ${USER} $1 $? $@ $# $$ ${x:-y}"
    labels = {"vault_addr": "a", "kubeconfig": "b", "api_host": "c", "home": "h", "user": "u"}

    assert fill(text, labels).text == text


def test_a_name_in_capitals_means_a_label_in_capitals_or_a_known_one() -> None:
    labels = {"namespace": "prod", "pod": "web", "topic_x": "t", "DC": "eu"}

    assert fill("c $NS $POD_NAME $TOPIC_X $DC", labels).text == "c prod web FILL_IN_TOPIC_X eu"
    assert fill("c $pod $POD", {"pod": "a", "POD": "b"}).text == "c a b"


def test_an_explicit_label_may_be_called_like_a_name_of_the_shell() -> None:
    assert fill("c {{ $labels.home }} $HOME", {"home": "h"}).text == "c h $HOME"


_SETS = [
    "POD=$(d)", "read -r POD", "for POD in a; do c; done", "export POD=x", "POD+=1", "local POD",
    "printf -v POD x", "mapfile POD", "getopts a POD", "POD=(a b)", "IFS= read -r POD", "A=1 POD=2",
    "while read -r POD; do c; done", "c; POD=1", "sh -c 'POD=1'", "let POD=1",
]  # fmt: skip


@pytest.mark.parametrize("sets", _SETS)
def test_a_variable_that_the_runbook_sets_in_any_fence_is_left_alone(sets: str) -> None:
    before, _, after = compile_fences([("c $POD", "sh"), (sets, "sh"), ("c $POD", "sh")])
    labels = AlertLabels({"pod": "web"})

    assert before.fill(labels) == Filled("c $POD")
    assert after.fill(labels) == Filled("c $POD")


@pytest.mark.parametrize(
    "sets",
    ["```sh\n$ NS=staging\n```", "```console\n$ export NS=staging\n```", "    NS=staging",
     "Set `NS=staging`.", "Run `export NS=staging` first.", "| a |\n| - |\n| `NS=staging` |"],
)  # fmt: skip
def test_a_variable_set_outside_of_the_fence_is_never_the_alert_s(sets: str) -> None:
    text = f"{sets}\n\n```sh\nkubectl -n $NS delete pods --all\n```\n"

    assert "prod" not in fill_runbook(text, {"namespace": "prod"})[-1]


@pytest.mark.parametrize("sets", ["    ns=staging", "Set `ns=staging`.", "```sh\n# ns=x\n```"])
def test_what_may_set_a_variable_or_name_a_label_leaves_neither(sets: str) -> None:
    text = f"{sets}\n\n```sh\nkubectl -n $ns delete pods --all\n```\n"

    assert fill_runbook(text, {"ns": "prod"})[-1] == "kubectl -n FILL_IN_ns delete pods --all"


@pytest.mark.parametrize("language", ["", "text", "sql", "yaml"])
def test_code_that_is_no_shell_is_not_filled_and_expands_to_nothing(language: str) -> None:
    text = f"```{language}\nrm -rf /data/$pod {{{{ $labels.pod }}}} $HOME\n```"

    assert fill_runbook(text, {"pod": "web"}) == [f"rm -rf /data/{_TOKEN} {_TOKEN} $HOME"]


def test_code_with_variables_of_its_own_keeps_them() -> None:
    assert fill_runbook("```php\n$pod = 1;\n```", {"pod": "web"}) == ["$pod = 1;"]


def test_a_label_of_a_selector_is_no_variable() -> None:
    text = "kubectl -n $ns get pods -l app=$app\nhelm upgrade --set app=$app x y"

    assert "$" not in fill(text, {"ns": "a", "app": "b"}).text
    assert "FILL_IN" not in fill(text, {"ns": "a", "app": "b"}).text


def test_a_line_that_is_not_understood_stops_no_other_line() -> None:
    text = "c $pod\nx=(a $pod)\nc $pod\n`c $pod`\nit's $pod\nc $pod"

    filled = fill(text, {"pod": "web"}).text.split("\n")

    assert [filled[0], filled[2], filled[-1]] == ["c web"] * 3
    assert "web" not in filled[1] + filled[3] + filled[4]


def test_in_a_console_session_only_what_is_typed_is_filled() -> None:
    text = "$ c $pod \\\n    $pod\nNAME $pod\n# d $pod\n$pod"

    filled = fill(text, {"pod": "web"}, "console")

    assert filled.text == f"$ c web \\\n    web\nNAME {_TOKEN}\n# d web\n{_TOKEN}"


def test_programs_of_awk_jq_and_mongo_keep_their_own_variables() -> None:
    text = (
        "kubectl get pods -n $pod | jq --arg pod $pod '.[] | select(.name == $pod)'\n"
        "awk '{print $NF}' f\nmongosh --eval 'db.t.find({age: {$gt: 5}})'"
    )

    assert fill(text, {"pod": "web"}).text == text.replace("$pod ", "web ", 2)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.sampled_from(
            ["$pod", "${pod}", "{{ $labels.pod }}", "'", '"', "\\", "`", "$(", ")", "((", "))", "{",
             "}", "\n", " ", ";", "|", "&", "<", ">", "<<EOF\n", "EOF", "#", "c", "d ", "sh -c ",
             "eval ", "if ", "then ", "fi", "for x in ", "do ", "done", "case ", " in ", "esac",
             "[[ ", " ]]", "!", "~", "*", "=", "x=", "$x", "$", "$'", "${x:-", "1", "-", "xargs ",
             "\\\n", "f()"]
        ),
        max_size=14,
    ).map("".join)
)  # fmt: skip
def test_any_text_at_all_can_be_read(text: str) -> None:
    filled = fill(text, {"pod": "$(touch pwned)"})

    assert "touch" not in filled.text
    assert fill(text, {"other": "x"}).values == ()


@pytest.mark.parametrize("text", ["it's\n" * 20_000, "$(" * 50_000, '"$(' * 20_000, "{" * 100_000,
                                  "<<E\n" * 20_000, "${a" * 30_000, "a=" * 60_000])  # fmt: skip
def test_the_effort_for_a_text_full_of_what_is_not_closed_is_bounded(text: str) -> None:
    began = time.process_time()

    fill(f"{text}\nc $pod", {"pod": "web"})

    assert time.process_time() - began < 20


def test_the_token_is_a_word_that_nothing_expands() -> None:
    assert token("namespace") == "FILL_IN_namespace"


def test_the_stub_directory_is_all_that_a_shell_finds(shell: Shell) -> None:
    [ran] = shell.run(["touch pwned; c 'a b'; echo > file"])

    assert ran == Ran((("c", "a b"),), ("file",))
