"""What the service is told: each wrong configuration is named by file, key, reason and mend, all of them at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from perinat_sched import settings
from perinat_sched.errors import ConfigurationError, ConfigurationProblem
from perinat_sched.sites.network import Level, Limits, OpeningHours, QuietHours, Reminder

ROOT = Path(__file__).parent.parent
EXAMPLE = {"PERINAT_CONFIG_DIR": str(ROOT / "config"), "PERINAT_CALENDARS_DIR": str(ROOT / "calendars")}

NETWORK = """
[defaults]
grid_minutes = 5

[[networks]]
code = "perinat"
name = "Périnat"

[[bridges]]
code = "mcu"
name = "Pont"
ports = 12
networks = ["perinat"]

[[kinds]]
code = "staff"
name = { fr = "Staff", en = "Staff meeting" }
title = { fr = "Visio", en = "Video" }
duration_minutes = 60
reminders = ["P1D"]

[[sites]]
code = "lille"
name = "CHU de Lille"
timezone = "Europe/Paris"
holidays = "FR"
finess = "590006607"
networks = ["perinat"]
contacts = ["staff@lille.example"]
levels = [{ from = "2000-01-01", level = "III" }]
opening_hours = [{ days = ["mo", "fr"], from = "08:00", to = "19:00" }]
rooms = [{ code = "lille-1", name = "Salle", seats = 30, endpoint = "sip:lille-1@visio.example" }]

[[sites]]
code = "calais"
name = "CH de Calais"
phone = "+33 3 00 00 00 00"
timezone = "Europe/Paris"
networks = ["perinat"]
opening_hours = [{ days = ["mo"], from = "08:00", to = "19:00" }]
rooms = [{ code = "calais-1" }]
"""

EVENT = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:test
BEGIN:VEVENT
UID:1
SUMMARY:Travaux
DTSTART;TZID=Europe/Paris:20270301T080000
DTEND;TZID=Europe/Paris:20270301T120000
END:VEVENT
END:VCALENDAR
"""


@dataclass
class Written:
    """A configuration as it is about to be written."""

    network: bytes | None = NETWORK.encode()
    service: bytes | None = b""
    calendars: dict[str, bytes] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)

    def load(self, folder: Path) -> settings.Settings:
        config, calendars = folder / "config", folder / "calendars"
        config.mkdir()
        calendars.mkdir()
        files = {config / "network.toml": self.network, config / "service.toml": self.service}
        files |= {calendars / f"{name}.ics": content for name, content in self.calendars.items()}
        for path, content in files.items():
            if content is not None:
                path.write_bytes(content)
        places = {"PERINAT_CONFIG_DIR": str(config), "PERINAT_CALENDARS_DIR": str(calendars)}
        return settings.load(places | self.environ)


Change = Callable[[Written], Written]


def net(old: str, new: str) -> Change:
    """The network with one text replaced, at its first place."""

    def changed(written: Written) -> Written:
        assert old in NETWORK
        written.network = NETWORK.replace(old, new, 1).encode()
        return written

    return changed


def written(**parts: object) -> Change:
    """A configuration with other parts."""
    return lambda _: Written(**parts)  # type: ignore[arg-type]


def service(text: str) -> Change:
    return written(service=text.encode())


def environ(name: str, value: str) -> Change:
    return written(environ={name: value})


def event(old: str, new: str, name: str = "lille") -> Change:
    """A calendar of one event with one text replaced."""
    assert old in EVENT
    return written(calendars={name: EVENT.replace(old, new, 1).encode()})


LILLE, CALAIS = 'sites[0] "lille"', 'sites[1] "calais"'

WRONG: dict[str, tuple[Change, str, str, str, str]] = {
    # the files themselves
    "no network.toml": (written(network=None), "network.toml", "the file", "does not exist", "PERINAT_CONFIG_DIR"),
    "an empty network.toml": (written(network=b""), "network.toml", "sites", "is missing", "add it"),
    "a syntax error": (net("ports = 12", "ports ="), "network.toml", "line 12", "is not TOML", "mend the line"),
    "a key written twice": (service('public_url = "a"\npublic_url = "b"\n'), "service.toml", "line 2", "TOML", "once"),
    "Latin-1": (written(network="# é".encode("latin-1")), "network.toml", "line 1", "is not UTF-8", "UTF-8"),
    "a byte order mark": (written(service=b"\xef\xbb\xbf"), "service.toml", "line 1", "byte order mark", "BOM"),
    "UTF-16": (written(service="a = 1".encode("utf-16")), "service.toml", "line 1", "byte order mark", "UTF-8"),
    "NUL in a file": (written(service=b"\0"), "service.toml", "line 1", "is not TOML", "mend"),
    "nested too deep": (
        service("a = " + "[" * 50_000), "service.toml", "the file", "nested too deep", "example"
    ),
    # unknown keys
    "an unknown key": (service("publik_url = 1"), "service.toml", "publik_url", "is not known", '"public_url"'),
    "an unknown key in a table": (service("[mail]\nsmtp = 1"), "service.toml", "mail.smtp", "not known", '"smtp_url"'),
    "an unknown table": (service("[limit]"), "service.toml", "limit", "is not known", '"limits"'),
    "an unknown key of a site": (
        net('phone = "', 'telephone = "'), "network.toml", f"{CALAIS} → telephone", "is not known", '"phone"'
    ),
    "a room has no notice": (
        net("seats = 30", "minimum_notice_hours = 3"),
        "network.toml", f'{LILLE} → rooms[0] "lille-1" → minimum_notice_hours', "is not known", "known here: code",
    ),
    "an unknown variable": (
        environ("PERINAT_DATABASE", "x"), "environment", "PERINAT_DATABASE", "is not known", '"PERINAT_DATABASE_URL"'
    ),
    # types and ranges
    "a number for a text": (
        net('"590006607"', "590006607"), "network.toml", f"{LILLE} → finess", "whole number", 'quotes: "590006607"'
    ),
    "a text for a number": (
        net("ports = 12", 'ports = "12"'), "network.toml", 'bridges[0] "mcu" → ports', "is a text", "whole number"
    ),
    "a text for a list": (
        net('networks = ["perinat"]\ncontacts', 'networks = "perinat"\ncontacts'),
        "network.toml", f"{LILLE} → networks", "is a text, not a list", "write a list",
    ),
    "a table for a list of tables": (
        written(network=NETWORK.replace("[[networks]]", "[networks]").encode()),
        "network.toml", "networks", "is a table, not a list", "write a list",
    ),
    "true for a number": (
        service("[limits]\nwrites_per_minute = true"), "service.toml", "limits.writes_per_minute", "true", "number"
    ),
    "a fraction": (net("ports = 12", "ports = 12.0"), "network.toml", 'bridges[0] "mcu" → ports', "decimals", "whole"),
    "not a number at all": (
        service("[mail]\nsettle_seconds = nan"), "service.toml", "mail.settle_seconds", "decimals", "whole number"
    ),
    "no port": (net("ports = 12", "ports = 0"), "network.toml", 'bridges[0] "mcu" → ports', "out of range", "from 1"),
    "a number beyond 64 bits": (
        net("seats = 30", f"seats = {2**63}"),
        "network.toml", f'{LILLE} → rooms[0] "lille-1" → seats', "out of range", "from 1 to",
    ),
    "a negative limit": (
        service("[limits]\nfeed_reads_per_minute = -1"), "service.toml", "limits.feed_reads_per_minute", "-1", "from 0"
    ),
    "a grid that does not divide an hour": (
        net("grid_minutes = 5", "grid_minutes = 7"), "network.toml", "defaults.grid_minutes", "divide", "1, 2, 3"
    ),
    "a length off the grid": (
        net("duration_minutes = 60", "duration_minutes = 62"),
        "network.toml", 'kinds[0] "staff" → duration_minutes', "not a multiple", "multiple of 5",
    ),
    "a kind longer than its limit": (
        net("duration_minutes = 60", "duration_minutes = 60\nmax_duration_minutes = 30"),
        "network.toml", 'kinds[0] "staff" → duration_minutes', "longer than a session may be (30)", "shorten",
    ),
    # what is required
    "no zone": (
        net('timezone = "Europe/Paris"\n', ""), "network.toml", f"{LILLE} → timezone", "is missing", "add it: a text"
    ),
    "no rooms": (net('rooms = [{ code = "calais-1" }]', ""), "network.toml", f"{CALAIS} → rooms", "missing", "a list"),
    "no networks": (
        net('networks = ["perinat"]\ncontacts', "networks = []\ncontacts"),
        "network.toml", f"{LILLE} → networks", "is empty", "at least one",
    ),
    "no name in English": (
        net(', en = "Staff meeting" }', " }"), "network.toml", 'kinds[0] "staff" → name.en', "is missing", "add it"
    ),
    "a site without a code": (net('code = "calais"\n', ""), "network.toml", "sites[1].code", "is missing", "add it"),
    # values
    "capitals in a code": (
        net('code = "calais"', 'code = "Calais"'),
        "network.toml", 'sites[1] "Calais" → code', "'Calais' is not a code", "lower-case",
    ),
    "a code too long": (
        net('code = "calais"', f'code = "{"a" * 41}"'), "network.toml", "sites[1].code", "is not a code", "at most 40"
    ),
    "two rooms of one code": (
        net('"calais-1"', '"lille-1"'),
        "network.toml", f'{CALAIS} → rooms[0] "lille-1" → code', f"code of {LILLE} → rooms[0]", "its own code",
    ),
    "a bridge with the code of a site": (
        net('code = "calais"', 'code = "mcu"'),
        "network.toml", 'sites[1] "mcu" → code', 'code of bridges[0] "mcu" already', "its own code",
    ),
    "an unknown network": (
        net('networks = ["perinat"]\ncontacts', 'networks = ["perinta"]\ncontacts'),
        "network.toml", f"{LILLE} → networks[0]", "there is no network 'perinta'", 'did you mean "perinat"?',
    ),
    "a network named twice": (
        net('networks = ["perinat"]\ncontacts', 'networks = ["perinat", "perinat"]\ncontacts'),
        "network.toml", f"{LILLE} → networks[1]", "named twice", "remove one",
    ),
    "a calendar that is not there": (
        net('contacts = ["staff@lille.example"]', 'calendars = ["ponts"]'),
        "network.toml", f"{LILLE} → calendars[0]", "there is no calendar 'ponts'", "known here: none",
    ),
    "a FINESS number with a wrong digit": (
        net("590006607", "590006608"), "network.toml", f"{LILLE} → finess", "key of FINESS", "mistyped"
    ),
    "a FINESS number too short": (
        net("590006607", "59000660"), "network.toml", f"{LILLE} → finess", "is not a FINESS", "nine characters"
    ),
    "digits of another script": (
        net("590006607", "٥٩٠٠٠٦٦٠٧"), "network.toml", f"{LILLE} → finess", "is not a FINESS", "nine characters"
    ),
    "a mistyped zone": (
        net("Europe/Paris", "Europe/Pari"), "network.toml", f"{LILLE} → timezone", "'Europe/Pari'", '"Europe/Paris"'
    ),
    "a path for a zone": (
        net("Europe/Paris", "../../etc/passwd"), "network.toml", f"{LILLE} → timezone", "is not a time zone", "Paris"
    ),
    "an unknown country": (net('"FR"', '"FRA"'), "network.toml", f"{LILLE} → holidays", "names no country", '"FR"'),
    "an unknown region": (net('"FR"', '"FR-975"'), "network.toml", f"{LILLE} → holidays", "no region '975'", '"97'),
    "no region after the hyphen": (net('"FR"', '"FR-"'), "network.toml", f"{LILLE} → holidays", "no region", '"FR"'),
    "hours that end before they begin": (
        net('from = "08:00", to = "19:00"', 'from = "19:00", to = "08:00"'),
        "network.toml", f"{LILLE} → opening_hours[0].to", "closes before it opens", "24:00",
    ),
    "an hour that no clock shows": (
        net('to = "19:00"', 'to = "24:30"'), "network.toml", f"{LILLE} → opening_hours[0].to", "'24:30'", "HH:MM"
    ),
    "an hour without quotes": (
        net('to = "19:00"', "to = 19:00:00"), "network.toml", f"{LILLE} → opening_hours[0].to", "an hour", "quotes"
    ),
    "an unknown weekday": (
        net('"mo", "fr"', '"mo", "monday"'), "network.toml", f"{LILLE} → opening_hours[0].days[1]", "weekday", "mo, tu"
    ),
    "an unknown level": (
        net('level = "III"', 'level = "IV"'), "network.toml", f"{LILLE} → levels[0].level", "none of I, IIA", "did you"
    ),
    "two levels from one day": (
        net('level = "III" }]', 'level = "III" }, { from = "2000-01-01", level = "I" }]'),
        "network.toml", f"{LILLE} → levels[1].from", "two levels begin", "its own date",
    ),
    "a day that does not exist": (
        net("2000-01-01", "2000-02-30"), "network.toml", f"{LILLE} → levels[0].from", "is not a date", "YYYY-MM-DD"
    ),
    "months before the start": (
        net('reminders = ["P1D"]', 'reminders = ["P1M"]'),
        "network.toml", 'kinds[0] "staff" → reminders[0]', "is not a duration", "no fixed length",
    ),
    "no time before the start": (
        service('[reminders]\nlead_times = ["P0D"]'), "service.toml", "reminders.lead_times[0]", "nothing", "PT1M"
    ),
    "half a night": (
        service('[reminders]\nquiet_hours = ["21:00"]'), "service.toml", "reminders.quiet_hours", "no night", "ends"
    ),
    "a night without an hour": (
        service('[reminders]\nquiet_hours = ["00:00", "24:00"]'),
        "service.toml", "reminders.quiet_hours", "no night", "ends",
    ),
    "no hour of a night": (
        service('[reminders]\nquiet_hours = ["21:00", "7h"]'),
        "service.toml", "reminders.quiet_hours[1]", "not an hour", "HH:MM",
    ),
    "one lead time written in two ways": (
        service('[reminders]\nlead_times = ["P7D", "P1W"]'), "service.toml", "reminders.lead_times", "twice", "remove"
    ),
    "two addresses in one": (
        net("staff@lille.example", "staff@lille.example, victim@x"),
        "network.toml", f"{LILLE} → contacts[0]", "not one e-mail address", "without a name",
    ),
    "a header in an address": (
        net("staff@lille.example", r"staff@lille.example\r\nBcc: v@x"),
        "network.toml", f"{LILLE} → contacts[0]", "control character U+000D", "one line",
    ),
    "a line break in a name": (
        net("CHU de Lille", r"CHU\nATTENDEE:x"), "network.toml", f"{LILLE} → name", "control character U+000A", "line"
    ),
    "a name that turns the writing": (
        net("CHU de Lille", r"CHU \u202E"), "network.toml", f"{LILLE} → name", "U+202E", "take it out"
    ),
    "a blank name": (net("CHU de Lille", " "), "network.toml", f"{LILLE} → name", "Write something", "empty"),
    "a telephone number in words": (
        net("+33 3 00 00 00 00", "ask Marie"), "network.toml", f"{CALAIS} → phone", "telephone", "digits"
    ),
    "a space in what the bridge dials": (
        net("sip:lille-1", "sip: lille-1"),
        "network.toml", f'{LILLE} → rooms[0] "lille-1" → endpoint', "space", "sip:room",
    ),
    # the environment
    "another database": (
        environ("PERINAT_DATABASE_URL", "mysql://u:s3cret@h/d"),
        "environment", "PERINAT_DATABASE_URL", "no SQLite or PostgreSQL", "sqlite:///",
    ),
    "a database in memory": (
        environ("PERINAT_DATABASE_URL", "sqlite:///:memory:"),
        "environment", "PERINAT_DATABASE_URL", "names no database", "sqlite:////absolute",
    ),
    "a database that is a folder": (
        environ("PERINAT_DATABASE_URL", "sqlite:////tmp"), "environment", "PERINAT_DATABASE_URL", "folder", "sqlite"
    ),
    "an empty variable": (
        environ("PERINAT_DATABASE_URL", ""), "environment", "PERINAT_DATABASE_URL", "Write something", "empty"
    ),
    "no such port": (
        environ("PERINAT_SMTP_URL", "smtp://relay:s3cret@h:99999"), "environment", "PERINAT_SMTP_URL", "port", "smtps"
    ),
    "a web address for the relay": (
        environ("PERINAT_SMTP_URL", "https://relay"), "environment", "PERINAT_SMTP_URL", "no smtp or smtps", "smtp://"
    ),
    "a public address with a query": (
        environ("PERINAT_PUBLIC_URL", "https://x.example/?a=1"), "environment", "PERINAT_PUBLIC_URL", "more", "https"
    ),
    "a public address without a scheme": (
        service('public_url = "visio.example"'), "service.toml", "public_url", "no http or https", "https://visio"
    ),
    "an unknown log level": (
        environ("PERINAT_LOG_LEVEL", "warn"), "environment", "PERINAT_LOG_LEVEL", "no log level", '"WARNING"'
    ),
    "a sender that is two": (
        environ("PERINAT_MAIL_FROM", "A <a@x.example>, B <b@x.example>"), "environment", "PERINAT_MAIL_FROM", "", ""
    ),
    "no such folder of calendars": (
        environ("PERINAT_CALENDARS_DIR", "/no/such"), "environment", "PERINAT_CALENDARS_DIR", "no folder", "create it"
    ),
    # calendars
    "garbage for a calendar": (written(calendars={"lille": b"\x00garbage"}), "lille.ics", "the file", "", "export"),
    "an empty calendar file": (written(calendars={"x": b""}), "x.ics", "the file", "one VCALENDAR", "BEGIN"),
    "a huge calendar": (written(calendars={"x": b" " * 1_000_001}), "x.ics", "the file", "1 MB", "past events"),
    "too many components": (
        written(calendars={"x": b"BEGIN:VEVENT\r\n" * 2001}), "x.ics", "the file", "2000 components", "past"
    ),
    "nested components": (
        written(calendars={"x": b"BEGIN:VCALENDAR\r\n" + b"BEGIN:VEVENT\r\n" * 1900}), "x.ics", "the file", "", ""
    ),
    "an event every second": (
        event("UID:1", "UID:1\nRRULE:FREQ=SECONDLY"), "lille.ics", 'event 1 "Travaux"', "recurs SECONDLY", "FREQ=DAILY"
    ),
    "an event every hour": (
        event("UID:1", "UID:1\nRRULE:FREQ=HOURLY"), "lille.ics", 'event 1 "Travaux"', "recurs HOURLY", "FREQ=DAILY"
    ),
    "a rule within the day": (
        event("UID:1", "UID:1\nRRULE:FREQ=DAILY;BYSECOND=1,2,3"), "lille.ics", "event 1", "within the day", "one event"
    ),
    "interval nothing": (
        event("UID:1", "UID:1\nRRULE:FREQ=DAILY;INTERVAL=0"), "lille.ics", "event 1", "INTERVAL", "1 or more"
    ),
    "a rule that seeks a day that never comes": (
        event("UID:1", "UID:1\nRRULE:FREQ=DAILY;COUNT=5;BYMONTH=2;BYMONTHDAY=30"),
        "lille.ics", "event 1", "DAILY on days of the month", "FREQ=MONTHLY",
    ),
    "a rule that is none": (event("UID:1", "UID:1\nRRULE:often"), "lille.ics", "event 1", "without FREQ", "FREQ="),
    "a broken date in a calendar": (
        event("20270301T080000", "20271301T080000"), "lille.ics", "event 1", "DTSTART cannot be read", "correct"
    ),
    "an event that ends before it begins": (
        event("20270301T120000", "20270301T070000"), "lille.ics", "event 1", "ends when it begins", "DTEND"
    ),
    "an event without an end": (
        event("DTEND;TZID=Europe/Paris:20270301T120000\n", ""), "lille.ics", "event 1", "ends when it begins", "DTEND"
    ),
    "an event without a start": (
        event("DTSTART;TZID=Europe/Paris:20270301T080000\n", ""), "lille.ics", "event 1", "start and end", "DTSTART"
    ),
    "half an event in a zone": (
        event("DTSTART;TZID=Europe/Paris", "DTSTART"), "lille.ics", "event 1", "do not fit together", "DTEND"
    ),
    "an event in an unknown zone": (
        written(calendars={"lille": EVENT.replace("Europe/Paris", "Lille").encode()}),
        "lille.ics", "event 1", "time zone 'Lille'", "TZID=Europe/Paris",
    ),
    "an event of another age": (
        event("20270301T080000", "16010101T080000"), "lille.ics", "event 1", "between 1970 and 2100", "DTSTART"
    ),
    "two events of one UID": (
        written(calendars={"lille": EVENT.replace("END:VCALENDAR\n", EVENT[EVENT.index("BEGIN:VEVENT") :]).encode()}),
        "lille.ics", 'event 2 "Travaux"', "UID of an event before", "its own UID",
    ),
}  # fmt: skip


def problems_of(given: Written, folder: Path) -> list[ConfigurationProblem]:
    with pytest.raises(ConfigurationError) as refused:
        given.load(folder)
    return list(refused.value.problems)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_configuration_names_file_key_reason_and_mend(name: str, tmp_path: Path) -> None:
    change, file, key, reason, mend = WRONG[name]
    problems = problems_of(change(Written()), tmp_path)
    found = [p for p in problems if p.file.endswith(file) and key in p.key and reason in p.reason and mend in p.mend]
    assert found, [str(problem) for problem in problems]
    assert all(problem.reason and problem.mend for problem in problems)
    assert "s3cret" not in str(ConfigurationError(problems))


def test_everything_that_is_wrong_is_named_at_once(tmp_path: Path) -> None:
    given = Written(
        network=NETWORK.replace("Europe/Paris", "Europe/Pari").replace("ports = 12", "ports = 0").encode(),
        service=b"[limits]\nwrites_per_minute = -1\nreads = 1",
        environ={"PERINAT_LOG_LEVEL": "loud", "PERINAT_X": "1"},
        calendars={"lille": b"garbage", "calais": b"garbage"},
    )
    found = [f"{Path(problem.file).name}: {problem.key}" for problem in problems_of(given, tmp_path)]
    assert sorted(found) == [
        "calais.ics: the file",
        "environment: PERINAT_LOG_LEVEL",
        "environment: PERINAT_X",
        "lille.ics: the file",
        'network.toml: bridges[0] "mcu" → ports',
        f"network.toml: {LILLE} → timezone",
        f"network.toml: {CALAIS} → timezone",
        "service.toml: limits.reads",
        "service.toml: limits.writes_per_minute",
    ]


def test_a_file_that_cannot_be_read_is_one_complaint(tmp_path: Path) -> None:
    problems = problems_of(Written(network=b"[[sites"), tmp_path)
    assert [Path(problem.file).name for problem in problems] == ["network.toml"]


def test_a_folder_in_place_of_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "network.toml").mkdir()
    with pytest.raises(ConfigurationError) as refused:
        settings.load({"PERINAT_CONFIG_DIR": str(tmp_path)})
    assert [problem.reason for problem in refused.value.problems] == ["is a folder"]


def test_an_empty_service_file_gives_every_default(tmp_path: Path) -> None:
    given = Written().load(tmp_path)
    assert given.database_url == "sqlite:///var/perinat.db"
    assert given.public_url == "http://127.0.0.1:8080"
    assert given.smtp_url is None
    assert given.settle_seconds == 5
    assert given.lead_times == (Reminder(text="P1D", days=1, rest=timedelta()),)
    assert given.directory.quiet_hours is None
    assert (given.writes_per_minute, given.feed_reads_per_minute) == (600, 60)
    assert given.secret_key_file == Path("var/secret.key")
    assert given.log_level == "INFO"


def test_quiet_hours_are_said_as_they_were_understood(tmp_path: Path) -> None:
    given = Written(service=b'[reminders]\nquiet_hours = ["21:30", "07:00"]').load(tmp_path)
    assert given.directory.quiet_hours == QuietHours(begins=21 * 60 + 30, ends=7 * 60)
    assert "never from 21:30 to 07:00 by the reader's clock" in settings.describe(given)


def test_no_service_file_is_as_good_as_an_empty_one(tmp_path: Path) -> None:
    assert Written(service=None).load(tmp_path).writes_per_minute == 600


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    given = Written(
        service=b'public_url = "https://file.example"\n[mail]\nsmtp_url = "smtp://file"\nfrom = "file@x.example"',
        environ={
            "PERINAT_PUBLIC_URL": "https://visio.example/perinat/",
            "PERINAT_SMTP_URL": "",
            "PERINAT_MAIL_FROM": "Périnat <perinat@visio.example>",
            "PERINAT_DATABASE_URL": "postgresql://u:p@h/d",
            "PERINAT_LOG_LEVEL": "debug",
            "OTHER_VARIABLE": "is not ours",
        },
    ).load(tmp_path)
    assert given.public_url == "https://visio.example/perinat"  # links are joined to it with a slash
    assert given.smtp_url is None  # to files
    assert given.mail_from == "Périnat <perinat@visio.example>"
    assert given.database_url == "postgresql://u:p@h/d"
    assert given.log_level == "DEBUG"


def test_the_file_holds_where_the_environment_says_nothing(tmp_path: Path) -> None:
    text = (
        '[mail]\nsmtp_url = "smtps://u:p@relay.example"\nsettle_seconds = 0\n[reminders]\nlead_times = ["PT1H", "P1W"]'
    )
    given = Written(service=text.encode()).load(tmp_path)
    assert given.smtp_url == "smtps://u:p@relay.example"
    assert given.settle_seconds == 0
    assert [lead.text for lead in given.lead_times] == ["P1W", "PT1H"]  # the longest first


@pytest.mark.parametrize(
    ("text", "days", "rest"),
    [
        ("P1D", 1, timedelta()),
        ("P7D", 7, timedelta()),
        ("P1W", 7, timedelta()),
        ("PT1H", 0, timedelta(hours=1)),
        ("PT30M", 0, timedelta(minutes=30)),
        ("P1DT2H", 1, timedelta(hours=2)),
    ],
)
def test_days_before_are_wall_time_and_hours_are_elapsed(text: str, days: int, rest: timedelta, tmp_path: Path) -> None:
    given = Written(service=f'[reminders]\nlead_times = ["{text}"]'.encode()).load(tmp_path)
    assert given.lead_times == (Reminder(text=text, days=days, rest=rest),)


def test_a_kind_without_reminders_takes_those_of_the_service(tmp_path: Path) -> None:
    network = NETWORK.replace('reminders = ["P1D"]\n', "")
    given = Written(network=network.encode(), service=b'[reminders]\nlead_times = ["PT2H"]').load(tmp_path)
    assert [lead.text for lead in given.directory.kinds["staff"].reminders] == ["PT2H"]


def test_a_kind_may_remind_nobody(tmp_path: Path) -> None:
    network = NETWORK.replace('reminders = ["P1D"]', "reminders = []")
    assert Written(network=network.encode()).load(tmp_path).directory.kinds["staff"].reminders == ()


def test_montreal_is_accepted_and_becomes_toronto(tmp_path: Path) -> None:
    network = NETWORK.replace("Europe/Paris", "America/Montreal", 1)
    assert Written(network=network.encode()).load(tmp_path).directory.sites["lille"].timezone == "America/Toronto"


def test_corsican_finess_numbers_keep_their_letter(tmp_path: Path) -> None:
    given = Written(network=NETWORK.replace("590006607", "2A0000014").encode()).load(tmp_path)
    assert given.directory.sites["lille"].finess == "2A0000014"


def test_what_may_be_left_out_has_its_default(tmp_path: Path) -> None:
    calais = Written().load(tmp_path).directory.sites["calais"]
    assert (calais.kind, calais.legal_status, calais.language, calais.answers) == (
        "maternity",
        "public",
        "fr",
        "automatic",
    )
    assert (calais.active, calais.holidays, calais.contacts, calais.finess) == (True, "", (), None)
    assert (calais.rooms[0].name, calais.rooms[0].seats, calais.rooms[0].limits) == ("calais-1", None, Limits())


def test_hours_may_end_at_midnight_and_overlap(tmp_path: Path) -> None:
    hours = '[{ days = ["mo", "su"], from = "00:00", to = "24:00" }, { days = ["mo"], from = "08:00", to = "09:00" }]'
    network = NETWORK.replace('[{ days = ["mo"], from = "08:00", to = "19:00" }]', hours)
    assert Written(network=network.encode()).load(tmp_path).directory.sites["calais"].opening_hours == (
        OpeningHours(weekdays=frozenset({0, 6}), opens=0, closes=1440),
        OpeningHours(weekdays=frozenset({0}), opens=480, closes=540),
    )


def test_levels_are_in_the_order_of_their_dates(tmp_path: Path) -> None:
    levels = '[{ from = "2020-01-01", level = "III" }, { from = "2000-01-01", level = "IIB" }]'
    network = NETWORK.replace('[{ from = "2000-01-01", level = "III" }]', levels)
    assert Written(network=network.encode()).load(tmp_path).directory.sites["lille"].levels == (
        Level(since=date(2000, 1, 1), level="IIB"),
        Level(since=date(2020, 1, 1), level="III"),
    )


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:s3cret@h:5432/d", "postgresql://u:***@h:5432/d"),
        ("smtps://user:s3@cr/et@relay", "smtps://user:***@relay"),
        ("postgresql://h/d?password=s3cret&x=1", "postgresql://h/d?password=***&x=1"),
        ("postgresql://user@h/d", "postgresql://user@h/d"),
        ("sqlite:///var/perinat.db", "sqlite:///var/perinat.db"),
    ],
)
def test_passwords_are_masked(url: str, shown: str) -> None:
    assert settings.mask(url) == shown


# --- The example that ships --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def example() -> settings.Settings:
    return settings.load(EXAMPLE)


def test_the_example_has_ten_maternities_and_their_partners(example: settings.Settings) -> None:
    sites = example.directory.sites.values()
    ten = [
        "lille",
        "roubaix",
        "tourcoing",
        "seclin",
        "valenciennes",
        "lens",
        "arras",
        "calais",
        "boulogne",
        "dunkerque",
    ]
    assert [site.code for site in sites if site.kind == "maternity" and site.active] == ten
    assert [site.code for site in sites if site.kind == "partner" and site.active] == ["sainte-justine", "reunion"]
    assert [site.code for site in sites if not site.active] == ["douai", "mayotte", "miquelon"]
    assert all("perinat" in site.networks for site in sites)
    assert [site.code for site in sites if site.answers == "automatic"] == ["lille"]


def test_the_example_keeps_the_levels_and_finess_numbers_of_the_documents(example: settings.Settings) -> None:
    assert {
        site.code: (site.levels[0].level if site.levels else None, site.finess)
        for site in example.directory.sites.values()
    } == {
        "lille": ("III", "590006607"),
        "roubaix": ("IIB", "590801106"),
        "tourcoing": ("IIA", "590804696"),
        "seclin": ("IIA", "590000121"),
        "valenciennes": ("III", "590000618"),
        "lens": ("III", "620000257"),
        "arras": ("III", "620000034"),
        "calais": ("III", "620000323"),
        "boulogne": ("IIA", "620000653"),
        "dunkerque": ("IIB", "590000337"),
        "douai": ("IIA", "590001004"),
        "sainte-justine": (None, None),
        "reunion": (None, "970400024"),
        "mayotte": (None, "980500011"),
        "miquelon": (None, "970500039"),
    }


def test_the_example_knows_each_place_by_its_clock_and_holidays(example: settings.Settings) -> None:
    elsewhere = {s.code: (s.timezone, s.holidays) for s in example.directory.sites.values() if s.kind == "partner"}
    assert elsewhere == {
        "sainte-justine": ("America/Toronto", "CA-QC"),
        "reunion": ("Indian/Reunion", "FR-974"),
        "mayotte": ("Indian/Mayotte", "FR-976"),
        "miquelon": ("America/Miquelon", "FR-PM"),
    }


def test_twelve_ports_take_the_ten_with_montreal_and_reunion_but_not_mayotte(example: settings.Settings) -> None:
    bridge, gateway = example.directory.bridges_of("perinat")
    active = [site for site in example.directory.sites.values() if site.active]
    assert len(active) == bridge.ports == 12
    assert gateway.ports == 4
    assert all(example.directory.bridges_of(network) for network in example.directory.networks)


def test_the_example_networks_have_the_members_that_the_documents_name(example: settings.Settings) -> None:
    members = {
        network: [site.code for site in example.directory.sites.values() if network in site.networks]
        for network in example.directory.networks
    }
    assert members["metropole"] == ["lille", "roubaix", "tourcoing", "seclin"]
    assert members["hpsm"] == ["lille", "seclin"]
    assert members["sih-lrt"] == ["lille", "roubaix", "tourcoing"]
    assert list(members) == ["perinat", "metropole", "hpsm", "sih-lrt"]


def test_sainte_justine_has_no_managed_room_and_lille_has_two(example: settings.Settings) -> None:
    sites = example.directory.sites
    assert sites["sainte-justine"].rooms == ()
    assert [room.code for room in sites["lille"].rooms] == ["lille-1", "lille-2"]
    assert [room.code for room in sites["reunion"].rooms] == ["reunion-1"]


def test_the_example_kinds_have_their_lengths_priorities_and_reminders(example: settings.Settings) -> None:
    kinds = example.directory.kinds.values()
    assert {kind.code: (kind.duration_minutes, kind.priority) for kind in kinds} == {
        "staff": (60, "clinical"),
        "cpdpn": (120, "clinical"),
        "rcp": (90, "clinical"),
        "rmm": (120, "teaching"),
        "training": (75, "teaching"),
        "steering": (90, "administration"),
        "international": (90, "clinical"),
        "test": (30, "technical"),
    }
    leads = {kind.code: [lead.text for lead in kind.reminders] for kind in kinds}
    assert leads["staff"] == leads["cpdpn"] == leads["rcp"] == ["P1D"]
    assert leads["rmm"] == leads["training"] == leads["steering"] == leads["international"] == ["P7D", "P1D"]
    notices = {k.code: k.limits.minimum_notice_hours for k in kinds if k.limits.minimum_notice_hours is not None}
    assert notices == {"staff": 2, "test": 0}
    assert all(kind.name.keys() == kind.title.keys() == {"fr", "en"} for kind in kinds)


def test_nothing_in_the_example_can_reach_a_real_hospital(example: settings.Settings) -> None:
    contacts = [contact for site in example.directory.sites.values() for contact in site.contacts]
    assert len(contacts) >= len(example.directory.sites)
    assert all(contact.endswith(".example") for contact in contacts)
    assert all(room.endpoint and room.endpoint.endswith(".example") for room in example.directory.rooms.values())


def test_every_key_of_the_service_file_stands_there_with_its_default(tmp_path: Path) -> None:
    text = (ROOT / "config" / "service.toml").read_text()
    spoken = re.sub(r"(?m)^# (\w+ = )", r"\1", text)
    assert spoken.count("\n") == text.count("\n") and spoken != text
    plain = Written().load(tmp_path)
    (tmp_path / "told").mkdir()
    told = Written(service=spoken.encode()).load(tmp_path / "told")
    for name in ("database_url", "public_url", "smtp_url", "mail_from", "settle_seconds", "lead_times"):
        assert getattr(told, name) == getattr(plain, name)
    assert told.directory == plain.directory
    assert len(re.findall(r"(?m)^\w+ = ", spoken)) == 12


def test_check_says_everything_that_was_understood_and_no_password(tmp_path: Path) -> None:
    given = Written(
        environ={"PERINAT_DATABASE_URL": "postgresql://u:s3cret@h/d", "PERINAT_SMTP_URL": "smtp://u:s3cret@relay"},
        calendars={"lille": EVENT.encode(), "calais-1": EVENT.encode(), "nobody": EVENT.encode()},
    ).load(tmp_path)
    text = settings.describe(given, lambda: datetime(2027, 1, 1, tzinfo=UTC))
    assert "s3cret" not in text
    for part in (
        "postgresql://u:***@h/d",
        "smtp://u:***@relay",
        "site            lille “CHU de Lille”",
        "level III since 2000-01-01",
        "FINESS 590006607",
        "Europe/Paris, speaks fr, answers automatic",
        "mo fr 08:00–19:00",
        "set-up 30 min, release 15 min, at most 480 min, notice 24 h",
        "lille-1: Salle, 30 seats, sip:lille-1@visio.example",
        "public holidays of FR; lille.ics",
        "closed      2027-03-01 08:00 to 2027-03-01 12:00 Travaux",
        "closed      2027-05-06 Ascension",
        "busy        2027-03-01 08:00 to 2027-03-01 12:00 Travaux",
        "no contact: gets no mail",
        "no site, room or list names them: nobody.ics",
    ):
        assert part in text
