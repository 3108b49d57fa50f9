from __future__ import annotations

import re
from email.header import Header
from email.parser import BytesParser
from email.policy import SMTP

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from perinat_sched.notices import mime

NAMES = ["Subject", "Thread-Topic", "X-Perinat-Notice-About-A-Session"]
ICS = "BEGIN:VCALENDAR\r\nSUMMARY:Été\r\nEND:VCALENDAR\r\n".encode()


def parsed(subject: str, body: mime.Part | None = None):
    return BytesParser(policy=SMTP).parsebytes(
        mime.message([("To", "a@x.example"), ("Subject", subject)], body or mime.text("plain", "Bonjour"))
    )


@pytest.mark.parametrize(
    "subject",
    [
        pytest.param("Rappel", id="plain"),
        pytest.param("Invitation : Visio Périnat — staff, jeudi 18 mars 2027 à 10 h 00 (heure de Montréal)", id="long"),
        pytest.param("é" * 300, id="longer"),
        pytest.param("a" * 2000, id="one long word"),
        pytest.param("日本 😀 " * 40, id="beyond the basic plane"),
        pytest.param("a = ?b? = c, 100 %", id="question marks"),
    ],
)
def test_a_subject_is_read_as_it_was_written(subject):
    raw = mime.message([("Subject", subject)], mime.text("plain", ""))
    assert parsed(subject)["Subject"] == subject
    assert max(map(len, raw.split(b"\r\n"))) <= 78
    assert raw.isascii()


LETTERS = st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"))


@settings(max_examples=1000)
@given(st.text(st.one_of(st.sampled_from("aé ’=?_😀"), LETTERS), min_size=1, max_size=200), st.sampled_from(NAMES))
def test_a_header_is_folded_as_the_standard_library_would(value, name):
    assume(value == value.strip() and "=?" not in value)
    line = mime._line(name, value).decode()
    if value.isascii() and len(line) <= 78:
        assert line == f"{name}: {value}\r\n"
    else:
        folded = Header(value, "utf-8", mime.LINE, name).encode(linesep="\r\n")
        assert line == f"{name}: {folded}\r\n"


@pytest.mark.parametrize(
    "subject",
    [
        pytest.param("x\r\nBcc: v@x.example", id="line break"),
        pytest.param("x\nBcc: v@x.example", id="bare LF"),
        pytest.param("x\rBcc: v@x.example", id="bare CR"),
        pytest.param("x\x00", id="NUL"),
        pytest.param("x\x85y", id="NEL"),
        pytest.param("x\u2028y", id="line separator"),
        pytest.param("x\ud800", id="lone surrogate"),
        pytest.param("=?utf-8?q?hi=0D=0ABcc:_v@x?=", id="encoded word"),
        pytest.param("é =?UTF-8?B?aGkNCkJjYzogdkB4?=", id="encoded word among others"),
    ],
)
def test_a_subject_that_could_make_a_header_is_refused(subject):
    with pytest.raises(mime.UnsafeHeader, match=r"^Subject$"):
        parsed(subject)


@pytest.mark.parametrize(
    "address",
    [
        "a@b, victim@x",
        "a@b>\r\nBcc: v@x",
        "A <a@b>",
        "a b@c",
        "a@b@c",
        "",
        "é@x.example",
        '"a b"@c',
        "a@b\n",
        "=?utf-8?q?=0D=0A?=@b",
    ],
)
def test_what_is_not_one_plain_address_is_refused(address):
    with pytest.raises(mime.UnsafeHeader, match=r"^To$"):
        mime.address(address, "To")


@pytest.mark.parametrize("header", ["To", "Reply-To"])
def test_a_long_address_stands_as_it_is(header):
    """An encoded word is no address."""
    long = f"{'secretariat.' * 5}x@maternite-regionale.centre-hospitalier.example"
    raw = mime.message([(header, mime.address(long, header))], mime.text("plain", ""))
    assert [each.addr_spec for each in BytesParser(policy=SMTP).parsebytes(raw)[header].addresses] == [long]
    assert f"{header}: {long}\r\n".encode() in raw


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("", "visio@perinat.example"),
        ("Perinat", "Perinat <visio@perinat.example>"),
        ("Périnat – planification", "Périnat – planification <visio@perinat.example>"),
        ('Le "staff", Lille', "\"Le 'staff', Lille\" <visio@perinat.example>"),
    ],
)
def test_a_mailbox_has_one_name_and_one_address(name, read):
    raw = mime.message([("From", mime.mailbox(name, "visio@perinat.example", "From"))], mime.text("plain", ""))
    assert str(BytesParser(policy=SMTP).parsebytes(raw)["From"]) == read


@pytest.mark.parametrize("name", ["x\r\nBcc: v@x", "=?utf-8?q?hi=0D=0ABcc:_v@x?="])
def test_a_mailbox_whose_name_could_make_a_header_is_refused(name):
    with pytest.raises(mime.UnsafeHeader):
        mime.mailbox(name, "visio@perinat.example", "From")


@pytest.mark.parametrize(
    ("header", "value"),
    [
        pytest.param("From", "<a@b>\r\nBcc: v@x.example", id="a header more"),
        pytest.param("References", "<a@b>\r\n\r\nBcc: v@x.example", id="a body begins"),
        pytest.param("From", "=?utf-8?q?hi=0D=0ABcc:_v@x?= <a@b>", id="a line break in an encoded word"),
        pytest.param("From", "=?utf-8?b?A?= <a@b>", id="an encoded word that is none"),
        pytest.param("Subject", " x", id="a subject that is not read as it was written"),
    ],
)
def test_the_head_is_read_again_before_it_leaves(header, value):
    with pytest.raises(mime.UnsafeHeader):
        mime.message([(header, value)], mime.text("plain", ""))


@pytest.mark.parametrize(
    "words",
    [
        pytest.param("Une ligne.\n.\n..\n.point\nFrom là\n-- \nfin", id="dots and dashes"),
        pytest.param("é" * 3000, id="one long line"),
        pytest.param("a" * 74 + " .b\n" + "c" * 75 + ".", id="a dot at a fold"),
        pytest.param("tab\t, espace insécable\u00a0:\ntrait = égal", id="spaces"),
    ],
)
def test_a_text_is_read_as_it_was_written_and_no_line_is_long_or_starts_with_a_dot(words):
    raw = mime.message([("Subject", "x")], mime.text("plain", words))
    assert BytesParser(policy=SMTP).parsebytes(raw).get_content() == words.replace("\n", "\r\n") + "\r\n"
    lines = raw.split(b"\r\n")
    assert max(map(len, lines)) <= 78
    assert not any(line.startswith(b".") for line in lines)
    assert b"\n" not in raw.replace(b"\r\n", b"")


@settings(max_examples=500)
@given(st.text(st.one_of(st.sampled_from(".\r\n\x0b\x00\x85\u2028=- aé"), st.characters(codec="utf-8")), max_size=200))
def test_no_text_ends_a_mail_early(words):
    """The mailer counts on it: a lone line end, or a dot behind one, could (SMTP smuggling)."""
    raw = mime.message([("Subject", "x")], mime.text("plain", words))
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n|\n\.", raw)
    assert raw.endswith(b"\r\n")
    assert raw.isascii()


def test_bytes_arrive_as_they_are():
    part = mime.data("text/calendar; charset=UTF-8; method=REQUEST", ICS)
    read = parsed(
        "x", mime.multipart("mixed", "=_b", [part, mime.data("application/ics", ICS, file_name="invite.ics")])
    )
    calendar, file = read.iter_parts()
    assert calendar.get_payload(decode=True) == file.get_payload(decode=True) == ICS
    assert calendar.get_content_disposition() is None
    assert calendar.get_param("method") == "REQUEST"
    assert (file.get_content_disposition(), file.get_filename()) == ("attachment", "invite.ics")
    assert not read.defects
