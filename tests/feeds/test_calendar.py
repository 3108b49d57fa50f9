"""Sessions as calendars: golden files that a person can read, and what other programs read in them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import recurring_ical_events
from icalendar import Calendar

from perinat_sched.booking.rules import warnings
from perinat_sched.booking.session import Session, WarningCode
from perinat_sched.feeds.calendar import Cover, render_feed
from perinat_sched.feeds.face import Viewpoint, warning_line
from perinat_sched.feeds.invitation import Invitation
from perinat_sched.feeds.window import Window
from perinat_sched.people.access import Detail
from perinat_sched.sites.network import Language
from tests.feeds.examples import NETWORK, ORGANIZER, PARTS, UPDATED, cover, part, same_as_golden, session, site
from tests.feeds.examples import directory as network_of

CONFIRMED = session()
TENTATIVE = session(
    "2027-02-04T15:00",
    id="5f8d2c1e-0000-4000-8000-000000000002",
    status="tentative",
    description="Ordre du jour à venir ; merci, à jeudi.",
    participations=(*PARTS[:1], part("calais", "pending", room="calais-1"), part("reunion", "tentative")),
)
CANCELLED = session(
    "2027-02-11T15:00",
    id="5f8d2c1e-0000-4000-8000-000000000003",
    status="cancelled",
    cancellation_code="staffing",
    cancellation_reason="Salle en travaux",
    bridge=None,
    ports=0,
)
ODD_WEEK = session("2027-03-18T15:00", id="5f8d2c1e-0000-4000-8000-000000000004")
REUNION = session("2027-07-01T14:00", participations=(part("lille", room="lille-1"), part("reunion")))
NOUMEA = session("2027-01-21T15:00", join_url=None, participations=(part("lille", room="lille-1"), part("noumea")))
NOUMEAS_NIGHT = session(
    "2027-01-22T01:00", timezone="Pacific/Noumea", host_site="noumea", participations=(part("noumea"), *PARTS[:1])
)
REPEATED_HOUR = session("2027-10-31T02:30", fold=1, duration=timedelta(minutes=45))
INTO_THE_REPEATED_HOUR = session("2027-10-31T01:45")
THROUGH_THE_GAP = session("2027-03-28T01:30", id="5f8d2c1e-0000-4000-8000-000000000005")
ACROSS_BOTH = [ODD_WEEK, REUNION, NOUMEA, NOUMEAS_NIGHT, REPEATED_HOUR, INTO_THE_REPEATED_HOUR, THROUGH_THE_GAP]
LONG_TITLE = "Visio Périnat — 👶🏽 éèêë " + "🤰 né à l’été, " * 7
LANGUAGES: list[Language] = ["fr", "en"]
ALL_STATES = [CONFIRMED, TENTATIVE, CANCELLED]


def full(*sessions: Session) -> list[tuple[Session, Detail]]:
    return [(each, "full") for each in sessions]


def lines(feed: bytes) -> list[str]:
    """The content lines, unfolded."""
    return feed.decode().replace("\r\n ", "").split("\r\n")


@pytest.mark.parametrize(
    ("name", "feed", "sessions"),
    [
        ("feed-full-fr.ics", cover("fr"), full(*ALL_STATES)),
        ("feed-full-en.ics", cover("en"), full(*ALL_STATES)),
        ("feed-kind-fr.ics", cover("fr"), [(each, "kind") for each in ALL_STATES]),
        ("feed-kind-en.ics", cover("en"), [(each, "kind") for each in ALL_STATES]),
        ("feed-busy-fr.ics", cover("fr"), [(each, "busy") for each in ALL_STATES]),
        ("feed-busy-en.ics", cover("en"), [(each, "busy") for each in ALL_STATES]),
        ("feed-odd-week.ics", cover(site="sainte-justine", zone="America/Toronto"), full(ODD_WEEK)),
        ("feed-reunion.ics", cover(site="reunion", zone="Indian/Reunion"), full(REUNION)),
        ("feed-noumea.ics", cover(site="noumea", zone="Pacific/Noumea"), full(NOUMEA)),
        ("feed-noumea-night.ics", cover(), full(NOUMEAS_NIGHT)),
        ("feed-repeated-hour.ics", cover("en"), full(REPEATED_HOUR)),
        ("feed-room.ics", cover(name="Salle de staff", site=None, room="lille-1"), full(CONFIRMED)),
        ("feed-network.ics", cover(name="Périnat; Nord, Pas-de-Calais", site=None, observer=True), full(CONFIRMED)),
        ("feed-alarm.ics", cover("en", alarm=15), full(CONFIRMED, CANCELLED)),
        ("feed-accents-at-a-fold.ics", cover(name=LONG_TITLE), full(session(title=LONG_TITLE))),
        ("feed-empty.ics", cover(), []),
    ],
)  # fmt: skip
def test_a_feed_is_its_golden_file(name: str, feed: Cover, sessions: list[tuple[Session, Detail]]) -> None:
    same_as_golden(name, render_feed(feed, sessions, NETWORK))


def test_miquelon_changes_its_clocks_with_north_america__ics_41() -> None:
    """In the odd week of March Miquelon is three hours behind Paris, where it is four in winter and in summer."""
    miquelon = site("miquelon", "CH François-Dunan", "Saint-Pierre", "America/Miquelon", kind="partner")
    of = session("2027-03-18T15:00", participations=(part("lille", room="lille-1"), part("miquelon")))
    network = network_of(*NETWORK.sites.values(), miquelon)
    feed = render_feed(cover(site="miquelon", zone="America/Miquelon"), full(of), network)
    same_as_golden("feed-miquelon.ics", feed)


def invited(of: Session, at: str, **more: Any) -> bytes:
    facts: dict[str, Any] = {"method": "REQUEST", "language": "fr", "stamp": datetime(2026, 12, 7, 8, 16, tzinfo=UTC)}
    asked = of.participation(at) is not None
    return Invitation(of, NETWORK, asked=asked, organizer=ORGANIZER, **(facts | more)).to(at, f"staff@{at}.example")


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("invitation-host-fr.ics", invited(TENTATIVE, "lille")),
        ("invitation-pending-fr.ics", invited(TENTATIVE, "calais")),
        ("invitation-optional-en.ics", invited(CONFIRMED, "sainte-justine", language="en")),
        ("invitation-cancelled-fr.ics", invited(CANCELLED, "calais", method="CANCEL")),
        ("invitation-withdrawn-fr.ics", invited(CONFIRMED, "reunion", method="CANCEL")),
    ],
)
def test_an_invitation_is_its_golden_file(name: str, part: bytes) -> None:
    same_as_golden(name, part)


@pytest.mark.parametrize("of", ACROSS_BOTH + ALL_STATES)
def test_icalendar_and_recurring_ical_events_read_the_sessions_instants__ics_15(of: Session) -> None:
    feed = Calendar.from_ical(render_feed(cover(), full(of), NETWORK))
    [event] = feed.events
    assert (event.decoded("dtstart"), event.decoded("dtend")) == (of.start, of.end)
    [found] = recurring_ical_events.of(feed).between(of.start - timedelta(days=2), of.end + timedelta(days=2))
    assert (found.start.astimezone(UTC), found.end.astimezone(UTC)) == (of.start, of.end)


@pytest.mark.parametrize(
    ("of", "written"),
    [
        (CONFIRMED, "DTSTART;TZID=Europe/Paris:20270121T150000"),
        (NOUMEAS_NIGHT, "DTSTART;TZID=Pacific/Noumea:20270122T010000"),
        (THROUGH_THE_GAP, "DTSTART:20270328T003000Z"),
        (REPEATED_HOUR, "DTSTART:20271031T013000Z"),
        (replace(REPEATED_HOUR, fold=0, start=REPEATED_HOUR.start - timedelta(hours=1)), "DTSTART:20271031T003000Z"),
        (INTO_THE_REPEATED_HOUR, "DTSTART:20271030T234500Z"),
        (session("2027-01-21T15:00", timezone="Asia/Jerusalem"), "DTSTART:20270121T130000Z"),
        (session("2026-01-15T09:00", timezone="America/Vancouver"), "DTSTART:20260115T170000Z"),
    ],
    ids=["by day", "Nouméa's night", "through the gap", "second pass", "first pass", "into the repeated hour",
         "no rule form", "before a change of law"],
)  # fmt: skip
def test_hours_that_clients_could_mistake_are_written_in_utc__ics_10_16(of: Session, written: str) -> None:
    found = lines(render_feed(cover(), full(of), NETWORK))
    assert written in found
    end = next(line for line in found if line.startswith("DTEND"))
    assert end.endswith("Z") == written.endswith("Z")
    if "TZID" in written:
        assert f"TZID:{of.timezone}" in found


def test_a_feed_holds_one_time_zone_for_each_tzid_before_the_first_event__ics_11() -> None:
    found = lines(render_feed(cover(), full(CONFIRMED, ODD_WEEK, NOUMEAS_NIGHT), NETWORK))
    assert [line for line in found if line.startswith("TZID:")] == ["TZID:Europe/Paris", "TZID:Pacific/Noumea"]
    assert found.index("BEGIN:VEVENT") > max(i for i, line in enumerate(found) if line == "END:VTIMEZONE")


def test_a_feed_with_an_hour_in_utc_gives_no_hint_of_a_zone__ics_17() -> None:
    """x-wr-timezone, which recurring-ical-events uses, would show the second pass of the hour as the first."""
    assert "X-WR-TIMEZONE:Europe/Paris" in lines(render_feed(cover(), full(CONFIRMED), NETWORK))
    assert "X-WR-TIMEZONE" not in render_feed(cover(), full(CONFIRMED, REPEATED_HOUR), NETWORK).decode()


def test_the_order_of_the_sessions_does_not_matter__ics_04() -> None:
    several = full(*ALL_STATES, ODD_WEEK, REUNION, THROUGH_THE_GAP)
    assert render_feed(cover(), reversed(several), NETWORK) == render_feed(cover(), several, NETWORK)


def test_an_empty_feed_has_a_component_even_where_the_owners_clock_has_no_rule_form__http_06() -> None:
    empty = render_feed(cover(zone="Asia/Jerusalem"), [], NETWORK)
    assert "TZID:Etc/UTC" in lines(empty)
    assert Calendar.from_ical(empty).subcomponents


@pytest.mark.parametrize(
    ("of", "signs"),
    [
        (CONFIRMED, ("CONFIRMED", "OPAQUE", "BUSY", "Visio Périnat — staff")),
        (TENTATIVE, ("TENTATIVE", "OPAQUE", "TENTATIVE", "[À confirmer] Visio Périnat — staff")),
        (CANCELLED, ("CANCELLED", "TRANSPARENT", "FREE", "ANNULÉ – Visio Périnat — staff")),
    ],
    ids=["confirmed", "tentative", "cancelled"],
)
def test_a_state_shows_in_four_signs__ics_20(of: Session, signs: tuple[str, ...]) -> None:
    [event] = Calendar.from_ical(render_feed(cover(), full(of), NETWORK)).events
    assert tuple(event[name] for name in ("STATUS", "TRANSP", "X-MICROSOFT-CDO-BUSYSTATUS", "SUMMARY")) == signs


def test_a_feed_has_neither_attendee_nor_alarm_nor_uid_nor_access_code__ics_23_42_45() -> None:
    feed = render_feed(cover(), full(*ALL_STATES), NETWORK).decode()
    assert not [word for word in ("ATTENDEE", "VALARM", "SECRET-4711") if word in feed]
    assert "UID" not in feed[: feed.index("BEGIN:VEVENT")]


def test_the_link_stands_where_each_client_looks_for_it__ics_34_40() -> None:
    found = lines(render_feed(cover(), full(CONFIRMED), NETWORK))
    link = "https://visio.example/salle/perinat?x=1,2;y"
    assert f"URL:{link}" in found
    assert f"CONFERENCE;FEATURE=AUDIO,VIDEO;LABEL=Visioconférence;LANGUAGE=fr;VALUE=URI:{link}" in found
    [event] = Calendar.from_ical(render_feed(cover(), full(CONFIRMED), NETWORK)).events
    assert str(event["DESCRIPTION"]).splitlines()[0] == link
    assert str(event["LOCATION"]).endswith(link)


@pytest.mark.parametrize("detail", ["full", "kind", "busy"])
def test_an_alarm_that_was_asked_for_is_the_only_one_and_none_of_what_is_cancelled__ics_23(detail: Detail) -> None:
    feed = render_feed(cover(alarm=15), [(each, detail) for each in ALL_STATES], NETWORK)
    confirmed, tentative, cancelled = Calendar.from_ical(feed).events
    for event in (confirmed, tentative):
        [alarm] = event.walk("VALARM")
        assert (alarm["ACTION"], alarm.decoded("trigger")) == ("DISPLAY", timedelta(minutes=-15))
        assert alarm["DESCRIPTION"] == event["SUMMARY"]
        assert set(alarm) == {"ACTION", "TRIGGER", "DESCRIPTION"}
    assert cancelled.walk("VALARM") == []


def test_an_alarm_at_the_start_itself_is_one_too__ics_23() -> None:
    assert "TRIGGER:P0D" in lines(render_feed(cover(alarm=0), full(CONFIRMED), NETWORK))


@pytest.mark.parametrize("of", ALL_STATES, ids=["confirmed", "tentative", "cancelled"])
def test_a_networks_feed_is_for_information_and_takes_nobodys_time__ics_20(of: Session) -> None:
    [event] = Calendar.from_ical(render_feed(cover(site=None, observer=True), full(of), NETWORK)).events
    assert (event["STATUS"], event["TRANSP"]) == (of.status.upper(), "TRANSPARENT")
    assert event["X-MICROSOFT-CDO-BUSYSTATUS"] == "FREE"


def test_the_calendar_says_what_it_is_in_the_readers_language__ics_42() -> None:
    french, english = (Calendar.from_ical(render_feed(cover(each), [], NETWORK)) for each in LANGUAGES)
    assert str(french["X-WR-CALDESC"]).startswith("Visioconférences")
    assert str(english["X-WR-CALDESC"]).startswith("Videoconferences")
    assert (english["COLOR"], english["X-APPLE-CALENDAR-COLOR"]) == ("steelblue", "#4682B4")
    assert str(english["PRODID"]).isascii()


@pytest.mark.parametrize(
    ("code", "at", "told"),
    [
        ("place-lost", "calais", "⚠ Salle ou port perdu\u00a0: CH de Calais"),
        ("place-lost", "gone", "⚠ Salle ou port perdu\u00a0: gone"),
        ("place-lost", None, "⚠ Plus aucun pont ne porte cette séance"),
        ("unusual-local-time", "sainte-justine",
         "⚠ Décalage inhabituel à cette date\u00a0: 5\u00a0h entre Lille et Montréal"),
        ("optional-site-not-free", "reunion", ""),
    ],
)  # fmt: skip
def test_each_warning_has_its_line__ics_41(code: WarningCode, at: str | None, told: str) -> None:
    assert warning_line(code, at, ODD_WEEK, NETWORK, Viewpoint(language="fr", site="lille")) == told


def test_the_lines_are_the_sessions_warnings_and_one_for_each_zone__ics_41() -> None:
    laval = site("laval", "Cité de la Santé", "Laval", "America/Toronto", kind="partner")
    network = network_of(*NETWORK.sites.values(), laval)
    of = replace(ODD_WEEK, participations=(*PARTS, part("laval"), part("reunion", "pending", required=False)))
    assert len(warnings(of, network)) == 2
    [event] = Calendar.from_ical(render_feed(cover(), full(of), network)).events
    signs = [line for line in str(event["DESCRIPTION"]).splitlines() if line.startswith("⚠")]
    assert signs == ["⚠ Décalage inhabituel à cette date\u00a0: 5\u00a0h entre Lille et Montréal"]
    [usual] = Calendar.from_ical(render_feed(cover(), full(CONFIRMED), network)).events
    assert "⚠" not in str(usual["DESCRIPTION"])


@pytest.mark.parametrize("detail", ["kind", "busy"])
def test_below_full_there_is_no_text_link_place_or_site__ics_22(detail: Detail) -> None:
    canary = session(
        title="canari-titre",
        description="canari-texte",
        join_url="https://canari-lien.example/",
        override_reason="canari-motif",
        cancellation_reason="canari-annulation",
        participations=(replace(PARTS[0], comment="canari-commentaire"), *PARTS[1:]),
    )
    for status in ("confirmed", "tentative", "cancelled"):
        seen = [(replace(canary, status=status), detail)]
        feed = render_feed(cover(name="x", site=None), seen, NETWORK).decode()
        assert not [
            w for w in ("canari", "SECRET", "Lille", "Calais", "Salle", "DESCRIPTION", "\nLOCATION") if w in feed
        ]


def test_a_site_that_declined_is_not_listed_and_a_site_that_waits_is_marked() -> None:
    of = session(participations=(PARTS[0], part("calais", "declined"), part("reunion", "pending")))
    [event] = Calendar.from_ical(render_feed(cover("en"), full(of), NETWORK)).events
    assert "Calais" not in str(event["DESCRIPTION"])
    assert "18:00 Saint-Denis (La Réunion" not in str(event["DESCRIPTION"])
    assert "18:00 Saint-Denis (Réunion time) · CHU de La Réunion · to be confirmed" in str(event["DESCRIPTION"])


def test_a_session_with_places_that_left_the_configuration_is_still_readable() -> None:
    of = session(kind="gone", participations=(PARTS[0], part("gone", room="gone-1")))
    [event] = Calendar.from_ical(render_feed(cover(), full(of), NETWORK)).events
    assert "gone" in str(event["DESCRIPTION"])
    [event] = Calendar.from_ical(render_feed(cover(), [(of, "kind")], NETWORK)).events
    assert event["SUMMARY"] == "gone"


def test_a_session_has_one_face_in_the_feed_and_in_the_mail__ics_01() -> None:
    [shown] = Calendar.from_ical(render_feed(cover(site="calais"), full(TENTATIVE), NETWORK)).events
    [mailed] = Calendar.from_ical(invited(TENTATIVE, "calais")).events
    assert mailed.pop("ATTENDEE").params["PARTSTAT"] == "NEEDS-ACTION"
    assert (shown.pop("DTSTAMP").dt, mailed.pop("DTSTAMP").dt) == (UPDATED, UPDATED + timedelta(minutes=1))
    assert shown == mailed


def test_what_is_each_readers_own_is_in_no_other_readers_invitation__itip_04() -> None:
    places = {"lille": "Salle de staff – CHU de Lille", "calais": "Salle de réunion – CH", "sainte-justine": "https:"}
    for at, place in (*places.items(), *places.items()):
        [event] = Calendar.from_ical(invited(CONFIRMED, at)).events
        assert event["ATTENDEE"] == f"mailto:staff@{at}.example"
        assert event["ATTENDEE"].params["CN"] == NETWORK.sites[at].name
        assert str(event["LOCATION"]).startswith(place)


def test_a_site_that_no_longer_takes_part_learns_nothing_new() -> None:
    mail = invited(replace(CONFIRMED, description="nouveau"), "reunion", method="CANCEL").decode()
    assert "STATUS:CANCELLED" in mail
    assert not [word for word in ("nouveau", "visio.example", "Calais") if word in mail]


@pytest.mark.parametrize("method", ["REQUEST", "CANCEL"])
def test_the_method_stands_once_and_before_the_event__itip_02(method: str) -> None:
    found = lines(invited(CANCELLED, "calais", method=method))
    assert [line for line in found if line.startswith("METHOD")] == [f"METHOD:{method}"]
    assert found.index(f"METHOD:{method}") < found.index("BEGIN:VEVENT")


def test_the_window_moves_by_whole_days__ics_46() -> None:
    shown = Window().on(date(2027, 3, 18))
    assert (shown.start, shown.end) == (datetime(2027, 1, 17, tzinfo=UTC), datetime(2028, 4, 21, tzinfo=UTC))
    assert Window().cancelled_since(date(2027, 3, 31)) == datetime(2027, 3, 1, tzinfo=UTC)


def test_a_site_without_a_city_is_placed_by_its_clock() -> None:
    bare = network_of(site("x", "Maternité X", None, "America/Cayenne"))
    of = session(host_site="x", timezone="America/Cayenne", participations=(part("x"),))
    [event] = Calendar.from_ical(render_feed(cover(site="x"), full(of), bare)).events
    assert "15:00 Cayenne (heure de Cayenne) · Maternité X" in str(event["DESCRIPTION"])
