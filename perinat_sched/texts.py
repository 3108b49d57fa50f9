"""What people may type: titles, comments, addresses, links.

A text ends up in mail headers, calendars and pages, so what could break out of a line or hide something is refused
where it comes in, with the reason and the way out (reliability.md §§ 3 and 5). Stripping at rendering is only the
second fence. Whether a text speaks of a patient is asked in `confidentiality`.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NoReturn
from urllib.parse import SplitResult, unquote, urlsplit

from perinat_sched.confidentiality import refuse_health_data
from perinat_sched.errors import InvalidRequest

__all__ = ["email", "join_url", "one_line", "paragraph", "refuse_health_data"]

LONGEST_ADDRESS = 254  # RFC 5321 § 4.5.3.1.3, without the angle brackets
LONGEST_LOCAL_PART = 64  # RFC 5321 § 4.5.3.1.1
LONGEST_URL = 2000

_LINE_SEPARATORS = "\u2028\u2029"
_BIDI_CONTROLS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_INVISIBLE = "\u115f\u1160\u2800\u3164\uffa0"  # fillers that Unicode takes for letters and symbols

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDR_SPEC = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@({_LABEL}(?:\.{_LABEL})*)")

_URL_CHARACTERS = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")  # RFC 3986 § 2
_SECRET_NAMES = frozenset({"pwd", "passcode", "pin", "token", "password", "passwd"})


def one_line(field: str, text: str, *, limit: int = 200, required: bool = False) -> str:
    """A text of one line, stripped, in NFC, of at most `limit` characters.

    Raises InvalidRequest on `field`; with `required` also where nothing visible is left. A control character is
    refused even at the ends, where stripping would remove it: it was never typed by a person.
    """
    _refuse_controls(field, text, allowed="")
    return _clean(field, text, limit, required)


def paragraph(field: str, text: str, *, limit: int = 10_000, required: bool = False) -> str:
    """A longer text: like `one_line`, but lines (LF; CRLF becomes LF) and tabs stay."""
    text = text.replace("\r\n", "\n")
    _refuse_controls(field, text, allowed="\n\t")
    return _clean(field, text, limit, required)


def email(field: str, text: str) -> str:
    """One e-mail address, without a name: RFC 5322's addr-spec, in ASCII, its local part unquoted.

    Raises InvalidRequest on `field`.
    """
    address = one_line(field, text, limit=LONGEST_ADDRESS, required=True)
    match = _ADDR_SPEC.fullmatch(address)
    if not match or len(match[1]) > LONGEST_LOCAL_PART:
        raise InvalidRequest.of(
            field, "This is not one e-mail address: write it alone, like staff@lille.example, without a name."
        )
    return address


def join_url(field: str, text: str) -> str:
    """The link by which one joins: https, a host, and nothing secret in it. Raises InvalidRequest on `field`."""
    url = one_line(field, text, limit=LONGEST_URL, required=True)
    if not _URL_CHARACTERS.fullmatch(url):
        raise InvalidRequest.of(
            field, "The link holds a space or a character that links do not have: percent-encode it."
        )
    parts = _parts(url)
    if parts is None or parts.scheme != "https" or not parts.hostname:
        raise InvalidRequest.of(field, "Give a whole link that begins with https://, like https://visio.example/staff.")
    if "@" in parts.netloc:
        raise InvalidRequest.of(field, "The link holds a user name or a password: leave out what stands before the @.")
    if any(_tells_a_secret(part) for part in (parts.query, parts.fragment)):
        raise InvalidRequest.of(
            field,
            "The link holds a code (pwd, passcode, pin, token): take it out and give it as access_code, "
            "which no calendar shows.",
        )
    return url


def _refuse_controls(field: str, text: str, *, allowed: str) -> None:
    for character in text:
        if character in allowed or character.isprintable():
            continue
        category = unicodedata.category(character)
        if category == "Cs":
            raise InvalidRequest.of(field, "The text holds half a character (a lone surrogate): type it again.")
        if category == "Cc" or character in _LINE_SEPARATORS:
            _refuse_character(field, character, lines="\n" in allowed)
        if character in _BIDI_CONTROLS:
            raise InvalidRequest.of(
                field,
                "The text holds {code}, which turns the direction of writing: take it out.",
                code=_code_point(character),
            )
    start = text.find("=?")  # RFC 2047 encoded words: some mail programs decode them into new header lines
    if start >= 0 and text.find("?=", start + 2) >= 0:
        raise InvalidRequest.of(field, "The text holds =?…?=, which mail programs decode: write it plainly.")


def _refuse_character(field: str, character: str, *, lines: bool) -> NoReturn:
    if lines:
        raise InvalidRequest.of(
            field,
            "The text holds the control character {code}: take it out. New lines and tabs may stay.",
            code=_code_point(character),
        )
    raise InvalidRequest.of(
        field,
        "The text holds the control character {code}: take it out, and write on one line.",
        code=_code_point(character),
    )


def _code_point(character: str) -> str:
    return f"U+{ord(character):04X}"


def _clean(field: str, text: str, limit: int, required: bool) -> str:
    text = unicodedata.normalize("NFC", text).strip()
    if not any(_visible(character) for character in text):
        text = ""
    if required and not text:
        raise InvalidRequest.of(field, "Write something: the text is empty.")
    if len(text) > limit:
        raise InvalidRequest.of(
            field,
            "The text is too long: {length} characters, at most {limit} are allowed.",
            length=len(text),
            limit=limit,
        )
    return text


def _visible(character: str) -> bool:
    """Whether ink is left by it: not by spaces, nor by format characters, marks on nothing and fillers."""
    return unicodedata.category(character)[0] not in "ZCM" and character not in _INVISIBLE


def _parts(url: str) -> SplitResult | None:
    """The parts of a URL, or None where its host or port is no such thing."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError
    except ValueError:
        return None
    return parts


def _tells_a_secret(part: str) -> bool:
    """Whether a query or a fragment, percent-encoded any number of times, has a parameter with a secret's name.

    A link may stand in a link, and a fragment may hold a query of its own (`#/room?pwd=…`).
    """
    names = (piece.partition("=")[0] for piece in re.split(r"[?&;#/]", _decoded(part)))
    return any(word.casefold() in _SECRET_NAMES for name in names for word in _words(name))


def _words(name: str) -> list[str]:
    """The words of a parameter's name, `meetingPin` and `meeting_pin` included, and the name as one."""
    return [*re.split(r"[^A-Za-z]+", name), *re.findall(r"[A-Z]?[a-z]+", name)]


def _decoded(part: str) -> str:
    while (decoded := unquote(part)) != part:  # each round is shorter
        part = decoded
    return part
