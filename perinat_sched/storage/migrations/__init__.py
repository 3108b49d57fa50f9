"""How a database comes to have the tables of this version, and how one of a newer version is recognised.

Alembic is driven from here, within the caller's transaction: either every step is done or none is.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from perinat_sched.errors import DatabaseTooNew


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the database up to a revision. Raises DatabaseTooNew when it knows one that we do not."""
    check_known(revisions(connection))
    command.upgrade(_config(connection), revision)


def downgrade(connection: Connection, revision: str) -> None:
    """Take the database back to a revision ("base": nothing left). For tests, and for whoever must go back."""
    command.downgrade(_config(connection), revision)


def revisions(connection: Connection) -> tuple[str, ...]:
    """The revision of a database; none when it is empty."""
    return MigrationContext.configure(connection).get_current_heads()


def is_current(connection: Connection) -> bool:
    """Whether a database is of the revision of this version."""
    return set(revisions(connection)) == set(ScriptDirectory.from_config(_config()).get_heads())


def check_known(found: tuple[str, ...]) -> None:
    """Raises DatabaseTooNew unless this version of the software has every one of these revisions."""
    script = ScriptDirectory.from_config(_config())
    for revision in found:
        try:
            script.get_revision(revision)
        except CommandError as error:
            raise DatabaseTooNew from error


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
