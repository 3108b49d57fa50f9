"""What people may type; the rest is refused with the field, the reason and the way out."""

import unicodedata

import pytest

from perinat_sched import texts
from perinat_sched.errors import InvalidRequest


def _refusal(check, *arguments, **options) -> str:
    """What a check says of the field "title" when it refuses."""
    with pytest.raises(InvalidRequest) as caught:
        check("title", *arguments, **options)
    (error,) = caught.value.errors
    assert error.field == "title"
    return error.message.text.format(**error.message.values)


NEVER = {
    "NUL": "x\x00y",
    "bell": "x\x07y",
    "escape": "\x1b[31mred",
    "DEL": "x\x7fy",
    "bare CR": "x\ry",
    "NEL": "x\x85y",
    "C1 control": "x\x9by",
    "vertical tab": "x\x0by",
    "form feed": "x\x0cy",
    "line separator": "x\u2028y",
    "paragraph separator": "x\u2029y",
    "lone surrogate": "x\ud800y",
    "right-to-left override": "\u202egnp.exe",
    "left-to-right embedding": "x\u202ay",
    "isolate": "x\u2066y\u2069",
    "encoded word": "=?utf-8?q?hi=0D=0ABcc:_v@x?=",
    "encoded word within": "Staff =?utf-8?b?SGk=?= du jeudi",
}

ONLY_ON_ONE_LINE = {
    "property injection": "x\r\nATTACH:https://evil.example",
    "header injection": "x\nBcc: victim@x.example",
    "tab": "x\ty",
    "at the end": "Staff\n",
    "at the start": "\nStaff",
}

HARMLESS = {
    "quotes and a property": '";X-EVIL=1:"',
    "END:VEVENT": "END:VEVENT",
    "markup": "<script>alert(1)</script>",
    "template": "{{7*7}}",
    "a lone dot": ".",
    "no-break spaces": "Séance : 14\u202fh « matin »",
    "emoji in several parts": "👩\u200d⚕️ staff",
    "another script": "وحدة الأم",
    "half an encoded word": "Pourquoi =? et puis",
    "a question and an equals": "a ?= b =? c",
}


@pytest.mark.parametrize("text", NEVER.values(), ids=NEVER)
def test_what_could_break_out_of_a_text_is_refused_everywhere(text):
    assert "text holds" in _refusal(texts.one_line, text)
    assert "text holds" in _refusal(texts.paragraph, text)


@pytest.mark.parametrize("text", ONLY_ON_ONE_LINE.values(), ids=ONLY_ON_ONE_LINE)
def test_one_line_has_neither_lines_nor_tabs_even_at_its_ends(text):
    assert "one line" in _refusal(texts.one_line, text)
    assert texts.paragraph("description", text) == text.replace("\r\n", "\n").strip()


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS)
def test_what_is_harmless_as_text_stays_as_it_is(text):
    assert texts.one_line("title", text) == unicodedata.normalize("NFC", text)
    assert texts.paragraph("description", text) == unicodedata.normalize("NFC", text)


def test_a_control_character_is_named_so_that_one_can_find_it():
    assert "U+0007" in _refusal(texts.one_line, "x\x07y")
    assert "U+202E" in _refusal(texts.one_line, "x\u202ey")


def test_a_paragraph_keeps_its_lines_and_tabs():
    assert texts.paragraph("description", " Ordre du jour :\r\n\t1. accueil\n2. dossiers \r\n") == (
        "Ordre du jour :\n\t1. accueil\n2. dossiers"
    )


def test_a_carriage_return_left_by_an_odd_line_end_is_refused_in_a_paragraph():
    assert "U+000D" in _refusal(texts.paragraph, "x\r\r\ny")


INVISIBLE = {
    "nothing": "",
    "spaces": "   ",
    "no-break spaces": "\u00a0\u202f\u3000",
    "zero width": "\u200b\ufeff",
    "joiners and soft hyphen": "\u200d\u200c\u2060\u00ad",
    "fillers": "\u3164\uffa0\u115f\u2800",
    "marks on nothing": "\u0301\ufe0f",
    "tags": "\U000e0041",
}


@pytest.mark.parametrize("text", INVISIBLE.values(), ids=INVISIBLE)
def test_what_cannot_be_seen_is_empty_and_refused_where_something_is_required(text):
    assert texts.one_line("title", text) == ""
    assert texts.paragraph("title", text) == ""
    assert "empty" in _refusal(texts.one_line, text, required=True)
    assert "empty" in _refusal(texts.paragraph, text, required=True)


def test_a_text_is_stripped_and_composed():
    assert texts.one_line("title", "\u00a0 Pe\u0301rinat ") == "Périnat"


def test_a_text_has_a_limit_that_the_refusal_names():
    assert texts.one_line("title", "é" * 200) == "é" * 200
    assert texts.one_line("title", "e\u0301" * 200) == "é" * 200
    assert "201" in (said := _refusal(texts.one_line, "x" * 201)) and "200" in said
    assert "36" in _refusal(texts.one_line, "x" * 37, limit=36)
    assert texts.paragraph("title", "x" * 10_000)
    assert "10000" in _refusal(texts.paragraph, "x" * 1_000_000)


ADDRESSES = ["staff@lille.example", "o'neil+visio@mail.chu-lille.example", "a@b", "x_y.z@1.example"]
NO_ADDRESSES = {
    "two": "a@b, victim@x",
    "two with a semicolon": "a@b.example;c@d.example",
    "a name": "Staff <staff@lille.example>",
    "angle brackets": "<staff@lille.example>",
    "a header": "a@b.example\r\nBcc: victim@x",
    "a comment": "a@b.example (staff)",
    "quoted": '"a b"@c.example',
    "a space": "a b@c.example",
    "no domain": "staff@",
    "no local part": "@lille.example",
    "no at": "lille.example",
    "two ats": "a@b@c.example",
    "two dots": "a..b@c.example",
    "a dot first": ".a@c.example",
    "a label with a hyphen first": "a@-c.example",
    "an empty label": "a@c..example",
    "an address literal": "a@[127.0.0.1]",
    "not ASCII": "hélène@lille.example",
    "an encoded word": "=?utf-8?q?x?=@x.example",
    "a long local part": "x" * 65 + "@lille.example",
    "a long label": "a@" + "x" * 64 + ".example",
    "too long": "a@" + "x" * 60 + ".example" * 40,
    "nothing": " ",
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_one_plain_address_is_an_email_address(address):
    assert texts.email("email", f" {address} ") == address


@pytest.mark.parametrize("address", NO_ADDRESSES.values(), ids=NO_ADDRESSES)
def test_anything_else_is_no_email_address(address):
    assert _refusal(texts.email, address)


LINKS = [
    "https://visio.example/staff",
    "https://visio.example:8443/j/98765432101?lang=fr#salle",
    "HTTPS://Visio.Example/",
    "https://teams.example/l/meetup-join/19%3ameeting_abc%40thread.v2/0?context=%7b%22Tid%22%3a%221%22%7d",
    "https://[2001:db8::1]/staff",
    "https://visio.example/token/pin/pwd",
    "https://visio.example/?shopping=1&opinion=2&pinned=3",
]
BAD_LINKS = {
    "http": ("http://visio.example/", "https"),
    "javascript": ("javascript:alert(1)", "https"),
    "data": ("data:text/html,hi", "https"),
    "sip": ("sip:staff@visio.example", "https"),
    "no scheme": ("visio.example/staff", "https"),
    "scheme alone": ("https://", "https"),
    "no slashes": ("https:visio.example", "https"),
    "no host": ("https:///staff", "https"),
    "port alone": ("https://:443/", "https"),
    "wrong port": ("https://visio.example:99999/", "https"),
    "broken IPv6": ("https://[::1/", "https"),
    "user and password": ("https://user:pass@visio.example/", "password"),
    "user": ("https://user@visio.example/", "password"),
    "hidden user": ("https://visio.example%2F:x@evil.example/", "password"),
    "space": ("https://visio.example/a b", "space"),
    "backslash": ("https://visio.example\\@evil.example/", "space"),
    "quotes": ('https://visio.example/"onclick=', "space"),
    "markup": ("https://visio.example/<script>", "space"),
    "not ASCII": ("https://visio.exаmple/", "space"),
    "new line": ("https://visio.example/\nATTACH:x", "one line"),
    "tab": ("java\tscript:alert(1)", "one line"),
    "empty": ("", "empty"),
    "too long": ("https://visio.example/" + "x" * 2000, "too long"),
    "pwd": ("https://zoom.example/j/1?pwd=abc", "access_code"),
    "passcode": ("https://visio.example/?a=1&passcode=123", "access_code"),
    "pin": ("https://visio.example/?pin=123", "access_code"),
    "token": ("https://visio.example/?token=abc", "access_code"),
    "in capitals": ("https://visio.example/?PWD=abc", "access_code"),
    "in odd capitals": ("https://visio.example/?pWd=abc", "access_code"),
    "in the fragment": ("https://visio.example/#pwd=abc", "access_code"),
    "in a query of the fragment": ("https://visio.example/#/room?x=1&pwd=abc", "access_code"),
    "after a semicolon": ("https://visio.example/?a=1;pin=2", "access_code"),
    "percent-encoded": ("https://visio.example/?%70%77d=abc", "access_code"),
    "percent-encoded twice": ("https://visio.example/?%2570wd=abc", "access_code"),
    "in a link in the link": ("https://visio.example/?to=https%3A%2F%2Fx.example%3Fpwd%3Dabc", "access_code"),
    "as a part of the name": ("https://visio.example/?access_token=abc", "access_code"),
    "as a word of the name": ("https://visio.example/?meetingPin=123", "access_code"),
    "indexed": ("https://visio.example/?pin[]=123", "access_code"),
    "without a value": ("https://visio.example/?token", "access_code"),
    "with a space": ("https://visio.example/?pwd%20=abc", "access_code"),
}


@pytest.mark.parametrize("link", LINKS)
def test_a_link_to_join_by_is_https_and_bears_no_secret(link):
    assert texts.join_url("join_url", link) == link


@pytest.mark.parametrize(("link", "reason"), BAD_LINKS.values(), ids=BAD_LINKS)
def test_a_link_that_does_more_is_refused_with_the_reason(link, reason):
    assert reason in _refusal(texts.join_url, link)
