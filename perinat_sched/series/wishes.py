"""What a spreadsheet asks for as a whole: lines that ask for the same are one wish, on several dates.

Everything that is wrong with a line is known here, before anything is looked up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from perinat_sched import zones
from perinat_sched.booking import request as booking
from perinat_sched.booking.session import Draft, Session
from perinat_sched.errors import FieldError, Forbidden, HealthDataSuspected, InvalidRequest
from perinat_sched.people.access import Actor, Subject, may
from perinat_sched.series import lines, recurrence, regular, request, sheet
from perinat_sched.series.lines import Line, Planning
from perinat_sched.series.series import WALL, OnConflict
from perinat_sched.sites.network import Directory

Identity = tuple[str, str, timedelta, frozenset[str], datetime]  # host, kind, length, sites, start


@dataclass(frozen=True, kw_only=True)
class Wish:
    """Lines that ask for the same, each on a date of its own."""

    asked: booking.Asked  # its start is an hour alone
    draft: Draft  # on the first date
    numbers: Mapping[datetime, int]  # wall time, in order → the line that says it

    @property
    def sites(self) -> tuple[str, ...]:
        return (self.draft.host_site, *self.draft.required_sites, *self.draft.optional_sites)

    def identities(self, wall: datetime) -> list[Identity]:
        """By what a session is known to be the one that a line asks for; none where there is no such hour."""
        what = (self.draft.host_site, self.draft.kind, self.draft.duration, frozenset(self.sites))
        return [(*what, start) for start in zones.instants(wall, self.draft.timezone)]

    def on(self, times: Sequence[datetime], on_conflict: OnConflict) -> request.Asked:
        """A series on some of its dates, by the rule behind them where there is one."""
        found = regular.rule_of(times)
        return request.Asked(
            session=replace(self.asked, start=f"{times[0]:{WALL}}"),
            rrule=recurrence.written(found.rule, self.draft.timezone) if found else None,
            dates=None if found else tuple(f"{wall:%Y-%m-%d}" for wall in times),
            exclude=tuple(f"{wall:%Y-%m-%d}" for wall in found.others) if found else (),
            on_conflict=on_conflict,
        )


def identities_of(session: Session) -> list[Identity]:
    """The same of a session that is there: one that was moved alone is known by its series' hour, too."""
    what = (session.host_site, session.kind, session.duration, frozenset(session.sites))
    walls = {session.wall_start, session.recurrence or session.wall_start}
    return [(*what, start) for wall in walls for start in zones.instants(wall, session.timezone)]


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """A file as it was understood, and what is wrong with its lines."""

    wishes: Sequence[Wish]
    wrong: Mapping[int, Sequence[FieldError]]  # by line
    unread: Sequence[str]  # headings that mean nothing here

    @property
    def errors(self) -> list[FieldError]:
        """What is wrong, with the line it stands in."""
        return [
            FieldError(f"lines[{number}].{error.field}", error.message)
            for number, errors in sorted(self.wrong.items())
            for error in errors
        ]


def read(content: bytes, actor: Actor, directory: Directory, now: datetime, *, sure: bool) -> Wishes:
    """The wishes of somebody who sends a file.

    Raises InvalidRequest on `file` where it is none, Forbidden where its sender may book none of it.
    """
    planning = lines.understood(sheet.read(content), directory, sure=sure)
    wrong: dict[int, Sequence[FieldError]] = {line.number: line.errors for line in planning.lines if line.errors}
    alike: dict[str, list[Line]] = {}
    for line in planning.lines:
        if line.asked:
            alike.setdefault(repr(line.asked), []).append(line)
    wishes, forbidden = [], 0
    for same in alike.values():
        asked = same[0].asked
        assert asked
        try:
            draft = request.drafted(replace(asked, start=f"{same[0].wall:{WALL}}"), directory, now)
            if not may(actor, "book", Subject.of(draft.host_site, (), draft.network), directory):
                forbidden += 1
                raise InvalidRequest.of(
                    "host_site", "Your token does not allow you to book for {site}.", site=draft.host_site
                )
        except (InvalidRequest, HealthDataSuspected) as error:
            wrong |= {line.number: _under_headings(planning, error) for line in same}
            continue
        numbers: dict[datetime, int] = {}
        for line in same:
            assert line.wall
            try:
                _check(line.wall, numbers, draft, directory, now)
                numbers[line.wall] = line.number
            except InvalidRequest as error:
                wrong[line.number] = _under_headings(planning, error)
        if numbers:
            wishes.append(Wish(asked=asked, draft=draft, numbers=dict(sorted(numbers.items()))))
    if forbidden and forbidden == len(alike):
        raise Forbidden
    return Wishes(wishes=wishes, wrong=wrong, unread=planning.unread)


def _check(wall: datetime, numbers: Mapping[datetime, int], draft: Draft, directory: Directory, now: datetime) -> None:
    """A date by itself. Raises InvalidRequest."""
    booking.wall_time(f"{wall:{WALL}}", draft.timezone, directory.defaults.grid_minutes, now)
    if wall in numbers:
        raise InvalidRequest.of("date", "Line {number} says the same: leave one of them out.", number=numbers[wall])


def _under_headings(planning: Planning, error: InvalidRequest | HealthDataSuspected) -> list[FieldError]:
    errors = error.errors if isinstance(error, InvalidRequest) else [FieldError(error.field, error.message)]
    return [planning.under(one) for one in errors]
