"""How Alembic reaches the database: over the connection that `Database.migrate` hands it, in that transaction."""

from __future__ import annotations

from alembic import context

from hub_callbacks.server.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
