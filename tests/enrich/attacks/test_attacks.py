"""Every attack with every hostile value; those that get in, in real shells."""

import random

import pytest

from tests.enrich.attacks.cases import ATTACKS, HOSTILE, USEFUL
from tests.enrich.attacks.oracle import NEVER, Attack, Trial, fill_markdown, judge, trials
from tests.enrich.attacks.sandbox import SHELLS, Sandbox
from tests.programs import need

_NAMES = (
    *("namespace", "pod", "container", "deployment", "app", "node"),
    *("instance", "mountpoint", "service", "pid", "datname"),
)
_RUN = 3  # of the values that may get in; all attacks together run each of them many times


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_is_there(shell: str) -> None:
    assert need(shell)


def test_the_programs_of_the_attacks_are_there(sandboxes: list[Sandbox]) -> None:
    """What finds no program has the same outcome whatever is filled, and would prove nothing."""
    known = [(attack.word, attack.written()[-1]) for attack in ATTACKS if attack.may != NEVER]
    found = sandboxes[0].run([text for _, text in known])

    assert [
        line
        for (word, _), ran in zip(known, found, strict=True)
        for line in ran.errors.splitlines()
        if "not found" in line and word not in line
    ] == []


@pytest.mark.parametrize(
    "text",
    ['psql -c "delete from t where id = id"', "psql -v id=id <<< 'delete from t where id = :id'",
     'sudo mysql -e "delete from t where id = 5 or 1"', "ssh db \"psql -c 'delete from t'\"",
     'psql -c "select pg_terminate_backend(pid) from pg_stat_activity where pid = pid"'],
)  # fmt: skip
def test_a_statement_without_its_condition_is_noticed(sandboxes: list[Sandbox], text: str) -> None:
    [ran] = sandboxes[0].run([text])

    assert ("touched 3 rows",) in [program.arguments for program in ran.programs]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.text)
def test_a_value_is_literal_text_in_its_place_or_a_token_is(
    sandboxes: list[Sandbox], attack: Attack
) -> None:
    tried, wrong = trials(attack, HOSTILE)

    if not wrong:  # what holds a value that must not get in is not run
        for sandbox in sandboxes:
            wrong += judge(sandbox, attack, _sample(tried, sandbox.name + attack.text))
    assert not wrong, f"{len(wrong)} times, such as\n" + "\n".join(wrong[:3])


@pytest.mark.parametrize(("text", "value", "filled"), USEFUL, ids=[text for text, *_ in USEFUL])
def test_a_plain_value_is_filled_in_a_useful_command(text: str, value: str, filled: str) -> None:
    assert fill_markdown(f"```sh\n{text}\n```", dict.fromkeys(_NAMES, value)) == filled


def _sample(tried: list[Trial], seed: str) -> list[Trial]:
    """The unfilled text and some of the filled ones, the same in each run."""
    unfilled, *filled = tried
    return [unfilled, *random.Random(seed).sample(filled, min(_RUN, len(filled)))]
