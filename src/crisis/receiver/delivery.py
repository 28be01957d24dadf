"""Delivery: all that the page of one shows: what was read, what it would start, and how it came."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crisis.domain.clock import parse_time
from crisis.journal.inbox import STATES, Delivery
from crisis.receiver.context import Context
from crisis.receiver.copied import original_of
from crisis.receiver.foreign import body_text, linked, one_line, without_secrets
from crisis.receiver.outlook import Line, fields_of, outlook
from crisis.receiver.replaying import said_of_copy
from crisis.receiver.senders.alert import Alert, Reading
from crisis.receiver.senders.registry import read

__all__ = ["DELIVERY_NAME", "Shown", "ShownAlert", "damage_in", "read_delivery", "short", "why"]

DELIVERY_NAME = re.compile(r"[0-9A-Za-z._-]{1,64}")

_ALERTS, _LABELS, _NOTES, _HEADERS = 20, 64, 10, 40
_BODY = 20_000
_MOST_READ, _MOST_PARTS = 1_000_000, 5_000
"""Longer bodies, and those of more objects, take seconds to read; their alerts were read when they were judged."""

_TEXTS = ("delivery", "sender", "received", "state", "says", "incident", "again")


@dataclass(frozen=True, slots=True)
class ShownAlert:
    """One alert: what was read of it, and what it would start now."""

    summary: str
    firing: bool
    fields: tuple[Line, ...]
    labels: tuple[Line, ...]
    more: int
    link: str
    may_follow: bool
    outlook: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A delivery as its page shows it; `unread` says why nothing of it was read."""

    again: datetime | None
    original: str
    copied: str
    unread: str
    notes: tuple[str, ...]
    alerts: tuple[ShownAlert, ...]
    total: int
    headers: tuple[Line, ...]
    body: str
    size: int
    cut: bool


def short(one: Delivery) -> str:
    """Return the beginning of its name, enough to find it by."""
    return one_line(one.delivery, 40)[:12]


def why(one: Delivery) -> str:
    """Return why it is in its state, in words that do not say the state again."""
    return str(one.says).removeprefix(f"{one.state}: ") or "nobody has looked at it yet"


def damage_in(one: Delivery) -> str:
    """Say what shows that a stored row is nothing that we wrote; nothing for a sound one."""
    for name in _TEXTS:
        if not _is_text(getattr(one, name)):
            return f"its {name} is no text"
    if not all(_is_text(text) for pair in one.headers.items() for text in pair):
        return "its headers are no text"
    if one.state not in STATES:
        return "its state is none"
    if not isinstance(one.raw, bytes):
        return "its body is no bytes"
    try:
        parse_time(one.received)
        parse_time(one.again or one.received)
    except (ValueError, OverflowError):
        return "its time is none"
    return ""


def read_delivery(context: Context, one: Delivery, now: datetime) -> Shown:
    """Read what is shown of a delivery; what is damaged in the store is shown as far as it can be."""
    damage, raw = damage_in(one), _bytes(one.raw)
    reading, unread = (Reading(), "it is damaged in the store") if damage else _read(context, one, raw)
    headers = without_secrets({str(name): str(value) for name, value in list(one.headers.items())[:_HEADERS]})
    original = "" if damage else original_of(one)
    return Shown(
        again=parse_time(one.again) if one.again and not damage else None,
        original=original if DELIVERY_NAME.fullmatch(original) else "",
        copied=one_line(said_of_copy(context.journal, one)) if original else "",
        unread=unread,
        notes=tuple(one_line(note) for note in reading.notes[:_NOTES]),
        alerts=tuple(_alert(context, one.sender, alert, now) for alert in reading.alerts[:_ALERTS]),
        total=len(reading.alerts),
        headers=tuple((one_line(name, 80), one_line(value)) for name, value in headers.items()),
        body=body_text(raw, _BODY),
        size=len(raw),
        cut=len(raw) > _BODY,
    )


def _read(context: Context, one: Delivery, raw: bytes) -> tuple[Reading, str]:
    if len(raw) > _MOST_READ or raw.count(b"{") > _MOST_PARTS:
        return Reading(), "it is too long to be read again here; what became of it stands above"
    try:
        return read(context.protocol, one.sender, raw, one.headers), ""
    except ValueError as error:
        return Reading(), f"it cannot be read: {error}"


def _alert(context: Context, sender: str, alert: Alert, now: datetime) -> ShownAlert:
    labels = without_secrets(dict(sorted(alert.labels.items())[:_LABELS]))
    return ShownAlert(
        summary=one_line(alert.summary),
        firing=alert.firing,
        fields=_lines([line for line in fields_of(alert) if line[0] != "summary"]),
        labels=_lines(list(labels.items())),
        more=max(0, len(alert.labels) - _LABELS),
        link=one_line(alert.url),
        may_follow=linked(alert.url) and one_line(alert.url) == alert.url,
        outlook=_lines(outlook(context.protocol, sender, alert, now)),
    )


def _lines(lines: list[Line]) -> tuple[Line, ...]:
    return tuple((one_line(name, 80), one_line(says)) for name, says in lines)


def _is_text(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _bytes(value: Any) -> bytes:
    """Return a body that may be damaged as bytes."""
    return bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode("utf-8", "backslashreplace")
