"""Inbox: what was answered 202 stays here until it has started something, or it is said why not."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.dialects import postgresql, sqlite

from crisis.domain.clock import utc_now, write_time
from crisis.journal.database import Database
from crisis.journal.schema import INBOX

__all__ = ["HELD", "Delivery", "Inbox"]

HELD = "held"
"""The state of a delivery whose alerts may or may not belong to an incident that is over."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as it came in. `state` is `new` or `held` until it is `started`, `joined` or `ignored`."""

    delivery: str
    sender: str
    received: str
    raw: bytes
    state: str
    says: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Inbox:
    """Put, read and settle deliveries."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def put(self, delivery: str, sender: str, raw: bytes, headers: Mapping[str, str] | None = None) -> bool:
        """Keep a delivery and the headers it cannot be read without; False when the same one is here already."""
        dialect = sqlite if self.database.sqlite else postgresql
        received = write_time(utc_now())
        values: dict[str, Any] = {
            "delivery": delivery,
            "sender": sender,
            "received": received,
            "raw": raw,
            "state": "new",
            "says": "",
        }
        values["headers"] = json.dumps(dict(headers or {}), sort_keys=True)
        first = dialect.insert(INBOX).values(values).on_conflict_do_nothing().returning(INBOX.c.delivery)
        with self.database.writing() as connection:
            # Not rowcount: psycopg does not tell it for an INSERT.
            return connection.execute(first).first() is not None

    def new(self, limit: int = 100) -> list[Delivery]:
        """Return the deliveries nobody has looked at yet, oldest first."""
        return self._waiting("new", limit)

    def held(self, limit: int = 100) -> list[Delivery]:
        """Return the deliveries that are to be looked at again, oldest first."""
        return self._waiting(HELD, limit)

    def settle(self, delivery: str, state: str, says: str) -> None:
        """Say what became of a delivery."""
        with self.database.writing() as connection:
            connection.execute(update(INBOX).where(INBOX.c.delivery == delivery).values(state=state, says=says))

    def started(self, delivery: str, says: str) -> None:
        """Say what a delivery has started; one that is held for another of its alerts stays to be looked at again."""
        mine = update(INBOX).where(INBOX.c.delivery == delivery, INBOX.c.state != HELD)
        with self.database.writing() as connection:
            connection.execute(mine.values(state="started", says=says))

    def latest(self, limit: int = 50) -> list[Delivery]:
        """Return the newest deliveries, newest first."""
        with self.database.reading() as connection:
            rows = connection.execute(select(INBOX).order_by(INBOX.c.received.desc()).limit(limit))
            return [_delivery(row) for row in rows]

    def _waiting(self, state: str, limit: int) -> list[Delivery]:
        wanted = select(INBOX).where(INBOX.c.state == state).order_by(INBOX.c.received).limit(limit)
        with self.database.reading() as connection:
            return [_delivery(row) for row in connection.execute(wanted)]


def _delivery(row: Row[Any]) -> Delivery:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    return Delivery(**{**values, "headers": _headers(values["headers"])})


def _headers(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except ValueError:  # damaged in the store: the delivery is then read as one without
        return {}
    return found if isinstance(found, dict) else {}
