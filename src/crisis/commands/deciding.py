"""Decide at the terminal: the plan is shown, the code is asked for without an echo."""

import getpass

from rich.console import Console
from rich.markdown import Markdown

from crisis.domain.decision import Decision, Gate
from crisis.domain.plan import CHANGE
from crisis.engine.booth import Answer, Booth, RefusedVote
from crisis.engine.votes import cast, known_answers, open_gates
from crisis.errors import ProtocolError, UnauthorisedError
from crisis.journal.store import Journal
from crisis.protocol_file import load_protocol
from crisis.settings import Settings

__all__ = ["decide_at_terminal"]


_MOST = 1000


def decide_at_terminal(
    settings: Settings,
    incident: str,
    who: str,
    answer: str,
    reason: str,
    gate: str | None,
    console: Console,
    *,
    steps: str = "",
    glass: bool = False,
) -> None:
    """Show an open question, take an answer and a one-time code, and say what became of it."""
    only = _numbers(steps) if steps else None
    journal = Journal.open(settings.journal)
    found = _choose(open_gates(journal, incident), incident, gate)
    console.print(Markdown(found.plan.as_markdown()))
    if not answer:
        answer = console.input(f"Your answer ({' / '.join(known_answers(found))}): ").strip()
    if answer == CHANGE and not reason.strip():
        reason = console.input("What should be different: ").strip()
    code = getpass.getpass("One-time code: ")
    # What a terminal sends may be no UTF-8, which no record can hold.
    texts = {"who": _readable(who), "answer": _readable(answer), "reason": _readable(reason)}
    said = Answer(**texts, code=code, how="command line", steps=only, glass=glass)
    outcome = cast(Booth.of(journal, load_protocol(settings.protocol_file), settings), found, said)
    if isinstance(outcome, RefusedVote):
        raise UnauthorisedError(f"{who} at {found.name}", wanted="an answer that counts", saw=outcome.because)
    if isinstance(outcome, Decision):
        console.print(f"decided: {outcome.outcome} {outcome.choice}".strip(), style="bold green")
    else:
        console.print("your answer is recorded; more people are needed", style="yellow")


def _numbers(steps: str) -> tuple[int, ...]:
    """Read `1,3`, as people count, into numbers from 0."""
    parts = [part.strip() for part in steps.split(",")]
    if not all(part.isascii() and part.isdigit() and 0 < int(part[:4]) < _MOST for part in parts):
        raise ProtocolError("--steps", wanted="numbers, for example 1,3", saw=f"{_readable(steps)[:40]!r}")
    return tuple(sorted({int(part) - 1 for part in parts}))


def _readable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _choose(gates: list[Gate], incident: str, name: str | None) -> Gate:
    fitting = [gate for gate in gates if name in (None, gate.name)]
    if not fitting:
        raise ProtocolError(incident, wanted="an open question", saw="none", then="see `crisis timeline`")
    if len(fitting) > 1:
        known = ", ".join(gate.name for gate in fitting)
        raise ProtocolError(incident, wanted="one question", saw=f"several: {known}", then="choose with --gate")
    return fitting[0]
