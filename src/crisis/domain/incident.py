"""Incident: what the journal says of one crisis so far. Every view is a fold over its entries."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from crisis.domain.entry import Entry
from crisis.domain.level import Level

__all__ = [
    "HANDED_OVER",
    "RECOVERED",
    "TOLD",
    "Incident",
    "Measure",
    "ended_runs",
    "fold_incident",
    "is_about_law",
    "is_lasting",
]

RECOVERED = "recovered"
"""The outcome of a run whose every proof held; every other outcome asks for somebody."""

HANDED_OVER = "handed over"
"""The outcome of a run that told people, and left the rest to them."""


TOLD = "told"
"""The outcome of a run that has seen every notice that the law asks for on record."""

_LASTING = frozenset({"disclosure"})
"""Playbooks that follow an incident for months: they neither keep it open nor end it."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A change that stands until it is undone: by which action it was made, and which action undoes it."""

    action: str
    target: str
    undo: str
    since: datetime


@dataclass
class Incident:
    """One crisis: what it is about, how bad, since when, and what is still in force."""

    id: str
    service: str = ""
    summary: str = ""
    playbook: str = ""
    source: str = ""
    requester: str = ""
    drill: bool = False
    opened_at: datetime | None = None
    level: Level = Level.CRITICAL
    measures: list[Measure] = field(default_factory=list)
    outcome: str = ""
    ended_at: datetime | None = None


def fold_incident(incident: str, entries: Iterable[Entry]) -> Incident:
    """Read an incident out of its entries."""
    found, running, levelled = Incident(incident), set[str](), False
    for entry in entries:
        body = entry.body
        if is_lasting(entry) and found.playbook not in _LASTING:
            continue
        if entry.kind == "opened" and found.opened_at is None:  # whoever opened it stays who opened it
            found.service, found.summary = str(body["service"]), str(body["summary"])
            found.playbook, found.source = str(body["playbook"]), str(body["source"])
            found.requester, found.drill = str(body.get("requester") or ""), bool(body.get("drill"))
            found.opened_at = entry.time
        elif entry.kind == "level":
            # It only rises: a row that lowered it would hand the decision to others.
            level = Level(int(body["level"]))
            found.level, levelled = min(found.level, level) if levelled else level, True
        elif entry.kind in ("done", "none"):
            _fold_measure(found, entry)
        elif entry.kind == "started":
            running.add(entry.run)
            found.outcome, found.ended_at = "", None  # tried again after it had ended
        elif entry.kind == "ended":
            running = running - {entry.run} if entry.run else set()  # an end without a run is the incident's own
            if running:
                continue  # another run is still at work
            found.outcome, found.ended_at = str(body["outcome"]), entry.time
    return found


def is_lasting(entry: Entry) -> bool:
    """Whether an entry is the start or the end of a run that follows the incident for months, and is no part of it."""
    return entry.kind in ("started", "ended") and entry.body.get("playbook") in _LASTING


def is_about_law(incident: Incident) -> bool:
    """Whether an incident was opened to follow legal clocks alone: no alert belongs to it, it holds up no remedy."""
    return incident.playbook in _LASTING


def ended_runs(entries: Iterable[Entry]) -> set[str]:
    """Return the runs that are over: ended, and not started again since."""
    over, seen = set[str](), set[str]()
    for entry in entries:
        if entry.kind == "ended":
            over |= {entry.run} if entry.run else seen
        elif entry.kind == "started":
            over.discard(entry.run)
        seen.add(entry.run)
    return over


def _fold_measure(found: Incident, entry: Entry) -> None:
    action, target = str(entry.body["action"]), str(entry.body["target"])
    found.measures = [m for m in found.measures if not (m.undo == action and m.target == target)]
    # A measure that does not apply, such as a freeze where there is no pipeline, says so: nothing of it is in force.
    applies = (entry.body.get("facts") or {}).get("in_force", True)
    if (
        applies
        and entry.body.get("measure")
        and not any(m.action == action and m.target == target for m in found.measures)
    ):
        found.measures.append(Measure(action, target, str(entry.body["undo"]), entry.time))
