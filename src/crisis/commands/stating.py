"""Stating: facts for the law from the command line: said, listed, asked for, taken back; and receipts of notices."""

import getpass
from collections.abc import Callable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from crisis.commands.clocks import read_incident
from crisis.domain.entry import Entry
from crisis.domain.law.fact import say_value
from crisis.domain.law.typed import parse_moment
from crisis.engine.booth import Booth, RefusedVote
from crisis.engine.stating import Person, file_receipt, state_facts, withdraw_fact
from crisis.errors import ProtocolError, UnauthorisedError
from crisis.journal.store import Journal
from crisis.law import library_of
from crisis.protocol_file import load_protocol
from crisis.settings import Settings

__all__ = ["ask", "file", "list_facts", "state", "withdraw"]


def state(
    settings: Settings, incident: str, said: list[str], who: str, zone: str, evidence: str, console: Console
) -> None:
    """Put facts on record, each as NAME=VALUE, once a one-time code has proved who says so."""
    pairs = [one.partition("=") for one in said]
    wrong = next((one for one, sign, _ in pairs if not sign), None)
    if wrong is not None:
        raise ProtocolError(
            wrong[:40], wanted="NAME=VALUE", saw="no equals sign", then="for example aware=2026-11-24T03:12Z"
        )
    booth = _booth(settings)
    kinds = library_of(booth.protocol, settings.protocol_file).kinds
    values = {name.strip(): value for name, _, value in pairs}
    _prove(who, zone, "facts", console, lambda person: state_facts(booth, incident, values, person, evidence, kinds))


def withdraw(settings: Settings, incident: str, number: int, who: str, because: str, console: Console) -> None:
    """Take a statement back."""
    booth = _booth(settings)
    _prove(who, "UTC", "statement", console, lambda person: withdraw_fact(booth, incident, number, person, because))


def file(settings: Settings, incident: str, duty: str, at: str, reference: str, who: str, console: Console) -> None:
    """Put a receipt on record."""
    booth = _booth(settings)
    library = library_of(booth.protocol, settings.protocol_file)
    known = [one.id for instrument in library.instruments for one in instrument.duties]
    if duty not in known:
        then = "`crisis law duties` lists them"
        raise ProtocolError(duty[:60], wanted="the id of a duty", saw="none", then=then)
    try:
        moment = parse_moment(at)
    except ValueError:
        then = "write for example 2026-11-24T03:12+01:00"
        raise ProtocolError("--at", wanted="a moment with its zone", saw=at[:40], then=then) from None
    _prove(
        who, "UTC", "receipt", console, lambda person: file_receipt(booth, incident, duty, moment, reference, person)
    )


def list_facts(settings: Settings, incident: str, console: Console) -> None:
    """Print what was stated, who contradicts whom, and what counts no more."""
    facts = read_incident(settings, incident).facts
    if not facts.statements:
        console.print("nobody has stated a fact yet: `crisis facts ask` says what is asked")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("number", "fact", "value", "by", "stated (UTC)", "evidence"):
        table.add_column(name, overflow="fold")
    for one in facts.statements:
        cells = (
            str(one.number),
            one.fact,
            say_value(one.value, one.zone),
            one.by,
            f"{one.stated:%Y-%m-%d %H:%M}",
            one.evidence,
        )
        table.add_row(*(Text(cell) for cell in cells), style="" if one.counts else "dim strike")
    console.print(table)
    for name in facts.contradictions():
        console.print(f"contradicted: {name}: one of them has to be withdrawn", style="bold yellow", highlight=False)


def ask(settings: Settings, incident: str, console: Console) -> None:
    """Print the questions whose answers would decide the most."""
    reading = read_incident(settings, incident)
    names = {kind.asks: kind.name for kind in reading.library.kinds.values()}
    table = Table(box=None, pad_edge=False)
    for name in ("decides", "fact", "question"):
        table.add_column(name, overflow="fold")
    for question, duties in reading.questions():
        table.add_row(str(duties), names.get(question, ""), Text(question))
    console.print(table if table.row_count else "every fact that a duty waits for is stated")


def _prove(
    who: str,
    zone: str,
    about: str,
    console: Console,
    say: Callable[[Person], list[Entry] | RefusedVote | None],
) -> None:
    said = say(Person(who, lambda: getpass.getpass("One-time code: "), "command line", zone))
    if isinstance(said, RefusedVote):
        raise UnauthorisedError(f"{who} at {about}", wanted="a proof of who you are", saw=said.because)
    console.print("on record" if said else "it is on record already", style="green" if said else "yellow")


def _booth(settings: Settings) -> Booth:
    return Booth.of(Journal.open(settings.journal), load_protocol(settings.protocol_file), settings)
