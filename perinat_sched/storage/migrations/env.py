"""Run by Alembic: the connection is the caller's, and so is the transaction."""

from __future__ import annotations

from alembic import context

from perinat_sched.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,  # on SQLite too: the driver begins and commits nothing by itself
)
with context.begin_transaction():
    context.run_migrations()
