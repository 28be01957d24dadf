"""Notices: who must hear what about an open question. A fold over the journal: what is due is told, once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from crisis.domain.change import Change
from crisis.domain.clock import parse_time
from crisis.domain.decision import Gate
from crisis.domain.person import PEOPLE
from crisis.engine.run import Run

__all__ = ["News", "Tell", "news_for"]

Tell = Callable[[str, str, str, int, str, str], Change]
"""
An action that tells one person something about a question.

It takes who, the plan's title, the decision page, which question it is, a mark that names this piece of news, and
its words; both are empty for the question itself.
"""


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
