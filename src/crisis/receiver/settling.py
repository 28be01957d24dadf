"""Settling: what one delivery came to, and how the inbox says it."""

import json
from dataclasses import dataclass, field
from datetime import timedelta

from crisis.domain.correlation import Held
from crisis.domain.start import Start
from crisis.journal.inbox import HELD, IGNORED, JOINED, OPENED, Delivery, Settled
from crisis.journal.sightings import Sighting
from crisis.receiver.recording import Record
from crisis.receiver.senders.alert import Reading

__all__ = ["LOOK_AGAIN", "Outcome", "settle"]

LOOK_AGAIN = timedelta(seconds=5)
"""After how long what cannot be judged yet is tried again."""


@dataclass
class Outcome:
    """What the alerts of one delivery start, join, wait for and leave alone, and by what they are known from now on."""

    starts: list[Start] = field(default_factory=list)
    joined: list[str] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    seen: dict[str, Sighting] = field(default_factory=dict)
    waits: str = ""


def settle(record: Record, delivery: Delivery, reading: Reading, outcome: Outcome) -> Settled:
    """Return what became of a delivery, and note in the journal what it lacks or why it did nothing."""
    name = delivery.delivery
    starts = json.dumps([one.as_json() for one in outcome.starts]) if outcome.starts else ""
    if outcome.waits:
        return Settled(name, HELD, f"is tried again soon: {outcome.waits}", again=record.now + LOOK_AGAIN)
    into = [*(one.incident for one in outcome.starts), *outcome.joined, *(one.incident for one in outcome.held)]
    incident = next(filter(None, into), "")
    if (outcome.starts or outcome.joined) and reading.notes:
        record.lacks(delivery, reading.notes)
    if outcome.held:
        says = f"held: {', '.join(dict.fromkeys(one.because for one in outcome.held))}"
        says += "; opens an incident if it does not resolve"
        soon = record.now + LOOK_AGAIN
        again = min(one.until if not one.incident else min(one.until, soon) for one in outcome.held)
        return Settled(name, HELD, says, incident, max(again, record.now), starts)
    if outcome.starts:
        says = f"opens {', '.join(dict.fromkeys(one.incident for one in outcome.starts))}"
        return Settled(name, OPENED, says, incident, starts=starts)
    if outcome.joined:
        return Settled(name, JOINED, f"belongs to {', '.join(dict.fromkeys(outcome.joined))}", incident)
    says = "; ".join(list(dict.fromkeys(outcome.ignored + list(reading.notes)))[:5]) or "it holds no alert"
    record.ignored(delivery, says)
    return Settled(name, IGNORED, says)
