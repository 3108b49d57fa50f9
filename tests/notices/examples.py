"""A small network whose sites read French and English under five clocks, its sessions, and a mailbox."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP
from typing import Any

from perinat_sched import zones
from perinat_sched.booking.session import Answer, Draft, Participation, Session
from perinat_sched.notices.mailer import Connection
from perinat_sched.notices.notice import Notice, State
from perinat_sched.notices.policy import Plan
from perinat_sched.notices.policy import plan as plan_notices
from perinat_sched.notices.readers import code_in
from perinat_sched.series.series import Series
from perinat_sched.sites.network import Directory, Reminder, Room, Site
from tests.builders import A_DAY_BEFORE, a_directory, a_kind, a_site

MAIL_FROM = "Périnat – planification <visio@perinat.example>"
DOMAIN = "perinat.example"
BOOKED = datetime(2027, 1, 4, 9, tzinfo=UTC)
A_WEEK_BEFORE = Reminder(text="P7D", days=7, rest=timedelta())
AN_HOUR_BEFORE = Reminder(text="PT1H", days=0, rest=timedelta(hours=1))


def network(*more: Site, reminders: tuple[Reminder, ...] = (A_DAY_BEFORE,), **changed: Site) -> Directory:
    """Lille (host, staff room), Calais, Sainte-Justine and the Children's in Montréal, La Réunion, Nouméa."""
    sites = [
        Site(
            code="lille",
            name="CHU de Lille – Jeanne de Flandre",
            city="Lille",
            phone="+33 3 20 00 00 00",
            timezone="Europe/Paris",
            networks=("perinat",),
            contacts=("staff@lille.example", "coordination@lille.example"),
            opening_hours=(),
            rooms=(
                Room(code="lille-1", site="lille", name="Salle de staff", endpoint="sip:lille-1@visio.example"),
                Room(code="lille-2", site="lille", name="Salle CPDPN"),
            ),
        ),
        Site(
            code="calais",
            name="CH de Calais",
            city="Calais",
            phone="+33 3 21 00 00 00",
            timezone="Europe/Paris",
            networks=("perinat",),
            contacts=("staff@calais.example",),
            opening_hours=(),
            rooms=(
                Room(code="calais-1", site="calais", name="Salle de réunion", endpoint="sip:calais-1@visio.example"),
                Room(code="calais-2", site="calais", name="Bibliothèque"),
            ),
        ),
        _partner("sainte-justine", "CHU Sainte-Justine", "Montréal", "America/Toronto", phone="+1 514 555 0100"),
        _partner("childrens", "Montreal Children’s Hospital", "Montréal", "America/Toronto", language="en"),
        _partner("reunion", "CHU de La Réunion", "Saint-Denis", "Indian/Reunion"),
        _partner("noumea", "CHT de Nouvelle-Calédonie", "Nouméa", "Pacific/Noumea"),
    ]
    kind = replace(a_kind(), reminders=reminders)
    return a_directory(*[changed.get(site.code.replace("-", "_"), site) for site in sites], *more, kinds=[kind])


def _partner(code: str, name: str, city: str, timezone: str, **more: Any) -> Site:
    return a_site(
        code,
        **{
            "name": name,
            "city": city,
            "timezone": timezone,
            "kind": "partner",
            "rooms": (),
            "phone": None,
            "answers": "by_hand",
            **more,
        },
    )


NETWORK = network()


def part(site: str, answer: Answer = "accepted", *, room: str | None = None, **more: Any) -> Participation:
    facts = {"required": True, "held": answer != "declined"} | more
    return Participation(site=site, room=room, answer=answer, **facts)


LILLE, CALAIS = part("lille", room="lille-1"), part("calais", room="calais-1")
MONTREAL = part("sainte-justine", "pending", required=False)
USUAL = (LILLE, CALAIS, MONTREAL)


def session(wall: str = "2027-01-21T15:00", **changes: Any) -> Session:
    """Lille at 15:00 with Calais and Sainte-Justine, unless said otherwise."""
    timezone, fold = changes.get("timezone", "Europe/Paris"), changes.get("fold", 0)
    wall_start = datetime.fromisoformat(wall)
    facts: dict[str, Any] = {
        "id": "5f8d2c1e-0000-4000-8000-000000000001",
        "uid": "5f8d2c1e-0000-4000-8000-000000000001@perinat.example",
        "revision": 0,
        "sequence": 0,
        "status": "confirmed",
        "kind": "staff",
        "title": "Visio Périnat — staff",
        "description": "",
        "network": "perinat",
        "host_site": "lille",
        "wall_start": wall_start,
        "timezone": timezone,
        "fold": fold,
        "start": zones.to_utc(wall_start, timezone, fold),
        "duration": timedelta(hours=1),
        "tzdata_version": zones.TZDATA_VERSION,
        "participations": USUAL,
        "bridge": "mcu",
        "ports": 3,
        "join_url": "https://visio.example/perinat",
        "access_code": "4711",
        "override_reason": None,
        "created_at": BOOKED,
        "updated_at": BOOKED,
    }
    return Session(**facts | changes)


def a_series(*days: str, **changes: Any) -> tuple[Series, list[Session]]:
    """A series of Thursdays with its dates, like `session` each."""
    uid = "5f8d2c1e-0000-4000-8000-00000000000a@perinat-sched"
    dates = [
        session(f"{day}T15:00", id=f"date-{day}", uid=uid, series="a",
                recurrence=datetime.fromisoformat(f"{day}T15:00"), **changes)
        for day in days
    ]  # fmt: skip
    first = dates[0]
    draft = Draft(
        kind=first.kind, title=first.title, description=first.description, network=first.network,
        host_site=first.host_site, wall_start=first.wall_start, timezone=first.timezone, fold=0, start=first.start,
        duration=first.duration, required_sites=("calais",), optional_sites=("sainte-justine",),
    )  # fmt: skip
    series = Series(
        id="a", uid=uid, revision=0, session=draft, fold=None, rrule="FREQ=WEEKLY;BYDAY=TH;COUNT=9", created_at=BOOKED,
        updated_at=BOOKED,
    )  # fmt: skip
    return series, dates


def changed(
    before: Session, wall: str | None = None, *, after: timedelta = timedelta(hours=1), **changes: Any
) -> Session:
    """The session one change later: a new revision, and a new sequence unless given."""
    if wall is not None:
        wall_start = datetime.fromisoformat(wall)
        changes |= {"wall_start": wall_start, "start": zones.to_utc(wall_start, before.timezone)}
    counted: dict[str, Any] = {
        "revision": before.revision + 1,
        "sequence": before.sequence + 1,
        "updated_at": before.updated_at + after,
    }
    return replace(before, **counted | changes)


@dataclass
class Desk:
    """Plans a session's notices again and again, as delivery does, with the rows in memory."""

    directory: Directory = field(default_factory=network)
    rows: dict[str, Notice] = field(default_factory=dict)
    settle: timedelta = timedelta()
    about: Session = field(init=False)  # as it was planned last

    def plan(self, about: Session, now: datetime | None = None) -> Plan:
        rows = list(self.rows.values())
        plan = plan_notices(about, self.directory, rows, now=now or about.updated_at, domain=DOMAIN, settle=self.settle)
        self.rows |= {row.id: row for row in (*plan.new, *plan.changed)}
        self.about = about
        return plan

    def becomes(self, state: State, *, kind: str = "", recipient: str = "") -> None:
        """What waits (of this kind, for this reader) comes to this state."""
        for row in list(self.rows.values()):
            if row.state == "due" and kind in ("", row.kind) and recipient in ("", row.recipient):
                left = row.due_at if state == "sent" else None
                said = row.leaving(row.message_id, code_in(row, self.about, self.directory))
                self.rows[row.id] = replace(said, state=state, sent_at=left, handed_at=left)

    def sent(self) -> None:
        """All that waits and is no reminder is sent."""
        for kind in ("invitation", "update", "cancellation", "declined", "place-lost"):
            self.becomes("sent", kind=kind)


def numbered(number: int, **changes: Any) -> Session:
    return session(id=f"session-{number}", uid=f"session-{number}@perinat.example", **changes)


def of(rows: Sequence[Notice], *kinds: str) -> list[tuple[str, str]]:
    """(kind, recipient) of what waits, of some kinds."""
    return [(row.kind, row.recipient) for row in rows if row.state == "due" and row.kind in kinds]


class Mailbox:
    """A mailer that keeps what it is given; `answers` by recipient are raised, once each."""

    name = "mailbox"

    def __init__(self) -> None:
        self.raw: list[tuple[str, bytes]] = []
        self.answers: dict[str, list[Exception]] = {}
        self.connections = 0

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        self.connections += 1
        yield self

    async def connect(self) -> None:
        pass

    async def send(self, message: bytes, recipient: str) -> None:
        if answers := self.answers.get(recipient):
            raise answers.pop(0)
        self.raw.append((recipient, message))

    @property
    def mails(self) -> list[EmailMessage]:
        return [read(message) for _, message in self.raw]

    def to(self, recipient: str) -> list[EmailMessage]:
        return [read(message) for to, message in self.raw if to == recipient]

    @property
    def subjects(self) -> list[tuple[str, str]]:
        """(recipient, first word of the subject)"""
        return [(to, str(mail["Subject"]).split()[0]) for (to, _), mail in zip(self.raw, self.mails, strict=True)]


def read(message: bytes) -> EmailMessage:
    parsed = BytesParser(policy=SMTP).parsebytes(message)
    assert isinstance(parsed, EmailMessage)
    return parsed


def content(part: Any) -> bytes:
    """The decoded bytes of a part."""
    decoded = part.get_payload(decode=True)
    assert isinstance(decoded, bytes)
    return decoded
