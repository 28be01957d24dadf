"""Logs: one line for each thing, as text or as JSON, in which nothing stands that was sent to us."""

import asyncio
import json
import logging
import sys
import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

from crisis.domain.clock import write_time
from crisis.errors import CrisisError
from crisis.masked_logs import MaskedRecords, mask_every_record

__all__ = ["FIELDS", "Few", "JsonLines", "Seldom", "TextLines", "set_up_logs"]

FIELDS = ("delivery", "sender", "incident", "seconds", "answer", "peer")
"""What `extra` may add to a line; whatever else a library hangs on a record stays out of it."""

_OURS = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "fastapi", "prefect", "prefect._internal")
"""Loggers that somebody gave lines of their own."""

_MOST_FRAMES = 12


class TextLines(logging.Formatter):
    """A line of text for people: when, who, what, and the fields that are known."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields = "".join(f" {name}={value}" for name, value in _fields(record).items())
        trace = f" [{'; '.join(_trace(record))}]" if record.exc_info else ""
        return f"{_time(record)} {record.levelname} {record.name}: {_one_line(record.getMessage())}{fields}{trace}"


class JsonLines(logging.Formatter):
    """A JSON object for machines."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        said: dict[str, Any] = {"time": _time(record), "level": record.levelname.lower(), "logger": record.name}
        said["message"] = _one_line(record.getMessage())
        said |= _fields(record)
        if record.exc_info:
            said["exception"] = list(_trace(record))
        return json.dumps(said, ensure_ascii=False)


def set_up_logs(style: Literal["text", "json"] = "text", level: str = "info", out: TextIO | None = None) -> None:
    """
    Write all logs of this process in one way, to standard error; `level` is for our own, others warn.

    Call it after Prefect is loaded, which sets up lines of its own.
    """
    mask_every_record()
    handler = logging.StreamHandler(out or sys.stderr)
    handler.setFormatter(JsonLines() if style == "json" else TextLines())
    handler.addFilter(MaskedRecords())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in _OURS:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
    logging.getLogger("uvicorn.error").addFilter(Few())
    logging.getLogger("crisis").setLevel(level.upper())
    logging.captureWarnings(capture=True)


class Few(logging.Filter):
    """Lets each message of a logger pass a few times a second: any stranger makes a server complain."""

    def __init__(self, most: int = 5) -> None:
        super().__init__()
        self.most, self._second, self._times = most, 0, dict[str, int]()

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a record may pass."""
        if int(record.created) != self._second:
            self._second, self._times = int(record.created), {}
        key = str(record.msg)
        self._times[key] = self._times.get(key, 0) + 1
        if self._times[key] == self.most:
            record.msg = f"{record.msg} (said no more within this second)"
        return self._times[key] <= self.most


class Seldom:
    """
    Warns of what may happen very often: each reason a few times, then how many more there were.

    Somebody who is refused a thousand times a second must not fill the disk. For use in an event loop.
    """

    def __init__(self, logger: logging.Logger, most: int = 5, per: float = 1.0) -> None:
        self.logger, self.most, self.per = logger, most, per
        self._times: dict[str, tuple[float, int]] = {}

    def warn(self, reason: str, extra: Mapping[str, Any] | None = None) -> None:
        """Warn of a reason; these must be few."""
        loop = asyncio.get_running_loop()
        began, times = self._times.get(reason, (0.0, 0))
        if not times or loop.time() >= began + self.per:
            self._close(reason)
            began, times = loop.time(), 0
            loop.call_later(self.per, self._close, reason)
        self._times[reason] = began, times + 1
        if times < self.most:
            self.logger.warning("%s", reason, extra=extra)

    def _close(self, reason: str) -> None:
        more = self._times.pop(reason, (0.0, 0))[1] - self.most
        if more > 0:
            self.logger.warning("%s: %d more times within %g s", reason, more, self.per)


def _time(record: logging.LogRecord) -> str:
    return write_time(datetime.fromtimestamp(record.created, UTC))


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    found = {name: getattr(record, name) for name in FIELDS if getattr(record, name, None) is not None}
    return {name: value if isinstance(value, int | float) else _one_line(str(value)) for name, value in found.items()}


def _one_line(text: str) -> str:
    """Return text that can neither begin another line nor steer a terminal."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _trace(record: logging.LogRecord) -> Iterator[str]:
    """Say what failed and where; the message of an error only where it is ours, others may quote what was sent."""
    error = record.exc_info[1] if record.exc_info else None
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield _one_line(f"{type(error).__name__}: {error}" if isinstance(error, CrisisError) else type(error).__name__)
        for frame in traceback.extract_tb(error.__traceback__)[-_MOST_FRAMES:]:
            yield f"{frame.filename}:{frame.lineno} {frame.name}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
