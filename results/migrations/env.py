"""Run by alembic: upgrade on the connection, and within the transaction, that `results.database` began."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
