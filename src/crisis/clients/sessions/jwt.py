"""Jwt: signed tokens, ended by a not-before time that verifiers compare and by a key set without the old key."""

import base64
import json
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import redis
from cryptography.hazmat.primitives.asymmetric import ec

from crisis.clients.http import Api
from crisis.clients.sessions.canary import restart
from crisis.clients.sessions.redis import number, open_redis, translated
from crisis.clients.sessions.secret_store import replace_file
from crisis.clients.sessions.store import Ended, Progress
from crisis.domain.systems.sessions import JwtSessions
from crisis.errors import ProtocolError, RefusedError, UnprovenError
from crisis.settings import read_address, read_reference

__all__ = ["JwtStore", "connect", "new_key"]

_LOOK_AGAIN = 0.2


def connect(system: JwtSessions) -> "JwtStore":
    """Open the private key set, the published one, and the epoch's Redis where there is one."""
    kind, _, where = system.store.partition(":")
    if kind != "file":
        then = "keep the key set in a file that the issuer reads, or rotate it by hand"
        raise ProtocolError(system.store, wanted="a key set that can be changed (file:)", saw=f"{kind}:", then=then)
    at = system.epoch_store
    return JwtStore(Path(where), system, open_redis(read_reference(at).get_secret_value()) if at else None)


def new_key() -> dict[str, str]:
    """Make a private key as RFC 7517 writes it: ES256, with a random key id."""
    numbers = ec.generate_private_key(ec.SECP256R1()).private_numbers()
    public = numbers.public_numbers
    parts = {"x": public.x, "y": public.y, "d": numbers.private_value}
    encoded = {name: _base64(value.to_bytes(32, "big")) for name, value in parts.items()}
    return {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": secrets.token_hex(8), **encoded}


class JwtStore:
    """All tokens that one key set signs."""

    vendor = "jwt"

    def __init__(self, file: Path, system: JwtSessions, epochs: "redis.Redis | None") -> None:
        self._file, self._system, self._epochs = file, system, epochs
        self.has_epoch = epochs is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._epochs is not None:
            with suppress(redis.RedisError):
                self._epochs.close()

    def look(self) -> str:
        """Compare the private keys with those that are published, and ask for the epoch where there is one."""
        private, published = self._private(), self._published()
        if not private or not set(private) <= set(published):
            saw, then = "another set", "mend store or jwks in protocol.yaml"
            raise RefusedError(
                "jwt key set", vendor=self.vendor, operation="look", wanted="every key of the store published", saw=saw,
                then=then,
            )  # fmt: skip
        epoch = f"; epoch {self.epoch() or 'not set'}" if self.has_epoch else ""
        return f"{len(private)} keys sign, and are published{epoch}"

    def mark(self) -> str:
        """Return the ids of the keys that sign now, and of those that are published."""
        return " ".join(sorted({*self._private(), *self._published()}))

    def epoch(self) -> int:
        """Return the unix second in force, 0 for none."""
        if self._epochs is None:
            return 0
        with translated("read the epoch", self._system.epoch):
            return number(self._epochs.get(self._system.epoch))

    def set_epoch(self, at: int) -> None:
        """Put the epoch into force, without an expiry."""
        if self._epochs is not None:
            with translated("write the epoch", self._system.epoch):
                self._epochs.set(self._system.epoch, at)

    def end(self, mark: str, told: Progress) -> Ended:
        """
        Let a new key sign alone: no overlap, so that tokens of the old one are refused at once.

        Raises UnprovenError when an old key is still published after the patience that protocol.yaml grants.
        """
        old = set(mark.split())
        if old & set(self._private()):
            self._write({"keys": [new_key()]})
        new = set(self._private())
        if self._system.restart is not None:
            restart(self._system.restart, self._system.canary, "jwt key set")
        told(1, "the key set is written; waiting until it is published")
        published = self._wait(lambda found: not old & found and new <= found)
        if old & published or not new <= published:
            saw = f"{len(old & published)} old keys" if old & published else "no new key"
            then = "make the issuer read its key set again, and purge what caches it"
            raise UnprovenError("jwt key set", wanted="the new key alone", saw=f"{saw} still published", then=then)
        return Ended(len(old), f"{len(old)} signing keys replaced by {', '.join(sorted(new))}, without overlap")

    def _wait(self, holds: Callable[[set[str]], bool]) -> set[str]:
        until = time.monotonic() + self._system.patience.total_seconds()
        while True:
            published = set(self._published())
            if holds(published) or time.monotonic() > until:
                return published
            time.sleep(_LOOK_AGAIN)

    def _published(self) -> list[str]:
        with Api("jwks", read_address(self._system.jwks)) as api:
            return api.ask("GET", "", _kids, operation="read the published keys", target="jwt key set")

    def _private(self) -> list[str]:
        try:
            return _kids(json.loads(self._file.read_text(encoding="utf-8")))
        except OSError as error:
            saw = error.strerror or "an error"
        except (ValueError, KeyError, TypeError):
            saw = "another text"
        raise self._unusable(saw, "read")

    def _write(self, keys: dict[str, Any]) -> None:
        try:
            replace_file(self._file, json.dumps(keys))
        except OSError as error:
            raise self._unusable(error.strerror or "an error", "write") from None

    def _unusable(self, saw: str, operation: str) -> RefusedError:
        return RefusedError(
            f"file:{self._file}", vendor="file", operation=operation, wanted=f"a key set to {operation}", saw=saw,
            then="mend its path or mode",
        )  # fmt: skip


def _kids(body: Any) -> list[str]:
    return [str(one["kid"]) for one in body["keys"]]


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
