"""Rehearsal: let a scenario break something, let the stack respond, and follow the incident to its end."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import httpx

from crisis.domain.clock import utc_now
from crisis.domain.decision import Gate
from crisis.domain.entry import Entry
from crisis.drill.people import Authenticator, answer_page
from crisis.drill.stack import Stack
from crisis.engine.votes import open_gates
from crisis.errors import CrisisError, UnprovenError
from crisis.journal.store import Journal
from crisis.sandbox.world import World

__all__ = ["Outcome", "Scenario", "rehearse"]

_READER_SECONDS = 1200
_READS_SECONDS = 1.5
_AGAIN_SECONDS = 0.5


class Scenario(Protocol):
    """What goes wrong in a drill, and what people know and do in it beside reading the plan."""

    @property
    def world(self) -> World:
        """Where it happens."""
        ...

    @property
    def gives_up_after(self) -> int:
        """After how many seconds without an end something is wrong, where nobody has to read."""
        ...

    def begin(self, stack: Stack, phones: Authenticator) -> None:
        """
        Let it go wrong; `phones` are what people prove themselves with later.

        Returns at once: the alert, or the person who starts the playbook, is under way.
        """
        ...

    def choose(self, gate: Gate) -> tuple[str, str]:
        """Return the name of the choice that a simulated person makes at a gate, and the reason."""
        ...

    def hear(self, entry: Entry) -> None:
        """Learn of an entry: some of them are work for people."""
        ...

    def finish(self) -> None:
        """Wait until what was counted is final."""
        ...


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

    scenario: Scenario
    simulated: bool
    reads: float
    asleep: str
    open: Callable[[str], list[Gate]]
    phones: Authenticator

    def awake(self, gate: Gate) -> list[str]:
        """Return who may answer, those first who can do so at once."""
        return sorted((who for who in gate.people if who != self.asleep), key=self.phones.is_spent)


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
    scenario: Scenario,
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
    Let a scenario begin and follow the incident to its end.

    `show` gets each journal entry as it is written. `ask` gets each question with the page that answers it; simulated
    decision makers answer by themselves, as many as the gate needs, unless one is `asleep`. `tick` gets the open
    questions twenty times a second. Raises UnprovenError when nothing ended in time; where a person reads, there are
    twenty minutes more.
    """
    world, watch = scenario.world, _Watch(journal, set(journal.incidents()))
    phones = Authenticator(world.one_time_code)
    people = _People(scenario, simulated, reads, asleep, lambda incident: open_gates(journal, incident), phones)
    broke_at = utc_now()
    scenario.begin(stack, phones)
    asked: set[tuple[str, bool]] = set()
    seconds = scenario.gives_up_after + (0 if simulated else _READER_SECONDS)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for entry in watch.new():
            show(entry)
            scenario.hear(entry)
            if entry.kind == "ended":
                scenario.finish()
                return Outcome(watch.incident, watch.entries, world.state(), broke_at, journal.head(watch.incident))
        waiting = people.open(watch.incident) if watch.incident else []
        tick(waiting)
        for gate in waiting:
            awake = bool(people.awake(gate))
            if (gate.plan.hash, awake) not in asked:
                asked.add((gate.plan.hash, awake))
                _put(gate, stack, people, ask)
        time.sleep(0.05)
    raise UnprovenError("drill", wanted="an end", saw=f"none within {seconds} s", then=f"read {stack.log}")


def _put(gate: Gate, stack: Stack, people: _People, ask: Callable[[Gate, str], None]) -> None:
    page = f"{stack.receiver}/decide/{gate.incident}/{gate.run}/{gate.name}"
    ask(gate, page)
    for who in people.awake(gate)[: gate.needed] if people.simulated else ():
        threading.Thread(
            target=_simulate, args=(gate, page, who, people), name=f"decision maker {who}", daemon=True
        ).start()


def _simulate(gate: Gate, page: str, who: str, people: _People) -> None:
    """Answer as a person would: when the page is away, try again a little later."""
    answer, reason = people.scenario.choose(gate)
    # Nobody watches the journal at night: she answers when the messages are out, like the one that woke her.
    world = people.scenario.world
    world.wait_until(lambda state: _told(state, page) >= len(gate.people), seconds=people.scenario.gives_up_after)
    until = time.monotonic() + people.scenario.gives_up_after
    while time.monotonic() < until and any(one.plan.hash == gate.plan.hash for one in people.open(gate.incident)):
        try:
            answer_page(page, who, answer, lambda: people.phones.fresh(who), reads=people.reads, reason=reason)
        except httpx.HTTPError:
            time.sleep(_AGAIN_SECONDS)
        except CrisisError:
            people.phones.spend(who)
            time.sleep(_AGAIN_SECONDS)
        else:
            people.phones.spend(who)
            return


def _told(state: dict[str, Any], page: str) -> int:
    return len({one["to"] for one in state["messages"] if page in one["body"]})
