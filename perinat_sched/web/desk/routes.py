"""Every page, and the files that pages load."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from perinat_sched.web.desk import admin, audit, directory, example, figures, mails, session, sign_in, tokens, week
from perinat_sched.web.desk.door import door
from perinat_sched.web.desk.html import POLICY
from perinat_sched.web.desk.page import Page, PageForm
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
    # Administration
    Page(method="GET", path="/admin", handler=admin.show, administrators=True),
    Page(method="GET", path="/admin/sites", handler=directory.sites, administrators=True),
    Page(
        method="GET",
        path="/admin/closures",
        handler=directory.closures,
        administrators=True,
        query=directory.ClosuresQuery,
    ),
    Page(method="GET", path="/admin/tokens", handler=tokens.listed, administrators=True),
    Page(method="POST", path="/admin/tokens", handler=tokens.make, administrators=True, form=tokens.TokenForm),
    Page(method="POST", path="/admin/tokens/{id}/link", handler=tokens.link, administrators=True, form=PageForm),
    Page(method="GET", path="/admin/tokens/{id}/revocation", handler=tokens.confirm, administrators=True),
    Page(
        method="POST", path="/admin/tokens/{id}/revocation", handler=tokens.revoke, administrators=True, form=PageForm
    ),
    Page(method="GET", path="/admin/mails", handler=mails.failed, administrators=True, query=mails.MailsQuery),
    Page(method="POST", path="/admin/mails/{id}/retry", handler=mails.retry, administrators=True, form=PageForm),
    Page(method="GET", path="/admin/audit", handler=audit.show, administrators=True, query=audit.AuditQuery),
    Page(method="GET", path="/admin/audit/verification", handler=audit.verify, administrators=True),
    Page(method="POST", path="/admin/example", handler=example.load, administrators=True, form=PageForm),
    Page(method="POST", path="/admin/example/removal", handler=example.remove, administrators=True, form=PageForm),
    # Figures
    Page(method="GET", path="/figures", handler=figures.show, query=figures.FiguresQuery),
    Page(method="GET", path="/figures/{table}.csv", handler=figures.csv, query=figures.FiguresQuery),
    Page(method="GET", path="/figures/{table}.svg", handler=figures.picture, query=figures.FiguresQuery),
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
