from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from html.parser import HTMLParser
from typing import Any

import pytest
from icalendar import Calendar

from perinat_sched import i18n
from perinat_sched.booking.session import Session
from perinat_sched.i18n import Language
from perinat_sched.notices.bundle import Bundle, Told
from perinat_sched.notices.drift import warnings
from perinat_sched.notices.messages import Shared, _printed, compose, digest, warning
from perinat_sched.notices.mime import UnsafeHeader
from perinat_sched.notices.notice import Notice, OddPeriod, code_before
from perinat_sched.notices.readers import facts_for, readers_of
from perinat_sched.series.series import Series
from perinat_sched.sites.network import Directory
from tests.builders import A_DAY_BEFORE
from tests.feeds.examples import same_as_golden
from tests.notices.examples import (
    A_WEEK_BEFORE,
    CALAIS,
    DOMAIN,
    LILLE,
    MAIL_FROM,
    MONTREAL,
    NETWORK,
    Desk,
    a_series,
    changed,
    content,
    network,
    part,
    read,
    session,
)

EVERYWHERE = (
    LILLE,
    CALAIS,
    MONTREAL,
    part("childrens", "pending", required=False),
    part("reunion", "pending", required=False),
    part("noumea", "pending", required=False),
)
WIDE = session(participations=EVERYWHERE, description="Ordre du jour :\n- tour de table\n- <calendrier> & suite")
ODD = session("2027-03-18T15:00", participations=EVERYWHERE)
OVERRIDDEN = session(
    participations=(LILLE, CALAIS, replace(MONTREAL, overridden=True)), override_reason="Seul créneau du pont"
)
MOVED = changed(
    WIDE,
    "2027-04-01T14:30",
    duration=timedelta(minutes=90),
    join_url="https://visio.example/autre",
    participations=(replace(LILLE, room=None), replace(CALAIS, room="calais-2"), *EVERYWHERE[2:4], EVERYWHERE[5]),
)
CANCELLED = changed(WIDE, status="cancelled", cancellation_code="postponed", cancellation_reason="Pont en panne")
REMOVED = changed(WIDE, "2027-04-01T14:30", participations=(LILLE, CALAIS))
REFUSED = changed(WIDE, participations=(LILLE, part("calais", "declined", comment="Bloc occupé"), *EVERYWHERE[2:]))
MOVED_FOR_ALL = changed(WIDE, "2027-03-18T14:30")  # into the odd week
BACK_TO_NORMAL = changed(ODD, "2027-04-01T15:00")
CANCELLED_ODD = changed(ODD, status="cancelled", cancellation_code="no_case")
SHORTLY = timedelta(days=16, hours=6)  # after the booking; two hours less than two days before the start
SHORT_MOVE = changed(WIDE, "2027-01-25T15:00", after=SHORTLY)
SHORT_CANCELLATION = changed(WIDE, status="cancelled", cancellation_code="staffing", after=SHORTLY)
NO_SHOW = changed(WIDE, status="cancelled", cancellation_code="no_show", updated_at=WIDE.end + timedelta(hours=1))
LOST = changed(
    WIDE,
    status="tentative",
    participations=(LILLE, replace(CALAIS, room=None, held=False, lost=True), *EVERYWHERE[2:]),
)
BRIDGE_LOST = changed(WIDE, status="tentative", bridge=None, ports=0, bridge_lost=True)
SECOND = replace(
    session("2027-01-21T16:30", participations=EVERYWHERE), id="second", uid="second", title="Visio Périnat — CPDPN"
)
ODD_SECOND = replace(
    session("2027-03-25T15:00", participations=EVERYWHERE), id="odd-second", title="Visio Périnat — CPDPN"
)
ODD_PERIOD = OddPeriod(
    zone="Europe/Paris",
    other="America/Toronto",
    start=datetime(2027, 3, 14, 7, tzinfo=UTC),
    end=datetime(2027, 3, 28, 1, tzinfo=UTC),
)

LATE = WIDE.start - timedelta(hours=20)  # the last reminder has left
ACCEPTED_LATE = changed(
    WIDE,
    sequence=0,
    updated_at=LATE,
    participations=(*EVERYWHERE[:2], *(replace(one, answer="accepted") for one in EVERYWHERE[2:])),
)
ANOTHER_CODE = changed(WIDE, sequence=0, updated_at=LATE, access_code="0815")
MOVED_LATE = changed(ANOTHER_CODE, "2027-01-21T15:30", after=timedelta())
THREAD = "<first@perinat.example>"
STOP = "https://visio.example/unsubscribe/c2VhbGVk"


def in_language(language: Language) -> Directory:
    """The network as one language reads it."""
    sites = {code: replace(site, language=language) for code, site in NETWORK.sites.items()}
    return replace(NETWORK, sites=sites)


def planned(kind: str, site: str, about: Session, told: Session | None = None, desk: Desk | None = None) -> Notice:
    """The row that delivery would find for a site's first contact."""
    desk = desk or Desk()
    if told is not None:
        desk.plan(told)
        desk.sent()
    desk.plan(about)
    return next(row for row in desk.rows.values() if (row.kind, row.site) == (kind, site) and row.state != "sent")


def mail(kind: str, site: str, about: Session, told: Session | None = None, *, directory: Directory = NETWORK) -> bytes:
    before = facts_for(told, NETWORK, site) if told else None
    row = planned(kind, site, about, told)
    return compose(
        row,
        about,
        directory,
        mail_from=MAIL_FROM,
        before=before,
        thread=THREAD if told else None,
        stop_url=STOP if kind == "reminder" else None,
    )


def code_mail(site: str, about: Session, *, directory: Directory = NETWORK) -> bytes:
    """The last reminder has left, and only then the site accepts, or the code becomes another."""
    desk = Desk()
    desk.plan(WIDE)
    desk.sent()
    desk.becomes("sent", kind="reminder")
    desk.plan(about)
    row = next(row for row in desk.rows.values() if (row.site, row.state) == (site, "due"))
    rows = list(desk.rows.values())
    before = facts_for(WIDE, NETWORK, site)
    return compose(
        row,
        about,
        directory,
        mail_from=MAIL_FROM,
        before=before,
        code_before=code_before(row, rows),
        thread=THREAD,
        stop_url=STOP if row.kind == "reminder" else None,
    )


def digest_mail(site: str, *, directory: Directory = NETWORK) -> bytes:
    reminders = [(planned("reminder", site, each), each) for each in (SECOND, WIDE)]
    return digest(reminders, directory, mail_from=MAIL_FROM, stop_url=STOP)


def drift_mail(*sessions: Session, directory: Directory = NETWORK) -> bytes:
    desk = Desk(directory)
    rows = warnings(ODD_PERIOD, sessions, directory, now=ODD_PERIOD.start - timedelta(days=14), domain=DOMAIN)
    row = next(row for row in rows if row.site == "sainte-justine")
    assert desk.rows == {}
    return warning(row, ODD_PERIOD, sessions, directory, mail_from=MAIL_FROM)


def law_mail(site: str, *, directory: Directory = NETWORK, stays: bool = False) -> bytes:
    """The same wall time has become another instant: an hour later it used to be, and for most it was told so."""
    now = changed(ODD)
    told = facts_for(ODD, NETWORK, site)
    assert told.local
    earlier = told.local if stays else told.local - timedelta(hours=1)
    before = replace(told, start=told.start - timedelta(hours=1), local=earlier)
    row = replace(planned("invitation", site, now), kind="update", facts=facts_for(now, NETWORK, site))
    return compose(row, now, directory, mail_from=MAIL_FROM, before=before, thread=THREAD)


def zone_mail(*, directory: Directory = NETWORK) -> bytes:
    """The site was configured with Paris's clock until somebody mended that."""
    elsewhere = network(reunion=replace(NETWORK.sites["reunion"], timezone="Europe/Paris"))
    before = facts_for(WIDE, elsewhere, "reunion")
    row = replace(planned("invitation", "reunion", WIDE), kind="update")
    return compose(row, WIDE, directory, mail_from=MAIL_FROM, before=before, thread=THREAD)


DAYS = ["2027-03-04", "2027-03-11", "2027-03-18", "2027-03-25", "2027-04-01"]  # two of them in the odd weeks
SERIES, THURSDAYS = a_series(*DAYS, participations=EVERYWHERE, description="Ordre du jour : à venir")
# The second in another room and for longer, the fourth not at all
AS_BOOKED = [
    THURSDAYS[0],
    replace(
        THURSDAYS[1],
        duration=timedelta(minutes=90),
        participations=(LILLE, replace(CALAIS, room="calais-2"), *EVERYWHERE[2:]),
    ),
    THURSDAYS[2],
    THURSDAYS[4],
]
AT_FOUR = replace(SERIES.session, wall_start=THURSDAYS[0].wall_start.replace(hour=16))
LATER, ENDED = replace(SERIES, sequence=1, session=AT_FOUR), replace(SERIES, sequence=1)
AN_HOUR_LATER = [
    changed(one, f"{one.wall_start:%Y-%m-%d}T16:00", recurrence=one.wall_start.replace(hour=16)) for one in THURSDAYS
]
OFF = [changed(one, status="cancelled", cancellation_code="staffing") for one in THURSDAYS]
GONE_OVER = [
    *THURSDAYS[:2],
    *(changed(one, series="b", uid="5f8d2c1e-0000-4000-8000-00000000000b@perinat-sched") for one in THURSDAYS[2:]),
]
DECLINED = [
    changed(one, participations=(LILLE, part("calais", "declined"), *EVERYWHERE[2:]), status="tentative")
    for one in THURSDAYS
]
LESS = [
    changed(one, participations=(LILLE, replace(CALAIS, room=None, held=False, lost=True), *EVERYWHERE[2:]))
    for one in THURSDAYS
]
WITHOUT_REUNION = [changed(one, participations=(*EVERYWHERE[:4], EVERYWHERE[5])) for one in THURSDAYS]


def series_mail(
    kind: str,
    site: str,
    dates: list[Session],
    told: list[Session] | None = None,
    series: Series = SERIES,
    *,
    directory: Directory = NETWORK,
) -> bytes:
    """The mail of all dates of a series that have such a notice for a site."""
    found = []
    for number, one in enumerate(dates):
        desk, before = Desk(), told[number] if told else None
        if before is None or before != one:
            row = planned(kind, site, one, before, desk)
            facts = facts_for(before, NETWORK, site) if before else None
            found.append(Told(notice=row, session=one, before=facts))
    [reader] = {one.notice.recipient for one in found}
    attending = [
        (one, to.site)
        for one in dates
        if one.uid == series.uid and (to := readers_of(one, NETWORK).get(reader)) is not None
    ]
    bundle = Bundle(series=series, told=tuple(found), attending=tuple(attending), invited=told is not None)
    first = found[0]
    return compose(
        first.notice,
        first.session,
        directory,
        mail_from=MAIL_FROM,
        thread=THREAD if told else None,
        bundle=bundle,
    )


SERIES_CASES: dict[str, tuple[Any, ...]] = {
    "series-invitation-host": ("invitation", "lille", AS_BOOKED),
    "series-invitation-paris": ("invitation", "calais", AS_BOOKED),
    "series-invitation-montreal": ("invitation", "sainte-justine", AS_BOOKED),
    "series-invitation-noumea": ("invitation", "noumea", AS_BOOKED),
    "series-update-paris": ("update", "calais", AN_HOUR_LATER, THURSDAYS, LATER),
    "series-update-montreal": ("update", "sainte-justine", AN_HOUR_LATER, THURSDAYS, LATER),
    "series-ending-montreal": ("cancellation", "sainte-justine", GONE_OVER, THURSDAYS, ENDED),
    "series-cancellation-paris": ("cancellation", "calais", OFF, THURSDAYS, ENDED),
    "series-cancellation-noumea": ("cancellation", "noumea", OFF, THURSDAYS, ENDED),
    "series-cancellation-removed-reunion": ("cancellation", "reunion", WITHOUT_REUNION, THURSDAYS, ENDED),
    "series-declined-host": ("declined", "lille", DECLINED, THURSDAYS),
    "series-place-lost-host": ("place-lost", "lille", LESS, THURSDAYS),
    "series-place-lost-paris": ("place-lost", "calais", LESS, THURSDAYS),
}
CASES: dict[str, tuple[Any, ...]] = {
    "invitation-host": ("invitation", "lille", WIDE),
    "invitation-paris": ("invitation", "calais", WIDE),
    "invitation-montreal": ("invitation", "sainte-justine", WIDE),
    "invitation-reunion": ("invitation", "reunion", WIDE),
    "invitation-noumea": ("invitation", "noumea", WIDE),
    "invitation-odd-week-host": ("invitation", "lille", ODD),
    "invitation-odd-week-montreal": ("invitation", "sainte-justine", ODD),
    "invitation-odd-week-reunion": ("invitation", "reunion", ODD),
    "invitation-overridden": ("invitation", "sainte-justine", OVERRIDDEN),
    "update-host": ("update", "lille", MOVED, WIDE),
    "update-paris": ("update", "calais", MOVED, WIDE),
    "update-montreal": ("update", "sainte-justine", MOVED, WIDE),
    "update-odd-week-montreal": ("update", "sainte-justine", MOVED_FOR_ALL, WIDE),
    "update-odd-week-over-montreal": ("update", "sainte-justine", BACK_TO_NORMAL, ODD),
    "update-reunion": ("update", "reunion", MOVED_FOR_ALL, WIDE),
    "update-noumea": ("update", "noumea", MOVED_FOR_ALL, WIDE),
    "update-short-notice-host": ("update", "lille", SHORT_MOVE, WIDE),
    "update-short-notice-noumea": ("update", "noumea", SHORT_MOVE, WIDE),
    "cancellation-paris": ("cancellation", "calais", CANCELLED, WIDE),
    "cancellation-montreal": ("cancellation", "sainte-justine", CANCELLED, WIDE),
    "cancellation-odd-week-montreal": ("cancellation", "sainte-justine", CANCELLED_ODD, ODD),
    "cancellation-reunion": ("cancellation", "reunion", CANCELLED, WIDE),
    "cancellation-noumea": ("cancellation", "noumea", CANCELLED, WIDE),
    "cancellation-short-notice-host": ("cancellation", "lille", SHORT_CANCELLATION, WIDE),
    "cancellation-short-notice-montreal": ("cancellation", "sainte-justine", SHORT_CANCELLATION, WIDE),
    "cancellation-no-show-noumea": ("cancellation", "noumea", NO_SHOW, WIDE),
    "cancellation-removed-reunion": ("cancellation", "reunion", REMOVED, WIDE),
    "cancellation-declined-paris": ("cancellation", "calais", REFUSED, WIDE),
    "declined-host": ("declined", "lille", REFUSED, WIDE),
    "place-lost-host": ("place-lost", "lille", LOST, WIDE),
    "place-lost-paris": ("place-lost", "calais", LOST, WIDE),
    "place-lost-bridge-host": ("place-lost", "lille", BRIDGE_LOST, WIDE),
    "reminder-paris": ("reminder", "calais", WIDE, WIDE),
    "reminder-montreal": ("reminder", "sainte-justine", WIDE, WIDE),
    "reminder-odd-week-montreal": ("reminder", "sainte-justine", ODD, ODD),
    "reminder-reunion": ("reminder", "reunion", WIDE, WIDE),
    "reminder-noumea": ("reminder", "noumea", WIDE, WIDE),
}
LANGUAGES: tuple[Language, ...] = ("fr", "en")


def _mails() -> dict[str, Callable[[], bytes]]:
    """Every mail there can be, by name, in both languages."""
    found: dict[str, Callable[[], bytes]] = {}
    for language in LANGUAGES:
        words = in_language(language)
        for name, case in CASES.items():
            found[f"{name}-{language}"] = partial(mail, *case, directory=words)
        found[f"reminder-code-montreal-{language}"] = partial(
            code_mail, "sainte-justine", ACCEPTED_LATE, directory=words
        )
        found[f"reminder-code-noumea-{language}"] = partial(code_mail, "noumea", ACCEPTED_LATE, directory=words)
        found[f"reminder-code-changed-host-{language}"] = partial(code_mail, "lille", ANOTHER_CODE, directory=words)
        found[f"reminder-code-changed-paris-{language}"] = partial(code_mail, "calais", ANOTHER_CODE, directory=words)
        found[f"update-code-changed-paris-{language}"] = partial(code_mail, "calais", MOVED_LATE, directory=words)
        for name, case in SERIES_CASES.items():
            found[f"{name}-{language}"] = partial(series_mail, *case, directory=words)
        found[f"digest-paris-{language}"] = partial(digest_mail, "calais", directory=words)
        found[f"digest-noumea-{language}"] = partial(digest_mail, "noumea", directory=words)
        found[f"drift-montreal-{language}"] = partial(drift_mail, ODD, ODD_SECOND, directory=words)
        found[f"drift-one-montreal-{language}"] = partial(drift_mail, ODD, directory=words)
        found[f"update-zone-reunion-{language}"] = partial(zone_mail, directory=words)
        found[f"update-law-montreal-{language}"] = partial(law_mail, "sainte-justine", directory=words)
        found[f"update-law-paris-{language}"] = partial(law_mail, "calais", directory=words, stays=True)
    return found


MAILS = _mails()


@pytest.fixture(params=MAILS)
def every_mail(request: pytest.FixtureRequest) -> bytes:
    return MAILS[request.param]()


@pytest.mark.parametrize("name", MAILS)
def test_a_mail_is_as_a_person_has_read_it(name):
    same_as_golden(f"{name}.eml", MAILS[name]())


def plain(raw: bytes) -> str:
    body = read(raw).get_body(("plain",))
    assert body is not None
    return str(body.get_content())


@pytest.mark.parametrize(
    ("about", "site", "hour"),
    [
        pytest.param(WIDE, "lille", "Jeudi 21 janvier 2027 à 15 h 00 (heure de Paris)", id="Lille"),
        pytest.param(WIDE, "sainte-justine", "Jeudi 21 janvier 2027 à 9 h 00 (heure de Montréal)", id="Montréal"),
        pytest.param(ODD, "sainte-justine", "Jeudi 18 mars 2027 à 10 h 00 (heure de Montréal)", id="Montréal, odd"),
        pytest.param(ODD, "childrens", "Thursday 18 March 2027 at 10:00 (Montréal time)", id="in English, odd"),
        pytest.param(WIDE, "reunion", "Jeudi 21 janvier 2027 à 18 h 00 (heure de La Réunion)", id="La Réunion"),
        pytest.param(WIDE, "noumea", "Vendredi 22 janvier 2027 à 1 h 00 (heure de Nouméa)", id="Nouméa, tomorrow"),
    ],
)
def test_subject_and_first_line_are_the_readers_own_hour(about, site, hour):
    """MAIL-06"""
    raw = mail("invitation", site, about)
    assert plain(raw).splitlines()[0].replace("\u00a0", " ") == hour
    assert read(raw)["Subject"].replace("\u00a0", " ").casefold().endswith(hour.casefold())


def test_the_other_sites_hours_follow_with_their_date_where_it_differs():
    text = plain(mail("invitation", "noumea", WIDE)).replace("\u00a0", " ")
    assert "- CHU de Lille – Jeanne de Flandre : jeudi 21 janvier 2027 à 15 h 00 (heure de Paris)" in text
    assert "- CHU Sainte-Justine : 9 h 00 (heure de Montréal)" in plain(mail("invitation", "calais", WIDE)).replace(
        "\u00a0", " "
    )


class Words(HTMLParser):
    """The words of an HTML page, and its tags."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: set[str] = set()
        self.skipping = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self.skipping = tag in ("head", "title", "style") or (self.skipping and tag != "body")

    def handle_data(self, data: str) -> None:
        if not self.skipping:
            self.words += data.split()


def test_text_and_html_say_the_same(every_mail):
    """MAIL-07: identical facts, nothing that needs an image, a script or another host."""
    html = read(every_mail).get_body(("html",))
    assert html is not None
    page = Words(html.get_content())
    flat = [word for word in page.words if word != "·"]
    text = plain(every_mail).replace("\u00a0:", "").replace(": ", " ")
    text = "\n".join(line.removeprefix("- ") for line in text.splitlines())

    def bare(words: list[str]) -> list[str]:
        return [stripped for word in words if (stripped := word.strip(":-·").casefold())]

    assert bare(text.split()) == bare(flat)
    assert not page.tags & {"img", "script", "link", "style", "iframe", "table"}


def test_no_word_is_left_untranslated(every_mail):
    """MAIL-06: every text of ours that stands in the mail stands there in its reader's language."""
    parsed = read(every_mail)
    english = parsed["Content-Language"] == "en"
    foreign = {french: text for text, french in i18n.french().items()} if english else i18n.french()
    text = f"{parsed['Subject']}\n{plain(every_mail)}".replace("\r\n", "\n").casefold()
    colon = ":" if english else "\u00a0:"
    for words, ours in foreign.items():
        if words != ours and "{" not in words and any(map(str.isalpha, words)):
            assert f"- {words}{colon}".casefold() not in text
            assert f"\n{words}\n".casefold() not in text
            assert " " not in words or words.casefold() not in text, words


def test_no_hour_stands_without_its_place(every_mail):
    """MAIL-06: in the body, and in the subject."""
    for line in [read(every_mail)["Subject"], *plain(every_mail).splitlines()]:
        for hour in re.finditer(r"\d{1,2}(?:\u00a0h\u00a0|:)\d\d\b", line):
            assert re.match(r" \((heure d|.+ time)", line[hour.end() :]), line


def test_a_mail_is_ascii_in_short_lines(every_mail):
    assert every_mail.isascii()
    lines = every_mail.split(b"\r\n")
    assert max(len(line) for line in lines if not line.startswith(b"List-Unsubscribe: <")) <= 78
    assert max(map(len, lines)) <= 998
    assert b"\n" not in every_mail.replace(b"\r\n", b"")


def test_a_mail_says_what_it_is(every_mail):
    """MAIL-03"""
    parsed = read(every_mail)
    assert not parsed.defects
    assert parsed["From"] == MAIL_FROM
    assert len(parsed["To"].addresses) == 1
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert parsed["X-Auto-Response-Suppress"] == "All"
    assert parsed["Content-Language"] in ("fr", "en")
    assert parsed["Reply-To"] == "staff@lille.example"
    assert parsedate_to_datetime(parsed["Date"]).utcoffset() == timedelta()
    assert parsed["Message-ID"].endswith("@perinat.example>")


def test_later_mails_hang_on_the_invitation():
    """MAIL-03"""
    assert read(mail("update", "calais", MOVED, WIDE))["References"] == THREAD
    assert read(mail("invitation", "calais", WIDE))["References"] is None


def tree(parsed: Any) -> Any:
    kind = parsed.get_content_type()
    return (kind, [tree(each) for each in parsed.iter_parts()]) if parsed.is_multipart() else kind


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("invitation-paris-fr", "REQUEST"),
        ("update-paris-fr", "REQUEST"),
        ("place-lost-paris-fr", "REQUEST"),
        ("cancellation-montreal-en", "CANCEL"),
        ("cancellation-removed-reunion-en", "CANCEL"),
        ("cancellation-declined-paris-fr", "CANCEL"),
        ("series-invitation-montreal-fr", "REQUEST"),
        ("series-update-paris-fr", "REQUEST"),
        ("series-ending-montreal-en", "REQUEST"),
        ("series-cancellation-noumea-en", "CANCEL"),
    ],
)
def test_what_changes_calendars_is_itip_by_mail(name, method):
    """ITIP-01, ITIP-02, ITIP-03, ITIP-04, ITIP-05, ITIP-07"""
    parsed = read(MAILS[name]())
    assert tree(parsed) == (
        "multipart/mixed",
        [("multipart/alternative", ["text/plain", "text/html", "text/calendar"]), "application/ics"],
    )
    alternatives, file = parsed.iter_parts()
    calendar = list(alternatives.iter_parts())[-1]
    assert calendar.get_content_disposition() is None
    assert (calendar.get_param("method"), calendar.get_param("charset")) == (method, "UTF-8")
    ics = content(calendar)
    assert ics == content(file)
    assert b"\n" not in ics.replace(b"\r\n", b"")
    assert ics.count(b"METHOD:") == 1
    assert ics.index(b"METHOD:") < ics.index(b"BEGIN:V", 1)
    event = Calendar.from_ical(ics)
    assert event["METHOD"] == method
    [attendee] = [event.walk("VEVENT")[0]["ATTENDEE"]]
    assert attendee == f"mailto:{parsed['To']}"
    assert attendee.params["RSVP"] == "FALSE"
    assert attendee.params["CUTYPE"] == "GROUP"
    assert event.walk("VEVENT")[0]["ORGANIZER"] == "mailto:visio@perinat.example"
    assert parsed["From"].addresses[0].addr_spec == "visio@perinat.example"
    assert (event.walk("VEVENT")[0]["STATUS"] == "CANCELLED") == (method == "CANCEL")


@pytest.mark.parametrize(("name", "status"), [("invitation-paris-fr", "BUSY"), ("place-lost-paris-fr", "TENTATIVE")])
def test_a_tentative_session_is_tentative_in_calendars_too(name, status):
    """ITIP-09"""
    [calendar] = [each for each in read(MAILS[name]()).walk() if each.get_content_type() == "text/calendar"]
    assert Calendar.from_ical(content(calendar)).walk("VEVENT")[0]["X-MICROSOFT-CDO-BUSYSTATUS"] == status


def test_the_calendar_part_brings_its_clock_in_the_form_that_outlook_reads():
    """ITIP-11, ICS-11: one VTIMEZONE, by rule."""
    [calendar] = [
        each for each in read(MAILS["update-paris-fr"]()).walk() if each.get_content_type() == "text/calendar"
    ]
    ics = content(calendar)
    assert ics.count(b"BEGIN:VTIMEZONE\r\nTZID:Europe/Paris\r\n") == ics.count(b"BEGIN:VTIMEZONE") == 1
    assert b"RRULE:FREQ=YEARLY" in ics
    assert b"RDATE" not in ics
    assert b"DTSTART;TZID=Europe/Paris:" in ics


def test_a_mail_is_complete_without_a_calendar(every_mail):
    """ITIP-10: the hour, the link where there is one, and whom to ring."""
    parsed, text = read(every_mail), plain(every_mail)
    coming = not parsed["Subject"].startswith(("Annul", "Cancel", "Heure", "Unusual"))
    assert ("https://visio.example/" in text.replace(STOP, "")) == coming
    assert "+33 3 2" in text


def test_what_is_handed_over_next_has_a_later_dtstamp_for_the_same_sequence():
    """ITIP-06: a site that leaves, comes and leaves again within a second, without a new SEQUENCE."""
    desk, now = Desk(), session()
    desk.plan(now)
    gone = (LILLE, replace(CALAIS, answer="declined"), MONTREAL)
    stamps = []
    for parts in (now.participations, gone, now.participations, gone):
        now = changed(now, participations=parts, sequence=0, after=timedelta())
        desk.plan(now)
        [row] = [row for row in desk.rows.values() if row.state == "due" and row.news and row.site == "calais"]
        parsed = read(compose(row, now, NETWORK, mail_from=MAIL_FROM))
        [calendar] = [each for each in parsed.walk() if each.get_content_type() == "text/calendar"]
        event = Calendar.from_ical(content(calendar)).walk("VEVENT")[0]
        assert event["SEQUENCE"] == 0
        stamps.append(event.decoded("DTSTAMP"))
        desk.sent()
    assert stamps == sorted(set(stamps))


@pytest.mark.parametrize("name", MAILS)
def test_reminders_alone_say_how_to_get_no_more_of_them(name):
    """MAIL-04"""
    parsed = read(MAILS[name]())
    stoppable = name.startswith(("reminder", "digest"))
    assert parsed["List-Unsubscribe"] == (f"<{STOP}>" if stoppable else None)
    assert parsed["List-Unsubscribe-Post"] == ("List-Unsubscribe=One-Click" if stoppable else None)
    assert (STOP in plain(MAILS[name]())) == stoppable


@pytest.mark.parametrize(
    ("hours", "short"),
    [
        pytest.param(47, True, id="47 hours before the start"),
        pytest.param(48, False, id="48 hours before"),
        pytest.param(-1, False, id="after the start"),
    ],
)
def test_a_cancellation_says_that_less_than_48_hours_remain(hours, short):
    """HTTP-09: and it lists whom to ring."""
    after = WIDE.start - timedelta(hours=hours) - WIDE.updated_at
    cancelled = changed(WIDE, status="cancelled", after=after)
    text = plain(mail("cancellation", "lille", cancelled, WIDE))
    assert ("moins de 48" in text.replace("\u00a0", " ")) == short
    assert ("À APPELER SANS ATTENDRE" in text) == short
    assert "+33 3 21 00 00 00" in text


def test_a_move_away_from_tomorrow_is_short_notice_and_names_the_site_that_no_longer_comes():
    gone = changed(SHORT_MOVE, participations=EVERYWHERE[:5], sequence=1)
    text = plain(mail("update", "lille", replace(gone, updated_at=SHORT_MOVE.updated_at), WIDE))
    assert "À APPELER SANS ATTENDRE" in text
    assert "CHT de Nouvelle-Calédonie" in text.partition("À APPELER SANS ATTENDRE")[2]


def test_contacts_of_one_site_get_the_same_words_laid_out_once():
    row = planned("invitation", "lille", WIDE)
    rows = [row, replace(row, key="x", recipient="b@x.example")]
    _printed.cache_clear()
    shared = Shared()
    one, other = (read(compose(row, WIDE, NETWORK, mail_from=MAIL_FROM, shared=shared)) for row in rows)
    assert _printed.cache_info().hits == 1
    assert [str(one["To"]), str(other["To"])] == ["staff@lille.example", "b@x.example"]


def test_the_hour_before_a_change_of_law_is_the_one_that_was_told():
    """TZ-04: today's rules would read the old instant as another hour."""
    text = plain(MAILS["update-law-montreal-fr"]()).replace("\u00a0", " ")
    assert "La loi sur l’heure a changé" in text
    assert "à 9 h 00 (heure de Montréal) → jeudi 18 mars 2027 à 10 h 00 (heure de Montréal)" in text


def test_a_mended_time_zone_is_told_in_the_hour_before_and_the_hour_after():
    text = plain(MAILS["update-zone-reunion-fr"]()).replace("\u00a0", " ")
    was, now = (
        "jeudi 21 janvier 2027 à 15 h 00 (heure de Paris)",
        "jeudi 21 janvier 2027 à 18 h 00 (heure de La Réunion)",
    )
    assert f"votre heure passe de « {was} » à « {now} »" in text
    assert f"- Date et heure : {was} → {now}" in text


def test_a_move_is_no_change_of_law():
    assert "La loi sur l’heure" not in plain(MAILS["update-odd-week-montreal-fr"]())


@pytest.mark.parametrize(
    "name", ["reminder-paris-fr", "declined-host-fr", "place-lost-host-fr", "digest-paris-en", "drift-montreal-fr"]
)
def test_what_changes_no_calendar_has_no_calendar_part(name):
    """MAIL-09"""
    assert tree(read(MAILS[name]())) == ("multipart/alternative", ["text/plain", "text/html"])


def test_the_calendar_part_carries_the_sessions_sequence_and_uid():
    """ITIP-06"""
    parsed = read(mail("update", "calais", MOVED, WIDE))
    [calendar] = [each for each in parsed.walk() if each.get_content_type() == "text/calendar"]
    event = Calendar.from_ical(content(calendar)).walk("VEVENT")[0]
    assert (event["SEQUENCE"], event["UID"]) == (MOVED.sequence, MOVED.uid)
    assert event.decoded("DTSTART") == MOVED.start


@pytest.mark.parametrize(("answer", "leads"), [("accepted", ["P1D"]), ("pending", []), ("tentative", [])])
def test_the_access_code_stands_in_the_last_reminder_to_who_accepted(answer, leads):
    about = session(participations=(LILLE, replace(CALAIS, answer=answer)))
    desk = Desk(network(reminders=(A_WEEK_BEFORE, A_DAY_BEFORE)))
    desk.plan(about)
    mails = {
        row.lead: plain(compose(row, about, desk.directory, mail_from=MAIL_FROM))
        for row in desk.rows.values()
        if row.site == "calais"
    }
    assert set(mails) == {"", "P7D", "P1D"}
    assert [lead for lead, text in mails.items() if "4711" in text] == leads


@pytest.mark.parametrize("name", MAILS)
def test_the_access_code_is_in_no_other_mail(name):
    """MAIL-07: the link stands without credentials."""
    whole = b"".join(content(each) for each in read(MAILS[name]()).walk() if not each.is_multipart())
    tells = name.startswith(("reminder-paris", "digest-paris", "reminder-code", "update-code"))
    assert (b"4711" in whole) == tells
    assert (b"0815" in whole) == ("code-changed" in name)


def test_the_reason_of_an_override_is_told_to_whom_it_concerns_alone():
    assert "Seul créneau du pont" in plain(mail("invitation", "sainte-justine", OVERRIDDEN))
    assert "Seul créneau du pont" not in plain(mail("invitation", "calais", OVERRIDDEN))
    assert "Seul créneau du pont" not in plain(mail("reminder", "sainte-justine", OVERRIDDEN))


@pytest.mark.parametrize(
    ("change", "line"),
    [
        pytest.param({"duration": timedelta(minutes=90)}, "- Durée : 60 min → 90 min", id="length"),
        pytest.param({"timezone": "Europe/Brussels"}, "- Heure de référence : Paris → Bruxelles", id="zone"),
        pytest.param({"join_url": None}, "- Lien : https://visio.example/perinat → aucun lien", id="link"),
        pytest.param(
            {"participations": (LILLE, replace(CALAIS, room=None))},
            "- Votre salle : Salle de réunion → aucune salle",
            id="room",
        ),
        pytest.param({"participations": (LILLE, CALAIS)}, "- Sites retirés : CHU Sainte-Justine", id="site removed"),
        pytest.param(
            {"participations": (LILLE, CALAIS, MONTREAL, EVERYWHERE[4])},
            "- Sites ajoutés : CHU de La Réunion",
            id="site added",
        ),
    ],
)
def test_an_update_says_what_changed_from_what_to_what(change, line):
    text = plain(mail("update", "calais", changed(session(), **change), session()))
    assert line in text.replace("\u00a0", " ").splitlines()


@pytest.mark.parametrize(("hours", "told"), [(25, False), (23, True)])
def test_what_is_told_later_than_the_last_reminder_carries_the_access_code(hours, told):
    """A session booked, or moved, for tomorrow: no reminder comes any more that could say it."""
    shortly = session(updated_at=WIDE.start - timedelta(hours=hours), participations=EVERYWHERE)
    assert ("4711" in plain(mail("invitation", "calais", shortly))) == told
    assert "4711" not in plain(mail("invitation", "sainte-justine", shortly))
    moved = changed(WIDE, "2027-01-21T15:30", updated_at=WIDE.start - timedelta(hours=hours - 1))
    assert ("4711" in plain(mail("update", "calais", moved, WIDE))) == told
    [calendar] = list(read(mail("update", "calais", moved, WIDE)).iter_attachments())
    assert b"4711" not in content(calendar)


def test_a_refusal_within_48_hours_names_the_site_to_ring():
    refused = replace(REFUSED, updated_at=WIDE.start - timedelta(hours=47))
    text = plain(mail("declined", "lille", refused, WIDE))
    assert "moins de 48" in text.replace("\u00a0", " ")
    assert text.partition("À APPELER SANS ATTENDRE")[2].count("\n- ") == 1
    assert "CH de Calais" in text.partition("À APPELER SANS ATTENDRE")[2]


def test_the_host_is_not_promised_its_own_answer():
    last_line = {site: plain(mail("invitation", site, WIDE)).strip().splitlines()[-1] for site in ("lille", "calais")}
    assert last_line["lille"] == "Ce courriel est envoyé par un programme."
    assert last_line["calais"].endswith("Une réponse parvient au site hôte, CHU de Lille – Jeanne de Flandre.")


def test_an_answer_to_reminders_of_several_hosts_is_promised_to_none():
    """MAIL-03: where all have one host, it answers (`test_a_mail_says_what_it_is`)."""
    other = replace(SECOND, host_site="sainte-justine")
    reminders = [(planned("reminder", "calais", each), each) for each in (other, WIDE)]
    raw = digest(reminders, NETWORK, mail_from=MAIL_FROM, stop_url=STOP)
    assert read(raw)["Reply-To"] is None
    assert plain(raw).strip().endswith("Ce courriel est envoyé par un programme.")


def test_who_reads_for_two_sites_reads_their_reminders_in_one_language_and_by_one_clock():
    """MAIL-06"""
    at_calais, at_childrens = WIDE, replace(SECOND, participations=(LILLE, EVERYWHERE[3]))
    reminders = [
        (planned("reminder", "childrens", at_childrens), at_childrens),
        (planned("reminder", "calais", at_calais), at_calais),
    ]
    raw = digest(reminders, NETWORK, mail_from=MAIL_FROM, stop_url=STOP)
    text = plain(raw).replace("\u00a0", " ")
    assert read(raw)["Content-Language"] == "fr"
    first, _, second = text.partition("VISIO PÉRINAT — CPDPN")
    assert "- Votre site" not in first
    assert second.splitlines()[1:3] == [
        "- Date et heure : jeudi 21 janvier 2027 à 16 h 30 (heure de Paris)",
        "- Votre site : Montreal Children’s Hospital",
    ]
    assert "- Montreal Children’s Hospital : 10 h 30 (heure de Montréal)" in second
    assert not re.search(r"Date and|Reminders|takes part", text)


def test_a_host_without_contacts_promises_no_answer():
    about, desk = (
        session(participations=(LILLE, CALAIS)),
        Desk(network(lille=replace(NETWORK.sites["lille"], contacts=()))),
    )
    desk.plan(about)
    [row] = [row for row in desk.rows.values() if row.kind == "invitation"]
    parsed = read(compose(row, about, desk.directory, mail_from=MAIL_FROM))
    assert parsed["Reply-To"] is None
    body = parsed.get_body(("plain",))
    assert body is not None
    assert body.get_content().strip().endswith("Ce courriel est envoyé par un programme.")


def test_a_removed_site_hears_the_hour_it_knew_and_nothing_of_what_comes():
    raw = mail("cancellation", "reunion", REMOVED, WIDE)
    assert plain(raw).startswith("Jeudi 21 janvier 2027")
    assert b"avril" not in raw
    assert "visio.example/" not in plain(raw)


def test_a_text_is_not_taken_for_html_or_for_a_template():
    about = replace(WIDE, title="{{7*7}} <script>", description="<script>alert(1)</script>\n{% raw %}\n.")
    html = read(mail("invitation", "calais", about)).get_body(("html",))
    assert html is not None
    assert "<script>" not in html.get_content()
    assert "{{7*7}}" in html.get_content()


@pytest.mark.parametrize(
    "title", ["x\r\nBcc: v@x.example", "=?utf-8?q?hi=0D=0ABcc:_v@x?=", "x\x00", "x\u2028Bcc: v@x.example"]
)
def test_a_title_that_could_make_a_header_is_not_sent(title):
    with pytest.raises(UnsafeHeader):
        mail("invitation", "calais", replace(WIDE, title=title))


def test_the_same_notice_gives_the_same_bytes():
    assert mail("invitation", "calais", WIDE) == mail("invitation", "calais", WIDE)


def test_an_hour_that_comes_twice_says_which_it_is():
    night = session(
        "2026-10-25T02:30", fold=1, participations=(LILLE, MONTREAL), updated_at=datetime(2026, 10, 1, tzinfo=UTC)
    )
    assert "2 h 30 (heure de Paris, UTC+1)" in plain(mail("invitation", "lille", night)).replace("\u00a0", " ")
