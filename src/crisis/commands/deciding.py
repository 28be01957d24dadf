"""Decide at the terminal: the plan is shown, the code is asked for without an echo."""

import getpass

from rich.console import Console
from rich.markdown import Markdown

from crisis.domain.decision import Decision, Gate
from crisis.engine.votes import NO, Answer, RefusedVote, cast, open_gates
from crisis.errors import ProtocolError, UnauthorisedError
from crisis.journal.store import Journal
from crisis.protocol_file import load_protocol
from crisis.settings import Settings

__all__ = ["decide_at_terminal"]


def decide_at_terminal(
    settings: Settings, incident: str, who: str, answer: str, reason: str, gate: str | None, console: Console
) -> None:
    """Show an open question, take an answer and a one-time code, and say what became of it."""
    journal = Journal.open(settings.journal)
    found = _choose(open_gates(journal, incident), incident, gate)
    console.print(Markdown(found.plan.as_markdown()))
    if not answer:
        names = [choice.name for choice in found.plan.choices] + [NO]
        answer = console.input(f"Your answer ({' / '.join(names)}): ").strip()
    code = getpass.getpass("One-time code: ")
    said = Answer(who=who, answer=answer, code=code, reason=reason, how="command line")
    outcome = cast(journal, load_protocol(settings.protocol_file), found, said)
    if isinstance(outcome, RefusedVote):
        raise UnauthorisedError(f"{who} at {found.name}", wanted="an answer that counts", saw=outcome.because)
    if isinstance(outcome, Decision):
        console.print(f"decided: {outcome.outcome} {outcome.choice}".strip(), style="bold green")
    else:
        console.print("your answer is recorded; more people are needed", style="yellow")


def _choose(gates: list[Gate], incident: str, name: str | None) -> Gate:
    fitting = [gate for gate in gates if name in (None, gate.name)]
    if not fitting:
        raise ProtocolError(incident, wanted="an open question", saw="none", then="see `crisis timeline`")
    if len(fitting) > 1:
        known = ", ".join(gate.name for gate in fitting)
        raise ProtocolError(incident, wanted="one question", saw=f"several: {known}", then="choose with --gate")
    return fitting[0]
