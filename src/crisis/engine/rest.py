"""Rest: a run that has nothing to do for days gives its process up, and its body starts again when something came."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NoReturn

from crisis.domain.clock import utc_now
from crisis.engine.run import ParkedError

__all__ = ["rest"]

_LONGEST = timedelta(days=7)
"""Prefect fails what is paused for a month; and whoever reads the timeline sees that it still watches."""


def rest(what: str, until: datetime | None, wakes_on: Collection[str]) -> NoReturn:
    """
    Put the run aside until a moment, or until an entry of one of these kinds comes; a week at most.

    The body then starts again from its first line: what it did is on record, and what it looks at is new.
    """
    latest = utc_now() + _LONGEST
    raise ParkedError(what, min(until or latest, latest), wakes_on)
