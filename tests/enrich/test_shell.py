"""Filled shell commands in the real bash: exactly the value within an argument, or nothing."""

import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from alert_router.enrich.placeholder import AlertLabels, inert
from alert_router.enrich.shell import Filled, compile_fences
from tests.enrich.real_bash import Bash, Ran
from tests.enrich.shell_templates import FILLED, NOT_FILLED

_STANDS_FOR = "Zq7"
_STOPS = "${pod:?not in this alert}"
_HOSTILE = [
    "", "$(touch pwned)", "; touch pwned", "`touch pwned`", "--all", "-rf", "..", "a/../b", "a\nb",
    "a b", "'", '"', "\\", "~root", "*", "{a,b}", "!!", "a=b", "é", "x" * 300, "a\x00", "\ud800",
    "a\n", "#", "a;c", "a&", "$pod", "${pod}", "{{ $labels.pod }}", "a,b", "٣",
]  # fmt: skip
_PLAIN = [
    "5", "2", "a", "/", "//", "a.", "PATH", "IFS", "EOF", "OF", "A", "x", "i", "c", "eval", "if",
    "do", "in", "done", "then", "esac", "time", "function", "0x1f", "/etc/passwd", "10.0.0.1:9090",
    "web-5d9c7-x2x", "a-", "x" * 253,
]  # fmt: skip
_plain = st.sampled_from(_PLAIN) | st.text(
    string.ascii_letters + string.digits + "_.:/-", min_size=1
)


def fill(text: str, labels: dict[str, str], language: str = "bash") -> Filled:
    return compile_fences([(text, language)])[0].fill(AlertLabels(labels))


@pytest.fixture(scope="module")
def bash(tmp_path_factory: pytest.TempPathFactory) -> Bash:
    return Bash(tmp_path_factory.mktemp("bash"))


@pytest.fixture(scope="module")
def reference(bash: Bash) -> list[Ran]:
    """What the commands do with a value that nothing could mistake."""
    return bash.run([fill(text, {"pod": _STANDS_FOR}).text for text in FILLED])


@pytest.mark.parametrize("text", FILLED)
def test_a_plain_value_is_put_in_place(text: str) -> None:
    filled = fill(text, {"pod": _STANDS_FOR})

    assert filled.values == ()
    assert _STOPS not in filled.text
    assert _STANDS_FOR in filled.text


def test_the_value_reaches_an_argument_or_an_input(reference: list[Ran]) -> None:
    silent = {"# only $pod\nc", "c one # see $pod", "[ $pod = $pod ] && c same"}
    for text, ran in zip(FILLED, reference, strict=True):
        seen = any(_STANDS_FOR in word for words in ran.programs for word in words)
        assert seen != (text in silent), (text, ran)
        assert not any(words[0] == "not found" for words in ran.programs), (text, ran)


@settings(
    deadline=None, max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@example("PATH")
@example("EOF")
@example("5")
@example("/etc/passwd")
@example("a.")
@given(_plain.filter(lambda value: inert(value) and any(map(str.isalnum, value))))
def test_bash_passes_exactly_the_value_and_runs_nothing_else(
    bash: Bash, reference: list[Ran], value: str
) -> None:
    found = bash.run([fill(text, {"pod": value}).text for text in FILLED])

    for text, known, ran in zip(FILLED, reference, found, strict=True):
        if value.endswith(".") and "$pod." in text:
            continue  # two dots climb out of a directory
        expected = known.with_value(_STANDS_FOR, value)
        assert ran == Ran(tuple(sorted(expected.programs)), expected.files), text


@pytest.mark.parametrize("text", NOT_FILLED)
def test_where_a_value_would_be_more_than_an_argument_it_stays_out(text: str) -> None:
    filled = fill(text, {"pod": _STANDS_FOR})

    assert _STANDS_FOR not in filled.text
    assert filled.values == (("pod", _STANDS_FOR),)


@pytest.mark.parametrize(
    "text", ["df -h $pod", 'df -h "$pod"; d', "du --path=$pod", "c $pod $pod", "sh -c 'df -h $pod'"]
)
def test_a_bare_slash_is_a_mount_point_where_it_stands_alone(text: str) -> None:
    assert fill(text, {"pod": "/"}).text == text.replace("$pod", "/")


@pytest.mark.parametrize(
    "text",
    ["rm -r /data/$pod", 'rm -r "$pod/tmp"', 'rm -r /data/"$pod"', "rm -r ${pod}x", "rm $x$pod"],
)
@pytest.mark.parametrize("value", ["/", "//", "/.", "/-/"])
def test_what_names_nothing_makes_no_other_path_of_the_author_s(text: str, value: str) -> None:
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
    if not inert(value):
        assert fill(text, {"pod": value}).text == fill(text, {}).text


def test_bash_stops_where_a_value_is_missing(bash: Bash, reference: list[Ran]) -> None:
    """Nothing runs that would have carried the value, with an empty word in its place."""
    unfilled = bash.run([fill(text, {}).text for text in FILLED])

    for text, known, ran in zip(FILLED, reference, unfilled, strict=True):
        if any(part in text for part in ("'", "#", "$(", "<(")):
            continue  # what the shell does not expand stops nothing, nor does a command within
        carried = {words for words in known.programs if any(_STANDS_FOR in word for word in words)}
        emptied = {tuple(w.replace(_STANDS_FOR, "") for w in words) for words in carried}
        assert not emptied & set(ran.programs), text


def test_a_script_read_once_more_stops_too(bash: Bash) -> None:
    [ran] = bash.run([fill("sh -c 'c $pod; d'", {}).text])

    assert ran.programs == ()


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


def test_names_of_the_shell_and_its_parameters_stay() -> None:
    text = 'c $HOME "$PATH" ${USER} $1 $? $@ $# $$ ${x:-y} ${#x} $(d) \\$pod'

    assert fill(text, {"home": "h", "path": "p", "user": "u", "x": "1", "pod": "p"}).text == text


def test_an_explicit_label_may_be_called_like_a_name_of_the_shell() -> None:
    assert fill("c {{ $labels.home }} $HOME", {"home": "h"}).text == "c h $HOME"


def test_exact_case_goes_first() -> None:
    assert fill("c $pod $POD $Pod", {"pod": "a", "POD": "b"}).text.split()[1:3] == ["a", "b"]


@pytest.mark.parametrize(
    "assigns",
    ["POD=$(d)", "read -r POD", "for POD in a; do c; done", "export POD=x", "POD+=1", "((POD++))",
     "local POD", "printf -v POD x", "mapfile POD", "getopts a POD", ": ${POD:=x}", "POD=(a b)"],
)  # fmt: skip
def test_a_variable_that_an_earlier_fence_assigns_is_left_alone(assigns: str) -> None:
    before, here, after = compile_fences([("c $POD", "sh"), (assigns, "sh"), ("c $POD", "sh")])
    labels = AlertLabels({"pod": "web"})

    assert before.fill(labels).text == "c web"
    assert here.fill(labels).text == assigns
    assert after.fill(labels) == Filled("c $POD")


def test_a_value_does_not_flow_into_a_variable_that_a_later_fence_runs() -> None:
    first, second = compile_fences([("x=$pod", "sh"), ("$x --now", "sh")])
    labels = AlertLabels({"pod": "web"})

    assert first.fill(labels).text == f"x={_STOPS}"
    assert second.fill(labels).text == "$x --now"


def test_in_a_console_session_only_what_is_typed_is_filled() -> None:
    text = "$ c $pod \\\n    $pod\nNAME $pod\n# d $pod\n$pod"

    filled = fill(text, {"pod": "web"}, "console")

    assert filled.text == "$ c web \\\n    web\nNAME $pod\n# d web\n$pod"


def test_a_session_that_is_not_understood_does_not_spoil_the_other_lines() -> None:
    filled = fill("$ c $pod '\n$ d $pod", {"pod": "web"}, "console")

    assert filled.text == f"$ c {_STOPS} '\n$ d web"


def test_programs_of_awk_and_jq_keep_their_own_variables() -> None:
    text = "kubectl get pods -n $pod | jq --arg pod x '.[] | select(.name == $pod)'"

    assert fill(text, {"pod": "web"}).text == text.replace("-n $pod", "-n web")


def test_a_value_and_its_surroundings_never_make_two_dots() -> None:
    assert fill("c /x/$pod./y", {"pod": "a/."}).text == f"c /x/{_STOPS}./y"


def test_the_stub_directory_is_all_that_bash_finds(bash: Bash, tmp_path: Path) -> None:
    [ran] = bash.run(["touch pwned; c 'a b'; echo > file"])

    assert ran == Ran((("c", "a b"), ("not found", "touch", "pwned")), ("file",))
