"""When a site or a room is taken, and nothing else: VFREEBUSY (RFC 5545 § 3.6.4; standards.md FB-01, ICS-36).

Taken is what is *held*: a session, from its start to its end, in which the site has its place. Set-up and release
are not: they may be overridden, and are the room's own affair. Where several things are true of one minute, the
strongest is said: a closure, in which nothing can be booked, over a session, a session over one that is to be
confirmed. Nothing here reads a clock, and nothing of a session leaves but its hours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from icalendar import FreeBusy, Parameters, vPeriod

from perinat_sched.booking.session import Session
from perinat_sched.feeds.calendar import Cover, mailbox, one_line, publication
from perinat_sched.feeds.face import Viewpoint
from perinat_sched.intervals import Interval, difference, intersection, union
from perinat_sched.sites.closures import Closure

BUSY_TYPES = ("BUSY-UNAVAILABLE", "BUSY", "BUSY-TENTATIVE")  # the strongest first


def render(
    cover: Cover,
    sessions: Iterable[Session],
    span: Interval,
    *,
    uid: str,
    stamp: datetime,
    closures: Iterable[Closure] = (),
) -> bytes:
    """The busy hours of the site, or else the room, that `cover` looks from, within `span`.

    The name stands nowhere; a network's cover looks from neither and has none. `uid` is opaque and always the same
    for one feed, `stamp` (UTC) the instant of the last change. The same arguments, in any order, give the same bytes.
    """
    told = FreeBusy()
    told.add("uid", one_line(uid))
    told.add("dtstamp", stamp)
    told.add("dtstart", span.start)
    told.add("dtend", span.end)
    told.add("organizer", mailbox(cover.organizer))
    for interval, busy_type in busy_times(cover.view, sessions, span, closures):
        period = vPeriod((interval.start, interval.end))
        period.params = Parameters({"FBTYPE": busy_type})
        told.add("freebusy", period)  # one by one: of a list icalendar writes what Python calls it (ICS-36)
    return publication([told.to_ical()])


def busy_times(
    view: Viewpoint, sessions: Iterable[Session], span: Interval, closures: Iterable[Closure] = ()
) -> Sequence[tuple[Interval, str]]:
    """What is taken within `span`, sorted; no two overlap, and those that touch are of different types."""
    taken: dict[str, list[Interval]] = {busy_type: [] for busy_type in BUSY_TYPES}
    taken["BUSY-UNAVAILABLE"] = [closure.interval for closure in closures]
    for session in sessions:
        if busy_type := _held(session, view):
            taken[busy_type].append(session.interval)
    told: list[tuple[Interval, str]] = []
    stronger: list[Interval] = []
    for busy_type, intervals in taken.items():
        told += ((interval, busy_type) for interval in difference(intersection(intervals, [span]), stronger))
        stronger = union([*stronger, *intervals])
    return sorted(told)


def _held(session: Session, view: Viewpoint) -> str | None:
    """How a session takes the time of the place that is looked from; None: not at all."""
    if session.status == "cancelled":
        return None
    for part in session.participations:
        if part.held and (part.room == view.room if view.room else part.site == view.site):
            return "BUSY" if session.status == "confirmed" and part.answer == "accepted" else "BUSY-TENTATIVE"
    return None
