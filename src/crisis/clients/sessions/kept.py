"""
Kept: what must outlive a crash between taking a canary and proving it refused.

A canary taken anew after a crash would be younger than the end, and prove nothing about older sessions. So the first
one is kept: in a file of CRISIS_HOME, for us alone, encrypted; never in the journal.
"""

import base64
import hashlib
import json
import os
import secrets
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from crisis.clients.sessions.canary import Jar
from crisis.errors import ProtocolError
from crisis.settings import make_home

__all__ = ["Kept", "Shelf"]

_PURPOSE = b"crisis canary\0"


@dataclass(frozen=True)
class Kept:
    """
    One system's canary and how far its end is.

    `taken_at` and `ended_at` are unix seconds, 0 for not yet; `jar` is None where no canary could be taken. `epoch` is
    the not-before time that this incident wants, and `epoch_before` the one that stood there;
    `epoch_tried` says whether it alone refused the canary: honoured, not honoured, unknown, or nothing yet. `turn`
    counts how often the incident has ended them.
    """

    taken_at: float = 0.0
    jar: Jar | None = field(default=None, repr=False)
    mark: str = ""
    epoch: int = 0
    epoch_before: int = 0
    epoch_tried: str = ""
    ended_at: float = 0.0
    count: int = 0
    turn: int = 1

    def but(self, **changes: object) -> "Kept":
        """Return it with some fields changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Shelf:
    """Where the canaries of one incident are kept."""

    home: Path
    incident: str
    key: bytes = field(repr=False)

    def read(self, system: str) -> Kept | None:
        """Return what is kept of a system; ProtocolError when it cannot be read any more."""
        file = self._file(system)
        if not file.exists():
            return None
        try:
            body = json.loads(self._box().decrypt(file.read_bytes()))
            jar = body.pop("jar")
            return Kept(**body, jar=jar and Jar(tuple(tuple(one) for one in jar["cookies"]), jar["kept"]))
        except (OSError, ValueError, TypeError, KeyError, InvalidToken) as error:
            saw, then = type(error).__name__, "was the signing key changed? remove the file and take a new canary"
            raise ProtocolError(str(file), wanted="a canary that we kept", saw=saw, then=then) from None

    def keep(self, system: str, kept: Kept) -> None:
        """Keep it, whole or not at all, readable for us alone."""
        file = self._file(system)
        make_home(file.parent)
        draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as new:
                new.write(self._box().encrypt(json.dumps(asdict(kept)).encode()))
                new.flush()
                os.fsync(new.fileno())
            draft.replace(file)
        except OSError as error:
            draft.unlink(missing_ok=True)
            saw = error.strerror or "an error"
            raise ProtocolError(
                str(file), wanted="to keep a canary", saw=saw, then="make room in CRISIS_HOME"
            ) from None

    def forget(self, system: str) -> None:
        """Remove it, once nothing is left to prove."""
        self._file(system).unlink(missing_ok=True)

    def _file(self, system: str) -> Path:
        return self.home / "canaries" / f"{self.incident}.{system}"

    def _box(self) -> Fernet:
        return Fernet(base64.urlsafe_b64encode(hashlib.sha256(_PURPOSE + self.key).digest()))
