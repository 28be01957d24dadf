"""Pulses: when something of ours was last known to work. Silence tells how long it has not."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from crisis.domain.clock import parse_time, write_time
from crisis.journal.database import Database
from crisis.journal.schema import PULSES

__all__ = ["ALIVE", "Pulses"]

ALIVE = "receiver"
"""The pulse that says when we were last at work: what came later may have been missed."""


class Pulses:
    """Write and read pulses by name."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def beat(self, name: str, now: datetime) -> None:
        """Note that something works now; JournalError when the store takes no writing."""
        insert = (sqlite if self.database.sqlite else postgresql).insert(PULSES).values(name=name, at=write_time(now))
        with self.database.writing() as connection:
            connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_={"at": write_time(now)}))

    def last(self, name: str) -> datetime | None:
        """Return when it last worked, or None."""
        with self.database.reading() as connection:
            found = connection.execute(select(PULSES.c.at).where(PULSES.c.name == name)).scalar()
        return None if found is None else parse_time(found)
