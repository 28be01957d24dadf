"""Notices: who must hear what about an open question. A fold over the journal: what is due is told, once."""

import contextvars
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial

from crisis.domain.change import Change
from crisis.domain.clock import parse_time
from crisis.domain.decision import Gate
from crisis.domain.person import PEOPLE
from crisis.engine.action import attempt
from crisis.engine.run import Run

__all__ = ["News", "Tell", "Teller", "news_for"]

Tell = Callable[[str, str, str, int, str, str], Change]
"""
An action that tells one person something about a question.

It takes who, the plan's title, the decision page, which question it is, a mark that names this piece of news, and
its words; both are empty for the question itself.
"""


_HANDS = 4
_FINISH_SECONDS = 0.3
_GLASS_SECONDS = 10.0


class Teller:
    """Tells people in threads of its own: a vendor that hangs holds up neither the others nor a decision."""

    def __init__(self, run: Run, tell: Tell, page: str) -> None:
        self.run, self._tell, self._page = run, tell, page
        self._threads = ThreadPoolExecutor(_HANDS, thread_name_prefix="tell")
        self._told: set[tuple[str, str]] = set()
        self._works: list[Future[Change | None]] = []

    @property
    def idle(self) -> bool:
        """Whether everybody has been told everything."""
        return all(work.done() for work in self._works)

    def tell(self, gate: Gate, news: Iterable[tuple[str, "News"]]) -> None:
        """Tell whoever does not know it yet. Raises what was wrong with the record when somebody was told."""
        for work in [work for work in self._works if work.done()]:
            self._works.remove(work)
            work.result()
        for who, one in news:
            if (who, one.mark) in self._told:
                continue
            self._told.add((who, one.mark))
            said = partial(self._tell, who, gate.plan.title, self._page, gate.asked_as, one.mark, one.says)
            self._works.append(self._threads.submit(_in_this_run(said)))

    def close(self, *, within: float = _FINISH_SECONDS) -> None:
        """Let what is under way finish for a moment, and leave the rest: it is decided."""
        wait(self._works, timeout=within)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def glass(self, gate: Gate, says: str) -> None:
        """Be loud about broken glass: everybody hears of it before anything is done, or after ten seconds."""
        self.tell(gate, [(who, News("glass", says)) for who in self.run.protocol.people])
        self.close(within=_GLASS_SECONDS)


def _in_this_run(say: Callable[[], Change]) -> Callable[[], Change | None]:
    """Make something that another thread can do as part of this run."""
    context = contextvars.copy_context()
    return lambda: context.run(attempt, say)


@dataclass(frozen=True, slots=True)
class News:
    """One thing to hear: a mark that tells it from others, and its words."""

    mark: str = ""
    says: str = ""


def news_for(run: Run, gate: Gate) -> Iterator[tuple[str, News]]:
    """Yield whom to tell what, the most pressing first: the question, locks, then reminders."""
    # Told by what is genuine: a row that somebody wrote past us is no news, and names nobody.
    people = [who for who in gate.people if who in run.protocol.people]
    answered = {vote.who: vote for vote in run.booth.votes(gate)}
    for who in people:
        yield who, News()
    yield from _locks(run, gate, people)
    if gate.reminded:
        left = gate.plan.on_no if gate.silence == "stop" else "silence lets it go ahead"
        says = f"Reminder {gate.reminded}: still no decision. At {gate.deadline:%H:%M} UTC: {left}"
        for who in people:
            if who not in answered and gate.joined.get(who, 0) < gate.reminded:
                yield who, News(f"reminder {gate.reminded}", says)
    waiting = [who for who in people if who not in answered]
    if answered and waiting and gate.needed > len(answered):
        names = " and ".join(run.protocol.people[who].name for who in answered if who in run.protocol.people)
        for who in waiting:
            yield who, News(f"objection {len(answered)}", f"{names} said yes. Any strong objection? Say no to stop it.")


def _locks(run: Run, gate: Gate, people: list[str]) -> Iterator[tuple[str, News]]:
    """Five wrong codes for one of those asked: the others must know that somebody may be guessing."""
    for entry in run.journal.entries(PEOPLE, gate.locks_after):
        if entry.kind != "locked" or entry.actor not in people:
            continue
        until = parse_time(entry.body["until"])
        name = run.protocol.people[entry.actor].name
        says = f"Codes of {name} are locked until {until:%H:%M} UTC after five wrong ones. Was it you? If not, say no."
        for who in people:
            if who != entry.actor:
                yield who, News(f"locked {entry.seq}", says)
