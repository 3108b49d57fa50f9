"""Every URL on one page."""

from __future__ import annotations

from perinat_sched.web import (
    audit,
    closures,
    directory,
    feeds,
    notices,
    operation,
    planning,
    reading,
    series,
    sessions,
    slots,
)
from perinat_sched.web.route import Header, Media, Policy, Route
from perinat_sched.web.schemas import closures as closure_schemas
from perinat_sched.web.schemas import directory as directory_schemas
from perinat_sched.web.schemas import feeds as feed_schemas
from perinat_sched.web.schemas import notices as notice_schemas
from perinat_sched.web.schemas import operation as operation_schemas
from perinat_sched.web.schemas import planning as planning_schemas
from perinat_sched.web.schemas import series as series_schemas
from perinat_sched.web.schemas import sessions as session_schemas
from perinat_sched.web.schemas import slots as slot_schemas
from perinat_sched.web.schemas.base import Paging

API = "/api/v1"

READING = (
    Route(
        method="GET", path=f"{API}/me", handler=directory.me,
        summary="Whose token this is",
        policy=Policy.SIGNED_IN, answers={200: directory_schemas.Me},
    ),
    Route(
        method="GET", path=f"{API}/sites", handler=directory.sites,
        summary="The establishments that take part",
        policy=Policy.SIGNED_IN, query=Paging, answers={200: directory_schemas.SiteList},
    ),
    Route(
        method="GET", path=f"{API}/sites/{{code}}", handler=directory.site,
        summary="One establishment",
        policy=Policy.SIGNED_IN, answers={200: directory_schemas.SiteOut},
    ),
    Route(
        method="GET", path=f"{API}/sites/{{code}}/closures", handler=directory.closures,
        summary="When a site is closed: public holidays, its calendars, what people entered",
        policy=Policy.SIGNED_IN, query=directory_schemas.Days, answers={200: directory_schemas.ClosureList},
    ),
    Route(
        method="GET", path=f"{API}/rooms", handler=directory.rooms,
        summary="The rooms of all sites",
        policy=Policy.SIGNED_IN, query=Paging, answers={200: directory_schemas.RoomList},
    ),
    Route(
        method="GET", path=f"{API}/bridges", handler=directory.bridges,
        summary="The multipoint bridges",
        policy=Policy.SIGNED_IN, query=Paging, answers={200: directory_schemas.BridgeList},
    ),
    Route(
        method="GET", path=f"{API}/networks", handler=directory.networks,
        summary="The care networks",
        policy=Policy.SIGNED_IN, query=Paging, answers={200: directory_schemas.NetworkList},
    ),
    Route(
        method="GET", path=f"{API}/kinds", handler=directory.kinds,
        summary="The kinds of session",
        policy=Policy.SIGNED_IN, query=Paging, answers={200: directory_schemas.KindList},
    ),
    Route(
        method="GET", path=f"{API}/slots", handler=slots.search,
        summary="Common free time, and what stands in its way",
        policy=Policy.SIGNED_IN, query=slot_schemas.SlotQuery, answers={200: slot_schemas.SlotList}, refuses=(404,),
    ),
)  # fmt: skip

SESSIONS = (
    Route(
        method="POST", path=f"{API}/sessions", handler=sessions.book,
        summary="Book a session",
        policy=Policy.BOOKS, body=session_schemas.SessionRequest, headers=(Header.IDEMPOTENCY_KEY,),
        answers={201: session_schemas.SessionOut}, refuses=(409,),
    ),
    Route(
        method="GET", path=f"{API}/sessions", handler=sessions.listed,
        summary="The sessions one may see, by start",
        policy=Policy.SIGNED_IN, query=session_schemas.SessionFilter, answers={200: session_schemas.SessionList},
    ),
    Route(
        method="GET", path=f"{API}/sessions/{{id}}", handler=sessions.read,
        summary="One session",
        policy=Policy.SEES_SESSION, headers=(Header.IF_NONE_MATCH,),
        answers={200: session_schemas.SessionOut, 304: None},
    ),
    Route(
        method="PATCH", path=f"{API}/sessions/{{id}}", handler=sessions.change,
        summary="Change some fields of a session, all or nothing",
        policy=Policy.CHANGES_SESSION, body=session_schemas.SessionPatch, headers=(Header.IF_MATCH,),
        answers={200: session_schemas.SessionOut}, refuses=(409, 412, 428),
    ),
    Route(
        method="POST", path=f"{API}/sessions/{{id}}/cancellation", handler=sessions.cancel,
        summary="Cancel a session, which frees its places",
        policy=Policy.CHANGES_SESSION, body=session_schemas.CancellationRequest, body_optional=True,
        answers={200: session_schemas.SessionOut},
    ),
    Route(
        method="DELETE", path=f"{API}/sessions/{{id}}/cancellation", handler=sessions.resume,
        summary="Undo a cancellation: take the places again",
        policy=Policy.CHANGES_SESSION, answers={200: session_schemas.SessionOut}, refuses=(409, 422),
    ),
    Route(
        method="PUT", path=f"{API}/sessions/{{id}}/participations/{{site}}/answer", handler=sessions.reply,
        summary="A site accepts, declines or answers tentatively",
        policy=Policy.ANSWERS, body=session_schemas.AnswerRequest,
        answers={200: session_schemas.SessionOut}, refuses=(409,),
    ),
    Route(
        method="GET", path=f"{API}/sessions/{{id}}/notices", handler=notices.of_session,
        summary="The mails about a session; a site sees its own",
        policy=Policy.SEES_SESSION, query=Paging, answers={200: notice_schemas.NoticeList},
    ),
)  # fmt: skip

SERIES = (
    Route(
        method="POST", path=f"{API}/series", handler=series.book,
        summary="Book a series, all of it or none; with `dry_run`, a verdict for each date and nothing is booked",
        policy=Policy.BOOKS, query=series_schemas.DryRun, body=series_schemas.SeriesRequest,
        headers=(Header.IDEMPOTENCY_KEY,),
        answers={200: series_schemas.SeriesOut, 201: series_schemas.SeriesOut}, refuses=(409,),
    ),
    Route(
        method="GET", path=f"{API}/series", handler=series.listed,
        summary="The series one sees, by first date",
        policy=Policy.SIGNED_IN, query=Paging, answers={200: series_schemas.SeriesList},
    ),
    Route(
        method="GET", path=f"{API}/series/{{id}}", handler=series.read,
        summary="A series with all its dates",
        policy=Policy.SEES_SESSION, headers=(Header.IF_NONE_MATCH,),
        answers={200: series_schemas.SeriesOut, 304: None},
    ),
    Route(
        method="PATCH", path=f"{API}/series/{{id}}", handler=series.change,
        summary="Change all that is still to come; with `from`, this and the following, as a new series with an "
        "address of its own; with `dry_run`, a verdict for each date and nothing is changed",
        policy=Policy.CHANGES_SESSION, query=series_schemas.DryRun, body=series_schemas.SeriesPatch,
        headers=(Header.IF_MATCH,), locates=True,
        answers={200: series_schemas.SeriesOut}, refuses=(409, 412, 428),
    ),
    Route(
        method="POST", path=f"{API}/series/{{id}}/cancellation", handler=series.cancel,
        summary="Cancel all that is still to come; with `from`, this and the following",
        policy=Policy.CHANGES_SESSION, body=series_schemas.SeriesCancellation, body_optional=True,
        answers={200: series_schemas.SeriesOut},
    ),
    Route(
        method="POST", path=f"{API}/series/{{id}}/occurrences", handler=series.complete,
        summary="Book a date that was left out",
        policy=Policy.CHANGES_SESSION, body=series_schemas.DateRequest,
        answers={201: session_schemas.SessionOut}, refuses=(409,),
    ),
    Route(
        method="POST", path=f"{API}/series/{{id}}/copy", handler=series.copy,
        summary="Propose the same series for another time; nothing is booked",
        policy=Policy.CHANGES_SESSION, body=series_schemas.CopyRequest, answers={200: series_schemas.SeriesOut},
    ),
    Route(
        method="PUT", path=f"{API}/series/{{id}}/participations/{{site}}/answer", handler=series.reply,
        summary="A site answers once for all that is still to come",
        policy=Policy.ANSWERS, body=series_schemas.SeriesAnswer,
        answers={200: series_schemas.SeriesOut}, refuses=(409,),
    ),
    Route(
        method="POST", path=f"{API}/series/import", handler=planning.read_in,
        summary="Make series and sessions of a spreadsheet; with `dry_run`, a verdict for each line",
        policy=Policy.BOOKS, query=planning_schemas.ImportQuery,
        body=Media(type=reading.CSV, description="Lines with a date, an hour, a kind and sites; see the README"),
        answers={200: planning_schemas.ImportOut, 201: planning_schemas.ImportOut}, refuses=(409,),
    ),
    Route(
        method="GET", path=f"{API}/sites/{{code}}/sessions.csv", handler=planning.written_out,
        summary="A site's year as a spreadsheet",
        policy=Policy.SIGNED_IN, query=planning_schemas.YearQuery,
        answers={200: Media(type="text/csv", description="UTF-8, separated by semicolons in French")},
    ),
    Route(
        method="DELETE", path=f"{API}/sessions/{{id}}/exception", handler=series.restore,
        summary="Take one occurrence back to the rule of its series",
        policy=Policy.CHANGES_SESSION, answers={204: None}, refuses=(409, 422),
    ),
)  # fmt: skip

REST = (
    Route(
        method="POST", path=f"{API}/closures", handler=closures.enter,
        summary="Close a site, keep a room or a bridge busy; says which sessions it hits",
        policy=Policy.CLOSES, body=closure_schemas.ClosureRequest, answers={201: closure_schemas.ClosureEntered},
    ),
    Route(
        method="DELETE", path=f"{API}/closures/{{id}}", handler=closures.remove,
        summary="Take a closure back",
        policy=Policy.CLOSES, answers={204: None},
    ),
    Route(
        method="POST", path=f"{API}/feeds", handler=feeds.create,
        summary="Open a calendar feed; its address is shown this once",
        policy=Policy.PUBLISHES, body=feed_schemas.FeedRequest, answers={201: feed_schemas.FeedOpened},
    ),
    Route(
        method="GET", path=f"{API}/feeds", handler=feeds.listed,
        summary="One's feeds; an administrator sees all",
        policy=Policy.SIGNED_IN, query=Paging, answers={200: feed_schemas.FeedList},
    ),
    Route(
        method="DELETE", path=f"{API}/feeds/{{id}}", handler=feeds.revoke,
        summary="Revoke a feed",
        policy=Policy.OWNS_FEED, answers={204: None},
    ),
    Route(
        method="GET", path=f"{API}/notices", handler=notices.listed,
        summary="The mails one may know of, by what became of them, the latest first",
        policy=Policy.SIGNED_IN, query=notice_schemas.NoticeFilter, answers={200: notice_schemas.NoticeList},
    ),
    Route(
        method="POST", path=f"{API}/notices/{{id}}/retry", handler=notices.retry,
        summary="Send a failed mail again, at once",
        policy=Policy.RESENDS, answers={200: notice_schemas.NoticeOut},
    ),
    Route(
        method="GET", path=f"{API}/audit", handler=audit.listed,
        summary="Who did what, when, to which object",
        policy=Policy.ADMINISTRATORS, query=Paging, answers={200: operation_schemas.AuditList},
    ),
    Route(
        method="GET", path="/feeds/{secret}.ics", handler=feeds.published,
        summary="A calendar, for calendar programs",
        policy=Policy.ADDRESS, query=feed_schemas.FeedQuery,
        headers=(Header.IF_NONE_MATCH, Header.IF_MODIFIED_SINCE),
        answers={200: Media(type="text/calendar", description="iCalendar (RFC 5545)"), 304: None},
        refuses=(410, 429, 503),
    ),
)  # fmt: skip

OPERATION = (
    Route(
        method="GET", path="/healthz", handler=operation.healthz,
        summary="The process answers",
        policy=Policy.ANYBODY, query=None, answers={200: operation_schemas.Health},
    ),
    Route(
        method="GET", path="/readyz", handler=operation.readyz,
        summary="The service can do its work",
        policy=Policy.ANYBODY, query=None,
        answers={200: operation_schemas.Readiness, 503: operation_schemas.Readiness},
    ),
    Route(
        method="GET", path="/metrics", handler=operation.metrics,
        summary="Counters, for Prometheus",
        policy=Policy.ANYBODY, query=None,
        answers={200: Media(type="text/plain", description="Prometheus' text format")},
    ),
    Route(
        method="GET", path="/openapi.json", handler=operation.openapi,
        summary="This document",
        policy=Policy.ANYBODY, query=None,
        answers={200: Media(type="application/json", description="OpenAPI 3.1")},
    ),
    Route(
        method="GET", path="/docs", handler=operation.docs,
        summary="This document, to be read and tried",
        policy=Policy.ANYBODY, query=None, answers={200: Media(type="text/html", description="A page")},
    ),
    Route(
        method="GET", path="/docs/assets/{name}", handler=operation.asset,
        summary="The files of that page",
        policy=Policy.ANYBODY, query=None, answers={200: Media(type="*/*", description="A file")},
    ),
)  # fmt: skip

ROUTES: tuple[Route, ...] = (*READING, *SESSIONS, *SERIES, *REST, *OPERATION)


def methods_of(path: str) -> frozenset[str]:
    """What the table takes at an address that it writes out; nothing for one with a variable part.

    `/series/import` fits `/series/{id}` too, whose methods are none of its own.
    """
    taken = {route.method for route in ROUTES if route.path == path}
    return frozenset(taken | {"HEAD"} if "GET" in taken else taken)
