"""Keeping: what is known of a sender's alerts before it is asked, and what of its answer is put into the inbox."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from crisis.domain.clock import parse_time, utc_now, write_time
from crisis.domain.start import Start
from crisis.journal.inbox import Delivery
from crisis.journal.sightings import Sighting, source_key
from crisis.receiver.asking.question import Answer, Found, Known
from crisis.receiver.context import Context
from crisis.receiver.routing import fingerprint_of, route
from crisis.receiver.senders.alert import Alert, Reading
from crisis.receiver.senders.registry import read

__all__ = ["deliveries", "known_alerts"]

_SETTLED = timedelta(minutes=1)
"""How old a sighting is before it counts that a sender does not list it: another of its replicas may have told us."""

_LONGEST = 5 * 1024 * 1024


def known_alerts(context: Context, sender: str, now: datetime) -> Iterator[Known]:
    """Yield what fires as far as we know, from the deliveries that told of it; some may be forgotten since."""
    told = dict[str, list[Sighting]]()
    for one in context.sightings.still_firing(sender):
        told.setdefault(one.delivery, []).append(one)
    for name, seen in told.items():
        delivery = context.inbox.get(name)
        if delivery is not None:
            names = _fingerprints(context, delivery)
            for one in seen:
                if one.source in names:
                    settled = parse_time(one.seen) < now - _SETTLED
                    yield Known(names[one.source], one.began, settled, delivery.raw)


def _fingerprints(context: Context, delivery: Delivery) -> dict[str, str]:
    try:
        reading = read(context.protocol, delivery.sender, delivery.raw, delivery.headers)
    except ValueError:
        return {}
    return {source_key(delivery.sender, name): name for name in map(fingerprint_of, reading.alerts)}


def deliveries(context: Context, sender: str, answer: Answer, now: datetime) -> tuple[list[Delivery], list[str]]:
    """Return what is to be put into the inbox, and in words what could not be; what no route wants is left out."""
    wanted, notes = list[tuple[Found, Reading]](), list[str]()
    for found in answer.found:
        try:
            reading = _read(context, sender, found)
        except ValueError as error:
            notes.append(f"something that {sender} lists cannot be read: {error}")
            continue
        if any(isinstance(route(context.protocol, sender, alert), Start) for alert in reading.alerts):
            wanted.append((found, reading))
    ends = _ends(context, sender, (alert for _, reading in wanted for alert in reading.alerts))
    # Each at a moment of its own: what fires is judged before what is over, as the sender's answer has it.
    start = utc_now()
    kept = [
        Delivery(
            _name(sender, reading, ends, now), sender, write_time(start + at * timedelta.resolution),
            found.raw, headers=found.headers,
        )
        for at, (found, reading) in enumerate(wanted)
    ]  # fmt: skip
    return kept, list(dict.fromkeys(notes))


def _read(context: Context, sender: str, found: Found) -> Reading:
    if len(found.raw) > _LONGEST:
        raise ValueError("it is longer than a delivery may be")
    return read(context.protocol, sender, found.raw, found.headers)


def _ends(context: Context, sender: str, alerts: Iterable[Alert]) -> dict[str, str]:
    """Return when each alert was last said to be over."""
    sources, ends = {source_key(sender, fingerprint_of(alert)) for alert in alerts}, dict[str, str]()
    for one in context.sightings.of_sources(sources):
        ends[one.source] = max(ends.get(one.source, ""), one.resolved)
    return ends


def _name(sender: str, reading: Reading, ends: dict[str, str], now: datetime) -> str:
    """Name a delivery by what it says, so that it is put once: until an alert of it has ended and fires again."""
    says = []
    for alert in reading.alerts:
        fingerprint = fingerprint_of(alert)
        began = write_time(alert.starts_at) if alert.starts_at else ""
        # One that ends again, with the same begin, is told again the next day at the latest.
        since = ends.get(source_key(sender, fingerprint), "") if alert.firing else f"{now:%Y-%m-%d}"
        says.append([alert.receiver, fingerprint, began, alert.status, since])
    return hashlib.sha256(json.dumps(["caught up", sender, sorted(says)]).encode()).hexdigest()
