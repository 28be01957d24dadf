"""Correlation: is an alert a new incident, part of one, or one that no remedy may start for. Pure rules over facts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from crisis.domain.alerting import Cause, Intake, Maintenance
from crisis.domain.clock import say_duration
from crisis.domain.entry import Entry
from crisis.domain.incident import RECOVERED, fold_incident, is_about_law, is_lasting
from crisis.domain.level import Level
from crisis.domain.start import HAND_OVER, Start, incident_id

__all__ = [
    "STORM_OVER",
    "Case",
    "Held",
    "Join",
    "Verdict",
    "cause_of",
    "fold_case",
    "judge",
    "still_firing",
    "storm_of",
]

STORM_OVER = "storm:over"
"""The key of the entry that says that a storm is over."""

MORE = "more:"
"""How the key of an entry begins that says that more alerts have joined than have an entry of their own."""

_SIGNS = ("opened", "alert", "started", "ended")
_ECHO = timedelta(seconds=60)
"""How long after an end an alert may still begin for what came before: scrapes, rules and windows lag."""

_AFTERMATH = timedelta(minutes=5)
PATIENCE = _AFTERMATH + timedelta(minutes=1)
"""How long an echo may take to be resolved. Alertmanager says so after `group_interval`, 5 min unless set."""


@dataclass(frozen=True, slots=True)
class Case:
    """
    An incident as these rules see it.

    `touched_at` is its last sign of life: opened, an alert, a start, an end. `changed` says when each action was last
    done. `alerts` counts the alerts in its chain, `services` are those that they are about. `wished` is the playbook
    that would have started, where it was handed to people.
    """

    incident: str
    service: str
    playbook: str
    level: Level
    opened_at: datetime
    touched_at: datetime
    ended_at: datetime | None = None
    outcome: str = ""
    measures: bool = False
    cause: str = ""
    storm: bool = False
    changed: Mapping[str, datetime] = field(default_factory=dict)
    alerts: int = 0
    services: frozenset[str] = frozenset()
    wished: str = ""

    @property
    def running(self) -> bool:
        """Whether a run is at work, or about to be."""
        return self.ended_at is None

    @property
    def recovered(self) -> bool:
        """Whether it is over and every proof held."""
        return not self.running and self.outcome == RECOVERED

    def is_open(self, moment: datetime, window: timedelta) -> bool:
        """Whether it is still somebody's: at work, contained and not recovered, or failed a short while ago."""
        return self.running or (not self.recovered and (self.measures or self.is_fresh(moment, window)))

    def is_fresh(self, moment: datetime, window: timedelta) -> bool:
        """Whether its last sign of life is no longer ago than a window."""
        return self.touched_at >= moment - window


@dataclass(frozen=True, slots=True)
class Join:
    """The alert belongs to an incident; `call` says why people must hear of it now, or nothing."""

    case: Case
    because: str
    call: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """It cannot be judged before a moment."""

    until: datetime
    because: str
    incident: str = ""


Verdict = Start | Join | Held
"""What becomes of an alert that fires: a new incident with its playbook, part of one, or to be judged later."""


def fold_case(incident: str, entries: list[Entry]) -> Case | None:
    """Read a case out of an incident's entries; None for one that nothing opened."""
    found = fold_incident(incident, entries)
    if found.opened_at is None or is_about_law(found):
        return None
    opened = next(entry for entry in entries if entry.kind == "opened")
    telling = [entry for entry in entries if not is_lasting(entry)]
    signs = [entry.time for entry in telling if entry.kind in _SIGNS or (entry.key or "").startswith(MORE)]
    return Case(
        incident=incident,
        service=found.service,
        playbook=found.playbook,
        level=found.level,
        opened_at=found.opened_at,
        touched_at=max(signs),
        ended_at=found.ended_at,
        outcome=found.outcome,
        measures=bool(found.measures),
        cause=str(opened.body.get("cause") or ""),
        storm=bool(opened.body.get("storm")) and not any(entry.key == STORM_OVER for entry in entries),
        changed={str(entry.body["action"]): entry.time for entry in entries if entry.kind == "done"},
        alerts=sum(entry.kind == "alert" for entry in entries),
        services=frozenset(str(entry.body["service"]) for entry in entries if entry.body.get("service")),
        wished=str(opened.body.get("wished") or ""),
    )


def cause_of(labels: Iterable[tuple[str, str]], causes: Iterable[Cause]) -> str:
    """Return the name of the first cause all of whose labels an alert carries, or nothing."""
    carried = set(labels)
    return next((one.name for one in causes if set(one.when.items()) <= carried), "")


def judge(
    wish: Start,
    cases: Iterable[Case],
    intake: Intake,
    windows: Iterable[Maintenance],
    *,
    starts_at: datetime,
    received: datetime,
    now: datetime,
    cause: str = "",
) -> Verdict:
    """
    Say what becomes of an alert that fires and that a route wants to start something for.

    In this order: planned work holds it; an open incident of its cause or service takes it in; a storm takes it in; an
    incident that has just recovered may explain it, and holds it; a service that cools down, or a playbook that has
    started too often, is handed to people; else its playbook starts. One that stands apart goes past planned work,
    storms, echoes and cool-downs: an attacker who comes again is none of our own maintenance page.
    """
    known = list(cases)
    apart = wish.playbook in intake.apart
    until = max((end for one in windows if one.service == wish.service and (end := one.until(now))), default=None)
    if until is not None and not apart:
        return Held(until, f"planned work on {wish.service} until {until:%Y-%m-%d %H:%M} UTC")
    joined = _joined(wish, known, intake, received, cause)
    if joined is not None:
        return joined
    storm = next((case for case in known if case.storm), None)
    if storm is not None and not apart:
        return Join(storm, "a storm of alerts is on: no remedy starts", why_call(wish, storm, intake, received))
    alike = [case for case in known if (case.service, case.playbook) == (wish.service, wish.playbook)]
    over = None if apart else _echoed(alike, starts_at, received)
    if over is not None and over.ended_at is not None and now <= over.ended_at + PATIENCE:
        return Held(over.ended_at + PATIENCE, f"may be an echo of {over.incident}", over.incident)
    too_much = _cooling(wish, known, intake, now) or _flapping(alike, wish, intake, now)
    return replace(wish, playbook=HAND_OVER, summary=f"{too_much}: {wish.summary}"[:300]) if too_much else wish


def storm_of(groups: int, intake: Intake, wish: Start, seed: str, when: datetime) -> Start:
    """Return the one start of a storm: people are told, and nothing else."""
    per = say_duration(intake.storm.per)
    says = f"alert storm: {groups} groups within {per}; no remedy starts by itself until it is calm: {wish.summary}"
    return replace(wish, playbook=HAND_OVER, summary=says[:300], incident=incident_id(f"storm|{seed}", when))


def still_firing(wish: Start, case: Case, received: datetime) -> Start | None:
    """Return what starts for an alert that fires on although its incident has recovered: people are told; or None."""
    if not case.recovered or case.ended_at is None or received <= case.ended_at + PATIENCE:
        return None
    ago = say_duration(received - case.ended_at)
    says = f"still fires {ago} after {case.incident} has recovered, as we saw it: {wish.summary}"
    # Named after the incident: all its alerts that fire on are one.
    named = incident_id(f"still|{case.incident}", case.ended_at)
    return replace(wish, playbook=HAND_OVER, summary=says[:300], incident=named)


def _joined(wish: Start, known: list[Case], intake: Intake, received: datetime, cause: str) -> Join | None:
    for case in sorted(known, key=lambda one: (one.running, one.touched_at), reverse=True):
        if case.storm or not case.is_open(received, intake.window):
            continue
        because = _why_one(wish, case, intake, received, cause)
        if because:
            return Join(case, because, why_call(wish, case, intake, received))
    return None


def _why_one(wish: Start, case: Case, intake: Intake, received: datetime, cause: str) -> str:
    alike = wish.playbook in (case.playbook, case.wished)
    if not alike and {wish.playbook, case.playbook, case.wished} & set(intake.apart):
        return ""
    if cause and case.cause == cause:
        return f"one cause: {cause}"
    if case.service != wish.service:
        return ""
    if alike or case.playbook == HAND_OVER:
        return f"{case.service} is in {'the hands of people' if case.playbook == HAND_OVER else 'its hands'}"
    fresh = case.is_fresh(received, intake.window)
    return f"{case.service} has trouble already: {wish.playbook} does not start beside it" if fresh else ""


def why_call(wish: Start, case: Case, intake: Intake, received: datetime) -> str:
    """Say why people must hear now of an alert that joins, or nothing."""
    if wish.level < case.level:
        return f"raised to {wish.level.title}"
    if not case.running and not case.is_fresh(received, intake.window):
        return f"quiet for {say_duration(received - case.touched_at)}, still not recovered, and alerts again"
    return ""


def _echoed(alike: list[Case], starts_at: datetime, received: datetime) -> Case | None:
    """
    Return the incident that has recovered but may explain this alert: it began before the end or just after it.

    Our own maintenance page makes journeys fail, and senders report that late. Whether it was an echo shows only
    when it resolves.
    """
    ends = [(one.ended_at, one.incident, one) for one in alike if one.ended_at is not None and one.recovered]
    if not ends:
        return None
    ended_at, _, over = max(ends, key=lambda end: end[:2])
    return over if received <= ended_at + _AFTERMATH and starts_at <= ended_at + _ECHO else None


def _cooling(wish: Start, known: list[Case], intake: Intake, now: datetime) -> str:
    rule = intake.cool_down
    mine = [case for case in known if case.service == wish.service and wish.playbook not in intake.apart]
    done = [(case.changed[name], name) for case in mine for name in rule.after if name in case.changed]
    last, name = max(done, default=(None, ""))
    if last is None or now > last + rule.lasts:
        return ""
    ago, lasts = say_duration(now - last), say_duration(rule.lasts)
    return f"{name} was done {ago} ago and {wish.service} fails again; no second remedy within {lasts}"


def _flapping(alike: list[Case], wish: Start, intake: Intake, now: datetime) -> str:
    rule = intake.flapping
    lately = sum(case.opened_at > now - rule.per for case in alike)
    if lately < rule.runs:
        return ""
    per = say_duration(rule.per)
    return f"{wish.playbook} started {lately} times for {wish.service} within {per}; a human must look"
