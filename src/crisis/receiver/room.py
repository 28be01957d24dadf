"""Room: all that the page of an incident shows, read out of a chain that verifies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from urllib.parse import quote

from crisis.domain.checklist import HandTask, fold_tasks
from crisis.domain.clock import utc_now
from crisis.domain.decision import Gate, fold_gates
from crisis.domain.entry import Entry, verify_chain
from crisis.domain.incident import RECOVERED, TOLD, Incident, ended_runs, fold_incident
from crisis.domain.plan import CHANGE, NO
from crisis.domain.protocol import Person
from crisis.domain.scorecard import fold_scorecard
from crisis.domain.timeline import Row, fold_timeline, say_person
from crisis.errors import JournalError
from crisis.receiver.context import Context
from crisis.receiver.legal import Legal, legal_of
from crisis.receiver.pages import PageError, fragment
from crisis.receiver.question import INCIDENT_NAME, find_incident, link_to, missing_in

__all__ = ["Drawn", "Room", "Todo", "Waits", "draw", "head_of", "proved", "room_of", "todos"]

_ROWS = 300
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Waits:
    """A question that is open: what is asked, the page that answers it, whom it waits for, and until when."""

    title: str
    link: str
    who: tuple[str, ...]
    choices: tuple[str, ...]
    deadline: datetime
    silence: str
    needed: int = 1


@dataclass(frozen=True, slots=True)
class Todo:
    """A task as it is shown: its owner and who closed it in full, and the page that closes it."""

    number: int
    task: HandTask
    owner: str
    closed_by: str
    link: str


@dataclass(frozen=True, slots=True)
class Room:
    """What is shown of an incident; `damage` alone where its chain does not verify."""

    id: str
    now: datetime
    seq: int
    damage: str = ""
    hash: str = ""
    changed_at: datetime | None = None
    incident: Incident | None = None
    means: str = ""
    waits: tuple[Waits, ...] = ()
    tasks: tuple[Todo, ...] = ()
    running: tuple[Row, ...] = ()
    rows: tuple[Row, ...] = ()
    older: int = 0
    score: tuple[tuple[str, str], ...] = ()
    runs: tuple[tuple[str, str], ...] = ()
    alerts: int = 0
    firing: int = 0
    legal: Legal | None = None

    @property
    def state(self) -> str:
        """How it stands: `wait` while it runs, else `ok`, `warn` or `bad`."""
        if self.incident is None or self.incident.ended_at is None:
            return "wait"
        if self.incident.outcome not in (RECOVERED, TOLD):
            return "bad"
        return "warn" if self.incident.measures else "ok"


@dataclass(frozen=True, slots=True)
class Drawn:
    """The live part of a room as HTML, and the sequence number of the entry that it was drawn after."""

    seq: int
    html: str
    damaged: bool


def draw(context: Context, name: str) -> Drawn:
    """Draw the live part of a room; PageError 404 for an unknown incident, JournalError when nothing can be read."""
    room = room_of(context, name)
    return Drawn(room.seq, fragment("room.html", room=room), bool(room.damage))


def proved(context: Context, name: str) -> list[Entry]:
    """Return the entries of a chain that verifies; PageError says what to do where it does not."""
    entries, damage = _read(context, name)
    if damage:
        says = f"{damage}. Look with `crisis verify {name}`."
        raise PageError(HTTPStatus.SERVICE_UNAVAILABLE, f"The record of {name} does not verify", says)
    return entries


def room_of(context: Context, name: str) -> Room:
    """Read a room; PageError 404 when there is no such incident."""
    entries, damage = _read(context, name)
    now, seq = utc_now(), entries[-1].seq if entries else 0
    if damage:
        return Room(name, now, seq, damage)
    incident, rows = fold_incident(name, entries), fold_timeline(entries)[::-1]
    rule = context.protocol.levels.get(incident.level)
    return Room(
        id=name,
        now=now,
        seq=seq,
        hash=entries[-1].hash,
        changed_at=entries[-1].time,
        incident=incident,
        means=rule.means if rule else "",
        waits=_waits(entries, context.protocol.people),
        tasks=todos(context, name, entries),
        running=tuple(row for row in rows if row.state == "wait" and row.lane in ("world", "responder")),
        rows=tuple(rows[:_ROWS]),
        older=len(rows[_ROWS:]),
        score=tuple(_measured(entries)),
        runs=_runs(entries, context.prefect_ui.rstrip("/")),
        alerts=context.sightings.total(name),
        firing=context.sightings.firing(name),
        legal=legal_of(context, name, entries, now),
    )


def todos(context: Context, name: str, entries: Sequence[Entry]) -> tuple[Todo, ...]:
    """Return the tasks of an incident as they are shown; a closing that we did not mark does not count."""
    people, found = context.protocol.people, fold_tasks(entries, context.settings.signing_key())
    where = f"/incidents/{quote(name, safe='')}/task?name="
    return tuple(
        Todo(number, one, say_person(one.owner, people), say_person(one.closed_by, people), where + quote(key, safe=""))
        for number, (key, one) in enumerate(found.items(), 1)
    )


def head_of(context: Context, name: str) -> tuple[int, str] | None:
    """Return the head of an incident; None where there is none that can be read."""
    try:
        return context.journal.head(name)
    except ValueError:  # its number is none: nothing that we wrote
        return None


def _read(context: Context, name: str) -> tuple[list[Entry], str]:
    """Return the entries and what is wrong with their chain; empty when it verifies."""
    entries: list[Entry] = []
    head = None
    try:
        for _ in range(_TRIES):  # something may be added between the two looks
            entries = context.journal.entries(name) if INCIDENT_NAME.fullmatch(name) else []
            head = head_of(context, name) if INCIDENT_NAME.fullmatch(name) else None
            if head is None or not entries or head[0] == entries[-1].seq:
                break
    except JournalError as error:
        if not error.target.startswith(f"{name} entry"):
            raise  # the store itself; an entry that is nothing that we wrote is damage
        return [], f"{error.target.removeprefix(name).strip()} was changed: {error.saw}"
    if head is None and not entries:
        find_incident(context, name)  # says that there is none
    if head is None:
        return entries, "its head is missing or cannot be read"
    fault = next(verify_chain(name, entries, head), None)
    return entries, fault.says if fault else ""


def _waits(entries: Sequence[Entry], people: Mapping[str, Person]) -> tuple[Waits, ...]:
    over = ended_runs(entries)
    gates = [gate for gate in fold_gates(entries).values() if gate.decision is None and gate.run not in over]
    return tuple(
        Waits(
            title=gate.plan.title,
            link=link_to(gate),
            who=tuple(say_person(who, people) for who in _asked(gate)),
            choices=tuple(choice.name for choice in gate.plan.choices),
            deadline=gate.deadline,
            silence=gate.silence,
            needed=missing_in(gate, gate.standing().values()),
        )
        for gate in gates
    )


def _asked(gate: Gate) -> list[str]:
    answered = {who for who, vote in gate.standing().items() if vote.answer not in (NO, CHANGE)}
    return [who for who in gate.people if who not in answered and who not in gate.excluded]


def _measured(entries: Sequence[Entry]) -> list[tuple[str, str]]:
    """Return the lines of the scorecard that say something, and that the room does not say elsewhere."""
    elsewhere = ("still in force", "outcome")
    return [line for line in fold_scorecard(entries).lines() if line[1] != "-" and line[0] not in elsewhere]


def _runs(entries: Sequence[Entry], prefect: str) -> tuple[tuple[str, str], ...]:
    runs = dict.fromkeys(entry.run for entry in entries if entry.kind == "started")
    return tuple((run, f"{prefect}/runs/flow-run/{quote(run, safe='')}") for run in runs) if prefect else ()
