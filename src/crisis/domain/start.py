"""Start: the wish to run a playbook, whoever has it: an alert, a person, a schedule."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from crisis.domain.level import Level

__all__ = ["Start", "incident_id"]


@dataclass(frozen=True, slots=True)
class Start:
    """Which playbook, for which service and incident, how bad, why, and who wants it (a person, or empty)."""

    playbook: str
    service: str
    summary: str
    incident: str
    level: Level
    source: str
    requester: str = ""


def incident_id(seed: str, when: datetime) -> str:
    """
    Name an incident, for example `INC-20261124-3f9a2c`.

    The same seed gives the same name, so that a delivery handled twice opens one incident.
    """
    return f"INC-{when:%Y%m%d}-{hashlib.sha256(seed.encode()).hexdigest()[:6]}"
