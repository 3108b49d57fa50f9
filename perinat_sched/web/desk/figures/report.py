"""A network's year for its report: as tables, as pictures of the same numbers, and as files for a spreadsheet."""

from __future__ import annotations

from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from perinat_sched import i18n, zones
from perinat_sched.errors import Forbidden, InvalidRequest, NotFound
from perinat_sched.figures.actions import Report
from perinat_sched.series import sheet
from perinat_sched.web.desk import html
from perinat_sched.web.desk.figures import pictures
from perinat_sched.web.desk.figures import tables as figure_tables
from perinat_sched.web.desk.figures.tables import Table
from perinat_sched.web.desk.page import PageQuery, Visit
from perinat_sched.web.schemas.base import FIRST_YEAR, LAST_YEAR, QueryInt


class FiguresQuery(PageQuery):
    """Of which network, in which year."""

    network: str = Field(default="", max_length=40)  # the first that is one's own
    year: Annotated[QueryInt, Field(ge=FIRST_YEAR, le=LAST_YEAR)] | None = None  # this one


async def show(visit: Visit[FiguresQuery, None]) -> web.Response:
    report = await _report(visit)
    figures, language = report.figures, visit.language
    total = {"minutes": figures.minutes, "sessions": figures.sessions, "sites": figures.sites}
    sums = {name: sum(row.total for row in rows) for name, rows in total.items()}
    return html.respond(
        visit.request,
        "figures/report.html.j2",
        network=report.network,
        networks=visit.services.reports.networks(visit.actor),
        year=report.year,
        years=(FIRST_YEAR, LAST_YEAR),
        today=i18n.day(zones.to_local(visit.services.clock(), visit.zone), language),
        cards=[
            (figure_tables.TITLES["sessions"], i18n.number(sums["sessions"], language)),
            (figure_tables.TITLES["hours"], i18n.number(sums["minutes"] / 60, language, 1)),
            (figure_tables.TITLES["sites"], i18n.number(sums["sites"], language)),
            (figure_tables.TITLES["cancellations"], i18n.number(sum(r.total for r in figures.cancellations), language)),
            (figure_tables.TO_COME, i18n.number(figures.to_come, language)),
        ],
        tables=figure_tables.tables(report, visit.services.directory, language),
        drawn=pictures.DRAWN,
    )


async def csv(visit: Visit[FiguresQuery, None]) -> web.Response:
    """One table; with decimal commas and semicolons where the reader's spreadsheet wants them."""
    report, table = await _table(visit)
    separator = ";" if visit.language == "fr" else ","
    body = sheet.written(table.header, table.plain(visit.language), separator)
    name = f"{report.network.code}-{report.year}-{table.code}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', **_headers()}
    return web.Response(body=body, content_type="text/csv", charset="utf-8", headers=headers)


async def picture(visit: Visit[FiguresQuery, None]) -> web.Response:
    _, table = await _table(visit)
    if table.code not in pictures.DRAWN or not table.rows:
        raise NotFound
    drawn = pictures.DRAWN[table.code](table)
    headers = {"Content-Security-Policy": pictures.POLICY, **_headers()}
    return web.Response(text=drawn, content_type="image/svg+xml", headers=headers)


async def _table(visit: Visit[FiguresQuery, None]) -> tuple[Report, Table]:
    report = await _report(visit)
    tables = {table.code: table for table in figure_tables.tables(report, visit.services.directory, visit.language)}
    if visit.path("table") not in tables:
        raise NotFound
    return report, tables[visit.path("table")]


async def _report(visit: Visit[FiguresQuery, None]) -> Report:
    """Raises Forbidden where the visitor may read no network's, InvalidRequest where there is no such network."""
    mine = visit.services.reports.networks(visit.actor)
    code = visit.query.network
    if code and code not in visit.services.directory.networks:
        raise InvalidRequest.of(
            "network", "There is no {code} here: take a code of the configuration.", code=repr(code)
        )
    if not code and not mine:
        raise Forbidden
    year = visit.query.year or zones.to_local(visit.services.clock(), visit.zone).year
    return await visit.services.reports.of(visit.actor, code or mine[0].code, year)


def _headers() -> dict[str, Any]:
    return {"Cache-Control": "no-store", "Vary": "Accept-Language, Cookie"}
