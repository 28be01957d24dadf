"""Registry: which file understands which sender. A new one is a file here and its name in `AlertKind`."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache
from importlib import import_module

from crisis.domain.alerting import AlertSender
from crisis.domain.protocol import Protocol
from crisis.receiver.asking.question import Asker
from crisis.receiver.senders.alert import Alert, Kind, Message, Reading

__all__ = ["asker_of", "delivery_key", "follow_up", "kept_headers", "kind_named", "read", "read_as"]

_MOST_HEADERS, _HEADER = 40, 500
_SPELL = 600
"""Seconds in which the same words are one delivery, from a sender that does not tell its next message from its last."""


@cache
def kind_named(name: str) -> Kind:
    """Return a kind of `ALERT_KINDS`."""
    module = import_module(f"crisis.receiver.senders.{name.replace('-', '_')}")
    found: Kind = module.KIND
    return found


def kept_headers(kind: Kind, headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the headers without which a body cannot be read; never one that proves anything."""
    found: dict[str, str] = {}
    for name, value in headers:
        wanted = any(
            name.lower() == one or (one.endswith("-") and name.lower().startswith(one)) for one in kind.headers
        )
        if wanted and len(found) < _MOST_HEADERS:
            found.setdefault(name.lower(), "".join(sign for sign in value if sign.isprintable())[:_HEADER])
    return found


def read_as(name: str, rule: AlertSender, raw: bytes, headers: Mapping[str, str]) -> Reading:
    """Read a delivery of this sender; ValueError says what is wrong, in words that repeat nothing of it."""
    reading = kind_named(rule.kind_as(name)).read(Message(raw, headers, rule))
    lacking = tuple(dict.fromkeys(note for alert in reading.alerts for note in _lacks(alert)))
    if reading.cut and rule.ask_back is None:
        lacking += (
            f"{reading.cut} alerts were cut off: give alerts.{name}.ask_back, or raise max_alerts up to 10,000",
        )
    return replace(reading, notes=reading.notes + lacking)


def asker_of(name: str, rule: AlertSender) -> Asker | None:
    """Return how this sender is asked for what did not reach us; None where protocol.yaml does not say where."""
    return kind_named(rule.kind_as(name)).asker if rule.ask_back else None


def read(protocol: Protocol, sender: str, raw: bytes, headers: Mapping[str, str]) -> Reading:
    """Read a stored delivery, also of a sender that has left the protocol since: it is then ignored by name."""
    rule = protocol.alerts.get(sender)
    if rule is None:
        return Reading(notes=(f"{sender} is no sender of the protocol",))
    return read_as(sender, rule, raw, headers)


def follow_up(protocol: Protocol, sender: str, raw: bytes, headers: Mapping[str, str]) -> str:
    """Do what a delivery wants of us besides, and say what; TransientError when it must be tried again."""
    rule = protocol.alerts.get(sender)
    work = kind_named(rule.kind_as(sender)).follow_up if rule else None
    return work(Message(raw, headers, rule)) if work else ""


def delivery_key(name: str, rule: AlertSender, message: Message, reading: Reading, now: datetime) -> str:
    """
    Name a delivery, the same at every try of its sender and at every replay.

    By the sender's own number where that is proved with the rest, else by its bytes. A sender that shows a secret, and
    says neither time nor number, uses the same words for the next outage, and Alertmanager uses them each time that it
    repeats what still fires: ten minutes later they are a new delivery.
    """
    kind = kind_named(rule.kind_as(name))
    number = kind.delivery_id(message) if kind.delivery_id else ""
    if number:
        return hashlib.sha256(f"{name} number {number}".encode("utf-8", "replace")).hexdigest()
    alike = any(alert.starts_at is None or (kind.repeats and alert.firing) for alert in reading.alerts)
    spell = str(int(now.timestamp()) // _SPELL).encode() if alike and (kind.replayable or not rule.secret) else b""
    return hashlib.sha256(name.encode() + message.raw + spell).hexdigest()


def _lacks(alert: Alert) -> list[str]:
    notes = []
    if alert.starts_at is None and alert.firing:
        notes.append("it does not say when it began: the time it came stands for that")
    if not alert.fingerprint:
        notes.append("it has no key of its own: its labels stand for that")
    return notes
