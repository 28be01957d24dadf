"""Alerts: what Alertmanager would send about a journey, delivered until somebody takes it."""

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import Any

import httpx

from crisis.sandbox.memory import SERVICE, moment

_NEVER = "0001-01-01T00:00:00Z"
_POLL = 0.02
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0


@dataclass
class Alert:
    """Something that is wrong with a journey, since when, and what the receiver knows of it."""

    name: str
    journey: str
    severity: str
    summary: str
    since: str
    until: str | None = None
    told: str | None = None

    @property
    def status(self) -> str:
        """Say firing or resolved."""
        return "resolved" if self.until else "firing"

    def payload(self, metrics: str) -> dict[str, Any]:
        """Write it down as Alertmanager's version 4 does."""
        labels = {
            "alertname": self.name, "journey": self.journey, "service": SERVICE, "severity": self.severity,
        }  # fmt: skip
        group = {name: labels[name] for name in ("alertname", "journey", "service")}
        annotations = {"summary": self.summary, "description": f"Measured from outside, {metrics} has the numbers."}
        alert = {
            "status": self.status,
            "labels": labels,
            "annotations": annotations,
            "startsAt": self.since,
            "endsAt": self.until or _NEVER,
            "generatorURL": metrics,
            "fingerprint": hashlib.sha256(repr(sorted(labels.items())).encode()).hexdigest()[:16],
        }
        spelled = ", ".join(f'{name}="{value}"' for name, value in group.items())
        return {
            "receiver": "crisis",
            "status": self.status,
            "alerts": [alert],
            "groupLabels": group,
            "commonLabels": labels,
            "commonAnnotations": annotations,
            "externalURL": metrics.rpartition("/")[0],
            "version": "4",
            "groupKey": f"{{}}/{{}}:{{{spelled}}}",
            "truncatedAlerts": 0,
        }


@dataclass
class Courier:
    """Brings every alert to the webhook, the oldest first, again and again until it is taken."""

    token: str
    metrics: str
    webhook: str | None = None
    open: list[Alert] = field(default_factory=list)
    deliveries: list[dict[str, Any]] = field(default_factory=list)

    def firing(self, name: str, journey: str) -> Alert | None:
        """Find the alert that fires for a journey."""
        return next((one for one in self.open if (one.name, one.journey, one.until) == (name, journey, None)), None)

    async def run(self) -> None:
        """Deliver until cancelled."""
        pause = _FIRST_PAUSE
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            while True:
                taken = [await self._tell(client, alert) for alert in self._untold()]
                self.open = [one for one in self.open if one.told != "resolved"]
                pause = _FIRST_PAUSE if all(taken) else min(pause * 2, _LONGEST_PAUSE)
                await asyncio.sleep(_POLL if all(taken) else pause)

    def _untold(self) -> list[Alert]:
        for one in self.open:
            if one.until and one.told is None:
                one.told = "resolved"  # over before anybody heard of it
        return [one for one in self.open if one.told != one.status] if self.webhook else []

    async def _tell(self, client: httpx.AsyncClient, alert: Alert) -> bool:
        status, headers = alert.status, {"Authorization": f"Bearer {self.token}"}
        try:
            answer = await client.post(str(self.webhook), json=alert.payload(self.metrics), headers=headers)
            code = answer.status_code
        except httpx.HTTPError:
            code = 0
        said = {"alertname": alert.name, "journey": alert.journey, "status": status, "code": code}
        self.deliveries.append({**said, **moment()})
        if code == 0 or code >= httpx.codes.INTERNAL_SERVER_ERROR:
            return False
        alert.told = status  # a refusal is an answer too: Alertmanager does not repeat a 4xx
        return True
