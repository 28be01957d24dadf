"""Alertmanager: its webhook, version 4, as alerts. Vendor words stop here."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

from crisis.domain.entry import canonical

__all__ = ["Alert", "read"]

_SUMMARY_LIMIT = 300
_YEAR_OF_UNIX = 1970
_FRACTION = re.compile(r"(\.\d{6})\d+")


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of a delivery. `starts_at` is None where the sender did not say it."""

    status: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    fingerprint: str
    starts_at: datetime | None
    group_key: str
    receiver: str
    summary: str

    @property
    def firing(self) -> bool:
        """Whether the sender still sees the problem."""
        return self.status == "firing"


def read(raw: bytes) -> list[Alert]:
    """
    Read a delivery, leniently: unknown fields do not matter, missing ones get defaults.

    ValueError says what is wrong with it, in words that repeat nothing of the body.
    """
    try:
        payload = json.loads(raw, parse_constant=_no_constant)
        # What cannot be written as UTF-8 could not be journalled.
        canonical(payload).encode()
    except RecursionError:
        raise ValueError("the body is nested too deeply") from None
    except ValueError:
        raise ValueError("the body is no JSON") from None
    if not isinstance(payload, dict):
        raise ValueError("the body is no JSON object")  # noqa: TRY004 - one kind of error for one kind of trouble
    if payload.get("version") != "4":
        raise ValueError('"version" is not "4"')
    alerts = payload.get("alerts", [])
    if not isinstance(alerts, list) or not all(isinstance(alert, dict) for alert in alerts):
        raise ValueError('"alerts" is no list of objects')
    return [_alert(alert, payload) for alert in alerts]


def _alert(alert: dict[str, Any], payload: dict[str, Any]) -> Alert:
    labels = _words(alert, "labels")
    annotations = _words(alert, "annotations")
    said = annotations.get("summary") or annotations.get("description") or labels.get("alertname") or "an alert"
    status = _text(alert, "status") or _text(payload, "status") or "firing"
    if status not in ("firing", "resolved"):
        raise ValueError('"status" is neither "firing" nor "resolved"')
    return Alert(
        status=status,
        labels=labels,
        annotations=annotations,
        fingerprint=_text(alert, "fingerprint"),
        starts_at=_time(_text(alert, "startsAt")),
        group_key=_text(payload, "groupKey"),
        receiver=_text(payload, "receiver"),
        summary=" ".join(said.split())[:_SUMMARY_LIMIT],
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
        # Go writes up to nine digits of a second and drops zeros at the end.
        moment = datetime.fromisoformat(_FRACTION.sub(r"\1", text))
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError('"startsAt" is no time') from None
    return moment if moment.year >= _YEAR_OF_UNIX else None  # Go's zero time stands for "not said"


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
