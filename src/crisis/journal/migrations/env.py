"""Run alembic on the connection that the journal hands over."""

from alembic import context

from crisis.journal.schema import METADATA

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=METADATA)
context.run_migrations()
