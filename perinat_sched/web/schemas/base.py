"""The small words of the API: codes, days, hours, instants, and how strictly they are read.

A body is JSON and means what it says: `"5"` is no number, `0` is no date, an unknown field is a mistake. A query is
all text, so its numbers, days and truth values are read here from exactly one spelling each. Instants stay text
until the domain reads them, and are written as text with the offset of the zone beside them.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from perinat_sched.i18n import Message

FIRST_YEAR, LAST_YEAR = 2000, 2100
MOST_SITES = 50
LONGEST_CODE = 40
MOST_ITEMS, USUAL_ITEMS = 500, 100


class Wrong(ValueError):
    """What is wrong with a value, for the one who wrote it."""

    def __init__(self, message: Message) -> None:
        super().__init__(message.text)
        self.message = message


class Asked(BaseModel):
    """What a caller sends: strict, nothing unknown, nothing changed afterwards."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Told(BaseModel):
    """What the service answers: every field is always there, null where there is nothing to say."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _day(value: Any) -> Any:
    try:
        # fromisoformat alone would take "2027W101"
        day = date.fromisoformat(value) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value) else None
    except ValueError:
        day = None
    if day is None:
        raise Wrong(Message("Write a date as YYYY-MM-DD."))
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise Wrong(Message("Choose a year between {first} and {last}.", first=FIRST_YEAR, last=LAST_YEAR))
    return day


def _whole_number(value: Any) -> Any:
    if not (isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,9}", value)):
        raise Wrong(Message("Write a whole number."))
    return int(value)


def _truth(value: Any) -> Any:
    if value not in ("true", "false"):
        raise Wrong(Message("Write true or false."))
    return value == "true"


CLOCK_TIME = r"^(?:[01][0-9]|2[0-3]):[0-5][0-9]$"
WALL_OR_INSTANT = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}"
    r"(?::[0-9]{2}(?:\.[0-9]{1,9})?(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9]))?$"
)

Code = Annotated[str, Field(min_length=1, max_length=LONGEST_CODE)]
SiteCode = Annotated[Code, Field(examples=["lille"])]
RoomCode = Annotated[Code, Field(examples=["calais-1"])]
BridgeCode = Annotated[Code, Field(examples=["mcu-lille"])]
NetworkCode = Annotated[Code, Field(examples=["perinat"])]
KindCode = Annotated[Code, Field(examples=["staff"])]
Sites = Annotated[list[SiteCode], Field(max_length=MOST_SITES, examples=[["calais"]])]
Zone = Annotated[str, Field(max_length=60, description="An IANA time zone", examples=["Europe/Paris"])]
Start = Annotated[
    str,
    Field(
        pattern=WALL_OR_INSTANT,
        description="A wall time YYYY-MM-DDTHH:MM in `timezone`, or an RFC 3339 instant",
        examples=["2027-03-18T15:00"],
    ),
]
DayOrStart = Annotated[
    str,
    Field(
        pattern=WALL_OR_INSTANT.replace("[Tt]", "(?:[Tt]").removesuffix("$") + ")?$",
        description="A day, a wall time YYYY-MM-DDTHH:MM of the site, or an RFC 3339 instant",
        examples=["2027-03-18T12:00"],
    ),
]
RFC3339 = Annotated[
    str, Field(json_schema_extra={"format": "date-time"}, examples=["2027-03-18T15:00:00+01:00"])
]  # an answered instant
WallTime = Annotated[
    str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}$", examples=["2027-03-18T15:00"])
]
ClockTime = Annotated[str, Field(pattern=CLOCK_TIME, examples=["09:00"])]
Revision = Annotated[int, Field(ge=0)]
Id = Annotated[str, Field(min_length=1, max_length=64)]

QueryDay = Annotated[
    date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date", "examples": ["2027-03-01"]})
]
DayOrNone = Annotated[QueryDay | None, BeforeValidator(lambda text: text or None)]  # a field of a form, left empty
QueryInt = Annotated[int, BeforeValidator(_whole_number)]
QueryBool = Annotated[bool, BeforeValidator(_truth)]


class NoQuery(Asked):
    """A route without parameters."""


class Paging(Asked):
    """How much of a list, and from where on."""

    cursor: str | None = Field(default=None, max_length=500, description="`next` of the answer before")
    limit: Annotated[QueryInt, Field(ge=1, le=MOST_ITEMS)] = USUAL_ITEMS
