"""Inbox: what was answered 202 stays here until it has started something, or it is said why not."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, delete, func, or_, select, type_coerce, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import NullType

from crisis.domain.clock import utc_now, write_time
from crisis.domain.redaction import Mask
from crisis.journal.database import Database
from crisis.journal.schema import INBOX, SIGHTINGS

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

_MASK = Mask()
_SIZE = 8_000_000
"""Bytes of bodies that are read at once; one alone may be longer."""


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
    starts: str = ""


@dataclass(frozen=True, slots=True)
class Settled:
    """What becomes of a delivery. `again` is when one that is held is looked at next, `starts` the runs it wants."""

    delivery: str
    state: str
    says: str
    incident: str = ""
    again: datetime | None = None
    starts: str = ""


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

    def new(self, limit: int = 200, size: int = _SIZE) -> list[Delivery]:
        """Return the deliveries nobody has looked at yet, oldest first; one, or as many as `size` bytes hold."""
        return self._some(INBOX.c.state == NEW, [INBOX.c.received], limit, size)

    def held(self, limit: int = 100) -> list[Delivery]:
        """Return the deliveries that are to be looked at again some time, the next one first."""
        return self._read(select(INBOX).where(INBOX.c.state == HELD).order_by(INBOX.c.again).limit(limit))

    def due(self, now: datetime, limit: int = 100, size: int = _SIZE) -> list[Delivery]:
        """Return the deliveries that are held, and to be looked at again by now; as many as `new` does."""
        due = and_(INBOX.c.state == HELD, INBOX.c.again <= write_time(now), INBOX.c.starts == "")
        return self._some(due, [INBOX.c.again, INBOX.c.received], limit, size)

    def starting(self, limit: int = 100) -> list[Delivery]:
        """Return the deliveries whose runs are still to be started, without their bodies, oldest first."""
        wanted = and_(INBOX.c.state.in_((OPENED, HELD)), INBOX.c.starts != "")
        return self._read(select(*_BARE).where(wanted).order_by(INBOX.c.received).limit(limit))

    def undecided(self, names: Iterable[str]) -> set[str]:
        """Return which of these deliveries are still to be judged: another process may have been quicker."""
        wanted = select(INBOX.c.delivery).where(INBOX.c.delivery.in_(list(names)), INBOX.c.state.in_((NEW, HELD)))
        with self.database.reading() as connection:
            return set(connection.execute(wanted).scalars())

    def settle(self, delivery: str, state: str, says: str, incident: str = "", again: datetime | None = None) -> None:
        """Say what became of a delivery."""
        self.settle_all([Settled(delivery, state, says, incident, again)])

    def settle_all(self, settled: Iterable[Settled]) -> None:
        """Say what became of deliveries, all at once."""
        rows = [
            {
                "name": one.delivery,
                "to": one.state,
                "why": _MASK(one.says),
                "into": one.incident,
                "next": _moment(one.again),
                "wants": one.starts,
            }
            for one in settled
        ]
        values: dict[str, Any] = {name: bindparam(to) for name, to in _VALUES.items()}
        with self.database.writing() as connection:
            if rows:
                connection.execute(update(INBOX).where(INBOX.c.delivery == bindparam("name")).values(values), rows)

    def started(self, delivery: str, says: str) -> None:
        """Say that the runs which a delivery wanted are under way; one that is held stays to be looked at again."""
        mine = INBOX.c.delivery == delivery
        with self.database.writing() as connection:
            connection.execute(update(INBOX).where(mine, INBOX.c.state == OPENED).values(state=STARTED, says=says))
            connection.execute(update(INBOX).where(mine).values(starts=""))

    def latest(self, limit: int = 50, *, state: str = "", before: str = "") -> list[Delivery]:
        """Return the newest deliveries, newest first: in one state alone, or received before a moment."""
        wanted = select(INBOX).order_by(INBOX.c.received.desc(), INBOX.c.delivery).limit(limit)
        wanted = wanted.where(INBOX.c.state == state) if state else wanted
        return self._read(wanted.where(INBOX.c.received < before) if before else wanted)

    def page(
        self,
        limit: int = 50,
        *,
        name: str = "",
        state: str = "",
        sender: str = "",
        incident: str = "",
        before: tuple[str, str] = ("", ""),
    ) -> list[Delivery]:
        """
        Return deliveries without their bodies, newest first; those alone whose name begins so, or that fit the rest.

        `before` are time and name of the last one of the page before: several may have come at once. They are given as
        they stand: what somebody has damaged can be of another type, and hides no other.
        """
        wanted = select(*_BARE).order_by(INBOX.c.received.desc(), INBOX.c.delivery).limit(limit)
        wanted = wanted.where(INBOX.c.delivery.startswith(name, autoescape=True)) if name else wanted
        wanted = wanted.where(*_in(state)) if state else wanted
        wanted = wanted.where(INBOX.c.sender == sender) if sender else wanted
        wanted = wanted.where(_of(incident)) if incident else wanted
        moment, last = before
        later = and_(INBOX.c.received == moment, INBOX.c.delivery > last)
        return self._as_they_stand(wanted.where(or_(INBOX.c.received < moment, later)) if moment else wanted)

    def get(self, name: str, *, body: bool = True) -> Delivery | None:
        """Return one delivery as it stands, or None."""
        wanted = select(*(_WHOLE if body else _BARE)).where(INBOX.c.delivery == name)
        return next(iter(self._as_they_stand(wanted)), None)

    def oldest_waiting(self) -> Delivery | None:
        """Return the delivery that has waited for longest to be settled, without its body, or None."""
        waits = INBOX.c.state.in_((NEW, HELD, OPENED))
        oldest = select(func.min(INBOX.c.received)).where(waits).scalar_subquery()
        wanted = select(*_BARE).where(waits, INBOX.c.received == oldest).order_by(INBOX.c.delivery).limit(1)
        return next(iter(self._as_they_stand(wanted)), None)

    def since(self, moment: datetime, limit: int = 2000) -> Iterator[Delivery]:
        """Yield the newest of what was received since a moment, oldest first, and one at a time: bodies may be long."""
        wanted = select(INBOX.c.delivery).where(INBOX.c.received >= write_time(moment))
        with self.database.reading() as connection:
            names = list(connection.execute(wanted.order_by(INBOX.c.received.desc()).limit(limit)).scalars())
        for name in reversed(names):
            yield from self._read(select(INBOX).where(INBOX.c.delivery == name))

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

    def _some(
        self, which: ColumnElement[bool], order: list[ColumnElement[Any]], limit: int, size: int
    ) -> list[Delivery]:
        wanted = select(INBOX.c.delivery, func.length(INBOX.c.raw)).where(which).order_by(*order).limit(limit)
        with self.database.reading() as connection:
            sizes = list(connection.execute(wanted))
        fitting = [
            name for (name, _), sofar in zip(sizes, accumulate(row[1] for row in sizes), strict=True) if sofar <= size
        ]
        names = fitting or [row[0] for row in sizes[:1]]
        return self._read(select(INBOX).where(INBOX.c.delivery.in_(names)).order_by(*order))

    def _read(self, wanted: Select[Any]) -> list[Delivery]:
        with self.database.reading() as connection:
            return [_delivery(row) for row in connection.execute(wanted)]

    def _as_they_stand(self, wanted: Select[Any]) -> list[Delivery]:
        with self.database.as_it_stands() as connection:
            rows = [dict(row._mapping) for row in connection.execute(wanted)]  # noqa: SLF001 - its public name
        return [Delivery(**{"raw": b"", **row, "headers": _headers(str(row["headers"]))}) for row in rows]


_BARE = [column for column in INBOX.c if column is not INBOX.c.raw]
_WHOLE = [*_BARE, type_coerce(INBOX.c.raw, NullType()).label("raw")]  # as it stands: text there must not raise
_VALUES = {"state": "to", "says": "why", "incident": "into", "again": "next", "starts": "wants"}


def _in(state: str) -> list[ColumnElement[bool]]:
    # Only what is held has a time to be looked at again; said here, the index of states gives the others in order.
    return [INBOX.c.state == state, *([INBOX.c.again == ""] if state != HELD else [])]


def _of(incident: str) -> ColumnElement[bool]:
    """Select what an incident has taken in, also where the delivery opened or joined another one first."""
    told = select(SIGHTINGS.c.delivery).where(SIGHTINGS.c.incident == incident)
    return or_(INBOX.c.incident == incident, INBOX.c.delivery.in_(told))


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
        "starts": delivery.starts,
    }


def _delivery(row: Row[Any]) -> Delivery:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    return Delivery(**{"raw": b"", **values, "headers": _headers(values["headers"])})


def _headers(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except ValueError:  # damaged in the store: the delivery is then read as one without
        return {}
    return found if isinstance(found, dict) else {}
