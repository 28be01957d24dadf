"""Inbox: what was answered 202 stays here until it has started something, or it is said why not."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, and_, bindparam, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from crisis.domain.clock import utc_now, write_time
from crisis.journal.database import Database
from crisis.journal.schema import INBOX

__all__ = ["HELD", "IGNORED", "JOINED", "NEW", "OPENED", "STARTED", "STATES", "Delivery", "Inbox", "Settled"]

NEW = "new"
"""The state of a delivery that nobody has looked at yet."""

HELD = "held"
"""The state of a delivery that cannot be judged yet, and is looked at again."""

OPENED = "opened"
"""The state of a delivery that opened an incident whose run is still to be started."""

STARTED, JOINED, IGNORED = "started", "joined", "ignored"

STATES = (NEW, HELD, OPENED, STARTED, JOINED, IGNORED)
"""Every state; the last three are final."""

_WAITING = (HELD, OPENED)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as it came in, and what became of it: one of `STATES`, which incident, and why in words."""

    delivery: str
    sender: str
    received: str
    raw: bytes
    state: str = NEW
    says: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    incident: str = ""
    again: str = ""


@dataclass(frozen=True, slots=True)
class Settled:
    """What becomes of a delivery. `again` is when one that is held or opened is to be looked at next."""

    delivery: str
    state: str
    says: str
    incident: str = ""
    again: datetime | None = None


class Inbox:
    """Put, read and settle deliveries."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def put(self, delivery: str, sender: str, raw: bytes, headers: Mapping[str, str] | None = None) -> bool:
        """Keep a delivery and the headers it cannot be read without; False when the same one is here already."""
        return bool(self.put_all([Delivery(delivery, sender, write_time(utc_now()), raw, headers=headers or {})]))

    def put_all(self, deliveries: Sequence[Delivery]) -> set[str]:
        """Keep deliveries, all or none of them; return the names of those that were not here already."""
        dialect = sqlite if self.database.sqlite else postgresql
        first = dialect.insert(INBOX).on_conflict_do_nothing().returning(INBOX.c.delivery)
        rows = [_row(one) for one in {one.delivery: one for one in reversed(deliveries)}.values()]
        with self.database.writing() as connection:
            # Not rowcount: psycopg does not tell it for an INSERT.
            return set(connection.execute(first, rows).scalars())

    def new(self, limit: int = 100) -> list[Delivery]:
        """Return the deliveries nobody has looked at yet, oldest first."""
        return self._read(select(INBOX).where(INBOX.c.state == NEW).order_by(INBOX.c.received).limit(limit))

    def held(self, limit: int = 100) -> list[Delivery]:
        """Return the deliveries that are to be looked at again some time, the next one first."""
        return self._read(select(INBOX).where(INBOX.c.state == HELD).order_by(INBOX.c.again).limit(limit))

    def due(self, now: datetime, limit: int = 100) -> list[Delivery]:
        """Return the deliveries that are held or opened, and to be looked at again by now."""
        due = and_(INBOX.c.state.in_(_WAITING), INBOX.c.again <= write_time(now))
        return self._read(select(INBOX).where(due).order_by(INBOX.c.again, INBOX.c.received).limit(limit))

    def settle(self, delivery: str, state: str, says: str, incident: str = "", again: datetime | None = None) -> None:
        """Say what became of a delivery."""
        self.settle_all([Settled(delivery, state, says, incident, again)])

    def settle_all(self, settled: Iterable[Settled]) -> None:
        """Say what became of deliveries, all at once."""
        rows = [
            {"name": one.delivery, "to": one.state, "why": one.says, "into": one.incident, "next": _moment(one.again)}
            for one in settled
        ]
        values: dict[str, Any] = {name: bindparam(to) for name, to in _VALUES.items()}
        with self.database.writing() as connection:
            if rows:
                connection.execute(update(INBOX).where(INBOX.c.delivery == bindparam("name")).values(values), rows)

    def started(self, delivery: str, says: str) -> None:
        """Say what a delivery has started; one that is held for another of its alerts stays to be looked at again."""
        mine = update(INBOX).where(INBOX.c.delivery == delivery, INBOX.c.state != HELD)
        with self.database.writing() as connection:
            connection.execute(mine.values(state=STARTED, says=says, again=""))

    def latest(self, limit: int = 50, *, state: str = "", before: str = "") -> list[Delivery]:
        """Return the newest deliveries, newest first: in one state alone, or received before a moment."""
        wanted = select(INBOX).order_by(INBOX.c.received.desc(), INBOX.c.delivery).limit(limit)
        wanted = wanted.where(INBOX.c.state == state) if state else wanted
        return self._read(wanted.where(INBOX.c.received < before) if before else wanted)

    def since(self, moment: datetime, limit: int = 2000) -> list[Delivery]:
        """Return what was received since a moment, newest first."""
        wanted = select(INBOX).where(INBOX.c.received >= write_time(moment))
        return self._read(wanted.order_by(INBOX.c.received.desc()).limit(limit))

    def find(self, name: str) -> list[Delivery]:
        """Return the deliveries whose name begins so, two at most."""
        if not name or not name.isalnum():
            return []
        return self._read(select(INBOX).where(INBOX.c.delivery.startswith(name)).order_by(INBOX.c.delivery).limit(2))

    def count(self) -> dict[str, int]:
        """Return how many deliveries there are, by state."""
        wanted = select(INBOX.c.state, func.count()).group_by(INBOX.c.state)
        with self.database.reading() as connection:
            found = {str(state): int(number) for state, number in connection.execute(wanted)}
        return {state: found.get(state, 0) for state in STATES}

    def count_of(self, incident: str) -> int:
        """Return how many deliveries an incident has taken in."""
        wanted = select(func.count()).where(INBOX.c.incident == incident)
        with self.database.reading() as connection:
            return int(connection.execute(wanted).scalar_one())

    def oldest_new(self) -> str | None:
        """Return when the oldest delivery that nobody has looked at was received, or None."""
        with self.database.reading() as connection:
            return connection.execute(select(func.min(INBOX.c.received)).where(INBOX.c.state == NEW)).scalar()

    def last_of(self, sender: str) -> str | None:
        """Return when the newest delivery of a sender was received, or None."""
        with self.database.reading() as connection:
            return connection.execute(select(func.max(INBOX.c.received)).where(INBOX.c.sender == sender)).scalar()

    def forget(self, before: datetime) -> int:
        """Throw away what is settled and was received before a moment; return how many those were."""
        old = INBOX.c.received < write_time(before)
        gone = delete(INBOX).where(old, or_(*(INBOX.c.state == one for one in (STARTED, JOINED, IGNORED))))
        with self.database.writing() as connection:
            return len(connection.execute(gone.returning(INBOX.c.delivery)).all())

    def _read(self, wanted: Select[Any]) -> list[Delivery]:
        with self.database.reading() as connection:
            return [_delivery(row) for row in connection.execute(wanted)]


_VALUES = {"state": "to", "says": "why", "incident": "into", "again": "next"}


def _moment(moment: datetime | None) -> str:
    return write_time(moment) if moment else ""


def _row(delivery: Delivery) -> dict[str, Any]:
    return {
        "delivery": delivery.delivery,
        "sender": delivery.sender,
        "received": delivery.received,
        "raw": delivery.raw,
        "state": delivery.state,
        "says": delivery.says,
        "headers": json.dumps(dict(delivery.headers), sort_keys=True),
        "incident": delivery.incident,
        "again": delivery.again,
    }


def _delivery(row: Row[Any]) -> Delivery:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    return Delivery(**{**values, "headers": _headers(values["headers"])})


def _headers(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except ValueError:  # damaged in the store: the delivery is then read as one without
        return {}
    return found if isinstance(found, dict) else {}
