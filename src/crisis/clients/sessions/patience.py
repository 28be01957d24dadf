"""Patience: a call for each of many users, at the pace that the vendor allows."""

import time
from collections.abc import Callable
from typing import TypeVar

from crisis.clients.http import ThrottledError

__all__ = ["paced"]

T = TypeVar("T")

_LONGEST = 65.0
"""Vendors count by the minute: who is told to wait longer is told so, and stops."""

_TRIES = 5


def paced(call: Callable[[], T]) -> T:
    """Call, and call again after as long as a 429 asks for; ThrottledError once that is too long or too often."""
    for _ in range(_TRIES - 1):
        try:
            return call()
        except ThrottledError as error:
            if error.retry_after > _LONGEST:
                raise
            time.sleep(error.retry_after)
    return call()
