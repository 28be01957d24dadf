"""Timeline: what happened, row by row, in words for people. A fold over the journal; no clock, no I/O."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from crisis.domain.clock import say_duration
from crisis.domain.decision import fold_gates
from crisis.domain.entry import Entry
from crisis.domain.incident import RECOVERED, TOLD, ended_runs
from crisis.domain.law.fact import STATED, WITHDRAWN, say_value
from crisis.domain.law.receipt import FILED
from crisis.domain.level import Level
from crisis.domain.protocol import Person

__all__ = ["LANES", "Lane", "Row", "State", "fold_timeline", "say_name", "say_person", "waiting"]

Lane = Literal["alert", "responder", "people", "world"]
State = Literal["ok", "warn", "bad", "wait", "info"]

LANES: dict[Lane, str] = {"alert": "Alerts", "responder": "Responder", "people": "People", "world": "Changes"}
"""The lanes from top to bottom, and what stands in front of them."""


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that happened: when, who or what it concerns, and how long it took where it took time."""

    seq: int
    time: datetime
    offset: timedelta
    lane: Lane
    title: str
    detail: str
    seconds: float | None
    state: State


def fold_timeline(entries: Iterable[Entry]) -> list[Row]:
    """Read the rows out of an incident's entries; the two ends of one call or question make one row."""
    fold = _Fold()
    for entry in entries:
        fold.take(entry)
    return sorted(fold.rows, key=lambda row: (row.time, row.seq))


def waiting(entries: Iterable[Entry], now: datetime, people: Mapping[str, Person] | None = None) -> str | None:
    """Say for whom an incident waits, for what and how much longer; None when it waits for nobody."""
    known = list(entries)
    ended = ended_runs(known)
    gates = [gate for gate in fold_gates(known).values() if gate.decision is None and gate.run not in ended]
    if not gates:
        return None
    gate = gates[-1]
    answered = {who for who, vote in gate.standing().items() if vote.answer != "no"}
    names = [say_person(who, people) for who in gate.people if who not in answered and who != gate.requester]
    choices = " or ".join(f"`{choice.name}`" for choice in gate.plan.choices)
    left = gate.deadline - now
    rest = f"{say_duration(left)} left" if left > timedelta() else "the time to answer is over"
    return f"waiting for {' or '.join(names) or 'somebody'} to decide {choices}, {rest}"


def say_name(name: str) -> str:
    """Say the name of an action or look as words: `revert_release` is "Revert release"."""
    return name.replace("_", " ").replace("-", " ").strip().capitalize()


def say_person(who: str, people: Mapping[str, Person] | None) -> str:
    """Say who somebody is, for example "Ada Okafor (CTO)"; the short name where nothing more is known."""
    person = (people or {}).get(who)
    return f"{person.name} ({person.role})" if person else who


@dataclass(frozen=True, slots=True)
class _Told:
    lane: Lane
    title: str
    detail: str
    state: State = "info"


class _Fold:
    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.first: datetime | None = None
        self.open_calls: dict[tuple[str, str], int] = {}
        self.open_gates: dict[tuple[str, str], int] = {}
        self.needed: dict[tuple[str, str], int] = {}
        self.aside: set[str] = set()
        self.open_looks: dict[tuple[str, str], int] = {}

    def take(self, entry: Entry) -> None:
        self.first = self.first or entry.time
        kinds: dict[str, Callable[[Entry], object]] = {
            "intended": self._begin_call,
            **dict.fromkeys(("done", "none", "failed"), self._end_call),
            "looking": self._look,
            "seen": self._see,
            "asked": self._ask,
            "decided": self._decide,
            "voted": self._vote,
            "started": self._start,
            "ended": self._end,
        }
        kinds.get(entry.kind, self._tell)(entry)

    def _tell(self, entry: Entry) -> None:
        self._add(entry, _PLAIN.get(entry.kind, _unknown)(entry))
        if entry.kind == "put aside":
            self.aside.add(entry.run)

    def _start(self, entry: Entry) -> None:
        if entry.run in self.aside:
            self.aside.discard(entry.run)
            told = _Told("responder", f"Playbook {_text(entry, 'playbook')} went on", "")
            self._add(entry, told)
        else:
            self._tell(entry)

    def _end(self, entry: Entry) -> None:
        self._tell(entry)
        self._close_run(entry)

    def _vote(self, entry: Entry) -> None:
        if self.needed.get(_gate(entry), 1) != 1:  # where one answer decides, the decision's row says it
            self._tell(entry)

    def _look(self, entry: Entry) -> None:
        told = _Told("responder", say_name(_text(entry, "look")), _about(entry, "being looked at"), "wait")
        self.open_looks[entry.run, _text(entry, "look")] = self._add(entry, told)

    def _add(self, entry: Entry, told: _Told, seconds: float | None = None) -> int:
        first = self.first or entry.time
        begun = max(entry.time - timedelta(seconds=seconds or 0), first)
        self.rows.append(Row(entry.seq, begun, begun - first, told.lane, told.title, told.detail, seconds, told.state))
        return len(self.rows) - 1

    def _begin_call(self, entry: Entry) -> None:
        call = (entry.run, str(entry.body.get("call", "")))
        if call not in self.open_calls:  # a run that began again says its intention twice
            told = _Told("world", say_name(_text(entry, "action")), _about(entry, "being done"), "wait")
            self.open_calls[call] = self._add(entry, told)

    def _end_call(self, entry: Entry) -> None:
        state: State = {"done": "ok", "none": "info", "failed": "bad"}[entry.kind]  # type: ignore[assignment]
        says = {"done": "note", "none": "note", "failed": "error"}[entry.kind]
        prefix = "nothing to do: " if entry.kind == "none" else ""
        detail = _about(entry, prefix + _text(entry, says))
        index = self.open_calls.pop((entry.run, str(entry.body.get("call", ""))), None)
        if index is None:
            told = _Told("world", say_name(_text(entry, "action")), detail, state)
            self._add(entry, told, _seconds(entry))
            return
        taken = (entry.time - self.rows[index].time).total_seconds()
        self.rows[index] = replace(self.rows[index], detail=detail, seconds=taken, state=state)

    def _see(self, entry: Entry) -> None:
        index = self.open_looks.pop((entry.run, _text(entry, "look")), None)
        at = self._add(entry, _seen(entry), _seconds(entry))
        if index is not None:  # the row that said it was under way becomes the row of what was seen
            self.rows[index] = self.rows.pop(at)

    def _ask(self, entry: Entry) -> None:
        gate = _gate(entry)
        self._close_gate(gate, entry.time, "asked again, because the plan changed", "warn")
        self.needed[gate] = int(entry.body.get("needed", 1))
        title = str(entry.body.get("plan", {}).get("title", gate[1]))
        detail = f"waiting for {_list(entry.body.get('people', []))}"
        self.open_gates[gate] = self._add(entry, _Told("people", title, detail, "wait"))

    def _decide(self, entry: Entry) -> None:
        detail, state = _outcome(entry)
        if not self._close_gate(_gate(entry), entry.time, detail, state):
            self._add(entry, _Told("people", "Decision", detail, state))

    def _close_gate(self, gate: tuple[str, str], when: datetime, detail: str, state: State) -> bool:
        index = self.open_gates.pop(gate, None)
        if index is None:
            return False
        taken = (when - self.rows[index].time).total_seconds()
        self.rows[index] = replace(self.rows[index], detail=detail, seconds=taken, state=state)
        return True

    def _close_run(self, entry: Entry) -> None:
        for gate in [gate for gate in self.open_gates if gate[0] == entry.run]:
            self._close_gate(gate, entry.time, "the run ended before an answer came", "warn")
        begun = (self.open_calls, self.open_looks)
        for index in [where.pop(key) for where in begun for key in list(where) if key[0] == entry.run]:
            taken = (entry.time - self.rows[index].time).total_seconds()
            self.rows[index] = replace(
                self.rows[index], detail="not finished when the run ended", seconds=taken, state="warn"
            )


def _outcome(entry: Entry) -> tuple[str, State]:
    outcome, choice, by = _text(entry, "outcome"), _text(entry, "choice"), _list(entry.body.get("by", []))
    reason = f": {_text(entry, 'reason')}" if _text(entry, "reason") else ""
    part = entry.body.get("steps")
    if part is not None:
        choice = f"{choice}: step {' and '.join(str(int(number) + 1) for number in part)} alone"
    if outcome == "approved" and entry.body.get("glass"):
        return f"GLASS BROKEN: {by} approved `{choice}` without the decision makers{reason}", "warn"
    if outcome == "approved":
        return f"{by} approved `{choice}`{reason}", "ok"
    if outcome == "change asked":
        return f"{by} asked for another plan{reason}", "warn"
    if outcome == "declined":
        return f"{by} said no{reason}", "bad"
    if outcome == "silence: proceed":
        return f"no answer in time; as agreed beforehand, `{choice}` goes ahead", "warn"
    return "no answer in time; as agreed beforehand, nothing is done", "warn"


def _opened(entry: Entry) -> _Told:
    drill = "Drill opened" if entry.body.get("drill") else "Incident opened"
    return _Told("alert", f"{drill}: {_text(entry, 'service')}", _text(entry, "summary"))


def _alert(entry: Entry) -> _Told:
    labels = entry.body.get("labels") or {}
    name = str(labels.get("alertname") or _text(entry, "summary") or "alert")
    if _text(entry, "status") == "resolved":
        return _Told("alert", f"{name} resolved", "the sender sees no problem any more; we prove it ourselves")
    return _Told("alert", f"{name} fired", _text(entry, "summary"), "bad")


def _level(entry: Entry) -> _Told:
    return _Told("responder", f"Level: {Level(int(entry.body['level'])).title}", _text(entry, "because"), "warn")


def _started(entry: Entry) -> _Told:
    name, start = _text(entry, "playbook"), int(entry.body.get("start", 1))
    if start == 1:
        return _Told("responder", f"Playbook {name} began", "")
    return _Told("responder", f"Playbook {name} went on", f"start {start}, after its process was lost", "warn")


def _ended(entry: Entry) -> _Told:
    state: State = "ok" if _text(entry, "outcome") in (RECOVERED, TOLD) else "bad"
    return _Told("responder", f"Playbook ended: {_text(entry, 'outcome')}", _text(entry, "says"), state)


def _put_aside(entry: Entry) -> _Told:
    waits = "there is news" if entry.body.get("wakes_on") else "somebody answers"
    says = f"the process is free; it is back by {_text(entry, 'until')[:19]} UTC"
    return _Told("people", f"Put aside until {waits}", says)


def _seen(entry: Entry) -> _Told:
    state: State = "ok" if _text(entry, "look").startswith("verify") else "info"
    if entry.body.get("ok") is False:
        state = "bad"
    return _Told("responder", say_name(_text(entry, "look")), _about(entry, _text(entry, "says")), state)


_PLAIN: dict[str, Callable[[Entry], _Told]] = {
    "opened": _opened,
    "alert": _alert,
    "level": _level,
    "started": _started,
    "ended": _ended,
    "task closed": lambda e: _Told(
        "people", f"{e.actor} closed the task {_text(e, 'task')}", _text(e, "evidence"), "ok"
    ),
    "retrying": lambda e: _Told("world", f"Trying again: {say_name(_text(e, 'action'))}", _text(e, "error"), "warn"),
    "escalated": lambda e: _Told(
        "people", f"Also asked: {_list(e.body.get('people', []))}", _text(e, "because"), "warn"
    ),
    "put aside": _put_aside,
    STATED: lambda e: _Told(
        "people",
        f"{e.actor} stated: {_text(e, 'fact').replace('_', ' ')}",
        f"{say_value(e.body.get('value'), _text(e, 'zone') or 'UTC')}; {_text(e, 'evidence')}",
    ),
    WITHDRAWN: lambda e: _Told(
        "people", f"{e.actor} withdrew: {_text(e, 'fact').replace('_', ' ')}", _text(e, "because"), "warn"
    ),
    FILED: lambda e: _Told(
        "people", f"{e.actor} put on record: {_text(e, 'duty')} was filed", _text(e, "reference"), "ok"
    ),
    "reminded": lambda e: _Told("people", f"Reminder {e.body.get('number', '')}", "to everybody who has not answered"),
    "voted": lambda e: _Told("people", f"{e.actor} answered `{_text(e, 'answer')}`", _text(e, "reason"), "ok"),
    "vote refused": lambda e: _Told("people", "An answer did not count", _text(e, "because"), "warn"),
    "drifted": lambda e: _Told("people", "The situation changed: asking again", _text(e, "says"), "warn"),
    "note": lambda e: _Told("responder", "Note", _text(e, "says")),
}


def _unknown(entry: Entry) -> _Told:
    return _Told("responder", entry.kind.capitalize(), "")


def _gate(entry: Entry) -> tuple[str, str]:
    return entry.run, str(entry.body.get("gate", ""))


def _seconds(entry: Entry) -> float | None:
    value: Any = entry.body.get("seconds")
    return float(value) if isinstance(value, int | float) else None


def _text(entry: Entry, name: str) -> str:
    return str(entry.body.get(name) or "")


def _about(entry: Entry, says: str) -> str:
    target = _text(entry, "target")
    return ": ".join(part for part in (target if target not in says else "", says) if part)


def _list(people: Iterable[object]) -> str:
    return " and ".join(str(who) for who in people) or "nobody"
