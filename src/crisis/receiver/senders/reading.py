"""Reading: lenient looks into what a sender wrote. What is missing or of another type counts as not said."""

import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from crisis.receiver.senders.alert import Reading

__all__ = [
    "MOST_ALERTS",
    "SUMMARY",
    "Fields",
    "ignored",
    "parse",
    "parse_form",
    "parse_object",
    "said_alone",
    "severity_of",
    "shown",
    "states",
    "tags_of",
    "text_of",
    "time_of",
    "written_time",
]

SUMMARY = 300

MOST_ALERTS = 10_000
"""Alerts of one delivery that are read. A list of millions fits into a body, and would hold up everybody else's."""

_LONGEST = 500
_MOST_PARTS = 200_000
"""Objects and lists of one body: twenty for each of the alerts that are read at most."""

_MOST_ROWS = 1_000
"""Rows and labels that are read of one alert."""

_FIRST_YEAR = 1970
_MOST_FIELDS = 200
_FRACTION = re.compile(r"(\.\d{6})\d+")
_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,9})?")
_SCALES = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
"""Seconds, milliseconds, micro- and nanoseconds since 1970 are told apart by their size, until the year 5138."""

_GRADES = {
    "critical": ("critical", "fatal", "emergency", "disaster", "p1", "sev0", "sev-0"),
    "error": ("error", "high", "major", "p2", "sev1", "sev-1"),
    "warning": ("warning", "warn", "medium", "moderate", "average", "p3", "sev2", "sev-2"),
    "info": ("info", "information", "informational", "low", "minor", "debug", "p4", "p5", "sev3", "sev4"),
}
_WORDS = {word: grade for grade, words in _GRADES.items() for word in words}


def parse(raw: bytes, *, exact: bool = False) -> Any:
    """
    Read JSON that the journal can hold; ValueError in words that repeat nothing of it.

    PostgreSQL holds no zero in a text, and one such alert would keep all others from being settled: it becomes another
    sign, unless the `exact` words are wanted, as they were signed.
    """
    if raw.count(b"{") + raw.count(b"[") > _MOST_PARTS:
        raise ValueError("the body has too many parts")
    try:
        text = raw.decode(json.detect_encoding(raw))
        payload = json.loads(text if exact else _without_zeros(text), parse_constant=_no_constant)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(payload, ensure_ascii=False).encode()  # half a surrogate pair could not be journalled
    except RecursionError:
        raise ValueError("the body is nested too deeply") from None
    except ValueError:
        raise ValueError("the body is no JSON") from None
    return payload


def parse_object(raw: bytes, *, exact: bool = False) -> "Fields":
    """Read a JSON object; ValueError when it is none."""
    payload = parse(raw, exact=exact)
    if not isinstance(payload, dict):
        raise ValueError("the body is no JSON object")  # noqa: TRY004 - one kind of error for one kind of trouble
    return Fields(payload)


def parse_form(raw: bytes) -> "Fields":
    """Read a form as browsers post it, or a JSON object; ValueError when it is neither."""
    if raw.lstrip()[:1] == b"{":
        return parse_object(raw)
    try:
        pairs = parse_qsl(raw.decode(), strict_parsing=True, max_num_fields=_MOST_FIELDS, keep_blank_values=True)
        return Fields({name: value.replace("\x00", "\N{REPLACEMENT CHARACTER}") for name, value in pairs})
    except ValueError:
        raise ValueError("the body is neither a form nor JSON") from None


@dataclass(frozen=True, slots=True)
class Fields:
    """An object of a body, asked by dotted paths; numbers on the way are places in lists."""

    data: Any

    def at(self, path: str) -> Any:
        """Return what stands there, or None."""
        found = self.data
        for part in path.split("."):
            if isinstance(found, dict):
                found = found.get(part)
            elif isinstance(found, list) and part.isascii() and part.isdigit() and len(part) < 5:  # noqa: PLR2004
                found = found[int(part)] if int(part) < len(found) else None
            else:
                return None
        return found

    def inside(self, path: str) -> "Fields":
        """Return the object there; an empty one when there is none."""
        found = self.at(path)
        return Fields(found if isinstance(found, dict) else {})

    def text(self, *paths: str) -> str:
        """Return the first of these that is said, as text."""
        return next((said for path in paths if (said := text_of(self.at(path)))), "")

    def time(self, *paths: str) -> datetime | None:
        """Return the first of these that is a time."""
        return next((said for path in paths if (said := time_of(self.at(path)))), None)

    def rows(self, path: str) -> "list[Fields]":
        """Return the objects of a list."""
        found = self.at(path)
        rows = found[:_MOST_ROWS] if isinstance(found, list) else ()
        return [Fields(one) for one in rows if isinstance(one, dict)]

    def said(self) -> dict[str, str]:
        """Return the plain values of this object, as text."""
        pairs = self.data.items() if isinstance(self.data, dict) else ()
        return {text_of(name): text for name, value in islice(pairs, _MOST_ROWS) if (text := text_of(value))}


def text_of(value: Any, limit: int = _LONGEST) -> str:
    """Return a plain value as one clean line; nothing for what is no plain value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        value = str(value)
    if isinstance(value, float) and math.isfinite(value):
        value = f"{value:.15g}"
    if not isinstance(value, str):
        return ""
    plain = value[: 4 * limit]
    if not plain.isprintable():
        plain = "".join(sign if sign.isprintable() else " " for sign in plain)
    return " ".join(plain.split())[:limit]


def time_of(value: Any) -> datetime | None:
    """Return a moment: RFC 3339 with any number of digits, or seconds, milli-, micro- or nanoseconds since 1970."""
    text = text_of(str(value) if isinstance(value, int) else value, 40)
    if not text or isinstance(value, bool):
        return None
    try:
        moment = _since_1970(float(text)) if _NUMBER.fullmatch(text) else written_time(text)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment.year > _FIRST_YEAR else None  # zero, Go's or Unix's, stands for "not said"


def _since_1970(number: float) -> datetime:
    divisor = next((scale for least, scale in _SCALES if number >= least), 1.0)
    return datetime.fromtimestamp(number / divisor, UTC)


def written_time(text: str) -> datetime:
    """Return a moment as RFC 3339 writes it; ValueError or OverflowError when it is none."""
    # More than six digits of a second are written by Go and by Azure.
    moment = datetime.fromisoformat(_FRACTION.sub(r"\1", text))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def severity_of(*words: str) -> str:
    """Return the first known word as critical, error, warning or info; nothing when none is known."""
    return next((_WORDS[word.lower()] for word in words if word.lower() in _WORDS), "")


def tags_of(value: Any) -> dict[str, str]:
    """Read `name:value` tags, from a list or between commas; `env` is `environment`, a tag without a value is true."""
    tags = value.split(",", _MOST_FIELDS) if isinstance(value, str) else value if isinstance(value, list) else []
    found: dict[str, str] = {}
    for tag in tags[:_MOST_FIELDS]:
        name, _, said = text_of(tag).partition(":")
        if name.strip():
            found.setdefault({"env": "environment"}.get(name.strip(), name.strip()), said.strip() or "true")
    return found


def said_alone(**labels: str) -> dict[str, str]:
    """Return the labels that say something."""
    return {name: value for name, value in labels.items() if value}


def ignored(because: str) -> Reading:
    """Return a reading without an alert, and why."""
    return Reading(notes=(because,))


def states(said: str, firing: tuple[str, ...], resolved: tuple[str, ...]) -> str:
    """Return firing, resolved, or nothing, for a state as its sender writes it; case does not matter."""
    word = said.casefold()
    return "firing" if word in firing else "resolved" if word in resolved else ""


def shown(text: str) -> str:
    """Return a word of a body for a note: short, or that nothing is said."""
    return text[:80] or "(not said)"


def _without_zeros(text: str) -> str:
    """Write another sign for each zero in JSON; a stroke that stands for itself is no part of one."""
    if "\\u0000" not in text:
        return text
    if "\x00" in text:
        raise ValueError("a zero as it is, which JSON has none of")
    return text.replace("\\\\", "\x00").replace("\\u0000", "\\ufffd").replace("\x00", "\\\\")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
