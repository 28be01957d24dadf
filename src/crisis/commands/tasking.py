"""Tasking: what is left for people to do, and closing it with evidence."""

import getpass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from crisis.domain.checklist import fold_tasks
from crisis.engine.booth import Booth, RefusedVote
from crisis.engine.closing import Claim, close_task
from crisis.errors import ProtocolError, UnauthorisedError
from crisis.journal.store import Journal
from crisis.protocol_file import load_protocol
from crisis.settings import Settings

__all__ = ["close_with_evidence", "list_open"]


def list_open(settings: Settings, incident: str, console: Console) -> None:
    """Print the tasks of an incident."""
    found = fold_tasks(_journal(settings, incident).entries(incident), settings.signing_key())
    if not found:
        console.print("no task")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("task", "owner", "state", "how", "what shows it"):
        table.add_column(name, overflow="fold")
    for one in found.values():
        state = f"closed by {one.closed_by}, {one.proof}" if one.closed else "open"
        table.add_row(*(Text(cell) for cell in (one.name, one.owner, state, one.how, one.evidence or one.wanted)))
    console.print(table)


def close_with_evidence(
    settings: Settings, incident: str, task: str, who: str, evidence: str, console: Console
) -> None:
    """Close a task in somebody's name, once their one-time code has proved it."""
    journal = _journal(settings, incident)
    booth = Booth.of(journal, load_protocol(settings.protocol_file), settings)
    claim = Claim(who, evidence, getpass.getpass("One-time code: "), "command line")
    closed = close_task(booth, incident, task, claim)
    if isinstance(closed, RefusedVote):
        raise UnauthorisedError(f"{who} at {task}", wanted="a proof of who you are", saw=closed.because)
    console.print("closed" if closed else "it is closed already", style="green" if closed else "yellow")


def _journal(settings: Settings, incident: str) -> Journal:
    journal = Journal.open(settings.journal)
    if journal.head(incident) is None:
        raise ProtocolError(incident, wanted="an incident of this journal", saw="none", then="check the name")
    return journal
