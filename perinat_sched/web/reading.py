"""Reading what callers send: bodies, queries, headers. Everything that is wrong is a clear 4xx, never a 5xx.

JSON is read more strictly than Python's reader does: a key that comes twice, NaN, half a surrogate pair or a hundred
brackets mean different things to different readers, so they mean nothing here.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from perinat_sched.errors import FieldError, InvalidRequest
from perinat_sched.i18n import Message
from perinat_sched.web.problems import MalformedRequest, TooLarge, TooSlow, UnsupportedMediaType
from perinat_sched.web.schemas.base import Wrong

JSON = "application/json"
CSV = "text/csv"  # a file of whatever encoding: what its sender says of it is a guess
LARGEST_BODY = 256 * 1024
SLOWEST_BODY = 15  # seconds
DEEPEST = 8  # no body of ours nests deeper than three
LONGEST_NUMBER = 40  # digits; a longer one is out of every range

M = TypeVar("M", bound=BaseModel)

REASONS: Mapping[str, Message] = {
    "missing": Message("This is required."),
    "extra_forbidden": Message("There is no such field."),
    "string_type": Message("Write a text."),
    "string_unicode": Message("This text is not Unicode."),
    "string_too_short": Message("Write at least {min_length} characters."),
    "string_too_long": Message("Write at most {max_length} characters."),
    "string_pattern_mismatch": Message("Write this in the form that the documentation shows."),
    "int_type": Message("Write a whole number."),
    "int_from_float": Message("Write a whole number."),
    "int_parsing_size": Message("This number is too large."),
    "greater_than_equal": Message("Write a number of at least {ge}."),
    "less_than_equal": Message("Write a number of at most {le}."),
    "bool_type": Message("Write true or false."),
    "list_type": Message("Write a list."),
    "dict_type": Message("Write an object."),
    "model_type": Message("Write an object."),
    "too_short": Message("Name at least {min_length}."),
    "too_long": Message("Name at most {max_length}."),
    "literal_error": Message("Choose one of {expected}."),
}
UNCLEAR = Message("This is not valid here.")
START_FORM = Message("Write a date and hour as YYYY-MM-DDTHH:MM, or an instant with its offset (RFC 3339).")
DAY_OR_HOUR_FORM = Message(
    "Write a day, a date and hour as YYYY-MM-DDTHH:MM, or an instant with its offset (RFC 3339)."
)
FORMS = {"start": START_FORM, "from": DAY_OR_HOUR_FORM, "until": DAY_OR_HOUR_FORM}


async def body(request: web.Request, media_type: str = JSON) -> bytes:
    """The whole body, within its limits of size, time and type."""
    if (request.content_length or 0) > LARGEST_BODY:
        raise TooLarge
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType(media_type)
    received = bytearray()
    try:
        async with asyncio.timeout(SLOWEST_BODY):
            async for chunk in request.content.iter_any():
                received += chunk
                if len(received) > LARGEST_BODY:
                    raise TooLarge
    except TimeoutError:
        raise TooSlow from None
    except web.RequestPayloadError:  # its chunks are broken
        raise MalformedRequest from None
    if received and "Content-Type" in request.headers:
        charset = (request.charset or "utf-8").lower()
        readable = media_type == CSV or charset in ("utf-8", "us-ascii")
        if request.content_type != media_type or not readable:
            raise UnsupportedMediaType(media_type)
    return bytes(received)


def json_object(raw: bytes) -> Any:
    """A body as JSON. Raises MalformedRequest where it is none, InvalidRequest where it could be read in two ways."""
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_whole_number,
            parse_constant=_no_number,
        )
    except RecursionError:
        raise InvalidRequest.of("body", "This nests too deep.") from None
    except ValueError:
        raise MalformedRequest from None
    _check(value, "", DEEPEST)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise InvalidRequest.of(_printable(key), "This stands here twice.")
        found[key] = value
    return found


def _whole_number(text: str) -> int | float:
    return int(text) if len(text) <= LONGEST_NUMBER else float("inf")


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are Python's, not JSON's


def _check(value: Any, place: str, depth: int) -> None:
    if depth == 0:
        raise InvalidRequest.of("body", "This nests too deep.")
    if isinstance(value, str):
        if not _is_unicode(value):
            raise InvalidRequest.of(place or "body", "This text is not Unicode.")
    elif isinstance(value, dict):
        for key, inner in value.items():
            if not _is_unicode(key):
                raise InvalidRequest.of(place or "body", "This text is not Unicode.")
            _check(inner, f"{place}.{key}" if place else key, depth - 1)
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            _check(inner, f"{place}[{position}]", depth - 1)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _printable(name: str) -> str:
    """A field's name as it may be shown again: callers write anything."""
    return re.sub(r"[^\w.\[\]-]", "?", name, flags=re.ASCII)[:60]


def validated(model: type[M], values: Any) -> M:
    """`values` as a model. Raises InvalidRequest with every wrong field."""
    try:
        return model.model_validate(values)
    except ValidationError as refused:
        raise InvalidRequest(*(_field_error(dict(one)) for one in refused.errors(include_url=False))) from None


def _field_error(one: dict[str, Any]) -> FieldError:
    path = ""
    for part in one["loc"]:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part != "[key]":
            path += f".{part}" if path else part
    reason = REASONS.get(one["type"], UNCLEAR)
    if one["type"] == "string_pattern_mismatch":
        reason = FORMS.get(path, reason)
    values = one.get("ctx", {})
    if isinstance(wrong := values.get("error"), Wrong):
        return FieldError(_printable(path), wrong.message)
    if "expected" in values:  # pydantic writes "'a', 'b' or 'c'"
        values["expected"] = values["expected"].replace(" or ", ", ")
    return FieldError(_printable(path) or "body", Message(reason.text, **values))


def query(model: type[M], request: web.Request) -> M:
    """The parameters of an address, as `parameters` reads them."""
    return parameters(model, list(request.query.items()))


def parameters(model: type[M], asked: list[tuple[str, str]]) -> M:
    """Names and values of an address or a form: a list where the model has one.

    A single one that comes twice is refused: nobody knows which was meant.
    """
    if model.model_config.get("extra") == "ignore":
        ours = {field.alias or name for name, field in model.model_fields.items()}
        asked = [(name, text) for name, text in asked if name in ours]
    many = {field.alias or name for name, field in model.model_fields.items() if _is_list(field.annotation)}
    values: dict[str, Any] = {}
    for name, text in asked:
        if name in many:
            values.setdefault(name, []).append(text)
        elif name in values:
            raise InvalidRequest.of(_printable(name), "This stands here twice.")
        else:
            values[name] = text
    for name, value in values.items():
        _check(value, _printable(name), DEEPEST)
    return validated(model, values)


def _is_list(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", annotation) is list


ETAG = re.compile(r'(W/)?"([^"\x00-\x20\x7f]*)"')


def etags(text: str, field: str) -> list[str]:
    """The strong entity tags of If-Match, without quotes; a weak one never matches (RFC 9110 § 13.1.1).

    Raises InvalidRequest where it is no list of tags.
    """
    found = [ETAG.fullmatch(part.strip()) for part in text.split(",")]
    if not all(found):
        raise InvalidRequest.of(field, 'Write the ETag as it was given, quotes included: "0".')
    return [tag[2] for tag in found if tag and not tag[1]]


def none_match(request: web.Request, etag: str) -> bool:
    """Whether the caller has this representation already: If-None-Match, by weak comparison (§ 13.1.2)."""
    sent = ",".join(request.headers.getall("If-None-Match", []))
    return sent.strip() == "*" or etag in (tag[2] for tag in ETAG.finditer(sent))


IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def idempotency_key(request: web.Request) -> str | None:
    """The Idempotency-Key, if one was sent. Raises InvalidRequest where it is empty, long or unprintable."""
    sent = request.headers.getall("Idempotency-Key", [])
    if not sent:
        return None
    if len(sent) > 1 or not IDEMPOTENCY_KEY.fullmatch(sent[0]):
        raise InvalidRequest.of("Idempotency-Key", "Write one key of 1 to 255 visible ASCII characters.")
    return sent[0]
