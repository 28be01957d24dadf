"""Link: make the address that lets a person into the incident room."""

from rich.console import Console
from rich.text import Text

from crisis.errors import JournalError, ProtocolError
from crisis.journal.store import Journal
from crisis.protocol_file import load_protocol
from crisis.receiver.access import LINK_LASTS, link_for
from crisis.settings import Settings

__all__ = ["print_link"]


def print_link(settings: Settings, name: str, incident: str | None, console: Console) -> None:
    """
    Print a link for a person, to one room or to the list of all.

    Raises ProtocolError that names the people who are known, JournalError for an unknown incident.
    """
    protocol = load_protocol(settings.protocol_file)
    who = protocol.person(name)
    if who is None:
        known = ", ".join(protocol.people)
        raise ProtocolError(f"person {name!r}", wanted=f"one of: {known}", saw="an unknown one")
    if incident is not None:
        _check_known(settings, incident)
    console.print(Text(link_for(settings, who, incident or "")), soft_wrap=True)
    hours = int(LINK_LASTS.total_seconds() // 3600)
    says = f"good for {hours} h, for {protocol.people[who].name} alone: whoever has it sees what they see"
    Console(stderr=True).print(Text(says, style="dim"), soft_wrap=True)


def _check_known(settings: Settings, incident: str) -> None:
    journal = Journal.open(settings.journal)
    try:
        found = incident.startswith("INC-") and journal.head(incident) is not None
    finally:
        journal.close()
    if not found:
        then = "see `crisis timeline`"
        raise JournalError(incident, wanted="an incident", saw="none of that name", then=then)
