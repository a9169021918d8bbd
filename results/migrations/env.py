"""Run by alembic: upgrade on the connection, and within the transaction, that `results.database` began."""

from __future__ import annotations

from alembic import context

from results.schema import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
