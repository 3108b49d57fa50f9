"""A representative programme: everything in a session that some calendar program has been seen to get wrong.

The dates are those that come next, so that the tests hold in any year: the weeks in which Montréal is five hours away,
the nights in which clocks change, and ordinary days.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.clients.office import Feed, Office
from tests.clients.readers import Window

PARIS, TORONTO = ZoneInfo("Europe/Paris"), ZoneInfo("America/Toronto")
TODAY = datetime.now(UTC).date()
YEAR = [TODAY + timedelta(days=number) for number in range(3, 380)]  # within a feed's window: every change of clocks
WINDOW = Window(*(datetime.combine(TODAY + timedelta(days=days), time(), UTC) for days in (-90, 430)))
THOUSAND = 1000

# The example network has no site across the date line, none that feeds of 0, 1 and 1,000 sessions could be of, and
# Miquelon, which changes its clocks with North America, is not active in it.
MORE_SITES = """
[[networks]]
code = "ateliers"

[[sites]]
code = "noumea"
name = "CHT de Nouvelle-Calédonie"
kind = "partner"
city = "Nouméa"
timezone = "Pacific/Noumea"
networks = ["perinat"]
opening_hours = [{ days = ["mo", "tu", "we", "th", "fr"], from = "08:00", to = "17:00" }]
""" + "".join(
    f"""
[[sites]]
code = "{code}"
name = "Site « {code} », n° 1; \\"essai\\""
timezone = "Europe/Paris"
networks = ["ateliers"]
set_up_minutes = 0
release_minutes = 0
opening_hours = [{{ days = ["mo", "tu", "we", "th", "fr", "sa", "su"], from = "00:00", to = "24:00" }}]
rooms = [{{ code = "{code}-1" }}]
"""
    for code in ("none", "one", "thousand")
)

TEXTS = [
    "Cœur fœtal, élève n° 3 — « œdème » ; à l’été, ça va ?",
    "Réunion 🤰🏽👶🏿👩‍⚕️ 🇫🇷 ✅",
    "Guillemets \"doubles\", 'simples', “anglais” et ^n ^^ ^'",
    "Virgules, points-virgules ; deux-points : barres \\ \\n \\, \\; et | fins \\",
    "BEGIN:VEVENT et END:VCALENDAR",
    "100 % <b>non</b> &amp; & {title} %s $HOME `ls`",
    "日本語 العربية עברית Ελληνικά ﬁ ａ e\u0301",
    "é" * 200,
    "🤰" * 120 + ".",
    "mot " * 49 + "fin",
    "x" * 190,
    ";TZID=UTC:20270101T000000Z",
]
LONG = "\n".join(f"Ligne {number} : {text}" for number, text in enumerate(TEXTS * 6)) + "\n\n\tfin, \\; de texte"
LINKS = [
    "https://visio.example/salle/p%C3%A9rinat?x=1,2;y&z=%C3%A9#frag",
    "https://visio.example/" + "a,b;c/" * 60,
]


def offset(day: date, zone: ZoneInfo, hour: int = 12) -> timedelta:
    return datetime.combine(day, time(hour), zone).utcoffset() or timedelta()


def odd_weeks() -> list[date]:
    """The Mondays and Thursdays on which Montréal is not six hours behind Lille."""
    return [
        day
        for day in YEAR
        if day.weekday() in (0, 3) and offset(day, PARIS) - offset(day, TORONTO) != timedelta(hours=6)
    ]


def night(zone: ZoneInfo, *, autumn: bool) -> date:
    """The next Sunday on which the clocks of a zone are put back, or forward."""
    before = {day: offset(day - timedelta(days=1), zone) for day in YEAR}
    return next(d for d in YEAR if (before[d] > offset(d, zone) if autumn else before[d] < offset(d, zone)))


def ordinary_days() -> Iterator[date]:
    """Tuesdays and Wednesdays, one after the other."""
    return (day for day in YEAR if day.weekday() in (1, 2))


def add_sites(config: Path) -> None:
    """Make the example network the one that the programme needs."""
    network = config / "network.toml"
    text = network.read_text()
    head, miquelon, tail = text.partition('code = "miquelon"')
    assert miquelon and "active = false" in tail
    network.write_text(head + miquelon + tail.replace("active = false\n", "", 1) + MORE_SITES)


def book(office: Office) -> None:
    """Book all of it but the thousand."""
    _odd_weeks(office)
    _nights(office)
    _overseas(office)
    _texts(office)
    _states(office)
    office.book(f"{YEAR[40]}T09:00", network="ateliers", host_site="one")


def book_thousand(office: Office, number: int = THOUSAND) -> None:
    """One after the other in one room, day and night, over summer and winter time."""
    first = datetime.combine(night(PARIS, autumn=True) - timedelta(days=10), time(), PARIS).astimezone(UTC)
    for count in range(number):
        start = first + timedelta(minutes=30 * count)
        office.book(f"{start:%Y-%m-%dT%H:%M}:00Z", network="ateliers", host_site="thousand", duration_minutes=30)


def _odd_weeks(office: Office) -> None:
    days = odd_weeks()
    assert len(days) >= 4
    for day in days:
        office.book(f"{day}T15:00", required_sites=["calais"], optional_sites=["sainte-justine"])


def _nights(office: Office) -> None:
    """Sessions up to, through and in the skipped and the repeated hour, and on the days around them."""
    for zone, zone_name in ((PARIS, "Europe/Paris"), (TORONTO, "America/Toronto")):
        at: dict[str, Any] = {"timezone": zone_name, "rooms": {"lille": "lille-1"}, "required_sites": ["calais"]}
        spring, autumn = night(zone, autumn=False), night(zone, autumn=True)
        hour = 2 if zone is PARIS else 1  # which comes twice in autumn
        for day in (spring, autumn):
            for around in (-1, 1):
                office.book(f"{day + timedelta(days=around)}T{hour:02}:15", duration_minutes=30, **at)
            office.book(f"{day}T12:00", duration_minutes=30, **at)
        office.book(f"{spring}T00:30", duration_minutes=180, **at)
        office.book(f"{autumn}T{hour - 1:02}:00", duration_minutes=75, **at)
        for fold in (0, 1):
            office.book(f"{autumn}T{hour:02}:30", duration_minutes=15, fold=fold, **at)
            office.book(f"{autumn}T{hour:02}:50", duration_minutes=20, fold=fold, **at)
        elsewhere: dict[str, Any] = {"rooms": {"lille": "lille-2"}, "required_sites": ["reunion"]}
        office.book(f"{autumn}T00:00", duration_minutes=300, timezone=zone_name, **elsewhere)


def _overseas(office: Office) -> None:
    days = ordinary_days()
    for zone_name, site in (
        ("Indian/Reunion", "reunion"),
        ("Pacific/Noumea", "noumea"),
        ("America/Miquelon", "miquelon"),
    ):
        for hour in ("00:30", "08:00", "23:30"):
            office.book(f"{next(days)}T{hour}", timezone=zone_name, required_sites=[site])
    # Jerusalem's clocks follow no rule that a VTIMEZONE can say, Dublin's summer is its "standard" time.
    for zone_name in ("Asia/Jerusalem", "Asia/Kolkata", "Europe/Dublin", "Australia/Lord_Howe", "America/Vancouver"):
        for month in (3, 10):
            day = next(day for day in YEAR if day.month == month and day.day == 20)
            office.book(f"{day}T11:00", timezone=zone_name, duration_minutes=15, required_sites=["lens"])


def _texts(office: Office) -> None:
    for day, text in zip(ordinary_days(), TEXTS, strict=False):
        office.book(f"{day}T18:00", title=text, description=text, required_sites=["calais"], kind="rcp")
    for day, link in zip(ordinary_days(), LINKS, strict=False):
        office.book(f"{day}T21:00", description=LONG[:9000], join_url=link, required_sites=["calais"], kind="rmm")


def _states(office: Office) -> None:
    days = ordinary_days()
    with_calais: dict[str, Any] = {"required_sites": ["calais"], "rooms": {"lille": "lille-2"}}
    office.book(f"{next(days)}T10:00", confirmed=False, **with_calais)
    office.cancel(office.book(f"{next(days)}T10:00", **with_calais))
    moved = office.book(f"{next(days)}T10:00", **with_calais)
    moved = office.change(moved, start=f"{next(days)}T11:00")
    moved = office.change(moved, start=f"{next(days)}T10:00", duration_minutes=90, timezone="America/Toronto")
    assert moved["sequence"] >= 2
    office.answer(office.book(f"{next(days)}T10:00", **with_calais), "calais", "declined")
    office.cancel(office.change(office.book(f"{next(days)}T10:00", **with_calais), title="Déplacée, puis annulée"))


def open_feeds(office: Office) -> list[Feed]:
    """Every scope, level of detail and language, and feeds of 0, 1 and 1,000 sessions."""
    return [
        office.open_feed(scope, of, detail, language)
        for scope, of in (("site", "lille"), ("room", "calais-1"), ("network", "perinat"))
        for detail in ("full", "kind", "busy")
        for language in ("fr", "en")
    ] + [office.open_feed("site", of) for of in ("calais", "sainte-justine", "noumea", "none", "one", "thousand")]
