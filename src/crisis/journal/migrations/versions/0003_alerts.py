"""Keep which alert belongs to which incident, when a held delivery is to be looked at again, and when we last lived."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns and tables; what came before is found in the incidents' chains."""
    op.add_column("inbox", sa.Column("incident", sa.String(80), nullable=False, server_default=""))
    op.add_column("inbox", sa.Column("again", sa.String(27), nullable=False, server_default=""))
    op.add_column("inbox", sa.Column("starts", sa.Text, nullable=False, server_default=""))
    op.drop_index("inbox_state", "inbox")
    op.create_index("inbox_state", "inbox", ["state", "again", "received"])
    op.create_index("inbox_received", "inbox", ["received"])
    op.create_index("inbox_sender", "inbox", ["sender", "received"])
    op.create_index("inbox_incident", "inbox", ["incident"])
    op.create_table(
        "sightings",
        sa.Column("alert", sa.String(64), primary_key=True),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("began", sa.String(27), nullable=False),
        sa.Column("incident", sa.String(80), nullable=False),
        sa.Column("delivery", sa.String(64), nullable=False),
        sa.Column("seen", sa.String(27), nullable=False),
        sa.Column("resolved", sa.String(27), nullable=False),
        sa.Column("held", sa.String(64), nullable=False),
    )
    op.create_index("sightings_source", "sightings", ["source"])
    op.create_index("sightings_incident", "sightings", ["incident", "resolved"])
    op.create_index("sightings_seen", "sightings", ["seen"])
    op.create_table(
        "pulses",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("at", sa.String(27), nullable=False),
    )


def downgrade() -> None:
    """Refuse: a journal is never thrown away by a tool."""
    msg = "the journal is append-only; move it away by hand if you must"
    raise NotImplementedError(msg)
