"""Keyring: the keys that the stand-in vendors have given out, and which of them still open anything."""

import secrets
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ADMIN", "Key", "Keyring"]

ADMIN = "admin"
"""The id of the key that manages the others."""


@dataclass
class Key:
    """One key: its id, its secret, whose it is, whether it works, and how often it works yet after it was ended."""

    id: str
    secret: str
    owner: str = ""
    alive: bool = True
    lingers: int = 0
    manages: bool = False


@dataclass
class Keyring:
    """The keys of every vendor, and what a test or drill has switched on to break."""

    keys: dict[str, dict[str, Key]] = field(default_factory=dict)
    stubborn: set[str] = field(default_factory=set)
    lingering: dict[str, int] = field(default_factory=dict)
    forbidden: dict[str, str] = field(default_factory=dict)
    throttled: dict[str, tuple[int, int]] = field(default_factory=dict)
    revoke_calls: list[int] = field(default_factory=list)
    tried: list[tuple[str, str, bool]] = field(default_factory=list)

    def mint(self, vendor: str, name: str, secret: str = "", *, owner: str = "", manages: bool = False) -> Key:
        """Give out a key."""
        key = Key(name, secret or secrets.token_hex(16), owner, manages=manages)
        self.keys.setdefault(vendor, {})[name] = key
        return key

    def living(self, vendor: str, kind: str = "") -> list[Key]:
        """List the keys of a vendor that are not ended, without the one that manages them; `kind` begins their id."""
        found = self.keys.get(vendor, {}).values()
        return [key for key in found if key.alive and not key.manages and key.id.startswith(kind)]

    def end(self, vendor: str, name: str) -> bool:
        """End a key; False when there is none. A stubborn vendor says yes and does nothing."""
        key = self.keys.get(vendor, {}).get(name)
        if key is None or not key.alive:
            return False
        key.alive = False
        key.lingers = self.lingering.get(vendor, 0)
        return True

    def who(self, vendor: str, secret: str) -> Key | None:
        """Return the key that a secret opens; None when it opens nothing any more."""
        key = next((key for key in self.keys.get(vendor, {}).values() if key.secret == secret and secret), None)
        if key is None:
            return None
        opens = key.alive or vendor in self.stubborn or key.lingers > 0
        if not key.alive and key.lingers > 0:
            key.lingers -= 1
        self.tried.append((vendor, key.id, opens))
        return key if opens else None

    def throttle(self, vendor: str) -> int | None:
        """Use up one of the refusals for haste; return after how many seconds to come back."""
        times, after = self.throttled.get(vendor, (0, 0))
        if times < 1:
            return None
        self.throttled[vendor] = (times - 1, after)
        return after

    def state(self) -> dict[str, Any]:
        """Show everything, and no secret."""
        return {
            vendor: {key.id: {"alive": key.alive, "owner": key.owner} for key in keys.values() if not key.manages}
            for vendor, keys in self.keys.items()
        }
