"""Dispatch: what a stored delivery means. It opens incidents and names what to start; it starts nothing itself."""

import hashlib
import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from crisis.domain.alerting import AlertRoute
from crisis.domain.clock import parse_time, utc_now, write_time
from crisis.domain.entry import Entry
from crisis.domain.incident import RECOVERED, fold_incident
from crisis.domain.protocol import Protocol
from crisis.domain.start import Start, incident_id
from crisis.errors import JournalError, TransientError
from crisis.journal.inbox import HELD, Delivery
from crisis.journal.store import AlreadyRecordedError
from crisis.receiver.context import Context, Finished
from crisis.receiver.senders.alert import Alert, Reading
from crisis.receiver.senders.registry import follow_up, read

__all__ = ["INBOX_CHAIN", "Ignored", "fitting", "handle", "route"]

INBOX_CHAIN = "INBOX"
"""The chain that notes the deliveries which started nothing."""

_LOG = logging.getLogger(__name__)
_EPOCH = "1970-01-01T00:00:00Z"
_FINGERPRINT = re.compile(r"[0-9a-zA-Z_-]{1,64}")
_LABELS, _LABEL = 64, 500
_ECHO = timedelta(seconds=60)
"""How long after an end an alert may still begin for what came before: scrapes, rules and windows lag."""
_AFTERMATH = timedelta(minutes=5)
_PATIENCE = _AFTERMATH + timedelta(minutes=1)
"""How long an echo may take to be resolved. Alertmanager says so after `group_interval`, 5 min unless set."""
_ALERTS_OF_ONE_CAUSE = 20
_ASKING_BACK = timedelta(hours=1)
"""How long a subscription is tried to be confirmed while AWS does not answer."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """Why an alert starts nothing, in words for whoever wonders."""

    because: str


@dataclass(frozen=True, slots=True)
class _Chain:
    incident: str
    service: str
    playbook: str
    outcome: str
    ended_at: datetime | None


@dataclass
class _Outcome:
    starts: dict[str, Start] = field(default_factory=dict)
    joined: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    waits: str = ""


def route(protocol: Protocol, sender: str, alert: Alert) -> Start | Ignored:
    """Say what an alert should start: the first route of its sender whose labels are all equal."""
    known = protocol.alerts.get(sender)
    if known is None:
        return Ignored(f"{sender} is no sender of the protocol")
    found = fitting(known.routes, alert)
    if found is None:
        return Ignored(f"no route of {sender} fits the alert {_name(alert)}")
    service = found.service or alert.service or alert.labels.get("service", "")
    if not service:
        return Ignored(f"the alert {_name(alert)} names no service, and neither does its route")
    if service not in protocol.services:
        return Ignored(f"the alert {_name(alert)} is about {service[:80]}, which is no service of the protocol")
    when = alert.starts_at or parse_time(_EPOCH)
    seed = f"{sender}|{alert.receiver}|{alert.group_key}|{write_time(when)}|{found.start}|{service}"
    return Start(found.start, service, alert.summary, incident_id(seed, when), found.level, f"alert:{sender}")


def fitting(routes: Iterable[AlertRoute], alert: Alert) -> AlertRoute | None:
    """Return the first route whose labels the alert carries; `severity` may also be the word that we use for it."""
    carried = [*alert.labels.items(), ("severity", alert.severity)]
    return next((one for one in routes if all(pair in carried for pair in one.when.items())), None)


def handle(context: Context, delivery: Delivery) -> list[Start]:
    """
    Record what a delivery says, and return what is to be started for it.

    Handled again after a crash it records nothing twice and returns the same. A delivery that starts nothing
    is settled here; one with starts is settled by the caller, once they are under way. One that looks like the echo
    of an incident that is over is held, to be handled again until it resolves or lasts too long to be one.
    """
    outcome = _Outcome()
    reading = _read(context, delivery, outcome)
    seen = Counter[str]()
    for alert in reading.alerts:
        wish = route(context.protocol, delivery.sender, _dated(alert, delivery))
        about = wish.because if isinstance(wish, Ignored) else wish.incident
        seen[about] += 1
        # A thousand alerts of one group say what the first few say; each costs a look at the journal.
        if seen[about] <= _ALERTS_OF_ONE_CAUSE:
            _take(context, delivery, _dated(alert, delivery), wish, outcome)
    for incident in (name for name in seen if seen[name] > _ALERTS_OF_ONE_CAUSE and name.startswith("INC-")):
        says = f"{seen[incident] - _ALERTS_OF_ONE_CAUSE} more alerts of the same delivery"
        if context.journal.head(incident) is not None:
            _once(context, incident, "note", delivery.sender, {"says": says}, key=f"more:{delivery.delivery}")
    if outcome.starts or outcome.joined:
        _note_lacks(context, delivery, reading)
    if outcome.held or not outcome.starts:
        _settle(context, delivery, outcome)
    elif delivery.state == HELD:
        context.inbox.settle(delivery.delivery, "new", "")  # nothing of it is held any more
    return list(outcome.starts.values())


def _read(context: Context, delivery: Delivery, outcome: _Outcome) -> Reading:
    """Read a delivery, and do what it wants of us besides: AWS asks back before it sends alerts to an address."""
    parts = (context.protocol, delivery.sender, delivery.raw, delivery.headers)
    try:
        done = follow_up(*parts)
        reading = Reading(notes=(done,)) if done else read(*parts)
    except TransientError as error:
        late = utc_now() > parse_time(delivery.received) + _ASKING_BACK
        outcome.waits = "" if late else str(error)
        reading = Reading(notes=(f"it was given up after {_ASKING_BACK}: {error}",))
    except ValueError as error:
        reading = Reading(notes=(f"it cannot be read: {error}",))
    outcome.ignored += reading.notes
    return reading


def _note_lacks(context: Context, delivery: Delivery, reading: Reading) -> None:
    if reading.notes:
        says = f"a delivery of {delivery.sender} was read, but: {'; '.join(reading.notes[:5])}"
        body = {"says": says, "delivery": delivery.delivery}
        _once(context, INBOX_CHAIN, "note", delivery.sender, body, key=f"lacks:{delivery.delivery}")


def _dated(alert: Alert, delivery: Delivery) -> Alert:
    return replace(alert, starts_at=alert.starts_at or parse_time(delivery.received))


def _take(context: Context, delivery: Delivery, alert: Alert, wish: Start | Ignored, outcome: _Outcome) -> None:
    if isinstance(wish, Ignored):
        outcome.ignored.append(wish.because)
        return
    entries = context.journal.entries(wish.incident)
    if not alert.firing:
        _join(context, delivery, alert, wish, outcome)
    elif not entries:
        if not _join(context, delivery, alert, wish, outcome):
            _open(context, delivery, alert, wish)
            outcome.starts[wish.incident] = wish
    elif fold_incident(wish.incident, entries).ended_at:
        outcome.ignored.append(f"{wish.incident}, which this alert opened, is over; start it by hand if it must run")
    elif _opened_by(delivery, entries):
        _open(context, delivery, alert, wish)
        outcome.starts[wish.incident] = wish
    else:
        _join(context, delivery, alert, wish, outcome)


def _open(context: Context, delivery: Delivery, alert: Alert, wish: Start) -> None:
    opened = {"service": wish.service, "summary": wish.summary, "playbook": wish.playbook}
    opened |= {"source": wish.source, "requester": "", "delivery": delivery.delivery}
    _once(context, wish.incident, "opened", delivery.sender, {**opened, "drill": context.settings.drill}, key="opened")
    because = f"the route of {delivery.sender} for {_name(alert)} says so"
    level = int(wish.level)
    _once(context, wish.incident, "level", "responder", {"level": level, "because": because}, key="level:1")
    _add(context, wish.incident, delivery, alert)


def _join(context: Context, delivery: Delivery, alert: Alert, wish: Start, outcome: _Outcome) -> bool:
    chains = [_chain(context, name) for name in context.journal.incidents() if name.startswith("INC-")]
    alike = [one for one in chains if one and (one.service, one.playbook) == (wish.service, wish.playbook)]
    running = next((one.incident for one in reversed(alike) if one.ended_at is None), "")
    over = None if running else _echoed(alike, delivery, alert)
    if over is not None and alert.firing and over.outcome == RECOVERED and not _resolved(context, over, alert):
        if utc_now() > (over.ended_at or utc_now()) + _PATIENCE:
            return False  # no echo lasts that long
        outcome.held.append(over.incident)
    incident = running or (over.incident if over else "")
    if incident:
        _add(context, incident, delivery, alert)
        outcome.joined.append(incident)
    elif not alert.firing:
        outcome.ignored.append(f"the alert {_name(alert)} is resolved, and no incident is open for it")
    return bool(incident)


def _chain(context: Context, name: str) -> _Chain | None:
    """Say what an incident is about and whether it is over; None, and one warning, when its chain is damaged."""
    head = context.journal.head(name)  # a store that is gone altogether is no damaged chain
    known = context.over.get(name)
    if known is not None and known.head == head:
        return _Chain(name, known.service, known.playbook, known.outcome, known.ended_at)
    try:
        found = fold_incident(name, context.journal.entries(name))
    except (JournalError, LookupError, TypeError, ValueError) as error:
        if name not in context.unreadable:
            context.unreadable.add(name)
            _LOG.warning("%s cannot be read and takes no alert in: %s", name, error)
        return None
    context.over.pop(name, None)
    if found.ended_at is not None:
        context.over[name] = Finished(head, found.service, found.playbook, found.outcome, found.ended_at)
    return _Chain(name, found.service, found.playbook, found.outcome, found.ended_at)


def _echoed(alike: list[_Chain], delivery: Delivery, alert: Alert) -> _Chain | None:
    """
    Return the incident that is over but may explain this alert: it began before the end or just after it.

    Our own maintenance page makes journeys fail, and senders report that late. Whether it was an echo shows only
    when it resolves.
    """
    ends = [(one.ended_at, one.incident, one) for one in alike if one.ended_at is not None]
    if not ends or alert.starts_at is None:
        return None
    ended_at, _, over = max(ends, key=lambda end: end[:2])
    fresh = parse_time(delivery.received) <= ended_at + _AFTERMATH
    return over if fresh and alert.starts_at <= ended_at + _ECHO else None


def _resolved(context: Context, over: _Chain, alert: Alert) -> bool:
    """Say whether the sender has said since that the trouble is gone."""
    wanted = _key(replace(alert, status="resolved"))
    return any(entry.key == wanted for entry in context.journal.entries(over.incident))


def _opened_by(delivery: Delivery, entries: list[Entry]) -> bool:
    return any(e.kind == "opened" and e.body.get("delivery") == delivery.delivery for e in entries)


def _add(context: Context, incident: str, delivery: Delivery, alert: Alert) -> None:
    starts_at = write_time(alert.starts_at or parse_time(delivery.received))
    labels = {name[:_LABEL]: value[:_LABEL] for name, value in sorted(alert.labels.items())[:_LABELS]}
    body = {"sender": delivery.sender, "delivery": delivery.delivery, "status": alert.status, "labels": labels}
    body |= {"starts_at": starts_at, "summary": alert.summary}
    _once(context, incident, "alert", delivery.sender, body, key=_key(alert))


def _key(alert: Alert) -> str:
    began = write_time(alert.starts_at) if alert.starts_at else ""
    return f"alert:{_fingerprint(alert)}:{began}" + ("" if alert.firing else ":resolved")


def _settle(context: Context, delivery: Delivery, outcome: _Outcome) -> None:
    if outcome.waits:
        context.inbox.settle(delivery.delivery, HELD, f"is tried again soon: {outcome.waits}")
        return
    if outcome.held:
        says = f"may be an echo of {', '.join(dict.fromkeys(outcome.held))}; opens an incident if it does not resolve"
        context.inbox.settle(delivery.delivery, HELD, says)
        return
    if outcome.joined:
        says = f"belongs to {', '.join(dict.fromkeys(outcome.joined))}"
        context.inbox.settle(delivery.delivery, "joined", says)
        return
    says = "; ".join(list(dict.fromkeys(outcome.ignored))[:5]) or "it holds no alert"
    body = {"says": f"a delivery of {delivery.sender} started nothing: {says}", "delivery": delivery.delivery}
    _once(context, INBOX_CHAIN, "note", delivery.sender, body, key=f"ignored:{delivery.delivery}")
    context.inbox.settle(delivery.delivery, "ignored", says)


def _once(context: Context, incident: str, kind: str, actor: str, body: Mapping[str, Any], *, key: str) -> None:
    with suppress(AlreadyRecordedError):  # this delivery was handled before, up to here or further
        context.journal.append(incident, kind, actor, body, key=key)


def _name(alert: Alert) -> str:
    return alert.labels.get("alertname", "without a name")[:80]


def _fingerprint(alert: Alert) -> str:
    if _FINGERPRINT.fullmatch(alert.fingerprint):
        return alert.fingerprint
    labels = "|".join(f"{name}={value}" for name, value in sorted(alert.labels.items()))
    return hashlib.sha256(f"{alert.fingerprint}|{labels}".encode()).hexdigest()[:32]
