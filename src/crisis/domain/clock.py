"""Clock: aware UTC times and readable durations, written one way everywhere."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

__all__ = ["Duration", "parse_duration", "parse_time", "say_duration", "utc_now", "write_time"]

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DAYS_FROM = 100
"""From so many hours on, days are said: laws and people count in 72 hours."""

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def utc_now() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC)


def write_time(moment: datetime) -> str:
    """Write a moment as RFC 3339 with microseconds and `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> datetime:
    """Read what `write_time` wrote."""
    return datetime.fromisoformat(text).astimezone(UTC)


def parse_duration(value: object) -> timedelta:
    """Read `90s`, `10m`, `1h30m`, or a bare number of seconds; ValueError on anything else."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return timedelta(seconds=value)
    text = str(value).replace(" ", "")
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        msg = f"{value!r} is no duration; write for example 90s, 10m or 1h30m"
        raise ValueError(msg)
    return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))


def say_duration(length: timedelta) -> str:
    """Say a duration for people: `340 ms`, `12.4 s`, `3 min 05 s`, `2 h 10 min`, `29 d 17 h`."""
    seconds = length.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:  # noqa: PLR2004
        return f"{minutes} min {rest:02d} s"
    hours = minutes // 60
    if hours < _DAYS_FROM:
        return f"{hours} h {minutes % 60:02d} min"
    return f"{hours // 24} d {hours % 24:02d} h"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration, json_schema_input_type=str | float),
    PlainSerializer(lambda length: length.total_seconds(), return_type=float),
]
"""A timedelta that protocol.yaml writes as `90s`, `10m` or `1h30m`."""
