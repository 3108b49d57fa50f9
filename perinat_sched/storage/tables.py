"""The tables, as SQLAlchemy Core knows them. `migrations/` makes them; a test compares the two.

Instants are whole seconds since 1970 in UTC (`Instant`), the same on both engines. A wall time is text,
`YYYY-MM-DDTHH:MM`, beside its zone. The guards against double booking are triggers and an exclusion constraint:
`guards` makes and checks them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Instant(TypeDecorator[datetime]):
    """An aware datetime in UTC, kept as whole seconds since 1970."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else int(value.timestamp())

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromtimestamp(value, UTC)


RowId = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself only with INTEGER

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("uid", String(100), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("status", String(10), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("network", String(40), nullable=False),
    Column("host_site", String(40), nullable=False),
    Column("wall_start", String(16), nullable=False),
    Column("timezone", String(60), nullable=False),
    Column("fold", Integer, nullable=False),
    Column("starts", Instant, nullable=False),
    Column("ends", Instant, nullable=False),
    Column("tzdata_version", String(10), nullable=False),
    Column("bridge", String(40)),
    Column("ports", Integer, nullable=False),
    Column("bridge_lost", Boolean, nullable=False, server_default=false()),  # the ground moved: no bridge had its ports
    Column("join_url", Text),
    Column("access_code", Text),
    Column("override_reason", Text),
    Column("cancellation_code", String(20)),
    Column("cancellation_reason", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("series", String(36)),  # the id of a row of `series`, if it is an occurrence
    Column("recurrence_id", String(16)),  # the wall time at which the series has it
    Column("planned_revision", Integer, nullable=False, server_default="-1"),  # up to which notices are planned
    Index(None, "starts", "id"),
    Index(None, "network", "starts"),
    Index(None, "series"),
    Index(
        None,
        "planned_revision",  # whose notices are not planned yet: a handful at any time
        sqlite_where=text("planned_revision < revision"),
        postgresql_where=text("planned_revision < revision"),
    ),
)

series = Table(  # what a series is asked for; its occurrences are sessions
    "series",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("uid", String(100), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("network", String(40), nullable=False),
    Column("host_site", String(40), nullable=False),
    Column("wall_start", String(16), nullable=False),  # of the first occurrence
    Column("timezone", String(60), nullable=False),
    Column("fold", Integer),  # what a repeated hour means; None: it was not said
    Column("duration_minutes", Integer, nullable=False),
    Column("required_sites", JSON, nullable=False),
    Column("optional_sites", JSON, nullable=False),
    Column("rooms", JSON, nullable=False),
    Column("join_url", Text),
    Column("access_code", Text),
    Column("override_reason", Text),
    Column("rrule", Text),  # or `dates`
    Column("dates", JSON, nullable=False),
    Column("exclude", JSON, nullable=False),
    Column("exclude_holidays_of", JSON, nullable=False),
    Column("on_conflict", String(10), nullable=False),
    Column("override", JSON, nullable=False),  # the recurrence ids on which override_reason applies
    Column("follows", String(36)),  # the series that ended where this one begins
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index(None, "wall_start", "id"),
)

left_out = Table(  # the dates of a series that were not booked, with the reasons
    "left_out",
    metadata,
    Column("series_id", ForeignKey("series.id"), nullable=False),
    Column("recurrence_id", String(16), nullable=False),
    Column("conflicts", JSON, nullable=False),
    PrimaryKeyConstraint("series_id", "recurrence_id"),
)

participations = Table(
    "participations",
    metadata,
    Column("session_id", ForeignKey("sessions.id"), nullable=False),
    Column("site", String(40), nullable=False),
    Column("position", Integer, nullable=False),  # the host is 0
    Column("required", Boolean, nullable=False),
    Column("room", String(40)),
    Column("room_asked", Boolean, nullable=False),
    Column("answer", String(10), nullable=False),
    Column("held", Boolean, nullable=False),
    Column("overridden", Boolean, nullable=False),
    Column("lost", Boolean, nullable=False, server_default=false()),  # the ground moved: the place no longer fits
    Column("lost_room", String(40)),  # its room, which comes back should the ground move back
    Column("comment", Text, nullable=False),
    PrimaryKeyConstraint("session_id", "site"),
    Index(None, "site", "session_id", "answer"),  # all that a feed asks of its sessions' places, in its order
    Index(None, "room", "session_id", "answer"),
)

resources = Table(  # the rooms and bridges of the configuration, as things that can be held
    "resources",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(10), nullable=False),  # room | bridge
    Column("code", String(40), nullable=False),
    Column("capacity", Integer, nullable=False),  # 1, or the ports
    UniqueConstraint("kind", "code"),
)

holds = Table(  # what the sessions that are not cancelled hold: one row a session and resource
    "holds",
    metadata,
    Column("session_id", ForeignKey("sessions.id"), nullable=False),
    Column("resource_id", ForeignKey("resources.id"), nullable=False),
    Column("exclusive", Boolean, nullable=False),  # a room
    Column("starts", Instant, nullable=False),  # guarded: a room from start to end, a bridge with its margins
    Column("ends", Instant, nullable=False),
    Column("around_starts", Instant, nullable=False),  # with set-up and release
    Column("around_ends", Instant, nullable=False),
    Column("units", Integer, nullable=False),
    PrimaryKeyConstraint("session_id", "resource_id"),
    Index(None, "resource_id", "around_starts"),
)

closures = Table(  # entered by people; those of calendars/*.ics stay in their files
    "closures",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("scope", String(10), nullable=False),  # site | room | bridge
    Column("code", String(40), nullable=False),
    Column("starts", Instant, nullable=False),
    Column("ends", Instant, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_by", String(36), nullable=False),
    Column("created_at", Instant, nullable=False),
    Index(None, "code", "starts"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("hash", String(64), nullable=False, unique=True),  # SHA-256 of the token; the token itself is nowhere
    Column("name", Text, nullable=False),
    Column("role", String(20), nullable=False),
    Column("sites", JSON, nullable=False),
    Column("networks", JSON, nullable=False),
    Column("person", String(36)),
    Column("email", Text),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("revoked_at", Instant),
)

sign_in_requests = Table(  # "send me a link": one row for every address typed, known or not
    "sign_in_requests",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("address", Text, nullable=False),
    Column("language", String(2), nullable=False),
    Column("next", Text, nullable=False),  # where to go after signing in
    Column("state", String(10), nullable=False),  # due | sent | failed | skipped
    Column("try_at", Instant, nullable=False),
    Column("created_at", Instant, nullable=False),
    Index(None, "state", "try_at"),
    Index(None, "address"),
)

sign_in_links = Table(
    "sign_in_links",
    metadata,
    Column("hash", String(64), primary_key=True),  # SHA-256 of the secret in its address
    Column("token_id", ForeignKey("tokens.id"), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
)

sign_ins = Table(
    "sign_ins",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("hash", String(64), nullable=False, unique=True),  # SHA-256 of the secret in the cookie
    Column("token_id", ForeignKey("tokens.id"), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),  # to within some minutes
    Column("expires_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Index(None, "token_id"),
)

feeds = Table(
    "feeds",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("hash", String(64), nullable=False, unique=True),  # SHA-256 of the secret in its address
    Column("owner", ForeignKey("tokens.id"), nullable=False),
    Column("scope", String(10), nullable=False),
    Column("of", String(40), nullable=False),
    Column("detail", String(10), nullable=False),
    Column("label", Text, nullable=False),
    Column("language", String(2), nullable=False),
    Column("kinds", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    Index(None, "owner"),
)

feed_editions = Table(  # what each variant of a feed was when it was last made: who has it need not get it again
    "feed_editions",
    metadata,
    Column("feed", ForeignKey("feeds.id"), nullable=False),
    Column("variant", String(40), nullable=False),  # the query of its address; empty: the usual
    Column("state", String(64), nullable=False),  # SHA-256 of everything it was made from
    Column("digest", String(32), nullable=False),  # of its bytes
    Column("plain_bytes", Integer, nullable=False),
    Column("packed_bytes", Integer, nullable=False),
    Column("changed_at", Instant, nullable=False),  # when the digest changed; rises with each change
    PrimaryKeyConstraint("feed", "variant"),
)

feed_readings = Table(
    "feed_readings",
    metadata,
    Column("feed", ForeignKey("feeds.id"), primary_key=True),
    Column("last_read_at", Instant, nullable=False),
    Column("last_read_by", String(40), nullable=False),  # the calendar program; may be empty
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("token", String(36), nullable=False),
    Column("route", String(100), nullable=False),
    Column("key", String(255), nullable=False),
    Column("fingerprint", String(64), nullable=False),  # SHA-256 of the request's body
    Column("status", Integer),  # None while the first request is being carried out
    Column("body", Text),
    Column("headers", JSON),
    Column("created_at", Instant, nullable=False),
    PrimaryKeyConstraint("token", "route", "key"),
    Index(None, "created_at"),
)

notices = Table(  # one row a mail and recipient; see reliability.md § 2
    "notices",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("key", String(400), nullable=False, unique=True),  # what makes it the same mail
    Column("session_id", ForeignKey("sessions.id"), nullable=False),
    Column("kind", String(20), nullable=False),  # notices.notice.Kind
    Column("sequence", Integer, nullable=False),  # of the session when it was planned
    Column("revision", Integer, nullable=False),  # likewise: the order in which mails were planned
    Column("starts", Instant, nullable=False),  # of the session when it was planned
    Column("lead", String(20), nullable=False),  # of a reminder: "P1D"; else empty
    Column("site", String(40), nullable=False),
    Column("recipient", Text, nullable=False),
    Column("facts", JSON, nullable=False),  # what the recipient is told: a change of it calls for an update
    Column("message_id", String(200), nullable=False),
    Column("state", String(10), nullable=False),  # due | leased | sent | failed | skipped
    Column("due_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("try_at", Instant, nullable=False),  # due_at, later after a failed attempt
    Column("attempts", Integer, nullable=False),
    Column("ambiguous", Boolean, nullable=False),  # may have been handed over twice
    Column("lease", String(36)),
    Column("leased_until", Instant),
    Column("handed_at", Instant),
    Column("sent_at", Instant),
    Column("last_error", Text),
    Column("created_at", Instant, nullable=False),
    Column("bundle", String(200)),  # of a series: what leaves together as one mail to its reader
    Index(None, "state", "try_at"),
    Index(None, "session_id"),
    Index(None, "bundle"),
    Index(None, "recipient", "state", "try_at"),  # what waits for one reader, or is on its way
)

unsubscribed = Table(  # who wants no reminders
    "unsubscribed",
    metadata,
    Column("address", Text, primary_key=True),  # casefolded
    Column("since", Instant, nullable=False),
)

audit = Table(  # append-only: triggers refuse UPDATE and DELETE
    "audit",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False),
    Column("actor", String(36), nullable=False),  # a token's id, or "system"
    Column("action", String(40), nullable=False),
    Column("object_type", String(20), nullable=False),
    Column("object_id", String(100), nullable=False),
    Column("details", JSON, nullable=False),  # codes and numbers only, never a text somebody typed
    Index(None, "at"),
)

audit_seals = Table(  # one a line of the audit: a chain of HMACs, see `seals`
    "audit_seals",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("audit_id", BigInteger, nullable=False, unique=True),
    Column("mac", String(64), nullable=False),
)

meta = Table(
    "meta",
    metadata,
    Column("key", String(40), primary_key=True),
    Column("value", Text, nullable=False),
)
