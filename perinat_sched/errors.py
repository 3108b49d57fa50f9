"""Everything that can go wrong, one tree, one file.

Each class is one sentence a person can act upon: its docstring is the default text, `message` the text of this
occurrence, written once in English and translated at the edge (`i18n.say`). The web layer maps a class to its
problem slug and status; nothing below it knows HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from perinat_sched.i18n import Message

if TYPE_CHECKING:
    from perinat_sched.availability.conflicts import Conflict
    from perinat_sched.availability.slots import Slot


class PerinatError(Exception):
    """Something went wrong."""

    def __init__(self, message: Message | None = None) -> None:
        self.message = message or Message((type(self).__doc__ or "").strip())
        super().__init__(self.message.text)


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong input: the field as the caller wrote it (dotted path), and what is wrong with it."""

    field: str
    message: Message


class InvalidRequest(PerinatError):
    """The request cannot be carried out as it is: see the errors, field by field."""

    def __init__(self, *errors: FieldError) -> None:
        super().__init__()
        self.errors: Sequence[FieldError] = errors

    @classmethod
    def of(cls, field: str, text: str, **values: object) -> InvalidRequest:
        """The common case: one field, one reason."""
        return cls(FieldError(field, Message(text, **values)))


class SkippedLocalTime(PerinatError):
    """This local time does not exist: clocks go forward over it."""

    def __init__(self, message: Message, candidates: Sequence[datetime]) -> None:
        super().__init__(message)
        self.candidates = candidates


class RepeatedLocalTime(PerinatError):
    """This local time comes twice: say which one with "fold" 0 (first) or 1 (second)."""

    def __init__(self, message: Message, candidates: Sequence[datetime]) -> None:
        super().__init__(message)
        self.candidates = candidates


class HealthDataSuspected(PerinatError):
    """This text looks like health data, which never enters this system."""

    def __init__(self, field: str, pattern: str, message: Message, *, certain: bool) -> None:
        super().__init__(message)
        self.field = field
        self.pattern = pattern  # the kind of mark, never the text itself
        self.certain = certain


class IdempotencyKeyReused(PerinatError):
    """This Idempotency-Key was already used with another request: use a new key."""


class BookingRefused(PerinatError):
    """The session cannot be booked like this: see the conflicts and the alternatives."""

    def __init__(self, conflicts: Sequence[Conflict], alternatives: Sequence[Slot] = (), timezone: str = "UTC") -> None:
        super().__init__()
        self.conflicts = conflicts
        self.alternatives = alternatives
        self.timezone = timezone  # of the session asked for: its hours are written in it


class Unauthenticated(PerinatError):
    """Send a valid token: Authorization: Bearer TOKEN. Ask an administrator for one."""


class Forbidden(PerinatError):
    """Your token does not allow this."""


class NotFound(PerinatError):
    """There is nothing here that you may see."""


class Gone(PerinatError):
    """This address was revoked: ask for a new one."""


class RevisionRequired(PerinatError):
    """Say which revision you are changing: send its ETag in If-Match."""


class RevisionMismatch(PerinatError):
    """Somebody changed this meanwhile: read it again and repeat your change."""


class TooManyRequests(PerinatError):
    """Too many requests: wait a little and try again."""

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after = retry_after  # seconds


class Unavailable(PerinatError):
    """The service cannot answer at the moment: try again in a few seconds."""

    def __init__(self, message: Message | None = None, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after  # seconds


class GuardViolation(PerinatError):
    """The database refused a double booking."""


class MissingGuards(PerinatError):
    """The database lacks the guards against double booking, so the service does not start."""


class DatabaseTooNew(PerinatError):
    """The database was written by a newer version of this software: update the software."""


class DatabaseLocked(PerinatError):
    """Another process uses this database file: stop it first."""


class BackupError(PerinatError):
    """The backup could not be made or put back."""


@dataclass(frozen=True, slots=True)
class ConfigurationProblem:
    """One wrong setting: where it stands, what is wrong, how to mend it."""

    file: str
    key: str
    reason: str
    mend: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.reason} → {self.mend}"


class ConfigurationError(PerinatError):
    """The configuration cannot be used."""

    def __init__(self, problems: Sequence[ConfigurationProblem]) -> None:
        super().__init__()
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)
