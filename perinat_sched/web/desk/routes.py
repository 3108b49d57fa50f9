"""Every page, and the files that pages load."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from perinat_sched.web.desk.admin import audit, bridges, directory, example, mails, tokens
from perinat_sched.web.desk.admin import health as admin
from perinat_sched.web.desk.calendars import calendar, subscribing, unsubscribe
from perinat_sched.web.desk.door import door
from perinat_sched.web.desk.entrance import sign_in, start
from perinat_sched.web.desk.figures import report as figures
from perinat_sched.web.desk.finding import book, find
from perinat_sched.web.desk.html import policy
from perinat_sched.web.desk.page import AnyQuery, Page, PageForm
from perinat_sched.web.desk.series import change as series_change
from perinat_sched.web.desk.series import new as series_new
from perinat_sched.web.desk.series import overview as series
from perinat_sched.web.desk.series import spreadsheet as series_import
from perinat_sched.web.desk.series import upkeep as series_upkeep
from perinat_sched.web.desk.series.form import SeriesForm
from perinat_sched.web.desk.sessions import answer, cancel, change, keep, session
from perinat_sched.web.desk.sites import closures, site
from perinat_sched.web.desk.sites.many import ManyForm
from perinat_sched.web.desk.sites.site import ClosureForm
from perinat_sched.web.desk.stale import SeenForm
from perinat_sched.web.desk.weeks import sheets, week
from perinat_sched.web.operation import static

PAGES = (
    # How a visitor comes in, and out.
    Page(method="GET", path="/", handler=start.show, signed_in=False),
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
    Page(method="GET", path="/account", handler=sign_in.account),
    Page(method="POST", path="/sign-out", handler=sign_in.leave, form=PageForm),
    Page(method="POST", path="/sign-out/everywhere", handler=sign_in.leave_everywhere, form=PageForm),
    Page(method="GET", path="/accessibility", handler=sign_in.accessibility, signed_in=False),
    Page(method="GET", path="/privacy", handler=sign_in.privacy, signed_in=False),
    # The week, and the sheets printed from it.
    Page(method="GET", path="/week", handler=week.show, query=week.WeekQuery, asks=True),
    Page(method="GET", path="/rooms/{code}/door", handler=sheets.door, query=sheets.DoorQuery),
    Page(method="GET", path="/sessions/{id}/attendance", handler=sheets.attendance, query=sheets.AttendanceQuery),
    # Find and book.
    Page(method="GET", path="/find", handler=find.show, query=find.FindQuery, asks=True),
    Page(method="GET", path="/book", handler=book.show, query=book.BookQuery),
    Page(method="POST", path="/book", handler=book.send, form=book.BookForm),
    # A session, and what is done to it.
    Page(method="GET", path="/sessions/{id}", handler=session.show, query=session.SessionQuery),
    Page(method="GET", path="/bridge", handler=session.bridge, query=session.BridgeQuery, asks=True),
    Page(method="GET", path="/sessions/{id}/change", handler=change.show, query=change.ChangeQuery),
    Page(method="POST", path="/sessions/{id}/change", handler=change.send, form=change.ChangeForm),
    Page(method="GET", path="/sessions/{id}/cancel", handler=cancel.show),
    Page(method="POST", path="/sessions/{id}/cancel", handler=cancel.send, form=cancel.CancelForm),
    Page(method="POST", path="/sessions/{id}/resume", handler=cancel.resume, form=SeenForm),
    Page(method="GET", path="/sessions/{id}/sites/{site}", handler=answer.show),
    Page(method="POST", path="/sessions/{id}/sites/{site}", handler=answer.send, form=answer.AnswerForm),
    Page(method="POST", path="/sessions/{id}/calls", handler=keep.ring, form=keep.CallForm),
    Page(method="POST", path="/sessions/{id}/mails/{mail}", handler=keep.send_again, form=PageForm),
    Page(method="GET", path="/sessions/{id}/calendar.ics", handler=keep.calendar),
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
    Page(method="GET", path="/series/{id}/answer", handler=series_upkeep.ask_answer, query=series_upkeep.AnswerQuery),
    Page(method="POST", path="/series/{id}/answer", handler=series_upkeep.answer, form=series_upkeep.AnswerForm),
    Page(method="POST", path="/series/{id}/dates", handler=series.later, form=series.LaterForm),
    Page(method="POST", path="/sessions/{id}/exception", handler=series.back, form=SeenForm),
    # A site's own page and closures.
    Page(method="GET", path="/site", handler=site.show, query=site.SiteQuery),
    Page(method="POST", path="/site/answer", handler=site.answer, form=site.AnswerForm),
    Page(method="POST", path="/site/series", handler=site.answer_all, form=ManyForm),
    Page(method="POST", path="/site/closures", handler=closures.enter, form=site.ClosureForm),
    Page(method="GET", path="/closures/{id}", handler=closures.show, query=closures.ClosureQuery),
    Page(method="POST", path="/closures/{id}", handler=closures.settle, form=closures.MoveForm),
    Page(method="POST", path="/closures/{id}/removal", handler=closures.remove, form=closures.RemovalForm),
    # Feed addresses and reminders.
    Page(
        method="GET",
        path="/feeds/{secret}",
        handler=subscribing.show,
        signed_in=False,
        query=subscribing.FeedPageQuery,
    ),
    Page(method="GET", path="/feeds/{secret}/revocation", handler=subscribing.confirm, signed_in=False),
    Page(
        method="POST",
        path="/feeds/{secret}/revocation",
        handler=subscribing.revoke,
        signed_in=False,
        takes="no other pages",
    ),
    Page(method="GET", path="/unsubscribe/{token}", handler=unsubscribe.show, signed_in=False, query=AnyQuery),
    Page(
        method="POST",
        path="/unsubscribe/{token}",
        handler=unsubscribe.stop,
        signed_in=False,
        query=AnyQuery,
        takes="everybody",
    ),
    Page(
        method="POST",
        path="/unsubscribe/{token}/undo",
        handler=unsubscribe.resume,
        signed_in=False,
        query=AnyQuery,
        takes="everybody",
    ),
    Page(method="GET", path="/calendar", handler=calendar.show, query=calendar.CalendarQuery),
    Page(method="POST", path="/calendar", handler=calendar.create, form=calendar.FeedForm),
    Page(method="POST", path="/calendar/{id}/name", handler=calendar.rename, form=calendar.NameForm),
    Page(method="POST", path="/calendar/{id}/revocation", handler=calendar.revoke, form=PageForm),
    # Figures.
    Page(method="GET", path="/figures", handler=figures.show, query=figures.FiguresQuery, asks=True),
    Page(method="GET", path="/figures/{table}.csv", handler=figures.csv, query=figures.FiguresQuery),
    Page(method="GET", path="/figures/{table}.svg", handler=figures.picture, query=figures.FiguresQuery),
    # Administration.
    Page(method="GET", path="/admin", handler=admin.show, administrators=True),
    Page(method="GET", path="/admin/sites", handler=directory.sites, administrators=True),
    Page(
        method="GET",
        path="/admin/closures",
        handler=directory.closures,
        administrators=True,
        query=directory.ClosuresQuery,
        asks=True,
    ),
    Page(method="GET", path="/admin/bridges", handler=bridges.listed, administrators=True, query=bridges.BridgesQuery),
    Page(method="POST", path="/admin/bridges", handler=bridges.enter, administrators=True, form=ClosureForm),
    Page(method="GET", path="/admin/bridges/{id}", handler=bridges.show, administrators=True),
    Page(method="POST", path="/admin/bridges/{id}/removal", handler=bridges.remove, administrators=True, form=PageForm),
    Page(method="GET", path="/admin/tokens", handler=tokens.listed, administrators=True),
    Page(method="POST", path="/admin/tokens", handler=tokens.make, administrators=True, form=tokens.TokenForm),
    Page(method="POST", path="/admin/tokens/{id}/link", handler=tokens.link, administrators=True, form=PageForm),
    Page(method="GET", path="/admin/tokens/{id}/revocation", handler=tokens.confirm, administrators=True),
    Page(
        method="POST", path="/admin/tokens/{id}/revocation", handler=tokens.revoke, administrators=True, form=PageForm
    ),
    Page(method="GET", path="/admin/mails", handler=mails.failed, administrators=True, query=mails.MailsQuery),
    Page(method="POST", path="/admin/mails/retry", handler=mails.retry_all, administrators=True, form=PageForm),
    Page(method="POST", path="/admin/mails/{id}/retry", handler=mails.retry, administrators=True, form=PageForm),
    Page(method="GET", path="/admin/audit", handler=audit.show, administrators=True, query=audit.AuditQuery, asks=True),
    Page(method="GET", path="/admin/audit/verification", handler=audit.verify, administrators=True),
    Page(method="POST", path="/admin/example", handler=example.load, administrators=True, form=PageForm),
    Page(method="POST", path="/admin/example/removal", handler=example.remove, administrators=True, form=PageForm),
)
PATHS = frozenset(page.path for page in PAGES)
FILES = {"copy.js": "text/javascript", "desk.css": "text/css", "desk.svg": "image/svg+xml"}


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
        return static(name, FILES[name], policy())

    return send
