"""Store: where access keys are kept for their consumers, in Secrets Manager; always read by an explicit stage."""

import json
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from crisis.clients.aws.keys import NewKey
from crisis.clients.aws.session import Session
from crisis.errors import RefusedError, TransientError

__all__ = ["Held", "Store"]

_ABSENT = ("ResourceNotFoundException",)
_TRIES = 3
_NAMES = uuid.UUID("6f1c9a52-1a0e-4c5e-9f53-0f6a3b0f6c11")


@dataclass(frozen=True, slots=True)
class Held:
    """A key as one stage of a secret holds it. `replaces` are the ids of all keys that stood there before it."""

    name: str
    version: str
    id: str
    replaces: tuple[str, ...] = ()
    secret: SecretStr = field(default=SecretStr(""), repr=False)


@dataclass
class Store:
    """The secrets `<keys_at>/<user>/…` of the home region, each `{"access_key_id", "secret_access_key", …}`."""

    session: Session
    _names: list[str] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def names(self, user: str) -> list[str]:
        """List the secrets of a user, by one listing for the account. It may lack what was made since: ask for that."""
        with self._lock:
            if self._names is None:
                prefix = f"{self.session.system.keys_at}/"
                found = self.session.pages(
                    "secretsmanager", "list_secrets", "SecretList", prefix, MaxResults=100,
                    Filters=[{"Key": "name", "Values": [prefix]}],
                )  # fmt: skip
                self._names = sorted(str(one["Name"]) for one in found)
        own = f"{self.session.system.keys_at}/{user}/"
        return [name for name in self._names if name.startswith(own)]

    def name_for(self, user: str, key_id: str) -> str:
        """Name the secret of a key that had none."""
        return f"{self.session.system.keys_at}/{user}/{key_id}"

    def exists(self, name: str) -> bool:
        """Whether there is such a secret, with or without a value."""
        return self._describe(name) is not None

    def begin(self, name: str) -> None:
        """Make a secret without a value; one that is there already is left as it is."""
        token = str(uuid.uuid5(_NAMES, name))
        absent = ("ResourceExistsException",)
        self.session.seek("secretsmanager", "create_secret", name, absent=absent, Name=name, ClientRequestToken=token)
        with self._lock:
            if self._names is not None and name not in self._names:
                self._names.append(name)

    def read(self, name: str, stage: str) -> Held | None:
        """Read the key at a stage; None where there is none, or something that is no access key."""
        found = self.session.seek(
            "secretsmanager", "get_secret_value", name, absent=_ABSENT, SecretId=name, VersionStage=stage
        )
        value = _parsed(found.get("SecretString", "")) if found else {}
        if found is None or "access_key_id" not in value:
            return None
        secret = SecretStr(str(value.get("secret_access_key", "")))
        return Held(name, str(found["VersionId"]), value["access_key_id"], tuple(value.get("replaces", ())), secret)

    def put(self, name: str, key: NewKey, replaces: tuple[str, ...]) -> Held:
        """Keep a new key as AWSPENDING; put again, it is the same version."""
        version = str(uuid.uuid5(_NAMES, key.id))
        value = {"access_key_id": key.id, "secret_access_key": key.secret.get_secret_value(), "replaces": replaces}
        self.session.ask(
            "secretsmanager", "put_secret_value", name, SecretId=name, ClientRequestToken=version,
            SecretString=json.dumps(value), VersionStages=["AWSPENDING"],
        )  # fmt: skip
        return Held(name, version, key.id, replaces, key.secret)

    def stages(self, name: str) -> dict[str, str]:
        """Return the version that each stage of a secret stands on; empty for no secret and for one without a value."""
        found = (self._describe(name) or {}).get("VersionIdsToStages", {})
        return {stage: version for version, stages in found.items() for stage in stages}

    def promote(self, held: Held, stages: Mapping[str, str]) -> None:
        """Let consumers see a version: it becomes AWSCURRENT. `stages` are those that were seen last."""

        def move(seen: Mapping[str, str]) -> None:
            current = seen.get("AWSCURRENT")
            if current != held.version:
                before = {"RemoveFromVersionId": current} if current else {}
                self._move(held.name, "AWSCURRENT", MoveToVersionId=held.version, **before)

        self._look_when_refused(held.name, move, stages)

    def strip(self, name: str, stages: Mapping[str, str]) -> None:
        """Take AWSPREVIOUS away, which would go on telling the leaked secret."""

        def take(seen: Mapping[str, str]) -> None:
            if "AWSPREVIOUS" in seen:
                self._move(name, "AWSPREVIOUS", RemoveFromVersionId=seen["AWSPREVIOUS"])

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
                seen = self.stages(name)
            else:
                return
        change(seen)

    def _move(self, name: str, stage: str, **asked: str) -> None:
        # Once: a second move after a lost answer is refused, because the label has gone from where it was.
        asked = {"SecretId": name, "VersionStage": stage, **asked}
        self.session.ask("secretsmanager", "update_secret_version_stage", name, once=True, **asked)

    def _describe(self, name: str) -> dict[str, Any] | None:
        return self.session.seek("secretsmanager", "describe_secret", name, absent=_ABSENT, SecretId=name)


def _parsed(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}  # not ours: a password, a certificate
    return value if isinstance(value, dict) else {}
