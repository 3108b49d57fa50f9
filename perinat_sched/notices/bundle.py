"""What one reader hears of a series at one moment: several dates in one mail, never one mail a date.

Every date has a notice of its own, so that each is told, taken back and sent again by the same rules as a single
session; they only leave together. Their calendar part is one event: the whole series as the reader is to have it now,
with its rule and its exceptions, or the end of it; of a single date that changed, that date alone (ITIP-08).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from perinat_sched.booking.session import Session
from perinat_sched.feeds.invitation import series_invitation
from perinat_sched.notices.notice import Facts, Notice
from perinat_sched.series.series import Series
from perinat_sched.sites.network import Directory, Language

Method = Literal["REQUEST", "CANCEL"]
Sort = Literal["invitation", "update", "ending", "cancellation", "declined", "place-lost"]


@dataclass(frozen=True, kw_only=True)
class Told:
    """One date: its notice, the session as it is, and what the reader was told of it before."""

    notice: Notice
    session: Session
    before: Facts | None


@dataclass(frozen=True, kw_only=True)
class Course:
    """A series with all its sessions."""

    series: Series
    sessions: Sequence[Session]


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """The dates that one mail tells, in order, and all dates of the series on which the reader takes part."""

    series: Series
    told: tuple[Told, ...]
    attending: tuple[tuple[Session, str], ...]  # with the site that the reader reads for, not cancelled, in order
    invited: bool  # the reader knows of the series

    @property
    def notice(self) -> Notice:
        """The one whose headers the mail bears."""
        return self.told[0].notice

    @property
    def sort(self) -> Sort:
        """What the mail is about."""
        kinds = {one.notice.kind for one in self.told}
        if self.notice.concern:
            return "declined" if "declined" in kinds else "place-lost"
        if kinds == {"place-lost"}:
            return "place-lost"
        if kinds == {"cancellation"}:
            return "ending" if self._goes_over else "cancellation"
        return "update" if self.invited else "invitation"

    @property
    def _goes_over(self) -> bool:
        """Whether dates have gone over to another series, which invites to them by itself."""
        return any(one.session.uid != self.series.uid and one.session.status != "cancelled" for one in self.told)

    @property
    def alone(self) -> bool:
        """Whether it is about one date, as any session's mail is."""
        return len(self.told) == 1 and not self._goes_over

    @property
    def method(self) -> Method:
        if self.alone:
            return "CANCEL" if self.notice.kind == "cancellation" else "REQUEST"
        return "REQUEST" if self.attending else "CANCEL"

    def calendar(self, directory: Directory, *, organizer: str, language: Language, stamp: datetime) -> bytes:
        """The calendar part."""
        return series_invitation(
            self.series,
            self._in_calendar(),
            directory,
            method=self.method,
            attendee=self.notice.recipient,
            organizer=organizer,
            language=language,
            stamp=stamp,
        )

    def _in_calendar(self) -> Sequence[tuple[Session, str]]:
        new = self.notice.kind == "invitation" and len(self.attending) > 1
        if self.attending and not (self.alone and not new):
            return self.attending
        # A date that has gone over is known in the reader's calendar by the series that it comes from.
        return [
            (replace(one.session, uid=self.series.uid, series=self.series.id), one.notice.site) for one in self.told
        ]
