"""`config/network.toml` → the directory of networks, bridges, kinds, sites and rooms.

What a person writes once for an installation, read in the order of the file. Everything that is wrong is noted
(`reading.Table`) and reading goes on, so that one run of `check` names it all; references are checked against what
was read before them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import date

from perinat_sched.reading import Table, Wrong, nearest, one_line
from perinat_sched.sites import values
from perinat_sched.sites.network import (
    MINUTES_A_DAY,
    Bridge,
    Defaults,
    Directory,
    Kind,
    Level,
    Limits,
    Network,
    OpeningHours,
    QuietHours,
    Reminder,
    Room,
    Site,
    SiteKind,
)

HOURS_A_YEAR = 366 * 24
MOST_PORTS = 10_000
MOST_SEATS = 10_000


def read_directory(table: Table, lead_times: tuple[Reminder, ...], calendars: Collection[str]) -> Directory:
    """Everything configured. `lead_times` are those of kinds that name none; `calendars`, the names of the .ics files.

    Notes on the table's list whatever is wrong; the result is of use only where nothing was.
    """
    named: dict[str, str] = {}
    networks = [_network(entry, named) for entry in table.tables("networks", required=True)]
    network_codes = {network.code for network in networks}

    defaults = _defaults(table.table("defaults"))
    named = {}
    kinds = [_kind(entry, named, defaults, lead_times) for entry in table.tables("kinds", required=True)]

    places: dict[str, str] = {}  # bridges, sites and rooms share their codes: closures go by them
    bridges = [_bridge(entry, places, network_codes) for entry in table.tables("bridges")]
    sites = [_site(entry, places, network_codes, calendars) for entry in table.tables("sites", required=True)]
    table.finish()
    return Directory(
        networks={network.code: network for network in networks},
        bridges={bridge.code: bridge for bridge in bridges},
        kinds={kind.code: kind for kind in kinds},
        sites={site.code: site for site in sites},
        rooms={room.code: room for site in sites for room in site.rooms},
        defaults=defaults,
    )


def _defaults(table: Table) -> Defaults:
    usual = Defaults()
    grid = table.whole("grid_minutes", usual.grid_minutes, 1, 60)
    if 60 % grid:
        table.complain(
            "grid_minutes", f"{grid} does not divide an hour", "write 1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30 or 60"
        )
        grid = usual.grid_minutes
    said = _limits(table, notice=True)

    def or_usual(minutes: int | None, default: int) -> int:
        return default if minutes is None else minutes

    return Defaults(
        set_up_minutes=or_usual(said.set_up_minutes, usual.set_up_minutes),
        release_minutes=or_usual(said.release_minutes, usual.release_minutes),
        minimum_notice_hours=or_usual(said.minimum_notice_hours, usual.minimum_notice_hours),
        max_duration_minutes=or_usual(said.max_duration_minutes, usual.max_duration_minutes),
        grid_minutes=grid,
    )


def _limits(table: Table, *, notice: bool) -> Limits:
    """What a place or kind says of its own; a room has no `notice`."""
    return Limits(
        set_up_minutes=table.whole("set_up_minutes", None, 0, MINUTES_A_DAY),
        release_minutes=table.whole("release_minutes", None, 0, MINUTES_A_DAY),
        minimum_notice_hours=table.whole("minimum_notice_hours", None, 0, HOURS_A_YEAR) if notice else None,
        max_duration_minutes=table.whole("max_duration_minutes", None, 1, MINUTES_A_DAY),
    )


def _code(table: Table, taken: dict[str, str]) -> str:
    """The code of a table, which nothing in `taken` (code → its place in the file) has yet."""
    code = table.value("code", values.code, "", required=True)
    if code in taken:
        table.complain("code", f'"{code}" is the code of {taken[code]} already', "give each its own code")
    elif code:
        taken[code] = table.place
    return code


def _one_of(known: Collection[str], noun: str) -> Callable[[str], str]:
    def reference(text: str) -> str:
        if text not in known:
            raise Wrong(f"there is no {noun} {text[:60]!r}", nearest(text, known))
        return text

    return reference


def _network(table: Table, taken: dict[str, str]) -> Network:
    code = _code(table, taken)
    return Network(code=code, name=table.text("name", code))


def _bridge(table: Table, taken: dict[str, str], networks: Collection[str]) -> Bridge:
    code = _code(table, taken)
    return Bridge(
        code=code,
        name=table.text("name", code),
        ports=table.whole("ports", 1, 1, MOST_PORTS, required=True),
        networks=table.texts("networks", _one_of(networks, "network"), required=True),
    )


def _kind(table: Table, taken: dict[str, str], defaults: Defaults, lead_times: tuple[Reminder, ...]) -> Kind:
    code = _code(table, taken)
    name = _in_both_languages(table, "name", required=True)
    limits = _limits(table, notice=True)
    duration = table.whole("duration_minutes", 60, 1, MINUTES_A_DAY)
    if duration % defaults.grid_minutes:
        table.complain(
            "duration_minutes",
            f"{duration} is not a multiple of the grid",
            f"write a multiple of {defaults.grid_minutes} (defaults.grid_minutes)",
        )
    longest = limits.max_duration_minutes or defaults.max_duration_minutes
    if duration > longest:
        table.complain(
            "duration_minutes",
            f"{duration} is longer than a session may be ({longest})",
            "shorten it, or raise max_duration_minutes of this kind",
        )
    return Kind(
        code=code,
        name=name,
        title=_in_both_languages(table, "title") if table.given("title") else name,
        priority=table.choice("priority", ("clinical", "teaching", "administration", "technical"), "clinical"),
        duration_minutes=duration,
        reminders=read_lead_times(table, "reminders", lead_times),
        limits=limits,
    )


def _in_both_languages(table: Table, key: str, *, required: bool = False) -> Mapping[str, str]:
    words = table.table(key, required=required)
    asked = required and not table.given(key)  # its absence is noted once, not once a language
    return {language: words.text(language, required=not asked) for language in ("fr", "en")}


def read_lead_times(table: Table, key: str, default: tuple[Reminder, ...]) -> tuple[Reminder, ...]:
    """Lead times of reminders, the longest first; two of the same length (P7D, P1W) are one too many."""
    if not table.given(key):
        return default
    leads = table.texts(key, values.lead_time)
    for index, lead in enumerate(leads):
        if any((lead.days, lead.rest) == (other.days, other.rest) for other in leads[:index]):
            table.complain(key, f'"{lead.text}" is named twice', "remove one of them")
    return tuple(sorted(leads, key=lambda lead: (lead.days, lead.rest), reverse=True))


def read_quiet_hours(table: Table, key: str) -> QuietHours | None:
    """From when until when nobody is reminded, `["21:00", "07:00"]`; none unless given."""
    hours = table.texts(key, values.clock)
    if not hours:
        return None
    if len(hours) != 2 or len({minute % MINUTES_A_DAY for minute in hours}) != 2:
        table.complain(key, "is no night", 'write when it begins and when it ends: ["21:00", "07:00"]')
        return None
    begins, ends = hours
    return QuietHours(begins=begins, ends=ends)


def _site(table: Table, taken: dict[str, str], networks: Collection[str], calendars: Collection[str]) -> Site:
    code = _code(table, taken)
    kind: SiteKind = table.choice("kind", ("maternity", "hospital", "partner"), "maternity")
    return Site(
        code=code,
        name=table.text("name", required=True),
        kind=kind,
        legal_status=table.choice("legal_status", ("public", "private", "espic"), "public"),
        levels=_levels(table.tables("levels")),
        finess=table.value("finess", values.finess, None),
        city=table.value("city", one_line, None),
        phone=table.value("phone", values.phone, None),
        timezone=table.value("timezone", values.zone, "UTC", required=True),
        holidays=table.value("holidays", values.holidays_code, ""),
        language=table.choice("language", ("fr", "en"), "fr"),
        networks=table.texts("networks", _one_of(networks, "network"), required=True),
        answers=table.choice("answers", ("automatic", "by_hand"), "automatic"),
        contacts=table.texts("contacts", values.email),
        active=table.flag("active", True),
        calendars=table.texts("calendars", _one_of(calendars, "calendar")),
        opening_hours=tuple(_hours(entry) for entry in table.tables("opening_hours", required=True)),
        rooms=tuple(_room(entry, code, taken) for entry in table.tables("rooms", required=kind != "partner")),
        limits=_limits(table, notice=True),
    )


def _levels(tables: list[Table]) -> tuple[Level, ...]:
    levels: list[Level] = []
    for table in tables:
        since = table.value("from", values.day, date.min, required=True)
        if since != date.min and any(level.since == since for level in levels):
            table.complain("from", f"two levels begin on {since}", "give each level its own date")
        if not table.given("level"):
            table.complain("level", "is missing", "write I, IIA, IIB or III")
        levels.append(Level(since=since, level=table.choice("level", ("I", "IIA", "IIB", "III"), "I")))
    return tuple(sorted(levels, key=lambda level: level.since))


def _hours(table: Table) -> OpeningHours:
    opens = table.value("from", values.clock, 0, required=True)
    closes = table.value("to", values.clock, MINUTES_A_DAY, required=True)
    if opens >= closes:
        table.complain(
            "to", "the site closes before it opens", 'write a later "to"; over midnight, two entries meet at "24:00"'
        )
    weekdays = frozenset(table.texts("days", values.weekday, required=True))
    return OpeningHours(weekdays=weekdays, opens=opens, closes=closes)


def _room(table: Table, site: str, taken: dict[str, str]) -> Room:
    code = _code(table, taken)
    return Room(
        code=code,
        site=site,
        name=table.text("name", code),
        seats=table.whole("seats", None, 1, MOST_SEATS),
        endpoint=table.value("endpoint", values.endpoint, None),
        limits=_limits(table, notice=False),
    )
