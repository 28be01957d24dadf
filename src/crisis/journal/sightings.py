"""Sightings: which alert belongs to which incident. An index beside the record: an alert seen again is known."""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from crisis.domain.clock import write_time
from crisis.journal.database import Database
from crisis.journal.schema import INBOX, SIGHTINGS

__all__ = ["Sighting", "Sightings", "alert_key", "source_key"]

_AT_ONCE = 400  # an old SQLite takes 999 parameters in one statement


@dataclass(frozen=True, slots=True)
class Sighting:
    """
    One firing of an alert.

    `alert` names it, `source` the alert whenever it fires; `resolved` (a time) is empty while it fires. `delivery` is
    the first that told of it. `held` is the delivery that holds it; `incident` is then what it may be an echo of.
    """

    alert: str
    source: str
    began: str
    incident: str
    delivery: str
    seen: str
    resolved: str = ""
    held: str = ""

    @property
    def firing(self) -> bool:
        """Whether nobody has said that it is over."""
        return not self.resolved


def source_key(sender: str, fingerprint: str) -> str:
    """Name an alert of a sender, whenever it fires."""
    return hashlib.sha256(f"{sender}|{fingerprint}".encode("utf-8", "replace")).hexdigest()


def alert_key(source: str, began: str, playbook: str, service: str) -> str:
    """Name one firing of an alert, and what it is to start: a route that was mended since makes it another."""
    return hashlib.sha256(f"{source}|{began}|{playbook}|{service}".encode()).hexdigest()


class Sightings:
    """Look up, keep and close sightings."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def of_sources(self, sources: Iterable[str]) -> list[Sighting]:
        """Return every sighting of some sources."""
        found, wanted = list[Sighting](), sorted(set(sources))
        with self.database.reading() as connection:
            for start in range(0, len(wanted), _AT_ONCE):
                among = SIGHTINGS.c.source.in_(wanted[start : start + _AT_ONCE])
                found += [Sighting(**row._mapping) for row in connection.execute(select(SIGHTINGS).where(among))]  # noqa: SLF001
        return found

    def still_firing(self, sender: str, limit: int = 2000) -> list[Sighting]:
        """Return what a sender told of and nobody has said to be over, the newest first."""
        told = select(INBOX.c.delivery).where(INBOX.c.sender == sender)
        mine = and_(SIGHTINGS.c.resolved == "", SIGHTINGS.c.delivery.in_(told))
        wanted = select(SIGHTINGS).where(mine).order_by(SIGHTINGS.c.seen.desc())
        with self.database.reading() as connection:
            return [Sighting(**row._mapping) for row in connection.execute(wanted.limit(limit))]  # noqa: SLF001

    def keep(self, sightings: Collection[Sighting]) -> None:
        """Keep sightings as they are now, whether or not they were known."""
        dialect: Any = sqlite if self.database.sqlite else postgresql
        insert = dialect.insert(SIGHTINGS)
        changed = {name: insert.excluded[name] for name in ("incident", "resolved", "held")}
        rows = [{name: getattr(one, name) for name in Sighting.__slots__} for one in sightings]
        with self.database.writing() as connection:
            if rows:
                connection.execute(insert.on_conflict_do_update(index_elements=["alert"], set_=changed), rows)

    def firing(self, incident: str) -> int:
        """Return how many alerts of an incident still fire."""
        return self._count(incident, SIGHTINGS.c.resolved == "")

    def total(self, incident: str) -> int:
        """Return how many alerts an incident has taken in."""
        return self._count(incident)

    def _count(self, incident: str, *conditions: Any) -> int:
        wanted = select(func.count()).where(SIGHTINGS.c.incident == incident, *conditions)
        with self.database.reading() as connection:
            return int(connection.execute(wanted).scalar_one())

    def forget(self, before: datetime) -> int:
        """Throw away what was seen and is over since before a moment, or fires for so long that nobody can mean it."""
        old = SIGHTINGS.c.seen < write_time(before)
        gone = delete(SIGHTINGS).where(old, or_(SIGHTINGS.c.resolved != "", SIGHTINGS.c.incident != ""))
        with self.database.writing() as connection:
            return len(connection.execute(gone.returning(SIGHTINGS.c.alert)).all())
