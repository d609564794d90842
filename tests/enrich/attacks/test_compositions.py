"""Commands put together at random, with values that are, against the same expectations."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.enrich.attacks.cases import HOSTILE
from tests.enrich.attacks.oracle import WHOLE, Attack, judge, trials
from tests.enrich.attacks.sandbox import Sandbox

_pieces = st.sampled_from
_slot = _pieces(["$pod", "${pod}", "{{ $labels.pod }}", "$POD"])
_before = _pieces(
    ["", "", "", "/data/", "x-", "app=", "--opt=", "ns/", "a:", "a,", "$BASE", "${BASE}/", "@", "%"]
)
_after = _pieces(["", "", "", "/", "/x", "-0", ".log", ":80", ",b", "x", "_x", "$BASE", "=1", "@h"])
_quotes = _pieces(["{}", "{}", '"{}"', "'{}'", '""{}', "{}''", '"a b"{}', "'x'\"{}\""])
_program = _pieces(
    [
        "c",
        "rm -rf",
        "kubectl get pod",
        "kubectl delete -n",
        "sudo rm",
        "curl -H a:b",
        "docker exec x c",
        "kubectl exec x -- c",
        "env A=1 c",
        "X=1 c",
        "timeout 5 c",
        "echo a | xargs c",
        "helm -n x del",
        "ssh -n host true; c",
        "gcloud compute instances stop",
        "gcloud compute ssh x -- c",
        "systemctl restart",
        "git log",
        "rsync -a f",
        "tar czf",
    ]
)
_around = _pieces(
    [
        "{}",
        "{}",
        "{}",
        "{}; d",
        "d && {}",
        "d || {}",
        "{} | d",
        "d | {}",
        "( {} )",
        "{{ {}; }}",
        "x=$({})\nd done",
        "if {}; then d; fi",
        "if d; then {}; fi",
        "while {}; do break; done",
        "for i in 1 2; do {}; done",
        "case a in a) {} ;; esac",
        "f() {{ {}; }}\nf",
        "{} > out",
        "{} 2>&1",
        "> out {}",
        "! {}",
        "{} &\nwait",
        "{} # $pod",
        "d\n\n{}",
        "feed <<EOF\n$BASE\nEOF\n{}",
        "sh -c '{}'",
        'ssh host "{}"',
        'gcloud compute ssh x --command "{}"',
        "bash <<'EOF'\n{}\nEOF",
        "echo '{}' | sh",
        "eval '{}'",
        'sudo bash -c "{}"',
        "kubectl exec x -- sh -c '{}'",
        'd "$({})"',
        "d <({})",
        "`{}`",
        "[[ -n x ]] && {}",
        "cat <<EOF | sh\n{}\nEOF",
        "find . -exec {} \\;",
        "{} \\\n  --last",
    ]
)
_value = _pieces(HOSTILE) | st.text("ab1-./:_ ;$'\"*!~#\n", max_size=6)


@st.composite
def _commands(draw: st.DrawFn) -> str:
    words = []
    for _ in range(draw(st.integers(1, 2))):
        slot, after = draw(_slot), draw(_after)
        if after[:1] == "_" or after[:1].isalnum():
            slot = "${pod}"  # another name otherwise
        words.append(draw(_quotes).format(f"{draw(_before)}{slot}{after}"))
    text = f"{draw(_program)} {' '.join(words)}"
    for _ in range(draw(st.integers(0, 2))):
        text = draw(_around).format(text)
    return f"BASE=/base\n{text}"


@settings(
    deadline=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(text=_commands(), value=_value, which=st.integers(0, 2))
def test_composed_commands_do_what_the_author_wrote_or_hold_tokens(
    sandboxes: list[Sandbox], text: str, value: str, which: int
) -> None:
    attack = Attack(text, WHOLE)
    tried, wrong = trials(attack, [value])

    if not wrong:
        wrong = judge(sandboxes[which % len(sandboxes)], attack, tried)
    assert not wrong, "\n".join(wrong)
