"""Filled commands pasted at the prompt of an interactive shell, where history is expanded and one
line that fails stops no other."""

import pytest

from tests.enrich.attacks.oracle import JOINED, NEVER, NUMBER, WHOLE, Attack, compare, trials
from tests.enrich.attacks.sandbox import Sandbox

_VALUES = ["a!b", "!!", "$(id)", "a\nid", "'", "-rf", "a b", "/nowhere/x", "EOF", "id", "2"]
_PASTES = [
    Attack('NS=$pod\nkubectl -n "$NS" delete pods --all', NEVER),
    Attack('NS=${pod:?}\nkubectl -n "$NS" delete pods --all', NEVER),
    Attack("NS=${pod:?set it}\nkubectl -n $NS delete pods --all", NEVER),
    Attack("cd logs/$pod\nmv ./* x", JOINED),
    Attack("cd $pod && mv ./* x", WHOLE),
    Attack("kubectl -n $pod get pods\nkubectl -n $pod delete pod x", WHOLE),
    Attack("$ c $pod\n$ d '$pod'", WHOLE),
    Attack('c "$pod"!', WHOLE),
    Attack("c !$pod", NEVER),
    Attack("c !$pod:p\nd", NEVER),
    Attack("^c^$pod", NEVER),
    Attack("rm -rf /data/$pod\nd", JOINED),
    Attack('BASE=/data\nrm -rf "$BASE$pod/"', JOINED),
    Attack("ssh host bash <<'EOF'\nrm -rf /data/$pod\nEOF\nc", NUMBER),
    Attack("sh -c 'rm -rf /data/$pod'", NUMBER),
    Attack("feed <<EOF\n$pod\nEOF\nc", NUMBER),
    Attack("c $pod # and $pod\nd", WHOLE),
    Attack("c \\\n  $pod \\\n  x", WHOLE),
    Attack("for x in 1 2; do\n  c $x $pod\ndone", WHOLE),
    Attack("if c $pod; then\n  d $pod\nfi", WHOLE),
    Attack("x=$(c $pod)\nd", WHOLE),
    Attack("set -e\nc $pod\nd", WHOLE),
    Attack("c $pod &\nwait\nd", WHOLE),
    Attack('psql -c "delete from t where id = $pod"\nc', NUMBER),
]


@pytest.mark.parametrize("attack", _PASTES, ids=lambda attack: attack.text)
@pytest.mark.parametrize("name", ["bash", "zsh"])
def test_a_paste_does_what_the_author_wrote_or_holds_tokens(
    sandboxes: list[Sandbox], name: str, attack: Attack
) -> None:
    sandbox = next((one for one in sandboxes if one.name == name), None)
    if sandbox is None:
        pytest.skip(f"{name} is not installed")
    tried, wrong = trials(attack, _VALUES)
    assert not wrong, "\n".join(wrong[:3])
    known = [sandbox.paste(text) for text in attack.written()]

    for trial in dict.fromkeys((tried[0], tried[-1])):
        ran = sandbox.paste(trial.text)
        assert not (found := compare(trial, attack.word, known, ran)), "\n".join(found)
