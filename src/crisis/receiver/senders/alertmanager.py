"""Alertmanager, version 4: it signs nothing, it shows a bearer token or a name and password."""

from datetime import datetime
from typing import Any

from crisis.receiver.asking.alertmanager import alertmanager
from crisis.receiver.senders.alert import Alert, Kind, Message, Reading
from crisis.receiver.senders.reading import MOST_ALERTS, SUMMARY, parse_object, written_time

__all__ = ["KIND", "alerts_of", "cut_of"]

_GRADES = ("critical", "error", "warning", "info")
_YEAR_OF_UNIX = 1970
_MOST_CUT = 1_000_000


def read(message: Message) -> Reading:
    """Read a delivery; ValueError when it is no version 4 or of another shape."""
    payload = parse_object(message.raw).data
    if payload.get("version") != "4":
        raise ValueError('"version" is not "4"')
    return Reading(tuple(alerts_of(payload)), cut=cut_of(payload))


def cut_of(payload: dict[str, Any]) -> int:
    """Return how many alerts `max_alerts` has kept from us, and how many we leave unread."""
    cut, alerts = payload.get("truncatedAlerts"), payload.get("alerts")
    left = max(0, len(alerts) - MOST_ALERTS) if isinstance(alerts, list) else 0
    return left + (max(0, min(cut, _MOST_CUT)) if isinstance(cut, int) else 0)


def alerts_of(payload: dict[str, Any]) -> list[Alert]:
    """Read a group, leniently and up to a bound: unknown fields do not matter, missing ones get defaults."""
    alerts = payload.get("alerts", [])
    if not isinstance(alerts, list) or not all(isinstance(alert, dict) for alert in alerts):
        raise ValueError('"alerts" is no list of objects')
    return [_alert(alert, payload) for alert in alerts[:MOST_ALERTS]]


def _alert(alert: dict[str, Any], payload: dict[str, Any]) -> Alert:
    labels = _words(alert, "labels")
    annotations = _words(alert, "annotations")
    said = annotations.get("summary") or annotations.get("description") or labels.get("alertname") or "an alert"
    status = _text(alert, "status") or _text(payload, "status") or "firing"
    if status not in ("firing", "resolved"):
        raise ValueError('"status" is neither "firing" nor "resolved"')
    severity = labels.get("severity", "").lower()
    return Alert(
        status=status,
        labels=labels,
        annotations=annotations,
        fingerprint=_text(alert, "fingerprint"),
        starts_at=_time(_text(alert, "startsAt")),
        group_key=_text(payload, "groupKey"),
        receiver=_text(payload, "receiver"),
        summary=" ".join(said.split())[:SUMMARY],
        severity=severity if severity in _GRADES else "",
        service=labels.get("service", ""),
        url=annotations.get("runbook_url", "") or _text(alert, "generatorURL"),
    )


def _words(alert: dict[str, Any], name: str) -> dict[str, str]:
    words = alert.get(name) or {}
    if not isinstance(words, dict) or not all(isinstance(value, str) for value in words.values()):
        raise ValueError(f'"{name}" is no object of strings')
    return words


def _text(where: dict[str, Any], name: str) -> str:
    value = where.get(name) or ""
    if not isinstance(value, str):
        raise ValueError(f'"{name}" is no string')  # noqa: TRY004 - one kind of error for one kind of trouble
    return value


def _time(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = written_time(text)
    except (ValueError, OverflowError):
        raise ValueError('"startsAt" is no time') from None
    # Go's zero time stands for "not said". The API of the sender says milliseconds alone: one alert must begin once.
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    return moment if moment.year >= _YEAR_OF_UNIX else None


KIND = Kind(read, asker=alertmanager(), repeats=True)
