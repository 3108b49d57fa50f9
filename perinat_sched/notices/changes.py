"""What has changed since a reader was last told, from what to what, in the reader's words."""

from __future__ import annotations

from collections.abc import Iterator

from perinat_sched.i18n import Message, place_of
from perinat_sched.notices.layout import Line
from perinat_sched.notices.notice import Facts
from perinat_sched.notices.reader import Reader, minutes
from perinat_sched.sites.network import Directory


def changes(reader: Reader, directory: Directory, before: Facts, now: Facts) -> Iterator[Line]:
    """One line for each fact that is otherwise."""

    def line(label: Message, value: str) -> Line:
        return Line(label=reader.say(label), value=value)

    def changed(label: Message, old: str, new: str) -> Line:
        return line(label, f"{old} → {new}")

    def names(codes: list[str]) -> str:
        known = [directory.sites.get(code) for code in codes]
        return ", ".join(site.name if site else code for site, code in zip(known, codes, strict=True))

    no_room, no_link = reader.say(Message("no room")), reader.say(Message("no link"))
    if (old := hour_told(reader, before)) != (new := hour_told(reader, now)):
        yield changed(Message("Date and hour"), old, new)
    if before.duration != now.duration:
        yield changed(Message("Duration"), minutes(before.duration), minutes(now.duration))
    if before.timezone != now.timezone:
        places = [place_of(name, reader.language) for name in (before.timezone, now.timezone)]
        yield changed(Message("Clock by which it is set"), *places)
    if before.room != now.room:
        rooms = [directory.rooms.get(code or "") for code in (before.room, now.room)]
        yield changed(Message("Your room"), *(room.name if room else no_room for room in rooms))
    if before.lost != now.lost:
        words = [Message("lost") if facts.lost else Message("held") for facts in (before, now)]
        yield changed(Message("Your site’s place"), *map(reader.say, words))
    if before.join_url != now.join_url:
        yield changed(Message("Link"), before.join_url or no_link, now.join_url or no_link)
    if added := [site for site in now.sites if site not in before.sites]:
        yield line(Message("Sites added"), names(added))
    if removed := [site for site in before.sites if site not in now.sites]:
        yield line(Message("Sites removed"), names(removed))


def law(reader: Reader, place: str, before: Facts, now: Facts) -> Message | None:
    """Where the same wall time has become another instant, or the same instant another hour of the reader's: a country
    has changed its clocks, or the network's configuration the site's.

    `place`: where the wall time holds.
    """
    old, new = hour_told(reader, before), hour_told(reader, now)
    same_wall = before.wall is not None and (before.wall, before.timezone) == (now.wall, now.timezone)
    if (before.site, before.start) == (now.site, now.start) and old != new:
        return Message(
            "The law on clocks or your site’s time zone in the network’s configuration has changed: the "
            "videoconference takes place at the same moment as before, and your hour moves from {old} to {new}.",
            old=old,
            new=new,
        )
    if not same_wall or before.start == now.start:
        return None
    if old == new:
        return Message(
            "The law on clocks has changed: the wall time in {place} is the same, and so is your hour; the hours of "
            "other sites may move.",
            place=place,
        )
    return Message(
        "The law on clocks has changed: the wall time in {place} is the same, and your hour moves from {old} to {new}.",
        place=place,
        old=old,
        new=new,
    )


def hour_told(reader: Reader, facts: Facts) -> str:
    """The start as it was told: the rules of today might read it otherwise."""
    return reader.told(facts.local, facts.zone) if facts.local else reader.moment(facts.start)
