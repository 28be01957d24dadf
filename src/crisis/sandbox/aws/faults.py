"""Faults: what an AWS call meets before and after it takes effect."""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Faults", "Kind"]

Kind = Literal["throttle", "error", "lost", "hang"]
"""
throttle  refused with "Rate exceeded", without an effect
error     500, without an effect
lost      the effect happens and the connection breaks before the answer
hang      the effect happens and no answer comes for some seconds
"""


@dataclass
class Faults:
    """
    The weather: one-off faults by operation, a pace for each API, a delay for every call; and what was called.

    `rates` are calls a second by API (`iam`, `sts`, …), held in a bucket of one second's worth.
    """

    latency: float = 0.0
    rates: dict[str, float] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    by_key: Counter[str] = field(default_factory=Counter)
    _planned: list[dict[str, Any]] = field(default_factory=list)
    _buckets: dict[str, tuple[float, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def plan(self, planned: list[dict[str, Any]]) -> None:
        """Let faults happen: `{"operation": "CreateAccessKey" or "*", "kind": …, "skip": 0, "times": 1}`."""
        with self._lock:
            self._planned = [{"skip": 0, "times": 1, **one} for one in planned]

    def change(self, settings: Mapping[str, Any]) -> None:
        """Set latency (seconds) and rates."""
        with self._lock:
            self.latency = float(settings.get("latency", self.latency))
            self.rates = dict(settings.get("rates", self.rates))
            self._buckets.clear()

    def clear(self) -> None:
        """Let the weather be fine, and forget what was called."""
        with self._lock:
            self.latency, self.rates = 0.0, {}
            self._planned.clear()
            self._buckets.clear()
            for counted in (self.calls, self.refused, self.by_key):
                counted.clear()

    def meet(self, service: str, operation: str, key: str) -> Kind | None:
        """Count a call and say which fault it meets."""
        with self._lock:
            self.calls[operation] += 1
            self.by_key[key] += 1
            if not self._has_room(service):
                return "throttle"
            return self._next(operation)

    def refuse(self, key: str) -> None:
        """Count a call that the account turned down."""
        with self._lock:
            self.refused[key] += 1

    def _next(self, operation: str) -> Kind | None:
        for one in self._planned:
            if one["operation"] not in ("*", operation) or not one["times"]:
                continue
            if one["skip"]:
                one["skip"] -= 1
                continue
            one["times"] -= 1
            kind: Kind = one["kind"]
            return kind
        return None

    def _has_room(self, service: str) -> bool:
        rate = self.rates.get(service)
        if rate is None:
            return True
        now = time.monotonic()
        left, since = self._buckets.get(service, (rate, now))
        left = min(rate, left + (now - since) * rate)
        self._buckets[service] = (left - 1 if left >= 1 else left, now)
        return left >= 1
