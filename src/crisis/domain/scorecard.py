"""Scorecard: how quickly an incident was handled. A fold over the journal; no clock, no I/O."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from crisis.domain.clock import say_duration
from crisis.domain.entry import Entry
from crisis.domain.incident import Measure, fold_incident

__all__ = ["Scorecard", "fold_scorecard"]

_REVERTS = ("revert_release", "roll_back_release")
_OF_RELEASES = ("maintenance page on", "release reverted", "proved healthy", "maintenance page off")


@dataclass(frozen=True, slots=True)
class Scorecard:
    """
    The times that count, and what is left to do. A time is None where it did not come to that.

    Times "from alert" run from the first alert, or from the opening where a person started the playbook.
    """

    first_action: timedelta | None
    maintenance_on: timedelta | None
    asked: timedelta | None
    deputy_asked: timedelta | None
    decision: timedelta | None
    next_step: timedelta | None
    reverted: timedelta | None
    healthy: timedelta | None
    maintenance_off: timedelta | None
    retries: int
    restarts: int
    decided_by: str
    outcome: str
    open_measures: tuple[Measure, ...]

    def lines(self) -> list[tuple[str, str]]:
        """Return what is measured and its value, in words."""
        times = [
            ("alert to first action done", self.first_action),
            ("alert to maintenance page on", self.maintenance_on),
            ("alert to decision makers asked", self.asked),
            ("asked to deputies asked too", self.deputy_asked),
            ("asked to decided", self.decision),
            ("decided to next step begun", self.next_step),
            ("decided to release reverted", self.reverted),
            ("alert to proved healthy", self.healthy),
            ("alert to maintenance page off", self.maintenance_off),
        ]
        said = [(name, "-" if length is None else say_duration(length)) for name, length in times]
        left = ", ".join(f"{measure.action} on {measure.target}" for measure in self.open_measures)
        if self.deputy_asked is None:
            said = [(name, value) for name, value in said if "deputies" not in name]
        of_releases = (self.maintenance_on, self.reverted, self.healthy, self.maintenance_off)
        if of_releases == (None,) * len(of_releases):  # it was about something else, or did not come to that
            said = [(name, value) for name, value in said if value != "-" or not name.endswith(_OF_RELEASES)]
        said += [("decided by", self.decided_by or "nobody")]
        said += [("tried again", str(self.retries)), ("restarts after a crash", str(self.restarts))]
        return [*said, ("still in force", left or "nothing"), ("outcome", self.outcome or "running")]


def fold_scorecard(entries: Sequence[Entry]) -> Scorecard:
    """Measure an incident from its entries."""
    incident = fold_incident("", entries)
    alert = _first(entries, lambda e: e.kind in ("opened", "alert"))
    first_asked = _first(entries, lambda e: e.kind == "asked")
    revert = _first(entries, lambda e: _done(e, *_REVERTS))
    decided = _decision_before(entries, revert)
    asked = _last(entries, lambda e: e.kind == "asked" and _same_plan(e, decided))
    begun = _first(entries, lambda e: e.kind == "intended" and decided is not None and e.seq > decided.seq)
    return Scorecard(
        first_action=_between(alert, _first(entries, lambda e: e.kind == "done")),
        maintenance_on=_between(alert, _first(entries, lambda e: _done(e, "start_maintenance"))),
        asked=_between(alert, first_asked),
        deputy_asked=_between(asked, _first(entries, lambda e: e.kind == "escalated" and _same_question(e, asked))),
        decision=_between(asked, decided),
        next_step=_between(decided, begun),
        reverted=_between(decided, revert),
        healthy=_between(alert, _first(entries, _proved_healthy)),
        maintenance_off=_between(alert, _first(entries, lambda e: _done(e, "end_maintenance"))),
        retries=sum(entry.kind == "retrying" for entry in entries),
        restarts=max(_again(entries) - sum(entry.kind == "put aside" for entry in entries), 0),
        decided_by=_by(decided),
        outcome=incident.outcome,
        open_measures=tuple(incident.measures),
    )


def _decision_before(entries: Sequence[Entry], revert: Entry | None) -> Entry | None:
    # The decision that the revert stands on; without a revert, the first one.
    if revert is None:
        return _first(entries, lambda e: e.kind == "decided")
    return _last(entries, lambda e: e.kind == "decided" and e.seq < revert.seq)


def _same_plan(entry: Entry, other: Entry | None) -> bool:
    return other is not None and entry.body.get("hash") == other.body.get("hash") and entry.seq < other.seq


def _same_question(entry: Entry, asked: Entry | None) -> bool:
    return asked is not None and entry.seq > asked.seq and entry.body.get("hash") == asked.body.get("hash")


def _again(entries: Sequence[Entry]) -> int:
    """Count the starts after a death: a run that was put aside comes back without one."""
    again = sum(entry.kind == "started" and int(entry.body.get("start", 1)) > 1 for entry in entries)
    return max(again - sum(entry.kind == "put aside" for entry in entries), 0)


def _by(decided: Entry | None) -> str:
    if decided is None:
        return ""
    return " and ".join(decided.body["by"]) or str(decided.body["outcome"])


def _proved_healthy(entry: Entry) -> bool:
    return (entry.kind, entry.body.get("look"), entry.body.get("ok", True)) == ("seen", "verify_recovery", True)


def _done(entry: Entry, *actions: str) -> bool:
    return entry.kind == "done" and entry.body["action"] in actions


def _first(entries: Sequence[Entry], fits: Callable[[Entry], bool]) -> Entry | None:
    return next((entry for entry in entries if fits(entry)), None)


def _last(entries: Sequence[Entry], fits: Callable[[Entry], bool]) -> Entry | None:
    return _first(entries[::-1], fits)


def _between(start: Entry | None, end: Entry | None) -> timedelta | None:
    return end.time - start.time if start is not None and end is not None else None
