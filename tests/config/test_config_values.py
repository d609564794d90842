"""Durations, sizes, addresses and URLs, as people write them."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router.fields import (
    Listen,
    parse_duration,
    parse_external_url,
    parse_listen,
    parse_size,
)
from alert_router.outbox.model import parse_storage


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("5m", 300),
        ("1h30m", 5400),
        ("1d", 86400),
        ("7d", 604800),
        ("1w", 604800),
        ("1y", 31536000),
        ("1500ms", 1.5),
        ("1m1ms", 60.001),
    ],
)
def test_durations_are_as_prometheus_has_them(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["300", "1.5", "10"])
def test_a_bare_number_is_no_duration(text):
    with pytest.raises(ValueError, match=f"a duration needs its unit: write {text}s"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["", "m", "5 m", "5M", "30m1h", "1h1h", "-5m", "1.5h", "٣m", "5x"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="expected a duration such as"):
        parse_duration(text)


def test_a_duration_has_an_end():
    with pytest.raises(ValueError, match="longer than 10 years"):
        parse_duration("999999999y")


@settings(deadline=None)
@given(
    st.integers(0, 9),
    st.integers(0, 364),
    st.integers(0, 23),
    st.integers(0, 59),
    st.integers(0, 59),
)
def test_the_parts_of_a_duration_add_up(y, d, h, m, s):
    expected = y * 31536000 + d * 86400 + h * 3600 + m * 60 + s
    assert parse_duration(f"{y}y{d}d{h}h{m}m{s}s") == expected


@pytest.mark.parametrize(
    ("text", "size"),
    [("10MiB", 10485760), ("512KiB", 524288), ("1 GiB", 1073741824), ("4096", 4096), ("7B", 7)],
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "10MB", "10 M", "-1", "1.5MiB", "MiB"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError, match="expected a size such as 10MiB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        ("0.0.0.0:9095", Listen("0.0.0.0", 9095)),
        ("[::]:9095", Listen("::", 9095)),
        (":9095", Listen("", 9095)),
        ("localhost:0", Listen("localhost", 0)),
    ],
)
def test_addresses_to_listen_on(text, listen):
    assert parse_listen(text) == listen


@pytest.mark.parametrize("text", ["", "9095", "host", "::1:9095", "a:70000", "http://a:1", "a b:1"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError, match="expected host:port"):
        parse_listen(text)


def test_three_slashes_are_relative_and_four_absolute():
    base = Path("/etc/alert-router")
    assert parse_storage("sqlite:///x/a.db", base).path == Path("/etc/alert-router/x/a.db")
    assert parse_storage("sqlite:////var/a.db", base).path == Path("/var/a.db")


def test_a_database_keeps_its_parameters_and_has_a_spool():
    base = Path("/etc/alert-router")
    found = parse_storage(
        "postgresql://u@a,b:5433/d?sslmode=verify-full&password_file=pw&spool=/var/s.db", base
    )
    assert found.url == "postgresql://u@a,b:5433/d?sslmode=verify-full"
    assert (found.path, found.password_file) == (Path("/var/s.db"), base / "pw")
    assert not found.unsafe
    secret = parse_storage("postgresql://u:hunter2@h/d?unsafe=1", base)
    assert secret.path == base / "alert-router-spool.db"
    assert secret.unsafe
    assert "hunter2" not in repr(secret)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("postgresql://u:p@h", "expected a host and a database: postgresql://HOST/DATABASE"),
        ("postgresql:///d", "expected a host and a database: postgresql://HOST/DATABASE"),
        ("postgresql://h/d?unsafe=yes", "unsafe=0 or unsafe=1"),
        ("postgresql+asyncpg://h/d", "expected sqlite:///FILE"),
        ("sqlite://a.db", "expected sqlite:///FILE"),
        ("a.db", "expected sqlite:///FILE"),
        ("sqlite:///:memory:", "the store must be a file"),
        ("sqlite:///", "the store must be a file"),
        ("sqlite:///a.db?mode=ro", "takes no parameters"),
    ],
)
def test_what_is_no_store_says_what_would_be(text, sentence):
    with pytest.raises(ValueError, match=sentence):
        parse_storage(text, Path())


def test_an_external_url_loses_its_last_slash():
    assert parse_external_url("https://a.example.org:8/b/") == "https://a.example.org:8/b"
    assert parse_external_url("") == ""


@pytest.mark.parametrize(
    "text",
    [
        "a.example.org",
        "ftp://a",
        "https://",
        "https://u:p@a/",
        "https://a/?q",
        "http://a b",
        "http://a:99999",
        "http://[x",
    ],
)
def test_what_is_no_external_url_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_external_url(text)
