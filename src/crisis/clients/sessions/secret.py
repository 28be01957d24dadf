"""Secret: what an application signs its cookies with, replaced without leaving the old one among those that verify."""

from typing import Self

from crisis.clients.sessions.canary import restart
from crisis.clients.sessions.secret_store import Names, SecretStore, new_secret, open_store
from crisis.clients.sessions.store import Ended, Progress
from crisis.domain.systems.sessions import SessionSecret
from crisis.errors import RefusedError, UnprovenError

__all__ = ["SecretSessions", "connect"]

_NAMES = {
    "django": ("SECRET_KEY", "SECRET_KEY_FALLBACKS"),
    "flask": ("SECRET_KEY", "SECRET_KEY_FALLBACKS"),
    "rails": ("SECRET_KEY_BASE", "SECRET_KEY_BASE_ROTATIONS"),
    "laravel": ("APP_KEY", "APP_PREVIOUS_KEYS"),
    "express": ("SESSION_SECRET", ""),
}


def connect(system: SessionSecret) -> "SecretSessions":
    """Open the store of the secret that a system of protocol.yaml names."""
    secret, fallbacks = _NAMES[system.framework]
    names = Names(system.name or secret, fallbacks if system.fallbacks is None else system.fallbacks)
    return SecretSessions(open_store(system.store, names), system)


class SecretSessions:
    """All cookies that one secret signs."""

    vendor = "session secret"
    has_epoch = False

    def __init__(self, store: SecretStore, system: SessionSecret) -> None:
        self._store, self._system = store, system

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def look(self) -> str:
        """Read the secret's store; no secret is part of what is said."""
        older = self._store.read().older
        return f"the secret can be read; {older} older ones still verify" if older else "the secret can be read"

    def mark(self) -> str:
        """Return what tells the present secret from its successor."""
        return self._store.read().mark

    def epoch(self) -> int:
        """Return 0: a signature has none."""
        return 0

    def set_epoch(self, at: int) -> None:
        """Do nothing: a signature has none."""

    def end(self, mark: str, told: Progress) -> Ended:
        """Write a new version, unless that is done, and leave no older one in the list."""
        name = f"{self._system.framework} secret"
        if self._system.encrypts_data:
            raise RefusedError(
                name, vendor=self.vendor, operation="rotate", wanted="a secret that signs only",
                saw="one that stored data is encrypted with",
                then="empty the session store and the remember tokens instead; rotate by hand, with the data",
            )  # fmt: skip
        before = self._store.read()
        if before.mark == mark or before.older:
            # Where only the list is left to empty, the secret in it is renewed as well: one write, one proof.
            self._store.write(new_secret(self._system.framework))
        after = self._store.read()
        told(1, "written")
        if after.mark == mark or after.older:
            saw = "the old secret" if after.mark == mark else f"{after.older} older ones that still verify"
            raise UnprovenError(name, wanted="a new secret alone", saw=saw, then="who else writes this file?")
        if self._system.restart is not None:
            restart(self._system.restart, self._system.canary, name)
        emptied = f", {before.older} older ones removed from {self._system.store}" if before.older else ""
        return Ended(1, f"the secret that signs all sessions was replaced{emptied}")
