"""The guards against double booking, in the database itself, behind the check that every booking makes first.

A room is held by one session at a time and a bridge has so many ports: whatever program writes, and whatever it
forgot to lock, a hold that does not fit is refused. Only what is new or takes more is checked, so a bridge may shrink
by configuration below what is already held. The audit is append-only for the same reason: whatever program writes.

Usage rises only where a hold starts, so the sweep looks at the new start and at every start inside the new hold.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

LONGEST = 31 * 24 * 3600  # seconds; no hold is longer, margins included, so a sweep needs to look back no further

DOUBLE_BOOKING = ("guard_holds_capacity", "guard_holds_rooms")  # what these refuse is a GuardViolation

_OTHERS = "FROM holds WHERE resource_id = NEW.resource_id AND session_id <> NEW.session_id"

_TOO_MUCH = f"""EXISTS (
    SELECT 1 FROM (
      SELECT NEW.starts AS at
      UNION
      SELECT starts {_OTHERS}
        AND around_starts > NEW.starts - {LONGEST} AND around_starts < NEW.ends
        AND starts > NEW.starts AND starts < NEW.ends
    ) AS points
    WHERE NEW.units + (
      SELECT coalesce(sum(units), 0) {_OTHERS}
        AND around_starts > points.at - {LONGEST} AND around_starts <= points.at
        AND starts <= points.at AND ends > points.at
    ) > (SELECT capacity FROM resources WHERE id = NEW.resource_id)
  )"""  # noqa: S608 - constants of this module

_MISSHAPEN = f"""NEW.units < 1 OR NEW.ends <= NEW.starts
    OR NEW.around_starts > NEW.starts OR NEW.around_ends < NEW.ends
    OR NEW.around_ends - NEW.around_starts > {LONGEST}
    OR NEW.exclusive <> (SELECT kind = 'room' FROM resources WHERE id = NEW.resource_id)"""  # noqa: S608

_TAKES_MORE = """(NEW.resource_id <> OLD.resource_id OR NEW.units > OLD.units
    OR NEW.starts < OLD.starts OR NEW.ends > OLD.ends)"""


def _sqlite_trigger(name: str, on: str, refuse_when: str, when: str = "true") -> tuple[str, str]:
    return name, (
        f"CREATE TRIGGER {name} BEFORE {on} FOR EACH ROW WHEN {when}\n"
        f"BEGIN\n  SELECT RAISE(ABORT, '{name}') WHERE {refuse_when};\nEND"
    )


_SQLITE = dict(
    [
        _sqlite_trigger("guard_holds_capacity_insert", "INSERT ON holds", _TOO_MUCH),
        _sqlite_trigger("guard_holds_capacity_update", "UPDATE ON holds", _TOO_MUCH, _TAKES_MORE),
        _sqlite_trigger("guard_holds_shape_insert", "INSERT ON holds", _MISSHAPEN),
        _sqlite_trigger("guard_holds_shape_update", "UPDATE ON holds", _MISSHAPEN),
        # INSERT OR REPLACE takes a row away without the DELETE trigger
        _sqlite_trigger("guard_audit_insert", "INSERT ON audit", "NEW.id IN (SELECT id FROM audit)"),
        _sqlite_trigger("guard_audit_update", "UPDATE ON audit", "true"),
        _sqlite_trigger("guard_audit_delete", "DELETE ON audit", "true"),
    ]
)


@dataclass(frozen=True, slots=True)
class _Trigger:
    """A trigger of PostgreSQL and the function of the same name that it runs."""

    on: str
    body: str


_PG_TRIGGERS = {
    # The resource's row is updated, not only locked: a transaction with an old snapshot (REPEATABLE READ) then fails
    # instead of sweeping over what it cannot see.
    "guard_holds_capacity": _Trigger(
        "BEFORE INSERT OR UPDATE ON holds FOR EACH ROW",
        f"""BEGIN
  IF TG_OP = 'UPDATE' AND NOT {_TAKES_MORE} THEN
    RETURN NEW;
  END IF;
  UPDATE resources SET capacity = capacity WHERE id = NEW.resource_id;
  IF {_TOO_MUCH} THEN
    RAISE EXCEPTION 'guard_holds_capacity' USING ERRCODE = 'exclusion_violation';
  END IF;
  RETURN NEW;
END""",  # noqa: S608
    ),
    "guard_holds_shape": _Trigger(
        "BEFORE INSERT OR UPDATE ON holds FOR EACH ROW",
        f"""BEGIN
  IF {_MISSHAPEN} THEN
    RAISE EXCEPTION 'guard_holds_shape' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END""",
    ),
    "guard_audit": _Trigger(
        "BEFORE UPDATE OR DELETE OR TRUNCATE ON audit FOR EACH STATEMENT",
        """BEGIN
  RAISE EXCEPTION 'guard_audit' USING ERRCODE = 'check_violation';
END""",
    ),
}
_PG_ROOMS = """ALTER TABLE holds ADD CONSTRAINT guard_holds_rooms EXCLUDE USING gist (
  int4range(resource_id, resource_id, '[]') WITH &&, int8range(starts, ends) WITH &&
) WHERE (exclusive)"""

_PG_PRESENT = """
SELECT tgname AS name, prosrc AS definition FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
WHERE tgrelid IN ('holds'::regclass, 'audit'::regclass) AND tgenabled IN ('O', 'A')
UNION ALL
SELECT conname, 'constraint' FROM pg_constraint WHERE conrelid = 'holds'::regclass AND contype = 'x' AND convalidated
"""

NAMES = {"sqlite": tuple(_SQLITE), "postgresql": (*_PG_TRIGGERS, "guard_holds_rooms")}


def creation(dialect: str) -> list[str]:
    """The statements that make every guard, on a database that has none of them."""
    if dialect == "sqlite":
        return list(_SQLITE.values())
    statements = []
    for name, trigger in _PG_TRIGGERS.items():
        statements += [
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $${trigger.body}$$",
            f"CREATE TRIGGER {name} {trigger.on} EXECUTE FUNCTION {name}()",
        ]
    return [*statements, _PG_ROOMS]


def removal(dialect: str) -> list[str]:
    """The statements that take every guard away that is there."""
    if dialect == "sqlite":
        return [f"DROP TRIGGER IF EXISTS {name}" for name in _SQLITE]
    functions = [f"DROP FUNCTION IF EXISTS {name} CASCADE" for name in _PG_TRIGGERS]
    return [*functions, "ALTER TABLE holds DROP CONSTRAINT IF EXISTS guard_holds_rooms"]


async def create(tx: AsyncConnection) -> None:
    """Make every guard anew; on PostgreSQL this fails where a room is double-booked already."""
    for statement in [*removal(tx.dialect.name), *creation(tx.dialect.name)]:
        await tx.exec_driver_sql(statement)


async def drop(tx: AsyncConnection) -> None:
    """Take every guard away: for the test that shows what happens without them."""
    for statement in removal(tx.dialect.name):
        await tx.exec_driver_sql(statement)


async def missing(tx: AsyncConnection) -> list[str]:
    """The names of the guards that are not there, switched off, or not what this version makes."""
    if tx.dialect.name == "sqlite":
        wanted, present = _SQLITE, "SELECT name, sql AS definition FROM sqlite_master WHERE type = 'trigger'"
    else:
        wanted = {name: trigger.body for name, trigger in _PG_TRIGGERS.items()} | {"guard_holds_rooms": "constraint"}
        present = _PG_PRESENT
    found = {row["name"]: row["definition"] for row in (await tx.exec_driver_sql(present)).mappings()}
    return [name for name, definition in wanted.items() if found.get(name) != definition]


async def double_booked(tx: AsyncConnection) -> list[str]:
    """The codes of the rooms that two sessions hold at once. Bridges may: their ports follow the configuration."""
    rows = await tx.exec_driver_sql(
        "SELECT DISTINCT code FROM holds AS a JOIN holds AS b ON a.resource_id = b.resource_id "
        "AND a.session_id < b.session_id AND a.starts < b.ends AND b.starts < a.ends "
        "JOIN resources ON resources.id = a.resource_id WHERE a.exclusive ORDER BY code"
    )
    return list(rows.scalars())
