"""Entry: one line of the journal, chained to the line before it by its hash."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crisis.domain.clock import parse_time

__all__ = ["Entry", "Fault", "as_stored", "canonical", "entry_hash", "first_link", "verify_chain"]


@dataclass(frozen=True, slots=True)
class Entry:
    """
    What happened: to which incident, as which of its entries, when (UTC, RFC 3339), what, by whom.

    `key` is set where a thing may be recorded only once in an incident. `prev` is the hash of the entry before.
    """

    incident: str
    seq: int
    at: str
    kind: str
    actor: str
    body: Mapping[str, Any]
    key: str | None
    prev: str
    hash: str

    @property
    def time(self) -> datetime:
        """The moment as an aware datetime."""
        return parse_time(self.at)

    @property
    def run(self) -> str:
        """The flow run that wrote it; empty where a person or the receiver did."""
        return str(self.body.get("run", ""))

    def as_dict(self) -> dict[str, Any]:
        """Return the entry as `crisis export` writes it."""
        names = ("incident", "seq", "at", "kind", "actor", "body", "key", "prev", "hash")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a chain: at which sequence number, and in words."""

    incident: str
    seq: int
    says: str


def canonical(value: object) -> str:
    """Write JSON in the one form that is hashed: sorted keys, no spaces, UTF-8 as it is."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def first_link(incident: str) -> str:
    """Return what stands as `prev` in an incident's first entry."""
    return hashlib.sha256(f"crisis:{incident}".encode()).hexdigest()


def entry_hash(entry: Mapping[str, Any]) -> str:
    """Hash an entry: SHA-256 over the canonical JSON of all its fields but `hash`."""
    return hashlib.sha256(canonical({k: v for k, v in entry.items() if k != "hash"}).encode()).hexdigest()


def as_stored(value: object) -> str:
    """Write JSON as the journal keeps it; half a surrogate pair, which no UTF-8 can hold, becomes a question mark."""
    return canonical(value).encode("utf-8", "replace").decode()


def verify_chain(incident: str, entries: Iterable[Entry], head: tuple[int, str] | None = None) -> Iterator[Fault]:
    """
    Name every entry that was changed, dropped or reordered.

    `head` is the last sequence number and hash as kept beside the entries, or as printed on a report:
    with it a dropped tail is found too.
    """
    expected, prev, last = 1, first_link(incident), ""
    for entry in entries:
        if entry.seq != expected:
            lost = f"entries {expected} to {entry.seq - 1} are" if entry.seq - 1 > expected else f"entry {expected} is"
            says = f"{lost} missing" if entry.seq > expected else f"entry {entry.seq} stands twice or out of order"
            yield Fault(incident, min(expected, entry.seq), says)
        elif entry.prev != prev:
            yield Fault(incident, entry.seq, f"entry {entry.seq} does not follow entry {entry.seq - 1}")
        if not _is_intact(entry):
            yield Fault(incident, entry.seq, f"entry {entry.seq} ({entry.kind}) was changed")
        expected, prev, last = entry.seq + 1, entry.hash, entry.hash
    if head is None:
        return
    if head[0] >= expected:
        yield Fault(incident, expected, f"entries {expected} to {head[0]} are missing at the end")
    elif head[0] < expected - 1:
        yield Fault(incident, head[0] + 1, f"the head says the last entry is {head[0]}, but there are {expected - 1}")
    elif last and head[1] != last:
        yield Fault(incident, head[0], f"the head does not fit entry {head[0]}: the chain was written again")


def _is_intact(entry: Entry) -> bool:
    try:
        return entry_hash(entry.as_dict()) == entry.hash
    except UnicodeEncodeError:  # bytes that are no UTF-8: nothing that we wrote
        return False
