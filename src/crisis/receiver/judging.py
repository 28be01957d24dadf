"""Judging: what the alerts of some deliveries mean, in one transaction. What an incident does is the rules' to say."""

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from crisis.domain.clock import parse_time, utc_now, write_time
from crisis.domain.correlation import Case, Held, Join, cause_of, judge, still_firing, storm_of
from crisis.domain.start import CHECK_HEALTH, HAND_OVER, Start
from crisis.errors import JournalError
from crisis.journal.inbox import HELD, IGNORED, JOINED, OPENED, Delivery, Settled
from crisis.journal.sightings import Sighting, alert_key, source_key
from crisis.journal.store import AlreadyRecordedError
from crisis.receiver.context import Context
from crisis.receiver.copied import original_of
from crisis.receiver.routing import Ignored, carried, fingerprint_of, name_of, route
from crisis.receiver.senders.alert import Alert, Reading
from crisis.receiver.senders.registry import kind_named

__all__ = ["DAMAGE", "INBOX_CHAIN", "Judging", "group_of", "once"]

INBOX_CHAIN = "INBOX"
"""The chain that notes the deliveries which started nothing."""

_LOG = logging.getLogger(__name__)
_LABELS, _LABEL = 64, 500
_IN_CHAIN = 50
"""Alerts of an incident that get an entry of their own. The others are counted there, and stand in the inbox."""

DAMAGE = (JournalError, LookupError, TypeError, ValueError)
"""What may come of a record that was changed behind our back, or of a store that is away."""

_LOOK_AGAIN = timedelta(seconds=5)
_BY_HAND = "start it by hand if it must run"


@dataclass
class _Outcome:
    starts: list[Start] = field(default_factory=list)
    joined: list[str] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    seen: dict[str, Sighting] = field(default_factory=dict)
    waits: str = ""


class Judging:
    """One transaction's work: what is known is read once, and what is found out is written at its end."""

    def __init__(self, context: Context, readings: Iterable[tuple[Delivery, Reading]]) -> None:
        self.context, self.cases, self.now = context, context.cases, utc_now()
        self.cases.look()
        sources = {
            source_key(delivery.sender, fingerprint_of(alert))
            for delivery, reading in readings
            for alert in reading.alerts
        }
        self.seen = {one.alert: one for one in context.sightings.of_sources(sources)}
        self.by_source: dict[str, dict[str, None]] = {}
        for one in self.seen.values():
            self.by_source.setdefault(one.source, {})[one.alert] = None
        self.kept: dict[str, Sighting] = {}
        self.settled: list[Settled] = []
        self.starts: list[Start] = []
        self.overfull = set[str]()

    def take(self, delivery: Delivery, reading: Reading, waits: str) -> None:
        """Judge one delivery."""
        outcome = _Outcome(waits=waits)
        self._judge_all(delivery, reading, outcome)
        self.settled.append(self._settle(delivery, reading, outcome))
        self.seen |= outcome.seen
        self.kept |= outcome.seen
        self.starts += outcome.starts
        for one in outcome.seen.values():
            self.by_source.setdefault(one.source, {})[one.alert] = None

    def take_with_care(self, delivery: Delivery, reading: Reading, waits: str) -> None:
        """Judge one delivery; what breaks on the way takes back what it alone has written."""
        try:
            with self.context.journal.database.writing():
                self.take(delivery, reading, waits)
        except DAMAGE as error:
            # A damaged chain that it belongs to, or a store in trouble: then the end of the transaction fails as well.
            self.cases.forget()
            self.cases.look()
            says = f"cannot be judged yet ({type(error).__name__}): is tried again; see what `crisis verify` finds"
            _LOG.error("delivery %s of %s %s", delivery.delivery, delivery.sender, says)
            self.settled.append(Settled(delivery.delivery, HELD, says, again=self.now + _LOOK_AGAIN))

    def finish(self) -> list[Start]:
        """Write what was found out."""
        self.context.sightings.keep(self.kept.values())
        self.context.inbox.settle_all(self.settled)
        return self.starts

    def _judge_all(self, delivery: Delivery, reading: Reading, outcome: _Outcome) -> None:
        judged = [
            (alert, route(self.context.protocol, delivery.sender, _dated(alert, delivery))) for alert in reading.alerts
        ]
        # The worst first, so that what it opens is not raised a moment later.
        judged.sort(key=lambda one: one[1].level if isinstance(one[1], Start) else 0)
        for alert, wish in judged:
            if isinstance(wish, Ignored):
                outcome.ignored.append(wish.because)
            elif alert.firing:
                self._firing(delivery, alert, wish, outcome)
            else:
                self._resolved(delivery, alert, wish, outcome)

    def _firing(self, delivery: Delivery, alert: Alert, wish: Start, outcome: _Outcome) -> None:
        source = source_key(delivery.sender, fingerprint_of(alert))
        began = write_time(alert.starts_at) if alert.starts_at else ""
        key = alert_key(source, began, wish.playbook, wish.service)
        seen = outcome.seen.get(key) or self.seen.get(key)
        # A copy of an old delivery tells of the old firing, also where nothing says when that was.
        timeless = not began and not original_of(delivery)
        if seen is not None and self._is_known(delivery, alert, wish, seen, outcome, timeless=timeless):
            return
        received = parse_time(delivery.received)
        groups = self.context.storm.saw(group_of(delivery.sender, alert), received)
        verdict = judge(
            wish,
            self.cases.all(),
            self.context.protocol.intake,
            self.context.protocol.maintenance,
            starts_at=alert.starts_at or received,
            received=received,
            now=self.now,
            cause=cause_of(carried(alert), self.context.protocol.intake.causes),
        )
        if isinstance(verdict, Start):
            into = self._start(delivery, alert, verdict, groups, outcome)
        elif isinstance(verdict, Join):
            into = self._join(delivery, alert, wish, verdict, outcome)
        else:
            into = verdict.incident
            outcome.held.append(verdict)
            if into:
                self._add(into, delivery, alert)
        if into is not None:
            outcome.seen[key] = Sighting(key, source, began, into, delivery.delivery, write_time(self.now))

    def _is_known(
        self, delivery: Delivery, alert: Alert, wish: Start, seen: Sighting, outcome: _Outcome, *, timeless: bool
    ) -> bool:
        """Deal with an alert that was seen before; False when it must be judged: it was held, or fires anew."""
        case = self.cases.get(seen.incident)
        if delivery.state == HELD:
            return self._was_held(seen, case, outcome)
        if case is None:
            # Held by another delivery, which speaks for both; one whose case is gone is judged anew.
            held = not seen.incident and seen.firing
            outcome.ignored += ["an earlier delivery of this alert is held, and speaks for it"] if held else []
            return held
        is_open = case.is_open(parse_time(delivery.received), self.context.protocol.intake.window)
        if timeless and not (is_open and seen.firing):
            return False  # nothing tells this firing from the last, and that one is over
        if is_open:
            outcome.seen[seen.alert] = replace(seen, resolved="")
            outcome.joined.append(seen.incident)
        elif not self._fires_on(delivery, alert, wish, seen, case, outcome):
            outcome.ignored.append(f"{seen.incident}, which took this alert in, is over; {_BY_HAND}")
        return True

    def _fires_on(
        self, delivery: Delivery, alert: Alert, wish: Start, seen: Sighting, case: Case, outcome: _Outcome
    ) -> bool:
        """Hand an alert to people whose sender repeats it long after we saw a recovery; False when that is not so."""
        rule = self.context.protocol.alerts[delivery.sender]
        repeats = kind_named(rule.kind_as(delivery.sender)).repeats and not original_of(delivery)
        start = still_firing(wish, case, seen.alert, parse_time(delivery.received)) if repeats else None
        if start is not None:
            self._open(delivery, alert, start, storm=False)
            outcome.starts.append(start)
            outcome.seen[seen.alert] = replace(seen.into(start.incident), resolved="")
        return start is not None

    def _was_held(self, seen: Sighting, case: Case | None, outcome: _Outcome) -> bool:
        if seen.firing:
            return False
        if case is not None:
            outcome.joined.append(seen.incident)
        else:
            outcome.ignored.append("it was resolved while it was held")
        return True

    def _start(self, delivery: Delivery, alert: Alert, wish: Start, groups: int, outcome: _Outcome) -> str | None:
        storm = self.context.storm.is_excess(groups)
        if storm:
            wish = storm_of(
                groups, self.context.protocol.intake, wish, delivery.delivery, parse_time(delivery.received)
            )
        there = self.cases.get(wish.incident)
        if there is not None and not there.running:
            outcome.ignored.append(
                f"{wish.incident}, which this alert opened, is over; start it by hand if it must run"
            )
            return None
        if there is None:
            self._open(delivery, alert, wish, storm=storm)
            outcome.starts.append(wish)
        else:
            self._add(wish.incident, delivery, alert)
            outcome.joined.append(wish.incident)
        return wish.incident

    def _open(self, delivery: Delivery, alert: Alert, wish: Start, *, storm: bool) -> None:
        context = self.context
        body: dict[str, Any] = {"service": wish.service, "summary": wish.summary, "playbook": wish.playbook}
        body |= {"source": wish.source, "requester": "", "delivery": delivery.delivery, "drill": context.settings.drill}
        cause = cause_of(carried(alert), context.protocol.intake.causes)
        body |= {name: value for name, value in (("cause", cause), ("storm", storm)) if value}
        once(context, wish.incident, "opened", delivery.sender, body, key="opened")
        because = f"the route of {delivery.sender} for {name_of(alert)} says so"
        body = {"level": int(wish.level), "because": because}
        once(context, wish.incident, "level", "responder", body, key="level:1")
        self._add(wish.incident, delivery, alert)
        self.cases.opened(wish.incident)

    def _join(self, delivery: Delivery, alert: Alert, wish: Start, verdict: Join, outcome: _Outcome) -> str:
        case = verdict.case
        self._add(case.incident, delivery, alert, verdict.because)
        case = self.cases.get(case.incident) or case
        if wish.level < case.level:
            because = f"{name_of(alert)} of {delivery.sender} shows more than was known"
            body = {"level": int(wish.level), "because": because}
            once(self.context, case.incident, "level", "responder", body, key=f"level:{int(wish.level)}:alert")
            case = replace(case, level=wish.level)
        self.cases.changed(replace(case, touched_at=self.now))
        if verdict.call:
            says = f"{verdict.call}: {alert.summary}"[:300]
            part = f"call-{delivery.delivery[:12]}"
            call = Start(HAND_OVER, case.service, says, case.incident, case.level, wish.source, part=part)
            outcome.starts.append(call)
        outcome.joined.append(case.incident)
        return case.incident

    def _resolved(self, delivery: Delivery, alert: Alert, wish: Start, outcome: _Outcome) -> None:
        """Note that a sender sees no problem any more. It closes nothing; the last one starts our own look."""
        source = source_key(delivery.sender, fingerprint_of(alert))
        began = write_time(alert.starts_at) if alert.starts_at else ""
        known = [outcome.seen.get(name) or self.seen.get(name) for name in self.by_source.get(source, ())]
        mine = [one for one in known if one and one.firing and (not began or one.began in ("", began))]
        for one in mine:
            outcome.seen[one.alert] = replace(one, resolved=write_time(self.now))
        incidents = list(dict.fromkeys(one.incident for one in mine if one.incident))
        if not mine:
            running = [case for case in self.cases.all() if case.running and not case.storm]
            fit = [one.incident for one in running if (one.service, one.playbook) == (wish.service, wish.playbook)]
            incidents = fit[-1:]
        for incident in incidents:
            self._add(incident, delivery, alert)
            outcome.joined.append(incident)
            self._check(delivery, wish, incident, outcome)
        if not incidents:
            because = "and its incident has not been opened: it was held" if mine else "and no incident is open for it"
            outcome.ignored.append(f"the alert {name_of(alert)} is resolved, {because}")

    def _check(self, delivery: Delivery, wish: Start, incident: str, outcome: _Outcome) -> None:
        """Start our own look at health, once the last alert of an incident that nobody drives has resolved."""
        case = self.cases.get(incident)
        if case is None or case.running or case.recovered:
            return
        now_over = {one.alert for one in outcome.seen.values() if one.incident == incident and not one.firing}
        waiting = self.kept | outcome.seen
        unwritten = {one.alert for one in waiting.values() if one.incident == incident and one.firing}
        if unwritten or self.context.sightings.firing(incident, besides=now_over | set(self.kept)):
            return
        says = f"every alert of {incident} has resolved: is {wish.service} healthy?"
        part = f"{wish.service}-{delivery.delivery[:12]}"
        outcome.starts.append(Start(CHECK_HEALTH, wish.service, says, incident, case.level, wish.source, part=part))

    def _add(self, incident: str, delivery: Delivery, alert: Alert, because: str = "") -> None:
        """Put an alert into the chain of its incident; from the 51st on it is counted there, once a minute."""
        case = self.cases.get(incident)
        if case is not None and case.alerts >= _IN_CHAIN:
            if incident not in self.overfull:
                self.overfull.add(incident)
                says = f"more alerts than {_IN_CHAIN} have joined; they are listed in the inbox"
                key = f"more:{self.now:%Y-%m-%dT%H:%M}"
                once(self.context, incident, "note", delivery.sender, {"says": says}, key=key)
            return
        starts_at = write_time(alert.starts_at or parse_time(delivery.received))
        labels = {name[:_LABEL]: value[:_LABEL] for name, value in sorted(alert.labels.items())[:_LABELS]}
        body: dict[str, Any] = {"sender": delivery.sender, "delivery": delivery.delivery, "status": alert.status}
        body |= {"labels": labels, "starts_at": starts_at, "summary": alert.summary}
        body |= {"because": because} if because else {}
        key = f"alert:{fingerprint_of(alert)}:{starts_at if alert.starts_at else delivery.delivery[:16]}"
        key += "" if alert.firing else ":resolved"
        if once(self.context, incident, "alert", delivery.sender, body, key=key) and case is not None:
            self.cases.changed(replace(case, alerts=case.alerts + 1, touched_at=self.now))

    def _settle(self, delivery: Delivery, reading: Reading, outcome: _Outcome) -> Settled:
        name, starts = (
            delivery.delivery,
            json.dumps([one.as_json() for one in outcome.starts]) if outcome.starts else "",
        )
        if outcome.waits:
            return Settled(name, HELD, f"is tried again soon: {outcome.waits}", again=self.now + _LOOK_AGAIN)
        into = [*(one.incident for one in outcome.starts), *outcome.joined, *(one.incident for one in outcome.held)]
        incident = next(filter(None, into), "")
        if outcome.starts or outcome.joined:
            self._note_lacks(delivery, reading)
        if outcome.held:
            says = f"held: {', '.join(dict.fromkeys(one.because for one in outcome.held))}"
            says += "; opens an incident if it does not resolve"
            soon = self.now + _LOOK_AGAIN
            again = min(one.until if not one.incident else min(one.until, soon) for one in outcome.held)
            return Settled(name, HELD, says, incident, max(again, self.now), starts)
        if outcome.starts:
            says = f"opens {', '.join(dict.fromkeys(one.incident for one in outcome.starts))}"
            return Settled(name, OPENED, says, incident, starts=starts)
        if outcome.joined:
            return Settled(name, JOINED, f"belongs to {', '.join(dict.fromkeys(outcome.joined))}", incident)
        says = "; ".join(list(dict.fromkeys(outcome.ignored + list(reading.notes)))[:5]) or "it holds no alert"
        body = {"says": f"a delivery of {delivery.sender} started nothing: {says}", "delivery": name}
        once(self.context, INBOX_CHAIN, "note", delivery.sender, body, key=f"ignored:{name}")
        return Settled(name, IGNORED, says)

    def _note_lacks(self, delivery: Delivery, reading: Reading) -> None:
        if reading.notes:
            says = f"a delivery of {delivery.sender} was read, but: {'; '.join(reading.notes[:5])}"
            body = {"says": says, "delivery": delivery.delivery}
            once(self.context, INBOX_CHAIN, "note", delivery.sender, body, key=f"lacks:{delivery.delivery}")


def _dated(alert: Alert, delivery: Delivery) -> Alert:
    return replace(alert, starts_at=alert.starts_at or parse_time(delivery.received))


def group_of(sender: str, alert: Alert) -> str:
    """Name the group of an alert, as a storm counts them; sibling routes of one sender share its group key."""
    return f"{sender}|{alert.receiver}|{alert.group_key or fingerprint_of(alert)}"


def once(context: Context, incident: str, kind: str, actor: str, body: Mapping[str, Any], *, key: str) -> bool:
    """Record something under a key; False when it stands there already."""
    try:
        context.journal.append(incident, kind, actor, body, key=key)
    except AlreadyRecordedError:
        return False
    return True
