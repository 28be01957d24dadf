"""Start: the wish to run a playbook, whoever has it: an alert, a person, a schedule."""

import hashlib
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Self

from crisis.domain.level import Level
from crisis.domain.redaction import Mask

__all__ = ["CHECK_HEALTH", "HAND_OVER", "Start", "incident_id"]

HAND_OVER = "hand-over"
"""The playbook that tells people, where no remedy may start by itself."""

CHECK_HEALTH = "check-health"
"""The playbook that proves health where a sender says that the trouble is gone."""


@dataclass(frozen=True, slots=True)
class Start:
    """
    Which playbook, for which service and incident, how bad, why, and who wants it (a person, or empty).

    `part` tells several starts of one playbook in one incident apart; the same start twice is one run. What looks like
    a secret in the summary, which may be a sender's words, is masked: it goes on to Prefect, to people and the record.
    """

    playbook: str
    service: str
    summary: str
    incident: str
    level: Level
    source: str
    requester: str = ""
    part: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "summary", Mask()(self.summary))

    @property
    def key(self) -> str:
        """What names its run: the same wish twice is one run."""
        return ":".join(filter(None, (self.incident, self.playbook, self.part)))

    def as_json(self) -> dict[str, Any]:
        """Return it as it is stored until it is under way."""
        return {**asdict(self), "level": int(self.level)}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """Read what `as_json` wrote, in any version; LookupError, TypeError or ValueError when it is damaged."""
        known = {one.name: stored[one.name] for one in fields(cls) if one.name in stored}
        return cls(**{**known, "level": Level(stored["level"])})


def incident_id(seed: str, when: datetime) -> str:
    """
    Name an incident, for example `INC-20261124-3f9a2c5e`.

    The same seed gives the same name, so that a delivery handled twice opens one incident.
    """
    return f"INC-{when:%Y%m%d}-{hashlib.sha256(seed.encode()).hexdigest()[:8]}"
