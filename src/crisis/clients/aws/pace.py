"""Pace: calls to AWS no faster than an account may make them, and slower after a throttle."""

import threading
import time
from collections.abc import Mapping

__all__ = ["Pace"]

_PACES = {"iam": 20.0, "sts": 100.0, "secrets-manager": 40.0, "cloudtrail": 1.8}
_OTHERS = 10.0
_SLOWEST = 0.5
_RECOVERY = 1.02
"""By how much the pace grows with each answer, once it was halved."""


class Pace:
    """
    Hands out the moments at which calls may be sent, by API, to all threads together.

    A throttle halves the pace; each answer after it brings back a little. `paces` are calls a second.
    """

    def __init__(self, paces: Mapping[str, float]) -> None:
        self._limits = {**_PACES, **paces}
        self._now: dict[str, float] = {}
        self._next: dict[str, float] = {}
        self._lock = threading.Lock()

    def wait(self, api: str) -> None:
        """Wait for this call's turn."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next.get(api, now))
            self._next[api] = turn + 1 / self._now.get(api, self._limit(api))
        if turn > now:
            time.sleep(turn - now)

    def slow(self, api: str) -> None:
        """Halve the pace of an API that throttled us, and leave it alone for a moment."""
        with self._lock:
            slower = max(_SLOWEST, self._now.get(api, self._limit(api)) / 2)
            self._now[api] = slower
            self._next[api] = max(self._next.get(api, 0.0), time.monotonic() + 1 / slower)

    def recover(self, api: str) -> None:
        """Bring back a little of the pace after an answer."""
        with self._lock:
            if api in self._now:
                self._now[api] = min(self._limit(api), self._now[api] * _RECOVERY)

    def _limit(self, api: str) -> float:
        return self._limits.get(api, _OTHERS)
