from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from icalendar import Calendar

from perinat_sched.booking.session import Session
from perinat_sched.notices.messages import compose
from perinat_sched.notices.mime import UnsafeHeader
from perinat_sched.notices.notice import Notice
from perinat_sched.notices.readers import facts_for
from tests.builders import A_DAY_BEFORE
from tests.feeds.examples import same_as_golden
from tests.notices.examples import (
    A_WEEK_BEFORE,
    CALAIS,
    LILLE,
    MAIL_FROM,
    MONTREAL,
    NETWORK,
    Desk,
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
THREAD = "<first@perinat.example>"


def planned(kind: str, site: str, about: Session, told: Session | None = None, desk: Desk | None = None) -> Notice:
    """The row that delivery would find for a site's first contact."""
    desk = desk or Desk()
    if told is not None:
        desk.plan(told)
        desk.sent()
    desk.plan(about)
    return next(row for row in desk.rows.values() if (row.kind, row.site) == (kind, site) and row.state != "sent")


def mail(kind: str, site: str, about: Session, told: Session | None = None) -> bytes:
    before = facts_for(told, NETWORK, site) if told else None
    row = planned(kind, site, about, told)
    return compose(row, about, NETWORK, mail_from=MAIL_FROM, before=before, thread=THREAD if told else None)


MAILS: dict[str, tuple[Any, ...]] = {
    "invitation-host-fr": ("invitation", "lille", WIDE),
    "invitation-calais-fr": ("invitation", "calais", WIDE),
    "invitation-montreal-fr": ("invitation", "sainte-justine", WIDE),
    "invitation-montreal-en": ("invitation", "childrens", WIDE),
    "invitation-reunion-fr": ("invitation", "reunion", WIDE),
    "invitation-noumea-fr": ("invitation", "noumea", WIDE),
    "invitation-odd-week-montreal-fr": ("invitation", "sainte-justine", ODD),
    "invitation-odd-week-montreal-en": ("invitation", "childrens", ODD),
    "invitation-odd-week-host-fr": ("invitation", "lille", ODD),
    "invitation-odd-week-reunion-fr": ("invitation", "reunion", ODD),
    "invitation-overridden-fr": ("invitation", "sainte-justine", OVERRIDDEN),
    "update-host-fr": ("update", "lille", MOVED, WIDE),
    "update-calais-fr": ("update", "calais", MOVED, WIDE),
    "update-montreal-en": ("update", "childrens", MOVED, WIDE),
    "cancellation-montreal-fr": ("cancellation", "sainte-justine", CANCELLED, WIDE),
    "cancellation-montreal-en": ("cancellation", "childrens", CANCELLED, WIDE),
    "cancellation-removed-reunion-fr": ("cancellation", "reunion", REMOVED, WIDE),
    "cancellation-declined-calais-fr": ("cancellation", "calais", REFUSED, WIDE),
    "declined-host-fr": ("declined", "lille", REFUSED, WIDE),
    "reminder-calais-fr": ("reminder", "calais", WIDE, WIDE),
    "reminder-montreal-fr": ("reminder", "sainte-justine", ODD, ODD),
    "reminder-montreal-en": ("reminder", "childrens", ODD, ODD),
}


@pytest.fixture(params=[*MAILS.values()], ids=[*MAILS])
def every_mail(request: pytest.FixtureRequest) -> bytes:
    return mail(*request.param)


@pytest.mark.parametrize("name", MAILS)
def test_a_mail_is_as_a_person_has_read_it(name):
    same_as_golden(f"{name}.eml", mail(*MAILS[name]))


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


def test_no_hour_stands_without_its_place(every_mail):
    for line in plain(every_mail).splitlines():
        for hour in re.finditer(r"\d{1,2}(?:\u00a0h\u00a0|:)\d\d\b(?!\s*(?:,|·) )", line):
            assert re.match(r" \((heure d|.+ time)", line[hour.end() :]), line


def test_a_mail_is_ascii_in_short_lines(every_mail):
    assert every_mail.isascii()
    assert max(map(len, every_mail.split(b"\r\n"))) <= 78
    assert b"\n" not in every_mail.replace(b"\r\n", b"")


def test_a_mail_says_what_it_is(every_mail):
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
    assert read(mail("update", "calais", MOVED, WIDE))["References"] == THREAD
    assert read(mail("invitation", "calais", WIDE))["References"] is None


def tree(parsed: Any) -> Any:
    kind = parsed.get_content_type()
    return (kind, [tree(each) for each in parsed.iter_parts()]) if parsed.is_multipart() else kind


@pytest.mark.parametrize(
    ("name", "method"),
    [("invitation-calais-fr", "REQUEST"), ("update-calais-fr", "REQUEST"), ("cancellation-montreal-en", "CANCEL")],
)
def test_what_changes_calendars_is_itip_by_mail(name, method):
    parsed = read(mail(*MAILS[name]))
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
    assert ics.count(b"METHOD:") == 1
    event = Calendar.from_ical(ics)
    assert event["METHOD"] == method
    [attendee] = [event.walk("VEVENT")[0]["ATTENDEE"]]
    assert attendee == f"mailto:{parsed['To']}"
    assert attendee.params["RSVP"] == "FALSE"
    assert event.walk("VEVENT")[0]["ORGANIZER"] == "mailto:visio@perinat.example"


@pytest.mark.parametrize("name", ["reminder-calais-fr", "declined-host-fr"])
def test_what_changes_no_calendar_has_no_calendar_part(name):
    assert tree(read(mail(*MAILS[name]))) == ("multipart/alternative", ["text/plain", "text/html"])


def test_the_calendar_part_carries_the_sessions_sequence_and_uid():
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


def test_the_access_code_is_in_no_other_mail(every_mail):
    parsed = read(every_mail)
    whole = b"".join(content(each) for each in parsed.walk() if not each.is_multipart())
    assert (b"4711" in whole) == (parsed["Subject"].startswith("Rappel") and "calais" in parsed["To"])


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
