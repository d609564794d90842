"""A destination's words in an error."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router.redaction import clean

URL = "https://user:passw0rd@hooks.example/services/T00/B0123456/aBcDeFgH1?key=s3cr3t%21"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (f"cannot POST {URL}", "cannot POST ***"),
        ("POST /services/T00/B0123456/aBcDeFgH1 failed", "POST *** failed"),
        ("no hook aBcDeFgH1 for B0123456", "no hook *** for ***"),
        ("key s3cr3t! is wrong", "key *** is wrong"),
        ("user passw0rd", "user ***"),
        ("invalid_payload", "invalid_payload"),
    ],
)
def test_no_part_of_a_url_that_could_be_the_secret_is_shown(said, shown):
    assert clean(said, [URL]) == shown


def test_a_url_in_another_spelling_does_not_show_its_secret_parts():
    escaped = URL.replace("/", r"\/")
    assert not {"passw0rd", "B0123456", "aBcDeFgH1", "s3cr3t"} & set(
        re.split(r"\W+", clean(escaped, [URL]))
    )


_around = st.text(alphabet="xyz <>\n")


@settings(deadline=None)
@given(_around, st.text(min_size=1, alphabet="ABC123/?=%@:."), _around)
def test_a_secret_is_never_shown(before, secret, after):
    assert secret not in clean(f"{before}{secret}{after}", [secret])


@settings(deadline=None)
@given(st.text(st.characters(blacklist_categories=()), max_size=500))
def test_words_are_one_short_printable_line(text):
    shown = clean(text)
    assert shown.isprintable()
    assert len(shown) <= 200


def test_an_empty_secret_masks_nothing():
    assert clean("all is well", [""]) == "all is well"
