"""Rules as people say them, in French and in English."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from perinat_sched.booking.session import Draft
from perinat_sched.series import recurrence, wording
from perinat_sched.series.series import Series
from perinat_sched.sites.network import Language

THURSDAY = datetime.fromisoformat("2027-01-07T13:00")  # the first of its month
FIRST = datetime.fromisoformat("2027-01-01T13:00")

SERIES = Series(
    id="1",
    uid="1@perinat-sched",
    revision=0,
    session=Draft(
        kind="staff",
        title="Staff",
        description="",
        network="perinat",
        host_site="lille",
        wall_start=THURSDAY,
        timezone="Europe/Paris",
        fold=0,
        start=THURSDAY.replace(tzinfo=UTC),
        duration=timedelta(hours=1),
        required_sites=(),
        optional_sites=(),
        rooms={},
        join_url=None,
        access_code=None,
        override_reason=None,
    ),
    fold=None,
    rrule="FREQ=WEEKLY;BYDAY=TH;UNTIL=20271216T225900Z",
    created_at=datetime(2027, 1, 1, tzinfo=UTC),
    updated_at=datetime(2027, 1, 1, tzinfo=UTC),
)


@pytest.mark.parametrize(
    ("rule", "start", "french", "english"),
    [
        ("FREQ=WEEKLY", THURSDAY, "chaque jeudi", "every Thursday"),
        ("FREQ=WEEKLY;BYDAY=TH,MO,WE", THURSDAY, "chaque lundi, mercredi et jeudi",
         "every Monday, Wednesday and Thursday"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TH,MO", THURSDAY, "toutes les 2 semaines, le lundi et le jeudi",
         "every 2 weeks, on Monday and on Thursday"),
        ("FREQ=MONTHLY;BYDAY=3TH", THURSDAY, "le troisième jeudi de chaque mois", "the third Thursday of each month"),
        ("FREQ=MONTHLY;INTERVAL=2;BYDAY=-1FR", THURSDAY, "le dernier vendredi, tous les 2 mois",
         "the last Friday, every 2 months"),
        ("FREQ=MONTHLY;BYDAY=-2FR,-4FR,TH", THURSDAY,
         "l’avant-dernier vendredi, le vendredi numéro 4 en partant de la fin et chaque jeudi de chaque mois",
         "the last Friday but one, the Friday number 4 from the end and every Thursday of each month"),
        ("FREQ=MONTHLY", FIRST, "le 1er de chaque mois", "day 1 of each month"),
        ("FREQ=MONTHLY;BYMONTHDAY=15,-1,-3", FIRST,
         "le 15, le dernier jour et le jour numéro 3 en partant de la fin de chaque mois",
         "day 15, the last day and the day number 3 from the end of each month"),
        ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", FIRST, "chaque vendredi qui tombe le 13 de chaque mois",
         "every Friday that falls on day 13 of each month"),
        ("FREQ=DAILY", FIRST, "chaque jour", "every day"),
        ("FREQ=DAILY;INTERVAL=3;BYDAY=MO", FIRST, "tous les 3 jours, seulement le lundi",
         "every 3 days, only on Monday"),
        ("FREQ=YEARLY", FIRST, "le même jour de chaque année", "the same day of each year"),
        ("FREQ=YEARLY;INTERVAL=2;BYDAY=20MO", FIRST, "le lundi numéro 20, tous les 2 ans",
         "the Monday number 20, every 2 years"),
    ],
)  # fmt: skip
def test_a_rule_is_said_as_people_say_it(rule: str, start: datetime, french: str, english: str) -> None:
    parsed = recurrence.parse(f"{rule};COUNT=2", "Europe/Paris")

    assert wording.pattern(parsed, start, "fr") == french
    assert wording.pattern(parsed, start, "en") == english


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("fr", "chaque jeudi à 13\u00a0h\u00a000 (heure de Paris), du jeudi 7 janvier 2027 au jeudi 16 décembre 2027"),
        ("en", "every Thursday at 13:00 (Paris time), from Thursday 7 January 2027 to Thursday 16 December 2027"),
    ],
)
def test_a_series_is_said_with_its_hour_whose_hour_and_its_end(language: Language, told: str) -> None:
    assert wording.when(SERIES, language, "Lille") == told


def test_a_number_of_times_and_given_days_are_said_too() -> None:
    counted = replace(SERIES, rrule="FREQ=WEEKLY;COUNT=12")
    listed = replace(SERIES, rrule=None, dates=("2027-03-04", "2027-01-07"))

    assert wording.when(counted, "en", None).endswith("12 times from Thursday 7 January 2027")
    assert wording.when(listed, "en", None) == (
        "on 2 given days at 13:00 (Paris time), from Thursday 7 January 2027 to Thursday 4 March 2027"
    )


def test_days_left_out_are_said_as_days_and_ranges() -> None:
    excluding = replace(SERIES, exclude=("2027-05-06", "2027-07-29/2027-08-26"))

    assert wording.without(excluding, "fr") == [
        "jeudi 6 mai 2027",
        "du jeudi 29 juillet 2027 au jeudi 26 août 2027",
    ]
