"""Store: where access keys are kept for their consumers, in Secrets Manager."""

import json
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from crisis.clients.aws.keys import NewKey
from crisis.clients.aws.session import Session
from crisis.clients.aws.stages import NAMES, Stages
from crisis.domain.redaction import TOUCHED
from crisis.domain.systems.aws import Aws

__all__ = ["Held", "Store", "folder_of", "parsed"]


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
        own = folder_of(self.session.system, user)
        return [name for name in self._names if name.startswith(own)]

    def name_for(self, user: str, key_id: str) -> str:
        """Name the secret of a key that had none."""
        return f"{folder_of(self.session.system, user)}{key_id}"

    def exists(self, name: str) -> bool:
        """Whether there is such a secret, with or without a value."""
        return self._secrets.exists(name)

    def begin(self, name: str) -> None:
        """Make a secret without a value; one that is there already is left as it is."""
        self._secrets.begin(name)
        with self._lock:
            if self._names is not None and name not in self._names:
                self._names.append(name)

    def read(self, name: str, stage: str) -> Held | None:
        """Read the key at a stage; None where there is none, or something that is no access key."""
        found = self._secrets.read(name, stage)
        value = parsed(found.text) if found else {}
        if found is None or "access_key_id" not in value:
            return None
        secret = SecretStr(str(value.get("secret_access_key", "")))
        TOUCHED.add(secret)
        return Held(name, found.version, value["access_key_id"], tuple(value.get("replaces", ())), secret)

    def put(self, name: str, key: NewKey, replaces: tuple[str, ...]) -> Held:
        """Keep a new key as AWSPENDING; put again, it is the same version."""
        version = str(uuid.uuid5(NAMES, key.id))
        value = {"access_key_id": key.id, "secret_access_key": key.secret.get_secret_value(), "replaces": replaces}
        self._secrets.put(name, version, SecretStr(json.dumps(value)))
        return Held(name, version, key.id, replaces, key.secret)

    def stages(self, name: str) -> dict[str, str]:
        """Return the version that each stage of a secret stands on; empty for no secret and for one without a value."""
        return self._secrets.of(name)

    def promote(self, held: Held, stages: Mapping[str, str]) -> None:
        """Let consumers see a version: it becomes AWSCURRENT. `stages` are those that were seen last."""
        self._secrets.promote(held.name, held.version, stages)

    def strip(self, name: str, stages: Mapping[str, str]) -> None:
        """Take AWSPREVIOUS away, which would go on telling the leaked secret."""
        self._secrets.strip(name, stages)

    @property
    def _secrets(self) -> Stages:
        return Stages(self.session)


def folder_of(system: Aws, user: str) -> str:
    """Return what the names of a user's secrets begin with: a user's name may hold a comma, a secret's may not."""
    return f"{system.keys_at}/{user.replace(',', '+')}/"


def parsed(text: SecretStr) -> dict[str, Any]:
    """Return what a secret says as an object; empty for what is none, such as a password or a certificate."""
    try:
        value = json.loads(text.get_secret_value())
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
