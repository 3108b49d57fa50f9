"""What the example programme is made of: the series of a care network's year. No I/O.

Sites answer as sites do: most for the year, one not yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from perinat_sched.booking.request import Asked as SessionAsked
from perinat_sched.series import recurrence
from perinat_sched.series.request import Asked
from perinat_sched.series.series import WALL
from perinat_sched.sites.network import Directory

EXAMPLE = ".example"
NETWORK = "perinat"


@dataclass(frozen=True, kw_only=True, slots=True)
class Meeting:
    """One series: what, whose, when."""

    kind: str
    host: str
    sites: tuple[str, ...]
    rule: str
    hour: str
    description: str = ""
    room: str | None = None  # the host's
    silent: tuple[str, ...] = ()  # those that have not answered yet


MEETINGS = (
    Meeting(
        kind="staff",
        host="lille",
        sites=("valenciennes", "lens", "calais"),
        rule="FREQ=WEEKLY;BYDAY=TH",
        hour="15:00",
        description="Ordre du jour : organisation des transferts de la semaine.",
        room="lille-1",
        silent=("calais",),
    ),
    Meeting(
        kind="staff",
        host="roubaix",
        sites=("tourcoing", "seclin"),
        rule="FREQ=WEEKLY;BYDAY=TU",
        hour="13:00",
    ),
    Meeting(
        kind="cpdpn",
        host="lille",
        sites=("arras", "dunkerque", "boulogne"),
        rule="FREQ=WEEKLY;BYDAY=MO",
        hour="14:00",
        room="lille-2",
    ),
    Meeting(
        kind="rcp",
        host="valenciennes",
        sites=("lille", "lens"),
        rule="FREQ=WEEKLY;INTERVAL=2;BYDAY=WE",
        hour="09:30",
    ),
    Meeting(
        kind="international",
        host="lille",
        sites=("sainte-justine",),
        rule="FREQ=MONTHLY;BYDAY=3WE",
        hour="15:00",
        room="lille-1",
    ),
    Meeting(
        kind="training",
        host="calais",
        sites=("boulogne", "dunkerque"),
        rule="FREQ=MONTHLY;BYDAY=1FR",
        hour="12:30",
    ),
    Meeting(kind="rmm", host="lille", sites=("reunion",), rule="FREQ=MONTHLY;BYDAY=2FR", hour="09:30", room="lille-2"),
    Meeting(
        kind="steering",
        host="lille",
        sites=("roubaix", "valenciennes", "lens", "arras", "calais"),
        rule="FREQ=MONTHLY;INTERVAL=3;BYDAY=4TU",
        hour="16:00",
        room="lille-1",
    ),
)  # fmt: skip


def fits(directory: Directory) -> bool:
    """Whether this is the example network: its sites are there, and nobody real would be written to."""
    sites = {code for meeting in MEETINGS for code in (meeting.host, *meeting.sites)}
    known = [directory.sites.get(code) for code in sites]
    return (
        all(site and site.active and NETWORK in site.networks for site in known)
        and {meeting.kind for meeting in MEETINGS} <= directory.kinds.keys()
        and all(contact.endswith(EXAMPLE) for site in directory.sites.values() for contact in site.contacts)
    )


def series(today: date, directory: Directory) -> Iterator[tuple[Meeting, Asked]]:
    """Every series, from the next day on, for a year; dates that do not fit are left out."""
    first, last = today + timedelta(days=1), today + timedelta(days=365)
    for meeting in MEETINGS:
        begin = datetime.combine(first, time.fromisoformat(meeting.hour))
        end = datetime.combine(last, begin.time())
        zone = directory.sites[meeting.host].timezone
        rule = f"{meeting.rule};UNTIL={last:%Y%m%d}T235900Z"
        start = recurrence.first(recurrence.parse(rule, zone), begin, end)
        if start is None:
            continue
        yield (
            meeting,
            Asked(
                session=SessionAsked(
                    kind=meeting.kind,
                    host_site=meeting.host,
                    network=NETWORK,
                    start=f"{start:{WALL}}",
                    description=meeting.description,
                    required_sites=meeting.sites,
                    rooms={meeting.host: meeting.room} if meeting.room else {},
                ),
                rrule=rule,
                exclude_holidays_of=(meeting.host,),
                on_conflict="leave_out",
            ),
        )
