"""Look at the journal: timeline, verification, export, report."""

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from crisis.domain.clock import say_duration, utc_now
from crisis.domain.entry import Entry, verify_chain
from crisis.domain.incident import fold_incident
from crisis.domain.picture import draw_timeline
from crisis.domain.report import write_report
from crisis.domain.timeline import fold_timeline, waiting
from crisis.errors import JournalError, ProtocolError
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
    entries = _proved(journal, incident)
    if svg is not None:
        _draw(entries, svg)
        console.print(Text(f"wrote {svg}"), soft_wrap=True)
        return
    table = Table(title=Text(incident), title_style="bold", box=None, pad_edge=False)
    for name in ("time", "after", "what", "how it went", "took"):
        table.add_column(name, no_wrap=name in ("time", "after", "took"))
    for row in fold_timeline(entries):
        took = f"{row.seconds:.2f} s" if row.seconds else ""
        after = f"+{row.offset.total_seconds():.2f} s"
        what = _plain(row.title, _STYLES[row.state])
        table.add_row(f"{row.time:%H:%M:%S}", after, what, _plain(row.detail), took)
    console.print(table)
    waits = waiting(entries, utc_now())
    if waits:
        console.print(_plain(waits, "bold yellow"))


def verify_journal(settings: Settings, incident: str | None, console: Console) -> None:
    """Check the chain of one incident or of all; JournalError names what was found."""
    journal = Journal.open(settings.journal)
    found = 0
    for fault in journal.verify(incident) if incident else journal.verify_all():
        found += 1
        console.print(_plain(f"{fault.incident}: {fault.says}", "red"), soft_wrap=True)
    if found:
        raise JournalError("journal", wanted="an unbroken chain", saw=f"{found} faults", then="see above")
    names = [incident] if incident else journal.incidents()
    if not names:
        console.print("the journal is empty")
    for name in names:
        head = journal.head(name)
        if head is None:
            raise _unknown(journal, name)
        console.print(Text(f"{name}: {head[0]} entries, unbroken; head {head[1]}"), soft_wrap=True)


def export_entries(settings: Settings, incident: str) -> None:
    """Write JSON Lines to standard output."""
    for entry in _entries(Journal.open(settings.journal), incident):
        _write(json.dumps(entry.as_dict(), ensure_ascii=False) + "\n")


def print_report(settings: Settings, incident: str) -> None:
    """Write the report to standard output."""
    _write(write_report(_proved(Journal.open(settings.journal), incident)))


def _entries(journal: Journal, incident: str) -> list[Entry]:
    entries = journal.entries(incident)
    if not entries:
        raise _unknown(journal, incident)
    return entries


def _proved(journal: Journal, incident: str) -> list[Entry]:
    """Return the entries of an unbroken chain: a view of another would tell what somebody made up."""
    entries = _entries(journal, incident)
    faults = list(verify_chain(incident, entries, journal.head(incident)))
    if faults:
        then = f"see `crisis verify {incident}`; `crisis export` writes the entries as they stand"
        raise JournalError(incident, wanted="an unbroken chain", saw=faults[0].says, then=then)
    return entries


def _unknown(journal: Journal, incident: str) -> JournalError:
    known = ", ".join([name for name in journal.incidents() if name.startswith("INC-")][-3:])
    then = f"the latest are: {known}" if known else "there is none yet"
    return JournalError(incident, wanted="an incident", saw="none of that name", then=then)


def _draw(entries: list[Entry], svg: Path) -> None:
    picture = draw_timeline(entries, entries[0].incident)
    try:
        svg.write_text(picture, encoding="utf-8")
    except OSError as error:
        saw = error.strerror or "an error"
        raise ProtocolError(str(svg), wanted="a file to write the picture to", saw=saw, then="name another") from None


def _write(text: str) -> None:
    # As UTF-8 whatever the terminal speaks: what is exported is verified byte by byte.
    sys.stdout.buffer.write(text.encode())


def _plain(text: str, style: str = "") -> Text:
    # Alerts and people write this: no markup, and no escape sequence reaches the terminal.
    return Text("".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text), style=style)


def _list_incidents(journal: Journal, console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("incident", "service", "level", "outcome", "took", "summary"):
        table.add_column(name)
    for name in (one for one in journal.incidents() if one.startswith("INC-")):
        try:
            found = fold_incident(name, _proved(journal, name))
        except JournalError:
            table.add_row(_plain(name), "", "", "[red]does not verify[/]", "", "")
            continue
        took = say_duration(found.ended_at - found.opened_at) if found.ended_at and found.opened_at else ""
        cells = (name, found.service, str(int(found.level)), found.outcome or "open", took, found.summary)
        table.add_row(*(_plain(cell) for cell in cells))
    console.print(table)
