"""Clocks: which legal clocks run, how much time is left, and which duties apply and why."""

import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from crisis.commands.starting import start_playbook
from crisis.domain.clock import utc_now
from crisis.domain.incident import fold_incident
from crisis.domain.law.clocks import Clock
from crisis.errors import ProtocolError, UnauthorisedError
from crisis.journal.store import Journal
from crisis.law import Reading, library_of, read_law
from crisis.protocol_file import load_protocol
from crisis.settings import Settings

__all__ = ["COUNSEL", "follow_clocks", "read_incident", "say_left", "show_clocks", "show_duties", "show_law"]

COUNSEL = "A reading of rules and facts, and no legal advice: counsel decides."

_STYLES = {"overdue": "bold red", "running": "bold", "held": "yellow", "filed": "green", "filed late": "yellow"}
_LOUD = ((0.9, "bold red"), (0.75, "red"), (0.5, "yellow"))


def read_incident(settings: Settings, incident: str, now: datetime | None = None) -> Reading:
    """Read the law for an incident of the journal."""
    protocol = load_protocol(settings.protocol_file)
    library = library_of(protocol, settings.protocol_file)
    entries = Journal.open(settings.journal).entries(incident)
    return read_law(library, protocol, incident, entries, settings.signing_key(), now or utc_now())


def show_clocks(settings: Settings, incident: str, console: Console, *, watch: bool) -> None:
    """Print the clocks of an incident, the tightest first; with `watch` let them count until Ctrl-C."""
    reading = read_incident(settings, incident)
    if not watch:
        console.print(_clocks(reading, utc_now()))
        return
    protocol, key = load_protocol(settings.protocol_file), settings.signing_key()
    journal = Journal.open(settings.journal)
    with Live(console=console, auto_refresh=False) as live:
        while True:
            now = utc_now()
            reading = read_law(reading.library, protocol, incident, journal.entries(incident), key, now)
            live.update(_clocks(reading, now), refresh=True)
            time.sleep(1)


def follow_clocks(settings: Settings, incident: str, requester: str | None, console: Console) -> None:
    """Start the playbook `disclosure` for an incident, once."""
    entries = Journal.open(settings.journal).entries(incident)
    found = fold_incident(incident, entries)
    if found.opened_at is None:
        raise ProtocolError(incident, wanted="an incident of this journal", saw="none", then="check the name")
    wanted = ("ask_for_facts", "warn_of_clocks")
    missing = [one for one in wanted if one not in load_protocol(settings.protocol_file).levels[found.level].authorised]
    if missing:
        saw, then = f"no {missing[0]}", "add it there: without it nobody would be warned"
        raise UnauthorisedError(f"level {int(found.level)}", wanted=" and ".join(wanted), saw=saw, then=then)
    more = {"incident": incident}
    ends = sum(one.kind == "ended" and one.body.get("playbook") == "disclosure" for one in entries)
    summary, level, key = f"the law and {incident}", int(found.level), f"{incident}:disclosure:{ends}"
    start_playbook(settings, "disclosure", found.service, summary, level, requester, console, more, key)


def show_duties(settings: Settings, incident: str, console: Console, *, every: bool) -> None:
    """Print whom the law asks to tell, why, and what is missing; with `every` also what does not apply."""
    reading = read_incident(settings, incident)
    table = Table(box=None, pad_edge=False)
    for name in ("", "duty", "to", "why", "sure"):
        table.add_column(name, overflow="fold")
    for one in reading.rulings:
        if one.is_remote or (one.verdict == "no" and not every):
            continue
        style = {"yes": "bold", "no": "dim", "unclear": "yellow"}[one.verdict]
        why = "; ".join(one.because if one.verdict != "unclear" else (f"missing: {each}" for each in one.missing))
        notes = "".join(f"\n{note}" for note in one.notes)
        sure = one.duty.certainty or one.instrument.certainty
        title = f"{one.duty.id}\n{one.instrument.title}, {one.duty.article}"
        table.add_row(Text(one.verdict, style), Text(title), Text(one.duty.to), Text(why + notes), sure)
    remote = dict.fromkeys(one.instrument.place for one in reading.rulings if one.is_remote)
    console.print(table)
    if remote:
        says = "nobody has said that no people are affected there"
        console.print(f"not ruled out ({says}): {', '.join(remote)}", style="yellow", highlight=False)
    for place in reading.unknown:
        console.print(f"no rule here for {place}: ask counsel there", style="bold yellow", highlight=False)
    console.print(COUNSEL, style="dim")


def show_law(settings: Settings, console: Console) -> None:
    """Print every instrument that is known, with its citation, when it was checked, and how sure we are."""
    protocol = load_protocol(settings.protocol_file)
    table = Table(box=None, pad_edge=False)
    for name in ("instrument", "citation", "duties", "checked", "sure"):
        table.add_column(name, overflow="fold")
    for one in library_of(protocol, settings.protocol_file).instruments:
        sure = one.certainty + (f"\n{one.unsure}" if one.unsure else "")
        duties = "\n".join(dict.fromkeys(duty.id for duty in one.duties))
        table.add_row(f"{one.id}\n{one.title}", Text(one.citation), duties, f"{one.checked}", Text(sure))
    console.print(table)
    console.print(COUNSEL, style="dim")


def say_left(left: timedelta) -> str:
    """Say how much time is left, or how long it is over: `2 d 03:14`, `11:02:09`, `over by 04:00:10`."""
    seconds = int(abs(left).total_seconds())
    days, rest = divmod(seconds, 86400)
    hours, minutes = divmod(rest // 60, 60)
    says = f"{days} d {hours:02d}:{minutes:02d}" if days else f"{hours:02d}:{minutes:02d}:{rest % 60:02d}"
    return says if left >= timedelta() else f"over by {says}"


def _clocks(reading: Reading, now: datetime) -> Group:
    table = Table(box=None, pad_edge=False)
    for name in ("left", "due", "duty", "to", "from", "had it been known at once"):
        table.add_column(name, overflow="fold", no_wrap=name == "left")
    for one in reading.clocks:
        table.add_row(*_row(one, now))
    silent = [one for one in reading.rulings if one.verdict == "yes" and not one.duty.terms]
    prompt = [f"without undue delay, and no clock: {one.duty.id}, to {one.duty.to}" for one in silent]
    lines = [*(Text(line) for line in prompt), Text(COUNSEL, "dim")]
    return Group(table if reading.clocks else Text("no clock runs"), *lines)


def _row(one: Clock, now: datetime) -> tuple[Text, ...]:
    left, unclear = one.left(now), one.ruling.verdict == "unclear"
    style = next((style for share, style in _LOUD if share in one.alarms_due(now)), _STYLES.get(one.state, ""))
    says = say_left(left) if left is not None and one.state in ("running", "overdue", "not started") else one.state
    began = f"{one.starts.replace('_', ' ')} {_local(one.started, one.zone)}" if one.started else "not stated"
    duty = f"{one.ruling.duty.id}{' (unclear whether it applies)' if unclear else ''}\n{one.period}"
    duty += "".join(f"\n{note}" for note in one.notes)
    cells = (says, _local(one.due, one.zone), duty, one.ruling.duty.to, f"{one.starts.replace('_', ' ')}: {began}")
    return (Text(cells[0], style), *(Text(cell) for cell in cells[1:]), Text(_local(one.pessimistic, one.zone), "dim"))


def _local(moment: datetime | None, zone: str) -> str:
    if moment is None:
        return "—"
    local = moment.astimezone(ZoneInfo(zone))
    return f"{local:%Y-%m-%d %H:%M} {local.tzname()}\n{moment:%Y-%m-%d %H:%M} UTC"
