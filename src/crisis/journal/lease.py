"""Lease: who drives a run, so that a dead or frozen driver is noticed in seconds and fenced off."""

import os
import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, select, update
from sqlalchemy.dialects import postgresql, sqlite

from crisis.journal.database import Database
from crisis.journal.schema import LEASES
from crisis.journal.store import Fence

__all__ = ["Lease", "Leases"]


@dataclass(frozen=True, slots=True)
class Lease:
    """A run and its driver. `expires` is in seconds since the epoch; `ended` says how the run ended."""

    run: str
    incident: str
    playbook: str
    holder: str
    pid: int
    epoch: int
    starts: int
    expires: float
    ended: str | None

    @property
    def end_key(self) -> str:
        """Under which key this start of the run records its end, once."""
        return f"ended:{self.run}:{self.starts}"

    @property
    def fence(self) -> Fence:
        """What the journal asks of each entry of this run."""
        return Fence(self.run, self.epoch)


class Leases:
    """Take, renew, end and find leases. `seconds` is how long one lasts without a renewal."""

    def __init__(self, database: Database, seconds: float) -> None:
        self.database, self.seconds = database, seconds

    def take(
        self, run: str, incident: str, playbook: str, holder: str, pid: int, *, again: bool = False
    ) -> Lease | None:
        """
        Take a run that is free or whose driver fell silent; None when it is driven or has ended.

        With `again` a run that has ended is taken too: somebody asked for another try.
        """
        with self.database.writing() as connection:
            row = connection.execute(select(LEASES).where(LEASES.c.run == run).with_for_update()).first()
            expires = time.time() + self.seconds
            values: dict[str, Any] = {"holder": holder, "pid": pid, "expires": expires}
            if row is None:
                values |= {"run": run, "incident": incident, "playbook": playbook, "epoch": 1, "starts": 1}
                dialect = sqlite if self.database.sqlite else postgresql
                first = dialect.insert(LEASES).values(values).on_conflict_do_nothing()
                # Not rowcount: psycopg does not tell it for an INSERT.
                if connection.execute(first.returning(LEASES.c.run)).first() is None:
                    return None  # somebody was faster
            elif (row.ended is not None and not again) or row.expires > time.time():
                return None
            else:
                values |= {"epoch": row.epoch + 1, "starts": row.starts + 1, "ended": None}
                connection.execute(update(LEASES).where(LEASES.c.run == run).values(values))
            return _lease(connection.execute(select(LEASES).where(LEASES.c.run == run)).one())

    def renew(self, lease: Lease) -> bool:
        """Say that this process drives the run; False when somebody else has taken it over, or ended it."""
        return self._set(lease, LEASES.c.ended.is_(None), expires=time.time() + self.seconds, pid=os.getpid())

    def end(self, lease: Lease, outcome: str) -> bool:
        """Say that the run has ended and must not start again."""
        return self._set(lease, ended=outcome, expires=0.0)

    def give_up(self, lease: Lease) -> bool:
        """Let go of a run whose driver is known to be dead, without waiting for the lease to run out."""
        return self._set(lease, expires=0.0)

    def find(self, run: str) -> Lease | None:
        """Return a run's lease, or None."""
        with self.database.reading() as connection:
            row = connection.execute(select(LEASES).where(LEASES.c.run == run)).first()
        return None if row is None else _lease(row)

    def silent(self) -> list[Lease]:
        """Return the runs that have not ended and whose driver fell silent."""
        wanted = select(LEASES).where(LEASES.c.ended.is_(None), LEASES.c.expires < time.time())
        with self.database.reading() as connection:
            return [_lease(row) for row in connection.execute(wanted)]

    def ended_as(self, outcome: str) -> list[Lease]:
        """Return the runs whose lease ended with an outcome."""
        with self.database.reading() as connection:
            return [_lease(row) for row in connection.execute(select(LEASES).where(LEASES.c.ended == outcome))]

    def open(self) -> list[Lease]:
        """Return the runs that have not ended, driven or not."""
        with self.database.reading() as connection:
            return [_lease(row) for row in connection.execute(select(LEASES).where(LEASES.c.ended.is_(None)))]

    def _set(self, lease: Lease, *also: ColumnElement[bool], **values: Any) -> bool:
        same = (LEASES.c.run == lease.run, LEASES.c.epoch == lease.epoch, *also)
        mine = update(LEASES).where(*same).values(**values)
        with self.database.writing() as connection:
            return connection.execute(mine).rowcount == 1


def _lease(row: Row[Any]) -> Lease:
    return Lease(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
