"""The written forms of the field: codes, FINESS numbers, zones, holiday calendars, hours, lead times, addresses.

Each function takes the text as an operator wrote it and returns the value, or raises `Wrong` with the reason and the
mend. They know nothing of files.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import lru_cache

from perinat_sched import texts, zones
from perinat_sched.reading import Wrong, nearest, one_line, typed
from perinat_sched.sites.network import MINUTES_A_DAY, Reminder

WEEKDAYS = ("mo", "tu", "we", "th", "fr", "sa", "su")
LONGEST_LEAD = timedelta(days=366)

_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_FINESS = re.compile(r"\d{9}|2[AB]\d{7}", re.ASCII)
_CLOCK = re.compile(r"(\d{2}):([0-5]\d)", re.ASCII)
_LEAD = re.compile(r"P(?:(\d{1,3})W)?(?:(\d{1,3})D)?(?:T(?=\d)(?:(\d{1,4})H)?(?:(\d{1,5})M)?)?", re.ASCII)
_PHONE = re.compile(r"\+?[0-9][0-9 ().\-]{2,30}( ?[x#] ?[0-9]{1,6})?")


def code(text: str) -> str:
    """What people, programs and files name a thing by."""
    if not _CODE.fullmatch(text):
        raise Wrong(f"{text[:60]!r} is not a code", "write lower-case letters, digits and hyphens, at most 40")
    return text


def finess(text: str) -> str:
    """A French establishment's number: nine characters; Corsica's have 2A or 2B; Luhn's key when all digits."""
    if not _FINESS.fullmatch(text):
        raise Wrong(f"{text[:20]!r} is not a FINESS number", "write its nine characters, as text, without spaces")
    if text.isdigit() and not _luhn(text):
        raise Wrong(f"the key of FINESS number {text} is wrong", "look it up again: one of its digits is mistyped")
    return text


def _luhn(digits: str) -> bool:
    doubled = (int(d) * (1 + i % 2) for i, d in enumerate(reversed(digits)))
    return sum(n - 9 if n > 9 else n for n in doubled) % 10 == 0


def zone(text: str) -> str:
    """An IANA time zone, by its canonical name."""
    try:
        return zones.canonical(text)
    except zones.UnknownZone as unknown:
        mend = f'did you mean "{unknown.nearest}"?' if unknown.nearest else 'write an IANA name like "Europe/Paris"'
        raise Wrong(f"{text[:60]!r} is not a time zone", mend) from None


def holidays_code(text: str) -> str:
    """Whose public holidays: as the holidays package names them ("FR", "FR-974", "CA-QC"), "" for none."""
    if not text:
        return text
    country, _, region = text.partition("-")
    known = _holiday_regions()
    if country not in known:
        raise Wrong(f"{text[:20]!r} names no country", nearest(country.upper(), known) if country else '"" for none')
    if region and region not in known[country]:
        raise Wrong(f"{country} has no region {region[:20]!r}", nearest(region, known[country]))
    if text != country and not region:
        raise Wrong(f"{text!r} names no region", f'write "{country}", or its region after the hyphen')
    return text


@lru_cache(maxsize=1)
def _holiday_regions() -> dict[str, list[str]]:
    """Country → its regions."""
    import holidays  # 0.1 s to import: only where a site keeps any

    return holidays.list_supported_countries(include_aliases=False)


def clock(text: str) -> int:
    """An hour of the local day, HH:MM up to 24:00, in minutes."""
    parts = _CLOCK.fullmatch(text)
    minutes = int(parts[1]) * 60 + int(parts[2]) if parts else MINUTES_A_DAY + 1
    if minutes > MINUTES_A_DAY:
        raise Wrong(f"{text[:20]!r} is not an hour", 'write HH:MM from "00:00" to "24:00"')
    return minutes


def weekday(text: str) -> int:
    """0 Monday … 6 Sunday."""
    if text not in WEEKDAYS:
        raise Wrong(f"{text[:20]!r} is not a weekday", f"write {', '.join(WEEKDAYS)}")
    return WEEKDAYS.index(text)


def day(text: str) -> date:
    """A date, YYYY-MM-DD."""
    try:
        if len(text) == 10:
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise Wrong(f"{text[:20]!r} is not a date", "write YYYY-MM-DD, in quotes")


def lead_time(text: str) -> Reminder:
    """How long before the start a reminder goes out: an ISO 8601 duration of weeks, days, hours and minutes."""
    parts = _LEAD.fullmatch(text)
    if not parts or not any(parts.groups()):
        raise Wrong(
            f"{text[:20]!r} is not a duration before the start",
            'write "P1D" (a day), "P1W", "PT1H" (an hour), "P1DT2H"; months and years have no fixed length',
        )
    weeks, days, hours, minutes = (int(part or 0) for part in parts.groups())
    lead = Reminder(text=text, days=7 * weeks + days, rest=timedelta(hours=hours, minutes=minutes))
    if not timedelta() < timedelta(days=lead.days) + lead.rest <= LONGEST_LEAD:
        raise Wrong(f'"{text}" is nothing, or more than a year', 'write a duration from "PT1M" to "P366D"')
    return lead


def email(text: str) -> str:
    """One address (addr-spec), nothing around it."""
    return typed(texts.email, text)


def mailbox(text: str) -> str:
    """One address, alone or as `Name <address>`."""
    name, bracket, address = text.rpartition(" <")
    if not bracket:
        return email(text)
    if not address.endswith(">") or set(one_line(name)) & set('"<>@,;:\\()'):
        raise Wrong("This is not one address with a name", 'write "perinat@hospital.example", or "Périnat <perinat@…>"')
    email(address.removesuffix(">"))
    return text


def phone(text: str) -> str:
    """A telephone number as people dial it."""
    if not _PHONE.fullmatch(text):
        raise Wrong(f"{text[:40]!r} is not a telephone number", 'write digits and spaces: "+33 3 00 00 00 00"')
    return text


def endpoint(text: str) -> str:
    """What the bridge dials: a SIP URI, an H.323 alias, a number."""
    if " " in one_line(text):
        raise Wrong("has a space in it", 'write what the bridge dials: "sip:room@visio.example"')
    return text
