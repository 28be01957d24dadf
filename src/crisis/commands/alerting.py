"""Alerts: what came in and what became of it, what a payload would start, and sending a stored one again."""

import getpass
import os
import time
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from crisis.domain.clock import parse_duration, parse_time, utc_now
from crisis.domain.protocol import Protocol
from crisis.errors import JournalError, ProtocolError, TransientError
from crisis.journal.inbox import NEW, OPENED, STATES, Delivery, Inbox
from crisis.journal.store import Journal
from crisis.protocol_file import load_protocol
from crisis.receiver.delivery import damage_in, short, why
from crisis.receiver.foreign import one_line
from crisis.receiver.outlook import fields_of, outlook, say_span
from crisis.receiver.replaying import replay
from crisis.receiver.senders.alert import Alert, Reading
from crisis.receiver.senders.registry import kept_headers, kind_named, read_as
from crisis.settings import UP_FILE, Settings

__all__ = ["list_alerts", "replay_alert", "try_payload"]

_LARGEST = 5 * 1024 * 1024
_SHOWN = 20
_LEAST = 6
_LOOK_EVERY = 0.2


def list_alerts(settings: Settings, state: str, sender: str, limit: int, console: Console) -> None:
    """Print the newest deliveries, each with what became of it and why."""
    if state and state not in STATES:
        raise ProtocolError("--state", wanted=f"one of: {', '.join(STATES)}", saw="another word")
    found = Inbox(Journal.open(settings.journal).database).page(limit, state=state, sender=sender)
    if not found:
        console.print("nothing fits" if state or sender else "the inbox is empty")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("delivery", "received, UTC", "sender", "state", "why"):
        table.add_column(name, no_wrap=name != "why", overflow="fold")
    for one in found:
        damage = damage_in(one)
        about = ["", "", "damaged", damage] if damage else [_when(one), one.sender, one.state, why(one)]
        table.add_row(*(Text(one_line(cell, 400)) for cell in [short(one), *about]))
    console.print(table)


def replay_alert(settings: Settings, name: str, wait: str, console: Console) -> None:
    """
    Put a stored delivery into the inbox again, wait until it is judged, and say what became of it.

    Raises ProtocolError for a name that is unknown or not enough, TransientError when nobody took it in.
    """
    patience = _patience(wait)
    journal = Journal.open(settings.journal)
    inbox = Inbox(journal.database)
    found = _named(inbox, name)
    copy = replay(journal, found, _who())
    says = f"replayed {short(found)} of {found.sender}, received {_when(found)} UTC, as {copy[:12]}"
    console.print(Text(one_line(says)), soft_wrap=True)
    console.print(Text(_settled(settings, inbox, copy, patience)), soft_wrap=True)


def try_payload(settings: Settings, file: Path, sender: str, headers: list[str], console: Console) -> None:
    """Print what is read from a payload and what it would start; ProtocolError when it cannot be read."""
    protocol, now = load_protocol(settings.protocol_file), utc_now()
    reading = _read(protocol, file, sender, _pairs(headers))
    for number, alert in enumerate(reading.alerts[:_SHOWN], 1):
        console.print(f"alert {number} of {len(reading.alerts)}", markup=False, highlight=False)
        for name, value in (*fields_of(alert), *_more(alert), *outlook(protocol, sender, alert, now)):
            console.print(f"  {name:<12}{one_line(value)}", markup=False, highlight=False, soft_wrap=True)
    for note in reading.notes:
        console.print(f"note: {one_line(note)}", markup=False, highlight=False, soft_wrap=True)
    if not reading.alerts:
        console.print("starts nothing: it holds no alert", markup=False, highlight=False)


def _when(one: Delivery) -> str:
    return f"{parse_time(one.received):%Y-%m-%d %H:%M:%S}"


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number without a name
        return f"user {os.getuid()}"


def _patience(wait: str) -> timedelta:
    try:
        return parse_duration(wait)
    except ValueError:
        raise ProtocolError("--wait", wanted="a duration, for example 30s", saw="another form") from None


def _named(inbox: Inbox, name: str) -> Delivery:
    """Return the one sound delivery whose name begins so."""
    then = "see `crisis alerts list`"
    shown = f"delivery {one_line(name, 40)!r}"
    if len(name) < _LEAST:
        raise ProtocolError(shown, wanted=f"{_LEAST} signs of its name or more", saw=f"{len(name)}", then=then)
    found = inbox.page(2, name=name)
    if len(found) != 1:
        saw = "several" if found else "none of that name"
        raise ProtocolError(shown, wanted="one delivery of the inbox", saw=saw, then=then)
    whole = inbox.get(found[0].delivery)
    if whole is None:
        raise ProtocolError(shown, wanted="one delivery of the inbox", saw="that it was thrown away", then=then)
    damage = damage_in(whole)
    if damage:
        raise JournalError(shown, wanted="it as it was kept", saw=damage, then="nothing was replayed")
    return whole


def _settled(settings: Settings, inbox: Inbox, name: str, patience: timedelta) -> str:
    """Wait for what becomes of a delivery; TransientError when nobody has looked at it in time."""
    here = (settings.home / UP_FILE).exists()
    # A store on the network may be served from another machine.
    until = time.monotonic() + (patience.total_seconds() if here or settings.journal_url else 0)
    while True:
        found = inbox.get(name, body=False)
        if found is not None and found.state not in (NEW, OPENED):
            break
        if time.monotonic() >= until:
            break
        time.sleep(_LOOK_EVERY)
    if found is None or found.state == NEW:
        raise _not_taken(settings, name, patience, here=here)
    again = f"; looked at again at {parse_time(found.again):%H:%M:%S} UTC" if found.again else ""
    into = f" ({found.incident})" if found.incident and found.incident not in found.says else ""
    return one_line(f"{found.state}: {why(found)}{into}{again}", 2000)


def _not_taken(settings: Settings, name: str, patience: timedelta, *, here: bool) -> TransientError:
    saw = f"it still new after {say_span(patience)}" if here or settings.journal_url else f"none in {settings.home}"
    return TransientError(
        f"delivery {name[:12]}",
        vendor="crisis up",
        operation="take in",
        wanted="a running `crisis up` to take it in",
        saw=saw,
        then="it waits in the inbox, and is taken in as soon as one is up: see `crisis alerts list`",
    )


def _read(protocol: Protocol, file: Path, sender: str, headers: list[tuple[str, str]]) -> Reading:
    rule = protocol.alerts.get(sender)
    if rule is None:
        known = ", ".join(protocol.alerts) or "none yet"
        raise ProtocolError(f"sender {sender!r}", wanted=f"one of: {known}", saw="one that protocol.yaml does not name")
    try:
        with file.open("rb") as opened:
            raw = opened.read(_LARGEST + 1)
    except OSError as error:
        saw = error.strerror or "an error"
        raise ProtocolError(str(file), wanted="a readable payload", saw=saw, then="mend its path or mode") from None
    kind = rule.kind_as(sender)
    try:
        if len(raw) > _LARGEST:
            raise ValueError("it is longer than the receiver takes")  # noqa: TRY301 - one way to say what is wrong
        return read_as(sender, rule, raw, kept_headers(kind_named(kind), headers))
    except ValueError as error:
        then = "it would be answered 400 or 413; save the body as it was sent"
        raise ProtocolError(str(file), wanted=f"a delivery of {kind}", saw=str(error), then=then) from None


def _pairs(headers: list[str]) -> list[tuple[str, str]]:
    pairs = [one.partition("=") for one in headers]
    for name, equals, _ in pairs:
        if not equals or not name.strip():
            raise ProtocolError(
                "--header", wanted="NAME=VALUE", saw="another form", then="for example X-GitHub-Event=ping"
            )
    return [(name.strip(), value) for name, _, value in pairs]


def _more(alert: Alert) -> list[tuple[str, str]]:
    link = [("link", alert.url)] if alert.url else []
    return [*link, *(("label", f"{name} = {value}") for name, value in sorted(alert.labels.items()))]
