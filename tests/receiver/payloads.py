"""Payloads as Alertmanager 0.25 sends them, written here in the shape that was captured."""

import json
from typing import Any

from crisis.receiver.senders.alert import Alert, Message
from crisis.receiver.senders.registry import kind_named

__all__ = ["STARTS_AT", "alert", "delivery", "read"]

STARTS_AT = "2026-11-24T03:12:05.534Z"


def alert(status: str = "firing", fingerprint: str = "8851cd2ef7f87255", **labels: str) -> dict[str, Any]:
    """Return one alert of the sandbox's checkout."""
    named = {"alertname": "JourneyFailing", "severity": "critical", "service": "shop", "journey": "checkout"}
    return {
        "status": status,
        "labels": {**named, **labels},
        "annotations": {"summary": "checkout of shop fails", "runbook_url": "https://runbooks.example.com/x"},
        "startsAt": STARTS_AT,
        "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else "2026-11-24T03:20:00Z",
        "generatorURL": "http://prometheus.example.com/graph?g0.expr=up",
        "fingerprint": fingerprint,
    }


def delivery(*alerts: dict[str, Any], **more: Any) -> bytes:
    """Return a whole delivery as it stands on the wire."""
    told = list(alerts) or [alert()]
    payload = {
        "receiver": "crisis",
        "status": "firing" if any(one.get("status") == "firing" for one in told) else "resolved",
        "alerts": told,
        "groupLabels": {"alertname": "JourneyFailing"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example.com",
        "version": "4",
        "groupKey": '{}/{}:{alertname="JourneyFailing", service="shop"}',
        "truncatedAlerts": 0,
        **more,
    }
    return json.dumps(payload).encode()


def read(raw: bytes) -> list[Alert]:
    """Return the alerts of a delivery."""
    return list(kind_named("alertmanager").read(Message(raw)).alerts)
