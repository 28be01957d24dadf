"""Create the journal: entries that cannot be changed, heads, leases, inbox."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

SQLITE = (
    "CREATE TRIGGER entries_{verb} BEFORE {verb} ON entries "
    "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"
)
POSTGRES_FUNCTION = (
    "CREATE FUNCTION entries_append_only() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'the journal is append-only'; END $$"
)
POSTGRES_TRIGGER = (
    "CREATE TRIGGER entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON entries "
    "FOR EACH STATEMENT EXECUTE FUNCTION entries_append_only()"
)


def upgrade() -> None:
    """Make the tables and the triggers that keep entries as they were written."""
    _entries()
    _work()
    if op.get_bind().dialect.name == "sqlite":
        op.execute(SQLITE.format(verb="UPDATE"))
        op.execute(SQLITE.format(verb="DELETE"))
    else:
        op.execute(POSTGRES_FUNCTION)
        op.execute(POSTGRES_TRIGGER)


def _entries() -> None:
    op.create_table(
        "entries",
        sa.Column("incident", sa.String(80), primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("actor", sa.String(120), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("key", sa.String(300)),
        sa.Column("prev", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_index("entries_once", "entries", ["incident", "key"], unique=True)
    op.create_table(
        "heads",
        sa.Column("incident", sa.String(80), primary_key=True),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )


def _work() -> None:
    op.create_table(
        "leases",
        sa.Column("run", sa.String(40), primary_key=True),
        sa.Column("incident", sa.String(80), nullable=False),
        sa.Column("playbook", sa.String(80), nullable=False),
        sa.Column("holder", sa.String(120), nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("starts", sa.Integer, nullable=False),
        sa.Column("expires", sa.Float, nullable=False),
        sa.Column("ended", sa.String(40)),
    )
    op.create_table(
        "inbox",
        sa.Column("delivery", sa.String(64), primary_key=True),
        sa.Column("sender", sa.String(40), nullable=False),
        sa.Column("received", sa.String(27), nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("says", sa.Text, nullable=False),
    )
    op.create_index("inbox_state", "inbox", ["state", "received"])


def downgrade() -> None:
    """Refuse: a journal is never thrown away by a tool."""
    msg = "the journal is append-only; move it away by hand if you must"
    raise NotImplementedError(msg)
