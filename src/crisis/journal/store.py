"""Journal: the one record of what happened, append-only and hash-chained."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from crisis.domain.clock import utc_now, write_time
from crisis.domain.entry import Entry, Fault, canonical, entry_hash, first_link, verify_chain
from crisis.errors import FencedError, JournalError
from crisis.journal.database import Database
from crisis.journal.schema import ENTRIES, HEADS, LEASES

__all__ = ["AlreadyRecordedError", "Fence", "Journal"]


class AlreadyRecordedError(JournalError):
    """The thing was recorded before, by us before a crash or by somebody who was faster."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(f"{entry.incident}: {entry.key}", saw=f"entry {entry.seq}", then="it is recorded once")
        self.entry = entry


@dataclass(frozen=True, slots=True)
class Fence:
    """The right to write for a run: good until somebody else takes the run over."""

    run: str
    epoch: int


class Journal:
    """Entries per incident: append, read, verify. Safe for many processes at once."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @classmethod
    def open(cls, url: str) -> Self:
        """Open the journal at a SQLAlchemy URL and bring its schema up to date."""
        database = Database(url)
        database.migrate()
        return cls(database)

    def append(
        self,
        incident: str,
        kind: str,
        actor: str,
        body: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
        fence: Fence | None = None,
    ) -> Entry:
        """
        Add an entry to an incident's chain and return it.

        Raises AlreadyRecordedError when `key` stands in this incident, FencedError when `fence` is outdated,
        JournalError when the store cannot take it; then nothing was written.
        """
        with self.database.writing() as connection:
            return self._append(connection, incident, kind, actor, body or {}, key, fence)

    def _append(
        self,
        connection: Connection,
        incident: str,
        kind: str,
        actor: str,
        body: Mapping[str, Any],
        key: str | None,
        fence: Fence | None,
    ) -> Entry:
        seq, prev = self._lock_head(connection, incident)
        if fence is not None:
            _check_fence(connection, fence)
        if key is not None:
            found = _row_with_key(connection, incident, key)
            if found is not None:
                raise AlreadyRecordedError(_entry(found))
        fields: dict[str, Any] = {
            "incident": incident,
            "seq": seq + 1,
            "at": write_time(utc_now()),
            "kind": kind,
            "actor": actor,
            # Through JSON once, so that what is hashed is what a reader will get back.
            "body": json.loads(canonical(dict(body))),
            "key": key,
            "prev": prev,
        }
        fields["hash"] = entry_hash(fields)
        connection.execute(insert(ENTRIES).values({**fields, "body": canonical(fields["body"])}))
        moved = update(HEADS).where(HEADS.c.incident == incident).values(seq=seq + 1, hash=fields["hash"])
        connection.execute(moved)
        return Entry(**fields)

    def _lock_head(self, connection: Connection, incident: str) -> tuple[int, str]:
        dialect = sqlite if self.database.sqlite else postgresql
        first = dialect.insert(HEADS).values(incident=incident, seq=0, hash=first_link(incident))
        connection.execute(first.on_conflict_do_nothing())
        wanted = select(HEADS.c.seq, HEADS.c.hash).where(HEADS.c.incident == incident).with_for_update()
        row = connection.execute(wanted).one()
        return int(row.seq), str(row.hash)

    def entries(self, incident: str, after: int = 0) -> list[Entry]:
        """Return an incident's entries, oldest first, those with a sequence number above `after`."""
        wanted = select(ENTRIES).where(ENTRIES.c.incident == incident, ENTRIES.c.seq > after).order_by(ENTRIES.c.seq)
        with self.database.reading() as connection:
            return [_entry(row) for row in connection.execute(wanted)]

    def recorded(self, incident: str, key: str) -> Entry | None:
        """Return the entry that was recorded under a key, or None."""
        with self.database.reading() as connection:
            row = _row_with_key(connection, incident, key)
        return None if row is None else _entry(row)

    def incidents(self) -> list[str]:
        """Return the names of all chains, oldest first."""
        wanted = select(ENTRIES.c.incident, ENTRIES.c.at).where(ENTRIES.c.seq == 1).order_by(ENTRIES.c.at)
        with self.database.reading() as connection:
            return [str(row.incident) for row in connection.execute(wanted)]

    def head(self, incident: str) -> tuple[int, str] | None:
        """Return the sequence number and hash of the last entry, or None for an unknown incident."""
        with self.database.reading() as connection:
            row = connection.execute(select(HEADS.c.seq, HEADS.c.hash).where(HEADS.c.incident == incident)).first()
        return None if row is None else (int(row.seq), str(row.hash))

    def verify(self, incident: str) -> Iterator[Fault]:
        """Name every entry of an incident that was changed, dropped or reordered."""
        for says in self.database.damage():
            yield Fault(incident, 0, f"the database file is damaged: {says}")
        readable: list[Entry] = []
        wanted = select(ENTRIES).where(ENTRIES.c.incident == incident).order_by(ENTRIES.c.seq)
        with self.database.reading() as connection:
            for row in connection.execute(wanted):
                try:
                    readable.append(_entry(row))
                except ValueError:
                    yield Fault(incident, int(row.seq), f"entry {row.seq} was changed: its body is no JSON")
        yield from verify_chain(incident, readable, self.head(incident))

    def close(self) -> None:
        """Close the connections."""
        self.database.close()


def _check_fence(connection: Connection, fence: Fence) -> None:
    epoch = connection.execute(select(LEASES.c.epoch).where(LEASES.c.run == fence.run)).scalar()
    if epoch != fence.epoch:
        raise FencedError(
            f"run {fence.run}", wanted=f"lease {fence.epoch}", saw=f"lease {epoch}", then="this one stops"
        )


def _row_with_key(connection: Connection, incident: str, key: str) -> Row[Any] | None:
    return connection.execute(select(ENTRIES).where(ENTRIES.c.incident == incident, ENTRIES.c.key == key)).first()


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        incident=row.incident,
        seq=row.seq,
        at=row.at,
        kind=row.kind,
        actor=row.actor,
        body=json.loads(row.body),
        key=row.key,
        prev=row.prev,
        hash=row.hash,
    )
