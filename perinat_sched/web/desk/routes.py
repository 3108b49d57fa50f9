"""Every page, and the files that pages load."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from perinat_sched.web.desk import (
    find,
    series,
    series_change,
    series_import,
    series_new,
    series_upkeep,
    session,
    sign_in,
    week,
)
from perinat_sched.web.desk.door import door
from perinat_sched.web.desk.html import POLICY
from perinat_sched.web.desk.page import Page, PageForm
from perinat_sched.web.desk.series_form import SeriesForm
from perinat_sched.web.operation import static

PAGES = (
    Page(method="GET", path="/sign-in", handler=sign_in.ask, signed_in=False, query=sign_in.SignInQuery),
    Page(method="POST", path="/sign-in", handler=sign_in.send, signed_in=False, form=sign_in.AddressForm),
    Page(method="GET", path="/sign-in/{secret}", handler=sign_in.link, signed_in=False, query=sign_in.SignInQuery),
    Page(
        method="POST",
        path="/sign-in/{secret}",
        handler=sign_in.open_link,
        signed_in=False,
        query=sign_in.SignInQuery,
        form=sign_in.OpenForm,
    ),
    Page(method="GET", path="/week", handler=week.show, query=week.WeekQuery),
    Page(method="GET", path="/sessions/{id}", handler=session.show),
    Page(method="GET", path="/bridge", handler=session.bridge, query=session.BridgeQuery),
    Page(method="GET", path="/account", handler=sign_in.account),
    Page(method="POST", path="/sign-out", handler=sign_in.leave, form=PageForm),
    Page(method="POST", path="/sign-out/everywhere", handler=sign_in.leave_everywhere, form=PageForm),
    Page(method="GET", path="/accessibility", handler=sign_in.accessibility, signed_in=False),
    Page(method="GET", path="/privacy", handler=sign_in.privacy, signed_in=False),
    # Find and book; what is done to a session.
    Page(method="GET", path="/find", handler=find.show, query=find.FindQuery),
    # Series.
    Page(method="GET", path="/series", handler=series.listed, query=series.ListQuery),
    Page(method="GET", path="/series/new", handler=series_new.show, query=series_new.NewQuery),
    Page(method="POST", path="/series/new", handler=series_new.send, form=SeriesForm),
    Page(method="GET", path="/series/import", handler=series_import.show),
    Page(method="POST", path="/series/import", handler=series_import.send, form=series_import.PlanForm, files=True),
    Page(method="GET", path="/series/{id}", handler=series.show, query=series.SeriesQuery),
    Page(method="GET", path="/series/{id}/change", handler=series_change.show, query=series_change.FromQuery),
    Page(method="POST", path="/series/{id}/change", handler=series_change.send, form=series_change.ChangeForm),
    Page(
        method="GET",
        path="/series/{id}/cancellation",
        handler=series_upkeep.ask_cancel,
        query=series_change.FromQuery,
    ),
    Page(method="POST", path="/series/{id}/cancellation", handler=series_upkeep.cancel, form=series_upkeep.CancelForm),
    Page(method="GET", path="/series/{id}/answer", handler=series_upkeep.ask_answer),
    Page(method="POST", path="/series/{id}/answer", handler=series_upkeep.answer, form=series_upkeep.AnswerForm),
    Page(method="POST", path="/series/{id}/dates", handler=series.later, form=series.LaterForm),
    Page(method="POST", path="/sessions/{id}/exception", handler=series.back, form=PageForm),
)
PATHS = frozenset(page.path for page in PAGES)
FILES = {"desk.css": "text/css", "desk.svg": "image/svg+xml"}


def add_to(app: web.Application) -> None:
    """Let the application serve the pages."""
    for page in PAGES:
        if page.method == "GET":
            app.router.add_get(page.path, door(page), allow_head=True)
        else:
            app.router.add_post(page.path, door(page))
    for name in FILES:
        app.router.add_get(f"/static/{name}", _file(name), allow_head=True)


def _file(name: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def send(request: web.Request) -> web.Response:
        return static(name, FILES[name], POLICY)

    return send
