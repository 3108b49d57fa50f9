"""The search for common free time."""

from __future__ import annotations

from datetime import time, timedelta

from aiohttp import web

from perinat_sched import zones
from perinat_sched.booking.slot_request import SlotsAsked
from perinat_sched.web import refusals
from perinat_sched.web.call import Call, answer
from perinat_sched.web.directory import WEEKDAYS
from perinat_sched.web.schemas.slots import BlockingOut, SearchedOut, SlotList, SlotQuery
from perinat_sched.web.views import View, written


async def search(call: Call[SlotQuery, None]) -> web.Response:
    query, found = await call.services.enquiries.search(call.actor, _asked(call.query))
    zone = query.timezone
    view = View(actor=call.actor, directory=call.services.directory, language=call.language)
    in_the_way = [conflict for slot in found.slots for conflict in slot.conflicts]
    seen = await refusals.sights(call.services, call.actor, in_the_way)
    return answer(
        SlotList(
            slots=[view.slot(slot, zone, seen) for slot in found.slots],
            blocking=[
                BlockingOut(
                    site=one.site,
                    bridge=one.bridge,
                    slots_without=one.slots_without,
                    reasons=list(one.reasons),
                )
                for one in found.blocking
            ],
            searched=SearchedOut(
                since=written(zones.start_of_day(query.first_day, zone), zone),
                until=written(zones.start_of_day(query.last_day + timedelta(days=1), zone), zone),
                starts=found.starts,
            ),
        )
    )


def _asked(query: SlotQuery) -> SlotsAsked:
    return SlotsAsked(
        sites=tuple(query.site),
        optional_sites=tuple(query.optional_site),
        rooms=tuple(query.room),
        kind=query.kind,
        network=query.network,
        duration_minutes=query.duration_minutes,
        first_day=query.first,
        last_day=query.last,
        timezone=query.timezone,
        after=time.fromisoformat(query.after) if query.after else None,
        before=_minutes(query.before) if query.before else None,
        weekdays=frozenset(WEEKDAYS.index(day) for day in query.weekday),
        order=query.order,
        limit=query.limit,
        step_minutes=query.step_minutes,
        include_overridable=query.include_overridable,
        except_session=query.except_session,
    )


def _minutes(clock: str) -> int:
    """Minutes after midnight; 24:00 is the end of the day."""
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)
