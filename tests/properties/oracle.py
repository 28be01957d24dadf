"""Oracle: when a step may be carried out, written from the words of the task and not from the code that is tested."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

__all__ = ["Ballot", "Question", "Rules"]


@dataclass(frozen=True)
class Rules:
    """What a protocol says about one kind of action."""

    needed: int
    good_for: timedelta
    silence_at: frozenset[int] = frozenset()
    glass: frozenset[str] = frozenset()
    glass_after: timedelta = timedelta()
    glass_good_for: timedelta = timedelta()


@dataclass(frozen=True)
class Ballot:
    """What one human truly said, proved by a code that was right, fresh and their own."""

    who: str
    answer: str
    steps: frozenset[int]
    glass: bool
    at: datetime


@dataclass
class Question:
    """A question that was truly asked, and what was truly answered; `spoilt` once somebody wrote past the engine."""

    asked_as: int
    ways: dict[str, tuple[str, ...]]
    authors: frozenset[str]
    rules: Rules
    level: int
    asked_at: datetime
    deadline: datetime
    ladder: frozenset[str]
    excluded: frozenset[str]
    ballots: list[Ballot] = field(default_factory=list)
    spoilt: bool = False
    settled: bool = False
    covers: frozenset[str] = frozenset()
    until: datetime | None = None

    def must_refuse(self, who: str, answer: str, *, away: bool, glass: bool, now: datetime) -> bool:
        """Whether a right code would not help."""
        approves_own = answer == "go" and who in self.authors
        if self.settled or now > self.deadline or away or who in self.excluded or approves_own:
            return True
        if glass:
            return who not in self.rules.glass or now < self.asked_at + self.rules.glass_after
        return who not in self.ladder

    def answered(self, ballot: Ballot) -> None:
        """Count an answer, and settle the question if it does."""
        self.ballots.append(ballot)
        last = {one.who: one for one in self.ballots}
        if any(one.answer in ("no", "change") for one in last.values()):
            self.settled = True
            return
        for way, targets in self.ways.items():
            for glass, needed in ((False, self.rules.needed), (True, 2)):
                agreed = [one for one in last.values() if one.answer == way and one.glass is glass]
                approved = [at for at in range(len(targets)) if sum(at in one.steps for one in agreed) >= needed]
                if approved:
                    lasts = self.rules.glass_good_for if glass else self.rules.good_for
                    self._settle({targets[at] for at in approved}, max(one.at for one in agreed) + lasts)
                    return

    def fell_silent(self) -> None:
        """Settle the question by silence."""
        way = next(iter(self.ways.values()))
        allowed = self.level in self.rules.silence_at
        self._settle(set(way) if allowed else set(), self.deadline + self.rules.good_for)

    def _settle(self, covers: set[str], until: datetime) -> None:
        self.settled, self.covers, self.until = True, frozenset(covers), until

    def carries(self, target: str, level: int, now: datetime) -> bool:
        """Whether a step may begin now."""
        return target in self.covers and level == self.level and self.until is not None and now <= self.until
