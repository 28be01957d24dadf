"""Afterwards: a run has ended without a recovery, and its alerts had resolved meanwhile: then health is looked at."""

import json
from datetime import datetime

from crisis.domain.correlation import Case
from crisis.domain.entry import Entry
from crisis.domain.incident import is_lasting
from crisis.domain.start import CHECK_HEALTH, Start
from crisis.journal.inbox import JOINED, OPENED, STARTED, Settled
from crisis.receiver.context import Context

__all__ = ["Afterwards", "health_check"]


def health_check(case: Case, delivery: str) -> Start:
    """Return our own look at health, once every alert of an incident has resolved; one for each delivery."""
    says = f"every alert of {case.incident} has resolved: is {case.service} healthy?"
    part = f"check-{delivery[:12]}"
    return Start(CHECK_HEALTH, case.service, says, case.incident, case.level, "alert", part=part)


class Afterwards:
    """Looks at incidents that nobody drives any more. The last word of a sender came while a run was at work."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._seen: dict[str, datetime] = {}

    def look(self) -> None:
        """Have health checked where it is due. To be called where alerts are judged, under its lock."""
        ended = [case for case in self.context.cases.all() if not (case.running or case.recovered or case.storm)]
        self._seen = {case.incident: at for case in ended if (at := self._seen.get(case.incident)) is not None}
        for case in ended:
            if self._seen.get(case.incident) != case.touched_at:
                self._seen[case.incident] = case.touched_at
                self._look_at(case)

    def _look_at(self, case: Case) -> None:
        sightings, inbox = self.context.sightings, self.context.inbox
        if sightings.firing(case.incident) or not sightings.total(case.incident):
            return
        if not _ended_last(self.context.journal.entries(case.incident)):
            return  # a look has begun since, or the alert that resolved last has asked for one
        newest = next(iter(inbox.page(1, incident=case.incident)), None)
        if newest is None or newest.starts or newest.state not in (JOINED, STARTED):
            return
        starts = json.dumps([health_check(case, newest.delivery).as_json()])
        says = f"opens a look at the health of {case.service}: {case.incident} has ended, and no alert fires"
        inbox.settle_all([Settled(newest.delivery, OPENED, says, case.incident, starts=starts)])


def _ended_last(entries: list[Entry]) -> bool:
    """Whether the last thing that an alert or a run has said is that a run of another kind ended."""
    telling = [one for one in entries if one.kind in ("alert", "started", "ended") and not is_lasting(one)]
    last = telling[-1] if telling else None
    return last is not None and last.kind == "ended" and last.body.get("playbook") != CHECK_HEALTH
