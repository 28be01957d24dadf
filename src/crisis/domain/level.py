"""Level: how bad it is, and so who decides and what may be done."""

from enum import IntEnum

__all__ = ["Level"]


class Level(IntEnum):
    """Defcon: 1 a primary journey fails, 2 slow or a secondary feature broken, 3 minor."""

    CRITICAL = 1
    DEGRADED = 2
    MINOR = 3

    @property
    def title(self) -> str:
        """Return for example `Defcon 1 (critical)`."""
        return f"Defcon {self.value} ({self.name.lower()})"
