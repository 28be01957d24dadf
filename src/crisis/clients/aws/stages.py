"""Stages: secrets of Secrets Manager and the versions that their labels stand on; always read by an explicit stage."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import SecretStr

from crisis.clients.aws.session import Session
from crisis.errors import RefusedError, TransientError

__all__ = ["NAMES", "Stages", "Value"]

NAMES = uuid.UUID("6f1c9a52-1a0e-4c5e-9f53-0f6a3b0f6c11")
"""Versions that crisis writes are named after what is in them, in this namespace: written again, it is the same one."""

_ABSENT = ("ResourceNotFoundException",)
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Value:
    """What one version of a secret says."""

    version: str
    text: SecretStr = field(repr=False)


@dataclass(frozen=True)
class Stages:
    """The secrets of one region, by name or ARN; by default of the home region."""

    session: Session
    region: str = ""

    def exists(self, name: str) -> bool:
        """Whether there is such a secret, with or without a value."""
        return self._describe(name) is not None

    def begin(self, name: str) -> None:
        """Make a secret without a value; one that is there already is left as it is."""
        token = str(uuid.uuid5(NAMES, name))
        there = ("ResourceExistsException",)
        self._seek("create_secret", name, absent=there, Name=name, ClientRequestToken=token)

    def read(self, name: str, stage: str) -> Value | None:
        """Read the version at a stage; None where there is none."""
        found = self._seek("get_secret_value", name, SecretId=name, VersionStage=stage)
        return Value(str(found["VersionId"]), SecretStr(found.get("SecretString", ""))) if found else None

    def put(self, name: str, version: str, text: SecretStr) -> None:
        """Keep a new version as AWSPENDING; put again with the same text, it is the same version."""
        self.session.ask(
            "secretsmanager", "put_secret_value", name, region=self.region, SecretId=name, ClientRequestToken=version,
            SecretString=text.get_secret_value(), VersionStages=["AWSPENDING"],
        )  # fmt: skip

    def of(self, name: str) -> dict[str, str]:
        """Return the version that each stage of a secret stands on; empty for no secret and for one without a value."""
        found = (self._describe(name) or {}).get("VersionIdsToStages", {})
        return {stage: version for version, stages in found.items() for stage in stages}

    def rotated_at(self, name: str) -> datetime | None:
        """Return when AWS last ended a rotation of a secret by itself."""
        found: datetime | None = (self._describe(name) or {}).get("LastRotatedDate")
        return found

    def promote(self, name: str, version: str, stages: Mapping[str, str]) -> None:
        """Let consumers see a version: it becomes AWSCURRENT. `stages` are those that were seen last."""

        def move(seen: Mapping[str, str]) -> None:
            current = seen.get("AWSCURRENT")
            if current != version:
                before = {"RemoveFromVersionId": current} if current else {}
                self._move(name, "AWSCURRENT", MoveToVersionId=version, **before)

        self._look_when_refused(name, move, stages)

    def strip(self, name: str, stages: Mapping[str, str], stage: str = "AWSPREVIOUS") -> None:
        """Take a stage away; AWSPREVIOUS would go on telling the leaked secret."""

        def take(seen: Mapping[str, str]) -> None:
            if stage in seen:
                self._move(name, stage, RemoveFromVersionId=seen[stage])

        self._look_when_refused(name, take, stages)

    def _look_when_refused(
        self, name: str, change: Callable[[Mapping[str, str]], None], stages: Mapping[str, str]
    ) -> None:
        """Make a change from what was seen; after a no or a lost answer look again, instead of repeating it blindly."""
        seen = stages
        for _ in range(_TRIES - 1):
            try:
                change(seen)
            except (TransientError, RefusedError):
                seen = self.of(name)
            else:
                return
        change(seen)

    def _move(self, name: str, stage: str, **asked: str) -> None:
        # Once: a second move after a lost answer is refused, because the label has gone from where it was.
        asked = {"SecretId": name, "VersionStage": stage, **asked}
        self.session.ask("secretsmanager", "update_secret_version_stage", name, region=self.region, once=True, **asked)

    def _describe(self, name: str) -> dict[str, Any] | None:
        return self._seek("describe_secret", name, SecretId=name)

    def _seek(
        self, operation: str, name: str, *, absent: tuple[str, ...] = _ABSENT, **asked: Any
    ) -> dict[str, Any] | None:
        return self.session.seek("secretsmanager", operation, name, absent=absent, region=self.region, **asked)
