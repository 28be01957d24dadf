"""Run: one playbook at work on one incident, and the only hand that writes its entries."""

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from types import TracebackType
from typing import Any, Self

from crisis.domain.entry import Entry
from crisis.domain.incident import Incident, fold_incident
from crisis.domain.protocol import Protocol
from crisis.engine.booth import Booth
from crisis.engine.mirror import Mirror
from crisis.errors import CrisisError
from crisis.journal.lease import Lease
from crisis.journal.store import Journal
from crisis.settings import Settings

__all__ = ["PARKED", "RESPONDER", "ParkedError", "Run", "current_run"]

RESPONDER = "responder"
"""The actor of everything the engine does by itself."""

PARKED = "put aside"
"""How a lease says that its run waits for people, without a process."""


class ParkedError(BaseException):
    """
    The run has nothing to do before somebody answers, or a moment comes: its process can go.

    `wakes_on` are the kinds of entries that bring it back as well. No CrisisError and no Exception: a playbook cannot
    catch it by mistake.
    """

    def __init__(self, gate: str, until: datetime, wakes_on: Iterable[str] = ()) -> None:
        super().__init__(f"waits at {gate}")
        self.gate, self.until, self.wakes_on = gate, until, tuple(wakes_on)


_current: ContextVar["Run"] = ContextVar("crisis_run")


def current_run() -> "Run":
    """Return the run that this code is part of; LookupError outside a playbook."""
    return _current.get()


@dataclass
class Run:
    """What the engine knows while a playbook's body runs; `tries` counts how often this run has ended before."""

    id: str
    incident: str
    playbook: str
    journal: Journal
    protocol: Protocol
    settings: Settings
    lease: Lease
    mirror: Mirror
    requester: str = ""
    tries: int = 0
    summary: str = ""
    _calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        _current.reset(self._token)

    def record(
        self, kind: str, body: Mapping[str, Any] | None = None, *, key: str | None = None, actor: str = RESPONDER
    ) -> Entry:
        """Append an entry of this run; refused with FencedError once somebody else drives it."""
        full = {"run": self.id, **(body or {})}
        entry = self.journal.append(self.incident, kind, actor, full, key=key, fence=self.lease.fence)
        self.mirror.say(entry)
        return entry

    def entries(self) -> list[Entry]:
        """Return all entries of the incident so far."""
        return self.journal.entries(self.incident)

    @cached_property
    def booth(self) -> Booth:
        """Where the answers to this run's questions are taken, and votes are told from forgeries."""
        return Booth.of(self.journal, self.protocol, self.settings)

    def state(self) -> Incident:
        """Return the incident as its entries tell it."""
        return fold_incident(self.incident, self.entries())

    def next_call(self, name: str, digest: str) -> str:
        """
        Name a call of an action: the same call has the same name in every replay after a crash.

        A run that had ended and is tried again makes new calls: they look at the world once more. The last number
        counts equal calls, so that a playbook may do a thing twice.
        """
        with self._lock:
            self._calls[name, digest] += 1
            return f"{self.id}:{self.tries}:{name}:{digest[:16]}:{self._calls[name, digest]}"

    def end(self, outcome: str, says: str, error: CrisisError | None = None) -> None:
        """Record that the run is over; it will not start again."""
        body = {"playbook": self.playbook, "outcome": outcome, "says": says}
        if error is not None:
            body["error_kind"] = type(error).__name__
        self.record("ended", body, key=self.lease.end_key)
