"""Signed links say what they may do, and nobody else can make or change one."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert_router.deliver.action_links import LinkRefused, sign, verify

KEY, GROUP, NOW = b"k" * 32, "0198c0de-0000-7000-8000-000000000001", 1_700_000_000.0
TOKEN = sign(KEY, GROUP, "take", NOW + 60)
LETTERS = string.ascii_letters + string.digits + "-_."


@given(st.text(max_size=200).filter(bool))
def test_a_link_says_which_group_and_what(do: str) -> None:
    do = do.encode(errors="replace").decode()
    token = sign(KEY, GROUP, do, NOW + 60)
    assert verify(KEY, token, NOW) == (GROUP, do)
    assert set(token) <= set(LETTERS)


def test_a_link_expires() -> None:
    assert verify(KEY, TOKEN, NOW + 59.9) == (GROUP, "take")
    with pytest.raises(LinkRefused, match=r"^This link expired at 2023-11-14 22:14 UTC\.$"):
        verify(KEY, TOKEN, NOW + 60)


@given(st.integers(0, len(TOKEN) - 1), st.sampled_from(LETTERS))
def test_a_link_in_which_a_character_changed_does_nothing_else(at: int, letter: str) -> None:
    changed = TOKEN[:at] + letter + TOKEN[at + 1 :]
    try:
        found = verify(KEY, changed, NOW)
    except LinkRefused:
        return
    assert found == (GROUP, "take")  # the last bits of base64 mean nothing


@given(st.text(max_size=100) | st.text(LETTERS, max_size=200))
def test_what_nobody_signed_is_refused(token: str) -> None:
    with pytest.raises(LinkRefused, match=r"cut, changed, or signed with a key"):
        verify(KEY, token, NOW)


def test_another_key_signs_nothing() -> None:
    with pytest.raises(LinkRefused):
        verify(b"x" * 32, TOKEN, NOW)


@pytest.mark.parametrize("token", ["a" * 1401 + "." + "b" * 22, "A" * 9 + "." + "A" * 22, "é." * 9])
def test_odd_tokens_are_refused_and_raise_nothing_else(token: str) -> None:
    with pytest.raises(LinkRefused):
        verify(KEY, token, NOW)
