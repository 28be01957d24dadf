"""Catch up: what did not reach us is asked for at its sender, and put into the inbox as if it had come."""

import hashlib
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from crisis.clients.http import ThrottledError
from crisis.domain.clock import parse_time, utc_now
from crisis.errors import CrisisError, TransientError
from crisis.receiver.asking.attempt import Attempt
from crisis.receiver.asking.keeping import deliveries, known_alerts
from crisis.receiver.asking.question import Answer, Asker, Question
from crisis.receiver.context import Context
from crisis.receiver.recording import INBOX_CHAIN, once
from crisis.receiver.senders.registry import asker_of

__all__ = ["CatchUp", "Report", "Told"]

_LOG = logging.getLogger(__name__)

_EVERY = timedelta(minutes=15)
_SOON = timedelta(minutes=1)
_FIRST_RETRY = timedelta(seconds=5)
_LONGEST_WAIT = timedelta(hours=1)
_SPACING = timedelta(seconds=10)
"""How soon a sender is asked again at the earliest, however many of its lists are cut off."""

_OVERLAP = timedelta(hours=2)
"""How much earlier than the last time is asked for: clocks differ, and what GitHub sent again may fail again."""

_FARTHEST = timedelta(days=3)
"""How far back is asked for; GitHub sends nothing again that is older."""

_PATIENCE = 20.0
"""Seconds after which a round goes on without a sender that is still being asked."""


@dataclass(frozen=True, slots=True)
class Told:
    """What asking one sender came to: how many deliveries are new in the inbox, what else, and what went wrong."""

    sender: str
    new: int = 0
    notes: tuple[str, ...] = ()
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What a round came to, sender by sender."""

    told: tuple[Told, ...] = ()

    @property
    def new(self) -> int:
        """How many deliveries are new in the inbox: with some, the responder is to be woken."""
        return sum(one.new for one in self.told)


@dataclass(slots=True)
class _Turn:
    """When a sender is to be asked next, and what is remembered until then."""

    asker: Asker
    since: datetime
    next: datetime
    last: datetime | None = None
    failures: int = 0
    asked: dict[str, list[datetime]] = field(default_factory=dict)
    attempt: Attempt | None = None

    def is_due(self, now: datetime) -> bool:
        """Say whether it is to be asked; a clock that was set back must not put that off for long."""
        busy = self.attempt is not None and self.attempt.is_alive()
        return not busy and not now < self.next <= now + _LONGEST_WAIT


class CatchUp:
    """
    Asks every sender that can be asked: after a start, each quarter of an hour, and soon where a list was cut off.

    Rounds follow one another, on whatever thread; `hurry` may be called at any time from any other. A round raises
    JournalError while the store is away, and no other error; the next one makes up for it.
    """

    def __init__(self, context: Context, alive: datetime | None = None) -> None:
        """`alive` is when the receiver was last known to work, read before it beats again."""
        self.context = context
        self._hurried, now = set[str](), utc_now()
        self._turns = {
            name: _Turn(asker, self._since(name, alive) or now, datetime.min.replace(tzinfo=now.tzinfo))
            for name, rule in context.protocol.alerts.items()
            if (asker := asker_of(name, rule))
        }

    def _since(self, sender: str, alive: datetime | None) -> datetime | None:
        """Return up to when nothing of a sender is missing: when it was last asked, else when we last lived."""
        last = self.context.inbox.last_of(sender)
        return self.context.pulses.last(_mark(sender)) or alive or (parse_time(last) if last else None)

    def hurry(self, sender: str) -> None:
        """Have a sender asked soon, because it cut off a list; nothing happens where we do not know how to ask it."""
        self._hurried.add(sender)

    def is_due(self, now: datetime) -> bool:
        """Say whether a round would ask anybody."""
        while self._hurried:
            turn = self._turns.get(self._hurried.pop())
            if turn is not None and turn.last is not None and not turn.failures:
                turn.next = min(turn.next, turn.last + _SPACING)
        return any(turn.is_due(now) for turn in self._turns.values())

    def round(self, now: datetime) -> Report:
        """Ask every sender that is due, all at once, and keep what they say."""
        due = [(name, turn) for name, turn in self._turns.items() if turn.is_due(now)] if self.is_due(now) else []
        attempts = [(turn, self._begin(name, turn, now)) for name, turn in due]
        end = time.monotonic() + _PATIENCE
        for _, attempt in attempts:
            attempt.join(max(0.0, end - time.monotonic()))
        return Report(tuple(self._finish(turn, attempt) for turn, attempt in attempts))

    def _begin(self, name: str, turn: _Turn, now: datetime) -> Attempt:
        # What is known is read before: an alert that comes while the sender is asked must not be taken for over.
        known = tuple(known_alerts(self.context, name, now))
        since = max(turn.since - _OVERLAP, now - _FARTHEST)
        rule, address = self.context.protocol.alerts[name], self.context.settings.address
        turn.asked = {guid: moments for guid, moments in turn.asked.items() if moments[-1] > now - _FARTHEST}
        turn.attempt = Attempt(turn.asker, Question(name, rule, since, now, address, known, turn.asked))
        turn.last, turn.next = now, now + _FIRST_RETRY
        turn.attempt.start()
        return turn.attempt

    def _finish(self, turn: _Turn, attempt: Attempt) -> Told:
        if attempt.is_alive() or attempt.answer is None:
            return self._failed(turn, attempt.question, attempt.trouble())
        told = self._keep(attempt.question, attempt.answer)
        now, turn.failures = attempt.question.now, 0
        turn.next = now + (_SOON if attempt.answer.more else _EVERY)
        if not attempt.answer.more:
            turn.since = now
            self.context.pulses.beat(_mark(told.sender), now)
        return told

    def _keep(self, question: Question, answer: Answer) -> Told:
        kept, unread = deliveries(self.context, question.sender, answer, question.now)
        new = self.context.inbox.put_all(kept) if kept else set[str]()
        many = "1 delivery" if len(new) == 1 else f"{len(new)} deliveries"
        says = [f"{many} that had not reached us fetched from {question.sender}"] if new else []
        notes = (*says, *answer.notes, *unread)
        self._note(question, says, mark="".join(sorted(new)))
        self._note(question, (*answer.notes, *unread))
        return Told(question.sender, len(new), notes)

    def _failed(self, turn: _Turn, question: Question, error: CrisisError) -> Told:
        turn.failures += 1
        wait = _EVERY
        if isinstance(error, TransientError):
            wait = min(_EVERY, _FIRST_RETRY * 2 ** min(turn.failures - 1, 10))
        if isinstance(error, ThrottledError):
            wait = min(_LONGEST_WAIT, max(wait, timedelta(seconds=error.retry_after)))
        turn.next = question.now + wait
        _LOG.warning("%s cannot be asked for what did not reach us: %s", question.sender, error)
        self._note(question, [f"{question.sender} cannot be asked for what did not reach us: {error}"])
        return Told(question.sender, trouble=str(error))

    def _note(self, question: Question, says: Iterable[str], mark: str = "") -> None:
        """Note something in the chain of the inbox, the same words once a day."""
        for text in says:
            number = hashlib.sha256(f"{text}{mark}".encode("utf-8", "replace")).hexdigest()[:16]
            key = f"asked:{question.sender}:{question.now:%Y-%m-%d}:{number}"
            once(self.context, INBOX_CHAIN, "note", question.sender, {"says": text}, key=key)


def _mark(sender: str) -> str:
    """Return the name of the pulse that says when a sender was last asked; the store keeps 40 characters of a name."""
    return f"asked:{hashlib.sha256(sender.encode()).hexdigest()[:32]}"
