"""Accesses: who may sign in or call the API, made and revoked by administrators; a new secret is shown this once."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import segno
from aiohttp import web
from pydantic import Field

from perinat_sched import i18n, zones
from perinat_sched.errors import FieldError, Gone, InvalidRequest, NotFound
from perinat_sched.i18n import Message
from perinat_sched.people.access import Role
from perinat_sched.people.store import TokenRow
from perinat_sched.storage.idempotency import IdempotencyKey
from perinat_sched.web import reading
from perinat_sched.web.desk import html
from perinat_sched.web.desk.page import PageForm, PageQuery, Visit
from perinat_sched.web.schemas.base import DayOrNone

ROLES: Mapping[Role, Message] = {
    "admin": Message("Administrator"),
    "coordinator": Message("Coordinator"),
    "clinician": Message("Clinician"),
}


class TokenForm(PageForm):
    """A new access, as somebody typed it."""

    key: str = Field(default="", max_length=40)  # of this form: sent twice, it makes one token
    name: str = Field(default="", max_length=400)
    role: str = Field(default="", max_length=40)
    sites: list[str] = Field(default_factory=list, max_length=100)
    networks: list[str] = Field(default_factory=list, max_length=100)
    email: str = Field(default="", max_length=400)
    person: str = Field(default="", max_length=100)
    expires: str = Field(default="", max_length=40)


class _Expiry(PageForm):
    """The one field that is read as more than text."""

    expires: DayOrNone


async def listed(visit: Visit[PageQuery, None]) -> web.Response:
    return await _page(visit, TokenForm(role="coordinator"), [])


async def make(visit: Visit[PageQuery, TokenForm]) -> web.Response:
    form = visit.form
    try:
        secret, row = await visit.services.tokens.create(
            role=form.role,
            sites=form.sites,
            networks=form.networks,
            person=form.person.strip() or None,
            email=form.email.strip() or None,
            expires=reading.validated(_Expiry, {"expires": form.expires}).expires,
            name=form.name,
            by=visit.actor.token,
            key=_key(visit),
        )
    except InvalidRequest as error:
        return await _page(visit, form, error.errors, HTTPStatus.UNPROCESSABLE_ENTITY)
    except Gone as error:
        return await _page(visit, TokenForm(role="coordinator"), [], HTTPStatus.GONE, note=error.message)
    return html.respond(visit.request, "admin/token.html.j2", token=row, secret=secret, until=_until(visit, row))


async def link(visit: Visit[PageQuery, PageForm]) -> web.Response:
    """A one-time sign-in link for somebody who stands beside, or gets it on paper."""
    services = visit.services
    row = await services.tokens.read(visit.path("id"))
    if not row.valid(services.clock()):
        raise NotFound
    [secret] = await services.sign_ins.links([row], by=visit.actor.token)
    url = f"{services.settings.public_url}/sign-in/{secret}"
    return html.respond(
        visit.request,
        "admin/link.html.j2",
        token=row,
        url=url,
        code=segno.make(url, error="m").svg_inline(omitsize=True, light="#fff"),
    )


async def confirm(visit: Visit[PageQuery, None]) -> web.Response:
    """What revoking ends, before it does."""
    row = await visit.services.tokens.read(visit.path("id"))
    return html.respond(visit.request, "admin/revocation.html.j2", token=row)


async def revoke(visit: Visit[PageQuery, PageForm]) -> web.Response:
    await visit.services.tokens.revoke(visit.path("id"), by=visit.actor.token)
    return html.see(visit.request, "/admin/tokens")


async def _page(
    visit: Visit[PageQuery, Any],
    form: TokenForm,
    errors: Iterable[FieldError],
    status: int = HTTPStatus.OK,
    *,
    note: Message | None = None,
) -> web.Response:
    now, directory = visit.services.clock(), visit.services.directory
    rows = sorted(await visit.services.tokens.list_all(), key=lambda row: (not row.valid(now), row.name.casefold()))
    return html.respond(
        visit.request,
        "admin/tokens.html.j2",
        status,
        tokens=[(row, ROLES[row.role], _places(visit, row), _until(visit, row), row.valid(now)) for row in rows],
        roles=ROLES,
        directory=directory,
        form=form,
        key=form.key or str(uuid.uuid4()),
        errors={error.field: error.message for error in errors},
        note=note,
    )


def _places(visit: Visit[Any, Any], row: TokenRow) -> list[str]:
    """What an access is for; what is no longer configured goes by its code."""
    sites, networks = visit.services.directory.sites, visit.services.directory.networks
    return [
        *(networks[code].name if code in networks else code for code in row.networks),
        *(sites[code].name if code in sites else code for code in row.sites),
    ]


def _until(visit: Visit[Any, Any], row: TokenRow) -> str:
    return i18n.day(zones.to_local(row.expires_at, "UTC") - timedelta(seconds=1), visit.language)


def _key(visit: Visit[PageQuery, TokenForm]) -> IdempotencyKey | None:
    """The same form sent twice, by reload or by "back", is one request; changed in between, it is another."""
    form = visit.form
    said = hashlib.sha256(form.model_dump_json(exclude={"form_token"}).encode()).hexdigest()
    key = f"{form.key}-{said}"
    return (
        IdempotencyKey(token=visit.actor.token, route="/admin/tokens", key=key, fingerprint=said) if form.key else None
    )
