"""What a series costs in mails: one for all of it, one for a date that changed, and `told` names who gets them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from icalendar import Calendar

from perinat_sched.notices.delivery import Delivery
from perinat_sched.storage.database import Database
from perinat_sched.web.services import Services
from tests.acceptance.test_series import REGIONAL
from tests.feeds.lint import complaints
from tests.feeds.test_series import expanded
from tests.notices.examples import MAIL_FROM, Mailbox, content, read
from tests.series.test_booking import booked
from tests.series.test_changes import alone, changed, session
from tests.web.callers import NOW, Api, Caller

LILLE = ("staff@lille.example", "visio@lille.example")
CALAIS, LENS, DUNKERQUE = "visio@calais.example", "visio@lens.example", "visio@dunkerque.example"
DATES = ["2027-02-04", "2027-02-11", "2027-02-18", "2027-02-25"]


@dataclass
class Post:
    """Delivery by a clock of the test's; what each reader gets."""

    services: Services
    database: Database
    now: list[datetime] = field(default_factory=lambda: [NOW])

    def __post_init__(self) -> None:
        self.mailbox = Mailbox()
        self.delivery = Delivery(
            database=self.database,
            directory=self.services.directory,
            mailer=self.mailbox,
            clock=lambda: self.now[0],
            mail_from=MAIL_FROM,
        )

    async def mails(self) -> dict[str, str]:
        """The subject each reader gets now, never two of one event; a minute goes by."""
        self.mailbox.raw.clear()
        await self.delivery.run_once()
        self.now[0] += timedelta(minutes=1)
        found = [(to, str(mail["Subject"])) for (to, _), mail in zip(self.mailbox.raw, self.mailbox.mails, strict=True)]
        uids = [(to, self.calendar(number).events[0]["UID"]) for number, (to, _) in enumerate(found)]
        assert len(set(uids)) == len(uids)
        return dict(found)

    def calendar(self, number: int) -> Calendar:
        """The calendar part of a mail, in which nothing may be amiss."""
        [part] = [
            part for part in read(self.mailbox.raw[number][1]).walk() if part.get_content_type() == "text/calendar"
        ]
        ics = content(part)
        assert complaints(ics) == []
        read_back = Calendar.from_ical(ics)
        assert part.get_param("method") == read_back["METHOD"]
        return read_back

    def calendar_to(self, reader: str) -> Calendar:
        return self.calendar([to for to, _ in self.mailbox.raw].index(reader))

    def text_to(self, reader: str) -> str:
        [mail] = self.mailbox.to(reader)
        body = mail.get_body(("plain",))
        assert body is not None
        return str(body.get_content())

    def sites(self) -> list[str]:
        """The sites whose contacts got a mail."""
        sites = self.services.directory.sites.values()
        return sorted({site.code for site in sites if set(site.contacts) & {to for to, _ in self.mailbox.raw}})


@pytest.fixture
def post(services: Services, database: Database) -> Post:
    return Post(services, database)


@pytest.fixture
async def admin(api: Api) -> Caller:
    return await api.of("admin")


def dates_in(text: str) -> list[str]:
    """The list of dates in a mail."""
    return [line[2:].replace("\u00a0", " ") for line in text.splitlines() if line.startswith("- jeudi")]


def sequence(calendar: Calendar) -> int:
    return int(calendar.events[0].decoded("sequence"))


def starts(calendar: Calendar) -> list[str]:
    return [f"{start:%Y-%m-%dT%H:%M}" for start, *_ in expanded(calendar.to_ical())]


async def test_a_series_is_announced_once_with_its_rule_and_its_dates_in_the_readers_hour__itip_08(
    admin: Caller, post: Post
) -> None:
    series = await booked(admin, optional_sites=["sainte-justine"], start="2027-03-04T15:00")
    assert set(await post.mails()) == {*LILLE, CALAIS, "visio@sainte-justine.example"}
    assert series["told"] == post.sites()
    calendar = post.calendar_to(CALAIS)
    master = calendar.events[0]
    assert (calendar["METHOD"], str(master["UID"]), "RRULE" in master) == ("REQUEST", series["uid"], True)
    assert starts(calendar) == [f"2027-03-{day:02d}T14:00" for day in (4, 11, 18, 25)]
    assert dates_in(post.text_to(CALAIS))[2] == (
        "jeudi 18 mars 2027 : 15 h 00 (heure de Paris) · ⚠ 10 h 00 (heure de Montréal)"
    )
    assert dates_in(post.text_to("visio@sainte-justine.example")) == [
        "jeudi 4 mars 2027 : 9 h 00 (heure de Montréal)",
        "jeudi 11 mars 2027 : 9 h 00 (heure de Montréal)",
        "jeudi 18 mars 2027 : 10 h 00 (heure de Montréal) · ⚠ 15 h 00 (heure de Paris)",
        "jeudi 25 mars 2027 : 10 h 00 (heure de Montréal) · ⚠ 15 h 00 (heure de Paris)",
    ]
    assert await post.mails() == {}


async def test_a_year_of_ten_sites_makes_one_mail_a_reader(admin: Caller, post: Post) -> None:
    series = await booked(admin, **REGIONAL)
    mails = await post.mails()
    assert len(mails) == len(post.mailbox.raw) == 11
    assert series["told"] == post.sites()
    assert len(starts(post.calendar_to(CALAIS))) == 43


async def test_a_date_that_changes_or_is_cancelled_is_told_alone__itip_07_08(admin: Caller, post: Post) -> None:
    series = await booked(admin)
    await post.mails()
    await alone(admin, await session(admin, series, 1), start="2027-02-11T16:00")
    mails = await post.mails()
    assert set(mails) == {*LILLE, CALAIS}
    assert "Modification" in mails[CALAIS] and "dates" not in mails[CALAIS]
    event: Any
    [event] = post.calendar_to(CALAIS).events
    assert (event["RECURRENCE-ID"].to_ical(), event["DTSTART"].to_ical()) == (b"20270211T130000", b"20270211T160000")
    assert (str(event["UID"]), "RRULE" in event) == (series["uid"], False)

    off = await session(admin, series, 2)
    await admin("POST", f"/sessions/{off['id']}/cancellation", {})
    await post.mails()
    calendar = post.calendar_to(CALAIS)
    [event] = calendar.events
    assert (calendar["METHOD"], event["STATUS"]) == ("CANCEL", "CANCELLED")
    assert event["RECURRENCE-ID"].to_ical() == b"20270218T130000"


async def test_a_change_of_the_whole_series_is_one_mail_with_a_higher_sequence(admin: Caller, post: Post) -> None:
    series = await booked(admin)
    await post.mails()
    before = sequence(post.calendar_to(CALAIS))
    after = await changed(admin, series, start="2027-02-04T14:00")
    mails = await post.mails()
    assert set(mails) == {*LILLE, CALAIS} and after["told"] == post.sites()
    assert "Modification" in mails[CALAIS]
    calendar = post.calendar_to(CALAIS)
    assert (str(calendar.events[0]["UID"]), calendar["METHOD"]) == (series["uid"], "REQUEST")
    assert sequence(calendar) == before + 1
    assert starts(calendar) == [f"{day}T13:00" for day in DATES]
    assert "13\u00a0h" in post.text_to(CALAIS) and "→" in post.text_to(CALAIS)


async def test_what_changes_no_hour_room_or_site_is_told_to_nobody(admin: Caller, post: Post) -> None:
    series = await booked(admin)
    await post.mails()
    after = await changed(admin, series, title="Visio Périnat — staff B")
    assert (await post.mails(), after["told"]) == ({}, [])


async def test_a_cancelled_series_is_one_cancellation(admin: Caller, post: Post) -> None:
    series = await booked(admin)
    await post.mails()
    answer = await admin("POST", f"/series/{series['id']}/cancellation", {})
    mails = await post.mails()
    assert set(mails) == {*LILLE, CALAIS} and answer.json["told"] == post.sites()
    assert "Annulation" in mails[CALAIS] and "4 dates" in mails[CALAIS]
    calendar = post.calendar_to(CALAIS)
    [event] = calendar.events
    assert (calendar["METHOD"], event["STATUS"], str(event["UID"])) == ("CANCEL", "CANCELLED", series["uid"])
    assert "RECURRENCE-ID" not in event


async def test_a_series_that_is_ended_keeps_the_dates_before(admin: Caller, post: Post) -> None:
    series = await booked(admin)
    await post.mails()
    await admin("POST", f"/series/{series['id']}/cancellation", {"from": "2027-02-18T13:00"})
    mails = await post.mails()
    assert "Annulation" in mails[CALAIS] and "2 dates" in mails[CALAIS]
    calendar = post.calendar_to(CALAIS)
    assert (calendar["METHOD"], starts(calendar)) == ("REQUEST", [f"{day}T12:00" for day in DATES[:2]])


async def test_after_a_split_the_old_series_gets_its_end_and_the_new_one_an_invitation(
    admin: Caller, post: Post
) -> None:
    series = await booked(admin)
    await post.mails()
    new = await changed(admin, series, **{"from": "2027-02-18T13:00", "start": "2027-02-18T15:00"})
    post.mailbox.raw.clear()
    await post.delivery.run_once()
    assert new["told"] == post.sites()
    calendars = {
        str(calendar.events[0]["UID"]): calendar
        for number, (to, _) in enumerate(post.mailbox.raw)
        if to == CALAIS and (calendar := post.calendar(number))
    }
    assert {uid: (str(one["METHOD"]), starts(one)) for uid, one in calendars.items()} == {
        series["uid"]: ("REQUEST", [f"{day}T12:00" for day in DATES[:2]]),
        new["uid"]: ("REQUEST", [f"{day}T14:00" for day in DATES[2:]]),
    }
    assert len(post.mailbox.raw) == 6
    words = {str(mail["Subject"]).split()[0] for mail in post.mailbox.to(CALAIS)}
    assert words == {"Suite", "Invitation"}
    assert await post.mails() == {}


async def test_a_site_of_some_dates_hears_of_these_alone(admin: Caller, post: Post) -> None:
    series = await booked(admin)
    for position in (1, 3):
        await alone(admin, await session(admin, series, position), required_sites=["calais", "lens"])
    mails = await post.mails()
    assert "2 dates" in mails[LENS] and "4 dates" in mails[CALAIS]
    assert starts(post.calendar_to(LENS)) == [f"{DATES[position]}T12:00" for position in (1, 3)]


async def test_a_site_that_leaves_a_series_is_told_so_once_and_the_others_what_changed(
    admin: Caller, post: Post
) -> None:
    series = await booked(admin, required_sites=["calais", "lens"])
    await post.mails()
    after = await changed(admin, series, required_sites=["calais"])
    mails = await post.mails()
    assert set(mails) == {*LILLE, CALAIS, LENS} and after["told"] == post.sites()
    assert "Annulation pour votre site" in mails[LENS] and "Modification" in mails[CALAIS]
    assert post.calendar_to(LENS)["METHOD"] == "CANCEL"
    assert "lens" not in str(post.calendar_to(LENS).events[0].get("DESCRIPTION", "")).lower()


async def test_the_host_hears_once_that_a_site_declines_the_series(admin: Caller, post: Post) -> None:
    series = await booked(admin)
    await post.mails()
    answer = await admin("PUT", f"/series/{series['id']}/participations/calais/answer", {"answer": "declined"})
    assert answer.status == 200
    post.mailbox.raw.clear()
    await post.delivery.run_once()
    assert sorted(to for to, _ in post.mailbox.raw) == sorted([*LILLE, CALAIS])
    assert answer.json["told"] == post.sites()
    assert "4 dates" in str(post.mailbox.to(LILLE[0])[0]["Subject"])


async def test_dates_that_a_series_gains_are_told_in_one_mail_with_all_of_it(admin: Caller, post: Post) -> None:
    series = await booked(admin)
    await post.mails()
    after = await changed(admin, series, rrule="FREQ=WEEKLY;BYDAY=TH;COUNT=6")
    mails = await post.mails()
    assert after["told"] == post.sites() == ["calais", "lille"]
    assert "Modification" in mails[CALAIS] and "6 dates" in mails[CALAIS]
    assert len(starts(post.calendar_to(CALAIS))) == 6
    assert post.text_to(CALAIS).count("Date ajoutée") == 2


async def test_reminders_go_date_by_date(admin: Caller, post: Post) -> None:
    await booked(admin)
    await post.mails()
    for day in DATES[:2]:
        post.now[0] = datetime.fromisoformat(f"{day}T12:00+00:00") - timedelta(days=1)
        post.mailbox.raw.clear()
        await post.delivery.run_once()
        assert {(to, word) for to, word in post.mailbox.subjects} == {(to, "Rappel") for to in (*LILLE, CALAIS)}


async def test_half_a_series_never_leaves(admin: Caller, post: Post) -> None:
    """A pass plans twenty sessions at once: what leaves waits until all dates of its series are planned."""
    await booked(admin, rrule="FREQ=WEEKLY;BYDAY=TH;COUNT=30", on_conflict="leave_out")
    await post.delivery.planning.plan()
    assert await post.delivery.deliver() == 0
    await post.mails()
    assert {to for to, _ in post.mailbox.raw} == {*LILLE, CALAIS}
