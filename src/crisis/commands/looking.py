"""Look at the journal: timeline, verification, export, report."""

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from crisis.domain.clock import say_duration, utc_now
from crisis.domain.entry import Entry
from crisis.domain.incident import fold_incident
from crisis.domain.picture import draw_timeline
from crisis.domain.report import write_report
from crisis.domain.timeline import fold_timeline, waiting
from crisis.errors import JournalError
from crisis.journal.store import Journal
from crisis.settings import Settings

__all__ = ["export_entries", "print_report", "show_timeline", "verify_journal"]

_STYLES = {"ok": "green", "warn": "yellow", "bad": "bold red", "wait": "bold yellow", "info": "default"}


def show_timeline(settings: Settings, incident: str | None, svg: Path | None, console: Console) -> None:
    """Print the timeline of an incident, or the list of incidents; write its picture where asked."""
    journal = Journal.open(settings.journal)
    if incident is None:
        _list_incidents(journal, console)
        return
    entries = _entries(journal, incident)
    if svg is not None:
        svg.write_text(draw_timeline(entries, incident), encoding="utf-8")
        console.print(f"wrote {svg}")
        return
    table = Table(title=incident, title_style="bold", box=None, pad_edge=False)
    for name in ("time", "after", "what", "how it went", "took"):
        table.add_column(name, no_wrap=name in ("time", "after", "took"))
    for row in fold_timeline(entries):
        took = f"{row.seconds:.2f} s" if row.seconds else ""
        after = f"+{row.offset.total_seconds():.2f} s"
        what = Text(row.title, style=_STYLES[row.state])
        table.add_row(f"{row.time:%H:%M:%S}", after, what, row.detail, took)
    console.print(table)
    waits = waiting(entries, utc_now())
    if waits:
        console.print(Text(waits, style="bold yellow"))


def verify_journal(settings: Settings, incident: str | None, console: Console) -> None:
    """Check the chain of one incident or of all; JournalError names what was found."""
    journal = Journal.open(settings.journal)
    names = [incident] if incident else journal.incidents()
    faults = [fault for name in names for fault in journal.verify(name)]
    for fault in faults:
        console.print(Text(f"{fault.incident}: {fault.says}", style="red"), soft_wrap=True)
    if faults:
        raise JournalError("journal", wanted="an unbroken chain", saw=f"{len(faults)} faults", then="see above")
    for name in names:
        head = journal.head(name)
        if head is None:
            raise JournalError(name, wanted="an incident", saw="none of that name", then="see `crisis timeline`")
        console.print(Text(f"{name}: {head[0]} entries, unbroken; head {head[1]}"), soft_wrap=True)


def export_entries(settings: Settings, incident: str) -> None:
    """Write JSON Lines to standard output."""
    for entry in _entries(Journal.open(settings.journal), incident):
        sys.stdout.write(json.dumps(entry.as_dict(), ensure_ascii=False) + "\n")


def print_report(settings: Settings, incident: str) -> None:
    """Write the report to standard output."""
    sys.stdout.write(write_report(_entries(Journal.open(settings.journal), incident)))


def _entries(journal: Journal, incident: str) -> list[Entry]:
    entries = journal.entries(incident)
    if not entries:
        known = ", ".join(name for name in journal.incidents()[-3:]) or "none yet"
        raise JournalError(incident, wanted="an incident", saw="none of that name", then=f"the latest are: {known}")
    return entries


def _list_incidents(journal: Journal, console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("incident", "service", "level", "outcome", "took", "summary"):
        table.add_column(name)
    for name in (one for one in journal.incidents() if one.startswith("INC-")):
        found = fold_incident(name, journal.entries(name))
        took = say_duration(found.ended_at - found.opened_at) if found.ended_at and found.opened_at else ""
        table.add_row(name, found.service, str(int(found.level)), found.outcome or "open", took, found.summary)
    console.print(table)
