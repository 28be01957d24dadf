"""Routing: what an alert is to start, by the routes of protocol.yaml. Reads nothing and writes nothing."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from crisis.domain.alerting import AlertRoute
from crisis.domain.clock import parse_time, write_time
from crisis.domain.level import Level
from crisis.domain.protocol import Protocol
from crisis.domain.start import Start, incident_id
from crisis.receiver.senders.alert import Alert

__all__ = ["Ignored", "carried", "fingerprint_of", "fitting", "name_of", "route"]

_EPOCH = "1970-01-01T00:00:00Z"
_FINGERPRINT = re.compile(r"[0-9a-zA-Z_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Ignored:
    """Why an alert starts nothing, in words for whoever wonders."""

    because: str


def route(protocol: Protocol, sender: str, alert: Alert) -> Start | Ignored:
    """
    Say what an alert should start: the first route of its sender whose labels are all equal.

    An alert that none fits starts `intake.otherwise`, where that is given and the alert names a known service.
    """
    known = protocol.alerts.get(sender)
    if known is None:
        return Ignored(f"{sender} is no sender of the protocol")
    found = fitting(known.routes, alert)
    otherwise = protocol.intake.otherwise
    if found is None and otherwise is None:
        return Ignored(f"no route of {sender} fits the alert {name_of(alert)}")
    service = (found.service if found else None) or alert.service or alert.labels.get("service", "")
    if not service:
        return Ignored(f"the alert {name_of(alert)} names no service, and neither does its route")
    if service not in protocol.services:
        return Ignored(f"the alert {name_of(alert)} is about {service[:80]}, which is no service of the protocol")
    playbook, level = (found.start, found.level) if found else (str(otherwise), _level_of(alert))
    when = alert.starts_at or parse_time(_EPOCH)
    seed = f"{sender}|{alert.receiver}|{alert.group_key}|{write_time(when)}|{playbook}|{service}"
    return Start(playbook, service, alert.summary, incident_id(seed, when), level, f"alert:{sender}")


def fitting(routes: Iterable[AlertRoute], alert: Alert) -> AlertRoute | None:
    """Return the first route whose labels the alert carries; `severity` may also be the word that we use for it."""
    pairs = carried(alert)
    return next((one for one in routes if all(pair in pairs for pair in one.when.items())), None)


def carried(alert: Alert) -> list[tuple[str, str]]:
    """Return the labels that routes and rules may ask for, with our own word for the severity beside the sender's."""
    return [*alert.labels.items(), ("severity", alert.severity)]


def name_of(alert: Alert) -> str:
    """Return what people call the alert."""
    return alert.labels.get("alertname", "without a name")[:80]


def fingerprint_of(alert: Alert) -> str:
    """Return what names the alert, whenever it fires; its labels stand for that where the sender says nothing."""
    if _FINGERPRINT.fullmatch(alert.fingerprint):
        return alert.fingerprint
    labels = "|".join(f"{name}={value}" for name, value in sorted(alert.labels.items()))
    return hashlib.sha256(f"{alert.fingerprint}|{labels}".encode("utf-8", "replace")).hexdigest()[:32]


def _level_of(alert: Alert) -> Level:
    return {"critical": Level.CRITICAL, "info": Level.MINOR}.get(alert.severity, Level.DEGRADED)
