"""Storm: how many groups of alerts came lately. Counted in memory, and from the inbox after a start."""

from collections import Counter, deque
from datetime import datetime

from crisis.domain.alerting import Storm

__all__ = ["StormWatch"]

_MOST = 100_000


class StormWatch:
    """The distinct groups of alerts within a span of time, and when they were last too many."""

    def __init__(self, rule: Storm) -> None:
        self.rule = rule
        self.last_excess: datetime | None = None
        self._came = deque[tuple[datetime, str]](maxlen=_MOST)
        self._within = Counter[str]()

    def saw(self, group: str, received: datetime) -> int:
        """Count a group of alerts, and return how many distinct ones came within the span."""
        while self._came and (len(self._came) == _MOST or self._came[0][0] > received + self.rule.per):
            self._drop()  # also what came in the future: the clock was set back
        self._came.append((received, group))
        self._within[group] += 1
        while self._came[0][0] < received - self.rule.per:
            self._drop()
        if len(self._within) > self.rule.groups:
            self.last_excess = received
        return len(self._within)

    @property
    def groups(self) -> int:
        """How many distinct groups came within the span, as of the last."""
        return len(self._within)

    def is_excess(self, groups: int) -> bool:
        """Whether so many groups are a storm."""
        return groups > self.rule.groups

    def is_calm(self, now: datetime) -> bool:
        """Whether they have not been too many for a good while."""
        if self.last_excess is not None and self.last_excess > now:
            self.last_excess = now  # the clock was set back
        return self.last_excess is None or now >= self.last_excess + self.rule.calm

    def _drop(self) -> None:
        _, group = self._came.popleft()
        self._within[group] -= 1
        if not self._within[group]:
            del self._within[group]
