"""Dispatch: what stored deliveries mean. It opens incidents, and says what to start; it starts nothing itself."""

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from datetime import timedelta

from crisis.domain.clock import parse_time, utc_now
from crisis.domain.correlation import STORM_OVER
from crisis.domain.start import Start
from crisis.errors import TransientError
from crisis.journal.inbox import Delivery
from crisis.journal.sightings import source_key
from crisis.receiver.afterwards import Afterwards
from crisis.receiver.context import Context
from crisis.receiver.judging import BROKEN, DAMAGE, Judging, group_of
from crisis.receiver.recording import once
from crisis.receiver.routing import fingerprint_of
from crisis.receiver.senders.alert import Reading
from crisis.receiver.senders.registry import follow_up, read

__all__ = ["calm_down", "handle", "handle_all", "look_afterwards", "recall_storm"]

_LOG = logging.getLogger(__name__)

_LOCK = 42814282
"""One process at a time judges alerts: two would open two incidents for one cause."""

_ASKING_BACK = timedelta(hours=1)
"""How long a sender is asked back while it does not answer."""

_RECALLED = 500
"""Deliveries that are read again at a start, to know whether a storm is on."""

_Read = tuple[Delivery, Reading, str]


def handle(context: Context, delivery: Delivery) -> list[Start]:
    """Handle one delivery, see `handle_all`."""
    return handle_all(context, [delivery])


def handle_all(context: Context, deliveries: Sequence[Delivery]) -> list[Start]:
    """
    Record what deliveries say, settle them, and return the runs that they want, which are stored with them.

    It is one transaction: after a crash all of it has happened or nothing has. What the store or a sender has broken in
    one delivery does not hold up the others.
    """
    readings = [(delivery, *_read(context, delivery)) for delivery in deliveries]
    try:
        return _judge(context, readings, Judging.take)
    except DAMAGE:
        # Something is broken somewhere among them: one by one, what is whole gets through.
        return _judge(context, readings, Judging.take_with_care)


def _judge(context: Context, readings: Sequence[_Read], take: Callable[..., None]) -> list[Start]:
    with ExitStack() as undone:
        undone.callback(context.cases.forget)  # on any error: what they have seen is taken back
        context.cases.look()  # what takes long is read before anybody has to wait for us
        with context.journal.database.together(_LOCK):
            open_still = context.inbox.undecided(one.delivery for one, _, _ in readings)
            mine = [one for one in readings if one[0].delivery in open_still]
            judging = Judging(context, [(one, reading) for one, reading, _ in mine])
            for one in mine:
                take(judging, *one)
            starts = judging.finish()
        undone.pop_all()
    return starts


def look_afterwards(context: Context, afterwards: Afterwards) -> None:
    """Have health checked where a run ended after its last alert had resolved."""
    with ExitStack() as undone:
        undone.callback(context.cases.forget)
        with context.journal.database.together(_LOCK):
            context.cases.look()
            afterwards.look()
        undone.pop_all()


def calm_down(context: Context) -> None:
    """End a storm once it has been calm for long enough: remedies start again."""
    now, calm = utc_now(), context.protocol.intake.storm.calm
    if not context.storm.is_calm(now):
        return
    context.cases.look()
    for case in context.cases.all():
        if case.storm and max(context.storm.last_excess or case.opened_at, case.opened_at) + calm <= now:
            says = "the storm is over: new alerts start their playbooks again"
            once(context, case.incident, "note", "responder", {"says": says}, key=STORM_OVER)


def recall_storm(context: Context) -> None:
    """Count again what came in the last moments, after a start: a storm does not end because we were away."""
    rule = context.protocol.intake.storm
    for delivery in context.inbox.since(utc_now() - max(rule.per, rule.calm), _RECALLED):
        with suppress(*BROKEN, TransientError):
            alerts = read(context.protocol, delivery.sender, delivery.raw, delivery.headers).alerts
            sources = [source_key(delivery.sender, fingerprint_of(alert)) for alert in alerts]
            # Those that it was the first to tell of: repeats count for nothing.
            first = {one.source for one in context.sightings.of_sources(sources) if one.delivery == delivery.delivery}
            for alert, source in zip(alerts, sources, strict=True):
                if source in first:
                    context.storm.saw(group_of(delivery.sender, alert), parse_time(delivery.received))


def _read(context: Context, delivery: Delivery) -> tuple[Reading, str]:
    """Read a delivery, and do what it wants of us besides: AWS asks back before it sends alerts to an address."""
    parts = (context.protocol, delivery.sender, delivery.raw, delivery.headers)
    try:
        done = follow_up(*parts)
        reading = Reading(notes=(done,)) if done else read(*parts)
    except TransientError as error:
        if utc_now() <= parse_time(delivery.received) + _ASKING_BACK:
            return Reading(), str(error)
        return Reading(notes=(f"it was given up after {_ASKING_BACK}: {error}",)), ""
    except ValueError as error:
        return Reading(notes=(f"it cannot be read: {error}",)), ""
    except BROKEN as error:  # no reader may raise these; one that does costs its own delivery and no other
        _LOG.exception("delivery %s of %s: its reader failed", delivery.delivery, delivery.sender)
        return Reading(notes=(f"it cannot be read: {type(error).__name__} in the reader of {delivery.sender}",)), ""
    if reading.cut:
        context.cut_off.add(delivery.sender)
    return reading, ""
