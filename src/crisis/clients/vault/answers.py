"""
Answers: which question a server has answered, for what cannot be looked at afterwards.

Neither Vault nor OpenBao tells when a root was rotated, and nobody can read the password. So the answer is noted on our
disc the moment it comes: between that and the journal's entry a killed run asks no second time.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from crisis.errors import ProtocolError
from crisis.settings import make_home

__all__ = ["Answers"]


@dataclass(frozen=True)
class Answers:
    """What was answered in one run."""

    home: Path
    run: str

    def has(self, about: str) -> bool:
        """Whether it was answered."""
        return self._file(about).exists()

    def note(self, about: str) -> None:
        """Note an answer so that a crash does not lose it."""
        file = self._file(about)
        make_home(file.parent)
        try:
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600)) as made:
                os.fsync(made.fileno())
            folder = os.open(file.parent, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
        except OSError as error:
            saw, then = error.strerror or "an error", "make room in CRISIS_HOME"
            raise ProtocolError(str(file), wanted="to note an answer", saw=saw, then=then) from None

    def _file(self, about: str) -> Path:
        named = hashlib.sha256(f"{self.run}\0{about}".encode()).hexdigest()
        return self.home / "answers" / named
