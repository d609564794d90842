"""Header fields of mail, read back by two readers that share no code with the writer."""

import base64
import email.header
import email.policy
import quopri
import re
from email import message_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert_router.notify.email_message import (
    Mailbox,
    address_field,
    parse_mailbox,
    parse_mailboxes,
    text_field,
)
from tests.speed import assert_linear

# RFC 2047, 2 and 5: an encoded word stands alone between white space and is not empty.
_ENCODED_WORD = re.compile(r"=\?([A-Za-z0-9-]+)\?([BbQq])\?([!->@-~]+)\?=")


def unfolded(field: str) -> tuple[str, str]:
    """A field's name and value after RFC 5322, 2.2.3; fails where its form is not right."""
    assert field.isascii()
    assert field.endswith("\r\n")
    lines = field[:-2].split("\r\n")
    assert all(line.startswith(" ") and line.strip() for line in lines[1:])
    assert not any("\r" in line or "\n" in line for line in lines)
    name, colon, _ = lines[0].partition(": ")
    assert colon
    assert lines[0][len(name) + 2 :].strip(), "no value in the first line"
    return name, "".join(lines)[len(name) + 2 :]


def decoded(value: str) -> str:
    """Text with encoded words, after RFC 2047, 6.2."""
    shown, was_encoded = "", False
    for space, word in re.findall(r"( *)([^ ]+)", value):
        found = _ENCODED_WORD.fullmatch(word)
        if found is None:
            assert "=?" not in word, f"{word} is almost an encoded word"
            shown += space + word
        else:
            assert len(word) <= 75
            charset, encoding, text = found.groups()
            if encoding in "Bb":
                raw = base64.b64decode(text, validate=True)
            else:
                raw = quopri.decodestring(text.encode(), header=True)
            # Strict: a character that is split over two words does not decode.
            shown += ("" if was_encoded else space) + raw.decode(charset)
        was_encoded = found is not None
    return shown


def lines_of(field: str) -> list[str]:
    return field[:-2].split("\r\n")


printable = st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"))
titles = st.one_of(
    st.text(printable, min_size=1, max_size=200),
    st.text(st.sampled_from("aZ9 =?_-.:üéß–…中文日本語한🚨\u200d👩🏽"), min_size=1, max_size=200),
    st.lists(
        st.one_of(
            st.text(st.sampled_from("abcXYZ=?_"), min_size=1, max_size=90), st.text(printable)
        ),
        max_size=30,
    ).map(" ".join),
).filter(str.strip)
single_spaced = titles.map(lambda text: " ".join(text.split())).filter(bool)


@given(st.sampled_from(["Subject", "X-Team", "X" * 50]), single_spaced)
def test_a_title_in_any_language_is_read_back_exactly(name, title):
    field = text_field(name, title, cut_words=True)
    assert unfolded(field)[0] == name
    assert decoded(unfolded(field)[1]) == title
    assert all(len(line) <= 76 for line in lines_of(field))
    lines = lines_of(field)
    lines[0] = lines[0].partition(": ")[2]
    standard = email.header.make_header(email.header.decode_header("\r\n".join(lines)))
    assert " ".join(str(standard).split()) == " ".join(title.split())


@given(titles)
def test_even_odd_spaces_of_a_title_are_read_back_exactly(title):
    assert decoded(unfolded(text_field("Subject", title))[1]) == title


@pytest.mark.parametrize(
    "title",
    [
        "CRITICAL: Warteschlange der Überweisungen an die Außenstelle wächst",
        "Zürich außerhalb " * 8,
        "警告：データベースの接続数が上限に達しました" * 4,
        "x" * 200,
        "=?utf-8?q?not_decoded?= in a name",
        "no =?utf-8?q?q" + " almost" * 20,
        "می‌خواهم",
    ],
)
def test_subjects_of_every_kind_are_read_alike_by_the_parser_of_the_standard_library(title):
    title = title.strip()
    message = message_from_bytes(
        text_field("Subject", title, cut_words=True).encode() + b"\r\n", policy=email.policy.default
    )
    assert message["subject"] == title
    assert message["subject"].defects == ()


def test_plain_text_stays_readable_in_the_raw_message():
    field = text_field("Subject", "CRITICAL: PodCrash (3 firing)")
    assert field == "Subject: CRITICAL: PodCrash (3 firing)\r\n"


def test_a_long_word_of_a_header_of_ones_own_is_not_cut():
    url = "<https://lists.example.org/" + "a" * 200 + ">"
    assert text_field("List-Unsubscribe", url) == f"List-Unsubscribe: {url}\r\n"


names = st.one_of(
    st.text(printable, max_size=100),
    st.text(st.sampled_from('ab "\\,;<>()@.:é中🚨=_'), max_size=60),
).filter(lambda name: "=?" not in name and name == name.strip())
addresses = st.builds(
    "{}@{}".format,
    st.from_regex(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}(\.[a-z0-9]{1,20})?", fullmatch=True),
    st.sampled_from(["example.org", "mail.example.com", "[192.0.2.1]", "a" * 60 + ".example"]),
)
boxes = st.lists(st.builds(Mailbox, addresses, names), min_size=1, max_size=12)

# RFC 5322, 3.4: mailboxes of a list, with the phrase as it is written.
_PHRASE = (
    r'"(?:[^"\\]|\\.)*"|[A-Za-z0-9!#$%&\'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&\'*+/=?^_`{|}~-]+)*'
)
_MAILBOX = re.compile(rf"(?:({_PHRASE}) <([^ <>,]+)>|([^ <>,]+))(?:, |$)")


def read_addresses(value: str) -> list[Mailbox]:
    found, at = [], 0
    while at < len(value):
        box = _MAILBOX.match(value, at)
        assert box, value[at:]
        phrase, address, alone = box.groups()
        if phrase and phrase.startswith('"'):
            phrase = re.sub(r"\\(.)", r"\1", phrase[1:-1])
            assert "=?" not in phrase
        elif phrase:
            phrase = decoded(phrase)
        found.append(Mailbox(address or alone, phrase or ""))
        at = box.end()
    return found


@given(st.sampled_from(["To", "Cc", "Reply-To", "From"]), boxes)
def test_names_in_any_language_are_read_back_with_their_addresses(name, mailboxes):
    field = address_field(name, mailboxes)
    assert read_addresses(unfolded(field)[1]) == mailboxes
    assert all(len(line) <= 76 or line.count(" ") == 1 for line in lines_of(field))
    message = message_from_bytes(field.encode() + b"\r\n", policy=email.policy.default)
    assert [a.addr_spec for a in message[name].addresses] == [box.address for box in mailboxes]


@given(boxes)
def test_a_list_in_quotes_is_parsed_into_what_was_meant(mailboxes):
    texts = []
    for box in mailboxes:
        quoted = box.name.replace("\\", "\\\\").replace('"', '\\"')
        texts.append(f'"{quoted}" <{box.address}>' if box.name else box.address)
    assert list(parse_mailboxes(", ".join(texts))) == mailboxes


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("sre@example.org", Mailbox("sre@example.org")),
        (" <sre@example.org> ", Mailbox("sre@example.org")),
        ("Müller & Söhne (Ops) <o@example.org>", Mailbox("o@example.org", "Müller & Söhne (Ops)")),
        ("a@straße.example", Mailbox("a@xn--strae-oqa.example")),
        ("a@メール.example", Mailbox("a@xn--4dkua4c.example")),
        ("a@mail_1.local", Mailbox("a@mail_1.local")),
        ("a@[IPv6:2001:db8::1]", Mailbox("a@[IPv6:2001:db8::1]")),
    ],
)
def test_addresses_as_people_write_them(text, box):
    assert parse_mailbox(text) == box


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "@b", "a@", "a b@c.example", "a@b@c", "a@b c", "a@b..c", "a@b.", "a@.b", ".a@b"),
        *("a..b@c", "a@b>", "<a@b", "A <a@b> x", "a@b\r\nBcc: x@y.example", "a@-é..x"),
        *("müller@example.org", '"A" B <a@b>', "=?utf-8?q?A?= <a@b>", "x" * 65 + "@example.org"),
        *("a@" + "b" * 260, "a@" + "é" * 70, "A" * 201 + " <a@b>", "team:a@b;", "a@b (team)"),
    ],
)
def test_what_not_every_server_accepts_as_an_address_is_refused(text):
    with pytest.raises(ValueError, match=r"expected|write the name"):
        parse_mailbox(text)


@pytest.mark.parametrize("text", ["a@b.example, ", "Müller, Hans <h@example.org>", 'a@b, "c'])
def test_a_list_with_something_else_in_it_is_refused(text):
    with pytest.raises(ValueError, match="expected"):
        parse_mailboxes(text)


@pytest.mark.parametrize(
    ("start", "piece"), [('"', '\\"'), ("", '"'), ("", ", "), ("", "\\"), ("a@b, ", "c@d, ")]
)
def test_hostile_text_is_refused_as_addresses_in_linear_time(start, piece):
    def refuse(size):
        with pytest.raises(ValueError, match="expected"):
            parse_mailboxes(start + piece * size + "c")

    assert_linear(refuse, 20_000)
