"""Schema: the journal's tables. What they are today stands here; how they got there in migrations/."""

from sqlalchemy import Column, Float, Index, Integer, LargeBinary, MetaData, String, Table, Text

__all__ = ["ENTRIES", "HEADS", "INBOX", "LEASES", "METADATA", "PULSES", "REVISION", "SIGHTINGS"]

REVISION = "0003"
"""The newest migration; a test compares it with alembic's own head."""

METADATA = MetaData()

ENTRIES = Table(
    "entries",
    METADATA,
    Column("incident", String(80), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("at", String(27), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("actor", String(120), nullable=False),
    Column("body", Text, nullable=False),
    Column("key", String(300)),
    Column("prev", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index("entries_once", "incident", "key", unique=True),
)
"""Append-only: triggers refuse UPDATE and DELETE. NULL keys may repeat, others may not."""

HEADS = Table(
    "heads",
    METADATA,
    Column("incident", String(80), primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
)
"""The last entry of each chain: the lock that writers take, and what shows a dropped tail."""

LEASES = Table(
    "leases",
    METADATA,
    Column("run", String(40), primary_key=True),
    Column("incident", String(80), nullable=False),
    Column("playbook", String(80), nullable=False),
    Column("holder", String(120), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("starts", Integer, nullable=False),
    Column("expires", Float, nullable=False),
    Column("ended", String(40)),
)
"""Who drives which run. `epoch` grows with each holder: an entry of an older one is refused."""

INBOX = Table(
    "inbox",
    METADATA,
    Column("delivery", String(64), primary_key=True),
    Column("sender", String(40), nullable=False),
    Column("received", String(27), nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("state", String(20), nullable=False),
    Column("says", Text, nullable=False),
    Column("headers", Text, nullable=False, server_default="{}"),
    Column("incident", String(80), nullable=False, server_default=""),
    Column("again", String(27), nullable=False, server_default=""),
    Column("starts", Text, nullable=False, server_default=""),
    Index("inbox_state", "state", "again", "received"),
    Index("inbox_received", "received"),
    Index("inbox_sender", "sender", "received"),
    Index("inbox_incident", "incident"),
)
"""
What arrived and was answered 202, kept until it is settled; with the few headers that say what the body is.

`incident` is the one it opened or joined first. `again` is when one that is held is to be looked at next. `starts` is
JSON: the runs that it wants, until they are under way.
"""

SIGHTINGS = Table(
    "sightings",
    METADATA,
    Column("alert", String(64), primary_key=True),
    Column("source", String(64), nullable=False),
    Column("began", String(27), nullable=False),
    Column("incident", String(80), nullable=False),
    Column("delivery", String(64), nullable=False),
    Column("seen", String(27), nullable=False),
    Column("resolved", String(27), nullable=False),
    Column("held", String(64), nullable=False),
    Index("sightings_source", "source"),
    Index("sightings_incident", "incident", "resolved"),
    Index("sightings_seen", "seen"),
)
"""
Which alert belongs to which incident, so that one seen again is known. An index, not the record.

`alert` names one firing of it, `source` the alert whenever it fires. `resolved` is empty while it fires. `held` is the
delivery that holds it; `incident` is then the one that it may be an echo of, or empty.
"""

PULSES = Table(
    "pulses",
    METADATA,
    Column("name", String(40), primary_key=True),
    Column("at", String(27), nullable=False),
)
"""When something of ours was last known to work, by its name."""
