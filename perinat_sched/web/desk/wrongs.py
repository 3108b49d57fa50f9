"""What is wrong in a form, beside the field in which it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from perinat_sched import i18n
from perinat_sched.errors import (
    FieldError,
    HealthDataSuspected,
    IdempotencyKeyReused,
    InvalidRequest,
    PerinatError,
    RepeatedLocalTime,
    SkippedLocalTime,
)
from perinat_sched.i18n import Message
from perinat_sched.sites.network import Directory, Language

# The fields of the API, where a form calls them otherwise.
FIELDS: Mapping[str, str] = {
    "host_site": "host",
    "required_sites": "site",
    "optional_sites": "optional_site",
    "rooms": "room",
    "timezone": "start",
    "fold": "start",
}
ABOUT_FORMS = (InvalidRequest, SkippedLocalTime, RepeatedLocalTime, HealthDataSuspected, IdempotencyKeyReused)


@dataclass(frozen=True, kw_only=True)
class Wrongs:
    """What is wrong with a form, field by field; empty: nothing, or nothing of a field."""

    found: tuple[FieldError, ...] = ()
    twice: tuple[str, ...] = ()  # the two hours that a repeated wall time may mean, to choose from
    doubtful: bool = False  # a text that may speak of a patient: whoever typed it may say that it does not

    @classmethod
    def no_reason(cls) -> Wrongs:
        """Something was to be overridden, and nothing said why."""
        return cls.of_one("override_reason", Message("Say why: the sites concerned read it."))

    @classmethod
    def of_one(cls, field: str, message: Message) -> Wrongs:
        return cls(found=(FieldError(field, message),))

    def __bool__(self) -> bool:
        return bool(self.found)

    def of(self, field: str) -> list[Message]:
        """What is wrong with one field."""
        return [one.message for one in self.found if one.field == field]

    @classmethod
    def told_by(cls, error: PerinatError, language: Language, directory: Directory) -> Wrongs:
        """What one of ABOUT_FORMS says."""
        twice = _hours(error, language, directory) if isinstance(error, RepeatedLocalTime) else ()
        return cls(
            found=tuple(_errors(error, language, directory)),
            twice=tuple(twice),
            doubtful=isinstance(error, HealthDataSuspected) and not error.certain,
        )


def _errors(error: PerinatError, language: Language, directory: Directory) -> Iterator[FieldError]:
    match error:
        case InvalidRequest():
            for one in error.errors:
                field = re.split(r"[.\[]", one.field)[0]
                yield FieldError(FIELDS.get(field, field), one.message)
        case SkippedLocalTime():
            before, after = _hours(error, language, directory)
            message = Message(
                "This hour does not exist that night: clocks go forward over it. Take {before} or {after}.",
                before=before,
                after=after,
            )
            yield FieldError("start", message)
        case RepeatedLocalTime():
            yield FieldError("start", Message("This hour comes twice that night: say which of the two is meant."))
        case HealthDataSuspected():
            yield FieldError(error.field, error.message)
        case _:
            yield FieldError(
                "form", Message("This form was sent before with other content: look at it and send it again.")
            )


def _hours(error: SkippedLocalTime | RepeatedLocalTime, language: Language, directory: Directory) -> Iterator[str]:
    """The hours that may be meant; of a clock that is called after a city, after one of ours."""
    for local in error.candidates:
        zone = str(local.tzinfo)
        city = next((site.city for site in directory.sites.values() if site.timezone == zone), None)
        yield i18n.hour(local, language, i18n.place_of(zone, language, city))


def whole_number(field: str, text: str) -> int | None:
    """What stands in a field for numbers; None where it is empty. Raises InvalidRequest."""
    if not text.strip():
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text.strip()):
        raise InvalidRequest.of(field, "Write a whole number.")
    return int(text)
