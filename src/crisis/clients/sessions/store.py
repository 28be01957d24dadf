"""Store: what every place that holds sessions can do, whoever made it."""

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

__all__ = ["Ended", "Progress", "Sessions"]

Progress = Callable[[int, str], None]
"""Told how many sessions are ended so far, and what is being done."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What an end came to: how many sessions or users were met, and what a person should know."""

    count: int
    note: str


class Sessions(Protocol):
    """
    One place that holds sessions; use it in a `with` block.

    `has_epoch` says whether it has a not-before time: a unix second, and sessions issued before it are refused.
    """

    vendor: str
    has_epoch: bool

    def __enter__(self) -> Self:
        """Open it."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Let go of it."""
        ...

    def look(self) -> str:
        """Try our credential by a read that changes nothing, and say what was seen."""
        ...

    def mark(self) -> str:
        """Return what tells the present key apart from its successor, no secret; empty where nothing is signed."""
        ...

    def epoch(self) -> int:
        """Return the not-before time in force; 0 where there is none."""
        ...

    def set_epoch(self, at: int) -> None:
        """Put a not-before time into force."""
        ...

    def end(self, mark: str, told: Progress) -> Ended:
        """
        End every session that there is. Repeated, it ends what is left.

        Whoever signs changes its key only while `mark` is still the present one: so a second try rotates nothing.
        """
        ...
