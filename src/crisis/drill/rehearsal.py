"""Rehearsal: break the sandbox shop, let the stack respond, and measure people and system."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from crisis.domain.clock import utc_now
from crisis.domain.decision import Gate
from crisis.domain.entry import Entry
from crisis.drill.people import answer_page
from crisis.drill.stack import Stack
from crisis.engine.votes import open_gates
from crisis.errors import CrisisError, UnprovenError
from crisis.journal.store import Journal
from crisis.sandbox.world import World

__all__ = ["Outcome", "rehearse"]

_GIVE_UP_SECONDS = 180
_READER_SECONDS = 1200
_SHOPPERS_PER_SECOND = 4
_READS_SECONDS = 1.5
_AGAIN_SECONDS = 0.5


@dataclass
class Outcome:
    """What a rehearsal left: the incident's entries, the world at its end, and the moments seen from outside."""

    incident: str
    entries: list[Entry]
    world: dict[str, Any]
    broke_at: datetime
    head: tuple[int, str] | None = None


@dataclass(frozen=True)
class _People:
    """Whether decision makers are simulated, how many seconds they read, who sleeps, and what is still open."""

    simulated: bool
    reads: float
    asleep: str
    open: Callable[[str], list[Gate]]


@dataclass
class _Watch:
    """Follows the journal and hands every new entry on."""

    journal: Journal
    known: set[str]
    incident: str = ""
    seen: int = 0
    entries: list[Entry] = field(default_factory=list)

    def new(self) -> Iterator[Entry]:
        if not self.incident:
            fresh = [name for name in self.journal.incidents() if name.startswith("INC-") and name not in self.known]
            self.incident = fresh[0] if fresh else ""
        for entry in self.journal.entries(self.incident, self.seen) if self.incident else ():
            self.seen = entry.seq
            self.entries.append(entry)
            yield entry


def rehearse(
    world: World,
    stack: Stack,
    journal: Journal,
    *,
    simulated: bool,
    show: Callable[[Entry], None],
    ask: Callable[[Gate, str], None],
    reads: float = _READS_SECONDS,
    asleep: str = "",
    tick: Callable[[list[Gate]], None] = lambda _open: None,
) -> Outcome:
    """
    Break the shop with a bad release and follow the incident to its end.

    `show` gets each journal entry as it is written. `ask` gets each question with the page that answers it; a
    simulated decision maker answers by herself, unless she is `asleep`. `tick` gets the open questions twenty times a
    second. Raises UnprovenError when nothing ended within three minutes, or twenty where a person reads.
    """
    watch = _Watch(journal, set(journal.incidents()))
    people = _People(simulated, reads, asleep, lambda incident: open_gates(journal, incident))
    world.alert(f"{stack.receiver}/alerts/alertmanager")
    world.shoppers(_SHOPPERS_PER_SECOND)
    broke_at = utc_now()
    world.push_bad_release()
    asked: set[tuple[str, bool]] = set()
    seconds = _GIVE_UP_SECONDS if simulated else _READER_SECONDS
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for entry in watch.new():
            show(entry)
            if entry.kind == "ended":
                _let_shoppers_back(world)
                return Outcome(watch.incident, watch.entries, world.state(), broke_at, journal.head(watch.incident))
        waiting = people.open(watch.incident) if watch.incident else []
        tick(waiting)
        for gate in waiting:
            awake = any(who != asleep for who in gate.people)
            if (gate.plan.hash, awake) not in asked:
                asked.add((gate.plan.hash, awake))
                _put(gate, stack, world, people, ask)
        time.sleep(0.05)
    raise UnprovenError("drill", wanted="an end", saw=f"none within {seconds} s", then=f"read {stack.log}")


def _put(gate: Gate, stack: Stack, world: World, people: _People, ask: Callable[[Gate, str], None]) -> None:
    page = f"{stack.receiver}/decide/{gate.incident}/{gate.run}/{gate.name}"
    ask(gate, page)
    if people.simulated and any(who != people.asleep for who in gate.people):
        threading.Thread(target=_simulate, args=(gate, page, world, people), name="decision maker", daemon=True).start()


def _simulate(gate: Gate, page: str, world: World, people: _People) -> None:
    """Answer as a person would: when the page is away or the code is spent, try again a little later."""
    who = next(one for one in gate.people if one != people.asleep)
    answer = gate.plan.choices[0].name
    # Nobody watches the journal at night: she answers when the messages are out, like the one that woke her.
    world.wait_until(lambda state: _told(state, page) >= len(gate.people), seconds=_GIVE_UP_SECONDS)
    reason = "The plan is clear, the good release is known."
    until = time.monotonic() + _GIVE_UP_SECONDS
    while time.monotonic() < until and any(one.plan.hash == gate.plan.hash for one in people.open(gate.incident)):
        try:
            answer_page(page, who, answer, lambda: world.one_time_code(who), reads=people.reads, reason=reason)
        except (CrisisError, httpx.HTTPError):
            time.sleep(_AGAIN_SECONDS)
        else:
            return


def _told(state: dict[str, Any], page: str) -> int:
    return len({one["to"] for one in state["messages"] if page in one["body"]})


def _let_shoppers_back(world: World) -> None:
    """Wait until shoppers buy again, so that the count of those who could not is final."""
    before = world.state()["shoppers"]["ok"]
    world.wait_until(lambda state: state["shoppers"]["ok"] > before, seconds=15)
