"""Parked: runs that were put aside at a gate, and when they must go on."""

from crisis.domain.clock import parse_time, utc_now
from crisis.domain.decision import fold_gates
from crisis.domain.entry import Entry
from crisis.domain.mandate import tally
from crisis.engine.run import PARKED
from crisis.journal.lease import Lease, Leases
from crisis.journal.store import Journal

__all__ = ["Parked"]


class Parked:
    """
    Looks through the runs that wait without a process.

    Cheap for many: an incident is read again only when its head has moved or a ladder goes on.
    """

    def __init__(self, journal: Journal, leases: Leases) -> None:
        self.journal, self.leases = journal, leases
        self._quiet: dict[str, tuple[tuple[int, str] | None, float]] = {}

    def due(self) -> list[Lease]:
        """Return the runs with something to do: somebody answered or said something, or their time has come."""
        waiting = self.leases.ended_as(PARKED)
        self._quiet = {lease.run: self._quiet[lease.run] for lease in waiting if lease.run in self._quiet}
        return [lease for lease in waiting if self._is_due(lease)]

    def times(self, lease: Lease) -> int:
        """Return how often a run was put aside: those starts were no deaths."""
        return sum(_is_aside(entry, lease) for entry in self.journal.entries(lease.incident))

    def _is_due(self, lease: Lease) -> bool:
        now, head = utc_now().timestamp(), self.journal.head(lease.incident)
        known = self._quiet.get(lease.run)
        if known is not None and known[0] == head and now < known[1]:
            return False
        entries = self.journal.entries(lease.incident)
        aside = next((entry for entry in reversed(entries) if _is_aside(entry, lease)), None)
        if aside is None:
            return True
        gates = [gate for (run, _), gate in fold_gates(entries).items() if run == lease.run]
        until = parse_time(aside.body["until"]).timestamp()
        decided = any(gate.decision is not None and gate.decision.seq > aside.seq for gate in gates)
        news = aside.body.get("wakes_on", ())
        # Since the start, and not since it was put aside: what came while it was at work, it may not have read.
        began = max((one.seq for one in entries if one.kind == "started" and one.run == lease.run), default=0)
        heard = any(entry.seq > began and entry.kind in news for entry in entries)
        if decided or heard or now >= until or any(gate.decision is None and tally(gate) is not None for gate in gates):
            return True
        self._quiet[lease.run] = (head, until)
        return False


def _is_aside(entry: Entry, lease: Lease) -> bool:
    return entry.kind == "put aside" and entry.run == lease.run
