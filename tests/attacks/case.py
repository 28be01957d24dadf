"""Case: an attack, the words of its refusal, and the honest twin that differs in just the attacked point."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from _pytest.mark import ParameterSet

from tests.attacks.ground import Ground

__all__ = ["Case", "Play", "attacks_of", "case", "honest_of"]

Play = Callable[[Ground, bool], object]
"""Plays a case; the flag says whether it is the attack."""


@dataclass(frozen=True)
class Case:
    """
    One attack.

    `says` stands in its refusal; `plays` plays it, or its twin; `touches` is what the twin does to the world.
    `defect` names why the attack still succeeds: then it must, until somebody mends it.
    """

    name: str
    says: str
    plays: Play
    touches: tuple[str, ...] = ("a", "b")
    defect: str = ""


def case(table: list[Case], name: str, says: str, *, touches: str = "ab", defect: str = "") -> Callable[[Play], Play]:
    """Put a function into a table of cases."""

    def add(play: Play) -> Play:
        table.append(Case(name, says, play, tuple(touches), defect))
        return play

    return add


def attacks_of(cases: list[Case]) -> list[ParameterSet]:
    """Return the attacks; one that still succeeds is expected to, strictly."""
    return [pytest.param(one, id=one.name, marks=_mark(one)) for one in cases]


def honest_of(cases: list[Case]) -> list[ParameterSet]:
    """Return the twins."""
    return [pytest.param(one, id=one.name) for one in cases]


def _mark(one: Case) -> list[pytest.MarkDecorator]:
    return [pytest.mark.xfail(strict=True, reason=one.defect)] if one.defect else []
