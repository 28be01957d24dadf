"""Keep with a delivery the headers without which its body cannot be read: names of events, never a secret."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column; what came before needed no header."""
    op.add_column("inbox", sa.Column("headers", sa.Text, nullable=False, server_default="{}"))


def downgrade() -> None:
    """Refuse: a journal is never thrown away by a tool."""
    msg = "the journal is append-only; move it away by hand if you must"
    raise NotImplementedError(msg)
