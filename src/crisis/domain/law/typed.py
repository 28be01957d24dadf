"""Typed: what people type for a fact, read as the record keeps it; a ValueError says what would be right."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from crisis.domain.clock import write_time
from crisis.domain.law.fact import ELSEWHERE, NEVER, FactKind, Number
from crisis.domain.model import PLACE

__all__ = ["parse_moment", "parse_value"]

_NOT_ISO = {"UK": "GB", "EL": "GR"}
"""Codes that are in use, and under which no law would be found."""

_MOMENT = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)")
"""A moment of this century with its zone: nothing that a parser would take for a number of seconds."""


def parse_moment(text: str) -> datetime:
    """Read a moment as people write it, with its zone; ValueError on anything else."""
    try:
        moment: datetime = TypeAdapter(AwareDatetime).validate_python(text if _MOMENT.fullmatch(text) else "")
        return moment.astimezone(UTC)
    except (ValidationError, OverflowError):
        msg = f"{text[:40]!r} is no moment; write for example 2026-11-24T03:12+01:00, or never"
        raise ValueError(msg) from None


def parse_value(kind: FactKind, text: str) -> Any:
    """Read what somebody typed for a fact, as JSON keeps it; ValueError says what would be right."""
    return _PARSERS[kind.kind](kind, text.strip())


def _moment(_kind: FactKind, text: str) -> str:
    return NEVER if text.lower() == NEVER else write_time(parse_moment(text))


def _answer(_kind: FactKind, text: str) -> bool:
    if text.lower() not in ("yes", "no"):
        msg = f"{text!r} is neither yes nor no"
        raise ValueError(msg)
    return text.lower() == "yes"


def _choice(kind: FactKind, text: str) -> str:
    if text not in kind.choices:
        msg = f"{text!r} is none of: {', '.join(kind.choices)}"
        raise ValueError(msg)
    return text


def _choices(kind: FactKind, text: str) -> list[str]:
    return sorted({_choice(kind, one.strip()) for one in text.split(",")})


def _number(_kind: FactKind, text: str) -> dict[str, Any]:
    return _one_number(text).model_dump()


def _people(_kind: FactKind, text: str) -> dict[str, Any]:
    """Read `DE 1000-1200, US-CA 10, elsewhere 0`."""
    found = dict[str, Any]()
    for one in text.split(","):
        place, _, number = one.strip().partition(" ")
        if place != ELSEWHERE and not re.match(PLACE, place):
            msg = f"{place!r} is no place; write a country or state as ISO 3166 does: DE, US-CA, or EU, or elsewhere"
            raise ValueError(msg)
        if place in _NOT_ISO:
            msg = f"{place} is no code of ISO 3166; write {_NOT_ISO[place]}"
            raise ValueError(msg)
        if place in found:
            msg = f"{place} stands twice"
            raise ValueError(msg)
        found[place] = _one_number(number).model_dump()
    return found


def _one_number(text: str) -> Number:
    shown = text.strip()
    if shown == "unknown":
        return Number()
    match = re.fullmatch(r"(\d+)(?:\s*-\s*(\d+)|(\+))?", shown)
    if match is None:
        msg = f"{shown!r} is no number; write 1200, 1000-1200, 1000+ or unknown"
        raise ValueError(msg)
    least, most = int(match[1]), int(match[2] or match[1])
    if most < least:
        msg = f"{shown!r} ends below where it begins"
        raise ValueError(msg)
    return Number(least=least, most=None if match[3] else most)


_PARSERS: dict[str, Callable[[FactKind, str], Any]] = {
    "moment": _moment,
    "answer": _answer,
    "choice": _choice,
    "choices": _choices,
    "number": _number,
    "people": _people,
    "text": lambda _kind, text: text,
}
