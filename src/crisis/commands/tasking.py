"""Tasking: what is left for people to do, and closing it with evidence."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from crisis.domain.checklist import fold_tasks
from crisis.errors import ProtocolError
from crisis.journal.closing import close_task
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
        state = f"closed by {one.closed_by}" if one.closed else "open"
        table.add_row(*(Text(cell) for cell in (one.name, one.owner, state, one.how, one.evidence or one.wanted)))
    console.print(table)


def close_with_evidence(
    settings: Settings, incident: str, task: str, who: str, evidence: str, console: Console
) -> None:
    """Close a task in somebody's name."""
    protocol, journal = load_protocol(settings.protocol_file), _journal(settings, incident)
    closed = close_task(
        journal, protocol, settings.signing_key(), incident=incident, task=task, who=who, evidence=evidence
    )
    console.print("closed" if closed else "it is closed already", style="green" if closed else "yellow")


def _journal(settings: Settings, incident: str) -> Journal:
    journal = Journal.open(settings.journal)
    if journal.head(incident) is None:
        raise ProtocolError(incident, wanted="an incident of this journal", saw="none", then="check the name")
    return journal
