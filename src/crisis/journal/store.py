"""Journal: the one record of what happened, append-only and hash-chained."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import Connection, Row, and_, insert, select, union, update
from sqlalchemy.dialects import postgresql, sqlite

from crisis.domain.clock import parse_time, utc_now, write_time
from crisis.domain.entry import Entry, Fault, as_stored, canonical, entry_hash, first_link, verify_chain
from crisis.domain.redaction import Mask
from crisis.errors import FencedError, JournalError
from crisis.journal.database import Database
from crisis.journal.schema import ENTRIES, HEADS, LEASES

__all__ = ["AlreadyRecordedError", "Fence", "Journal", "MovedOnError"]


_MASK = Mask()
_SPARED = ("call",)
"""`revoke_vault_token:0a1b…` names a call, and looks like a token with its value."""


class AlreadyRecordedError(JournalError):
    """The thing was recorded before, by us before a crash or by somebody who was faster."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(f"{entry.incident}: {entry.key}", saw=f"entry {entry.seq}", then="it is recorded once")
        self.entry = entry


class MovedOnError(JournalError):
    """Somebody wrote in between: what was to be recorded must be worked out again."""


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
        try:
            database.migrate()
        except JournalError:
            database.close()
            raise
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
        after: int | None = None,
    ) -> Entry:
        """
        Add an entry to an incident's chain and return it; what looks like a secret, or is known as one, is masked.

        Raises AlreadyRecordedError when `key` stands in this incident, FencedError when `fence` is outdated,
        MovedOnError when `after` is not the last entry any more, JournalError when the store cannot take it; then
        nothing was written.
        """
        with self.database.writing() as connection:
            return self._append(connection, incident, kind, actor, body or {}, key, fence, after)

    def _append(
        self,
        connection: Connection,
        incident: str,
        kind: str,
        actor: str,
        body: Mapping[str, Any],
        key: str | None,
        fence: Fence | None,
        after: int | None,
    ) -> Entry:
        seq, prev = self._lock_head(connection, incident)
        if fence is not None:
            _check_fence(connection, fence)
        if key is not None:
            found = _row_with_key(connection, incident, key)
            if found is not None:
                raise AlreadyRecordedError(_readable(found))
        if after is not None and seq != after:
            raise MovedOnError(incident, wanted=f"entry {after} to be the last", saw=f"entry {seq}", then="read again")
        fields: dict[str, Any] = {
            "incident": incident,
            "seq": seq + 1,
            "at": write_time(utc_now()),
            "kind": kind,
            "actor": actor,
            # Through JSON once, so that what is hashed is what a reader will get back. Masked here, where every entry
            # passes; what carries a seal was masked before it was sealed.
            "body": _MASK.within(json.loads(as_stored(dict(body))), _SPARED),
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
            return [_readable(row) for row in connection.execute(wanted)]

    def recorded(self, incident: str, key: str) -> Entry | None:
        """Return the entry that was recorded under a key, or None."""
        with self.database.reading() as connection:
            row = _row_with_key(connection, incident, key)
        return None if row is None else _readable(row)

    def incidents(self) -> list[str]:
        """Return the names of all chains, oldest first."""
        first = and_(ENTRIES.c.incident == HEADS.c.incident, ENTRIES.c.seq == 1)
        # By their heads: a chain whose first entry was dropped must not vanish from sight.
        wanted = select(HEADS.c.incident).outerjoin(ENTRIES, first).order_by(ENTRIES.c.at)
        with self.database.reading() as connection:
            return [str(row.incident) for row in connection.execute(wanted)]

    def heads(self) -> dict[str, str]:
        """Return what changes with every new entry, of every chain; also of one whose head is damaged."""
        with self.database.reading() as connection:
            rows = connection.execute(select(HEADS.c.incident, HEADS.c.seq, HEADS.c.hash))
            return {str(row.incident): f"{row.seq} {row.hash}" for row in rows}

    def head(self, incident: str) -> tuple[int, str] | None:
        """Return the sequence number and hash of the last entry, or None for an unknown incident."""
        with self.database.reading() as connection:
            row = connection.execute(select(HEADS.c.seq, HEADS.c.hash).where(HEADS.c.incident == incident)).first()
        return None if row is None else (int(row.seq), str(row.hash))

    def verify(self, incident: str) -> Iterator[Fault]:
        """Name every entry of an incident that was changed, dropped or reordered."""
        for says in self.database.damage():
            yield Fault(incident, 0, f"the database file is damaged: {says}")
        yield from self._verify(incident)

    def verify_all(self) -> Iterator[Fault]:
        """Name what is wrong with any chain, also with one that lost its head or its beginning."""
        for says in self.database.damage():
            yield Fault("journal", 0, f"the database file is damaged: {says}")
        with self.database.as_it_stands() as connection:
            names = [
                row.incident for row in connection.execute(union(select(ENTRIES.c.incident), select(HEADS.c.incident)))
            ]
        for name in names:
            if isinstance(name, str) and name.isprintable():
                yield from self._verify(name)
            else:
                yield Fault(ascii(name), 0, "an entry was changed: the name of its incident cannot be read")

    def _verify(self, incident: str) -> Iterator[Fault]:
        kept = select(HEADS.c.seq, HEADS.c.hash).where(HEADS.c.incident == incident)
        wanted = select(ENTRIES).where(ENTRIES.c.incident == incident).order_by(ENTRIES.c.seq)
        with self.database.as_it_stands() as connection:
            head = connection.execute(kept).first()
            rows = connection.execute(wanted).all()
        chain: list[Entry] = []
        strange: set[int] = set()
        for row in rows:
            if not isinstance(row.seq, int):
                yield Fault(incident, 0, "an entry was changed: its number cannot be read")
                continue
            says = _not_as_written(row)
            if says:
                strange.add(row.seq)
                yield Fault(incident, row.seq, f"entry {row.seq} was changed: {says}")
            chain.append(_entry(row) if not says else _as_far_as_readable(row))
        last = None if head is None else (head.seq, head.hash)
        if last is not None and not (isinstance(last[0], int) and isinstance(last[1], str)):
            yield Fault(incident, 0, "the head was changed: it cannot be read")
            last = None
        elif last is None and chain:
            yield Fault(
                incident,
                chain[-1].seq,
                f"the head, which should say that entry {chain[-1].seq} is the last, is missing",
            )
        yield from (fault for fault in verify_chain(incident, chain, last) if fault.seq not in strange)

    def close(self) -> None:
        """Close the connections."""
        self.database.close()


def _check_fence(connection: Connection, fence: Fence) -> None:
    # Shared lock: nobody takes the run over between this look and our commit.
    wanted = select(LEASES.c.epoch, LEASES.c.ended).where(LEASES.c.run == fence.run).with_for_update(read=True)
    row = connection.execute(wanted).first()
    saw = "no lease" if row is None else f"lease {row.epoch}" if row.ended is None else f"an end: {row.ended}"
    if row is None or row.epoch != fence.epoch or row.ended is not None:
        raise FencedError(f"run {fence.run}", wanted=f"lease {fence.epoch}", saw=saw, then="this one stops")


def _row_with_key(connection: Connection, incident: str, key: str) -> Row[Any] | None:
    return connection.execute(select(ENTRIES).where(ENTRIES.c.incident == incident, ENTRIES.c.key == key)).first()


def _readable(row: Row[Any]) -> Entry:
    """Return the entry; JournalError when its row is nothing that we wrote."""
    says = _not_as_written(row)
    if says:
        then = f"see `crisis verify {row.incident}`"
        raise JournalError(f"{row.incident} entry {row.seq}", wanted="it as it was written", saw=says, then=then)
    return _entry(row)


def _entry(row: Row[Any]) -> Entry:
    return Entry(**{**row._mapping, "body": json.loads(row.body)})  # noqa: SLF001 - SQLAlchemy's public name


def _as_far_as_readable(row: Row[Any]) -> Entry:
    texts: dict[str, Any] = {
        name: value.decode(errors="replace") if isinstance(value, bytes) else value
        for name, value in row._mapping.items()  # noqa: SLF001 - SQLAlchemy's public name
    }
    return Entry(**{**texts, "body": {}})


def _not_as_written(row: Row[Any]) -> str:
    """Say what shows at once that a row is nothing that we wrote; empty when only its hash can tell."""
    for name in ("at", "kind", "actor", "body", "prev", "hash", *(["key"] if row.key is not None else [])):
        if not isinstance(getattr(row, name), str):
            return f"its {name} is no text"
    try:
        parse_time(row.at)
    except ValueError:
        return "its time is none"
    try:
        body = json.loads(row.body)
    except (ValueError, RecursionError):
        return "its body is no JSON"
    # Another spelling of the same values, `1E5` for `1e5`, would have the same hash.
    return "" if isinstance(body, dict) and canonical(body) == row.body else "its body is spelled in another way"
