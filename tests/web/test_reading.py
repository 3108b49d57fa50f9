"""JSON is read strictly, and whatever is wrong with it is a clear refusal."""

from __future__ import annotations

import json

import pytest

from perinat_sched.errors import InvalidRequest, PerinatError
from perinat_sched.web import reading
from perinat_sched.web.problems import MalformedRequest
from perinat_sched.web.schemas.sessions import SessionRequest

DEEP = 100_000


@pytest.mark.parametrize(
    ("raw", "refusal"),
    [
        pytest.param(b"", MalformedRequest, id="nothing"),
        pytest.param(b"{", MalformedRequest, id="a brace"),
        pytest.param(b"{'a': 1}", MalformedRequest, id="single quotes"),
        pytest.param(b'{"a": NaN}', MalformedRequest, id="NaN"),
        pytest.param(b'{"a": -Infinity}', MalformedRequest, id="minus infinity"),
        pytest.param(b'{"a": "\xff"}', MalformedRequest, id="no UTF-8"),
        pytest.param(b'{"a": "\xed\xa0\x80"}', MalformedRequest, id="a surrogate in UTF-8"),
        pytest.param('\ufeff{"a": 1}'.encode(), MalformedRequest, id="a byte order mark"),
        pytest.param('{"a": 1}'.encode("utf-16"), MalformedRequest, id="UTF-16"),
        pytest.param(b'{"a": "\n"}', MalformedRequest, id="a bare line break in a text"),
        pytest.param(b'{"a": "\\ud800"}', InvalidRequest, id="half a surrogate pair"),
        pytest.param(b'{"\\udfff": 1}', InvalidRequest, id="half a pair in a name"),
        pytest.param(b'{"a": 1, "a": 2}', InvalidRequest, id="a name twice"),
        pytest.param(b'{"a": {"b": 1, "b": 1}}', InvalidRequest, id="a name twice, deeper"),
        pytest.param(b"[" * DEEP, PerinatError, id="deep and open"),
        pytest.param(b"[" * DEEP + b"]" * DEEP, InvalidRequest, id="deep"),
        pytest.param(b'{"a":' * DEEP + b"1" + b"}" * DEEP, InvalidRequest, id="deep objects"),
        pytest.param(b"[" * 20 + b"]" * 20, InvalidRequest, id="deeper than anything of ours"),
    ],
)
def test_what_is_no_json_or_could_be_read_in_two_ways_is_refused(raw: bytes, refusal: type[PerinatError]) -> None:
    with pytest.raises(refusal):
        reading.json_object(raw)


def test_a_number_of_ten_thousand_digits_is_read_as_too_large_and_not_as_a_number() -> None:
    assert reading.json_object(b'{"a": ' + b"9" * 10_000 + b"}") == {"a": float("inf")}


def test_an_emoji_written_as_a_surrogate_pair_is_text() -> None:
    assert reading.json_object(rb'{"a": "\ud83d\ude00"}') == {"a": "😀"}


GOOD = {"kind": "staff", "host_site": "lille", "start": "2027-03-18T15:00"}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        pytest.param({"duration_minutes": "5"}, "duration_minutes", id="a text for a number"),
        pytest.param({"duration_minutes": 5.5}, "duration_minutes", id="five and a half"),
        pytest.param({"duration_minutes": 60.0}, "duration_minutes", id="sixty with a point"),
        pytest.param({"duration_minutes": True}, "duration_minutes", id="true for a number"),
        pytest.param({"duration_minutes": 1e309}, "duration_minutes", id="1e309"),
        pytest.param({"duration_minutes": 2**63}, "duration_minutes", id="2 to the 63rd"),
        pytest.param({"duration_minutes": -60}, "duration_minutes", id="minus sixty"),
        pytest.param({"duration_minutes": 0}, "duration_minutes", id="no length"),
        pytest.param({"duration_minutes": 25 * 60}, "duration_minutes", id="25 hours"),
        pytest.param({"fold": 2}, "fold", id="a third pass"),
        pytest.param({"fold": True}, "fold", id="true for a fold"),
        pytest.param({"fold": 1.0}, "fold", id="a fold with a point"),
        pytest.param({"no_patient_data": "true"}, "no_patient_data", id="a text for true"),
        pytest.param({"no_patient_data": 1}, "no_patient_data", id="one for true"),
        pytest.param({"required_sites": "calais"}, "required_sites", id="a text for a list"),
        pytest.param({"required_sites": {"calais": 1}}, "required_sites", id="an object for a list"),
        pytest.param({"required_sites": ["calais", 1]}, "required_sites[1]", id="a number in a list of codes"),
        pytest.param({"required_sites": [["calais"]]}, "required_sites[0]", id="a list in a list"),
        pytest.param({"required_sites": ["x"] * 10_000}, "required_sites", id="10,000 sites"),
        pytest.param({"rooms": ["calais-1"]}, "rooms", id="a list for an object"),
        pytest.param({"rooms": {"calais": None}}, "rooms.calais", id="no room"),
        pytest.param({"title": ["a"]}, "title", id="a list for a text"),
        pytest.param({"title": 5}, "title", id="a number for a text"),
        pytest.param({"title": "a" * 1_000_000}, "title", id="a title of 1 MB"),
        pytest.param({"start": 0}, "start", id="zero for an hour"),
        pytest.param({"start": "1700000000"}, "start", id="seconds for an hour"),
        pytest.param({"start": "2027-03-18T15:00+99:99"}, "start", id="offset 99:99 without seconds"),
        pytest.param({"start": "2027-03-18T15:00:00+99:99"}, "start", id="offset 99:99"),
        pytest.param({"start": "2027-03-18 15:00"}, "start", id="a blank for the T"),
        pytest.param({"start": "2027-03-18"}, "start", id="a day for an hour"),
        pytest.param({"start": "2027-03-18T15:00\n"}, "start", id="a line break behind it"),
        pytest.param({"start": "２027-03-18T15:00"}, "start", id="digits of another script"),
        pytest.param({"host_site": ""}, "host_site", id="an empty code"),
        pytest.param({"series": None}, "series", id="a field of the answer"),
        pytest.param({"Kind": "staff"}, "Kind", id="another case"),
        pytest.param({"__proto__": {}}, "__proto__", id="a field nobody knows"),
    ],
)
def test_a_wrong_value_is_refused_under_the_name_of_its_field(given: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        reading.validated(SessionRequest, GOOD | given)

    assert [error.field for error in refused.value.errors] == [field]


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(InvalidRequest) as refused:
        reading.validated(SessionRequest, {"kind": 1, "start": 2, "more": 3})

    assert {error.field for error in refused.value.errors} == {"kind", "start", "host_site", "more"}


def test_a_field_name_of_the_caller_comes_back_without_what_could_harm() -> None:
    with pytest.raises(InvalidRequest) as refused:
        reading.validated(SessionRequest, GOOD | {"<script>\r\n\x1b[31m" + "x" * 500: 1})

    name = refused.value.errors[0].field
    assert len(name) <= 60 and json.dumps(name).isascii() and not set(name) & set("<>\r\n\x1b")
