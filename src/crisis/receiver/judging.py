"""Judging: what the alerts of some deliveries mean, in one transaction. The rules are those of correlation."""

import hashlib
import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from crisis.domain.clock import parse_time, utc_now, write_time
from crisis.domain.correlation import Held, Join, cause_of, judge, still_firing, storm_of, why_call
from crisis.domain.start import HAND_OVER, Start, incident_id
from crisis.errors import JournalError
from crisis.journal.inbox import HELD, JOINED, NEW, OPENED, Delivery, Settled
from crisis.journal.sightings import Sighting, alert_key, source_key
from crisis.receiver.afterwards import health_check
from crisis.receiver.context import Context
from crisis.receiver.copied import original_of
from crisis.receiver.recording import Record, alert_entry
from crisis.receiver.routing import Ignored, carried, fingerprint_of, name_of, route
from crisis.receiver.senders.alert import Alert, Reading
from crisis.receiver.senders.registry import kind_named
from crisis.receiver.settling import LOOK_AGAIN, Outcome, settle

__all__ = ["BROKEN", "DAMAGE", "Judging", "group_of"]

BROKEN = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RuntimeError)
"""What may come of a record that was changed behind our back, or of an alert like no other."""

DAMAGE = (JournalError, *BROKEN)
"""The same, or a store that is away."""

_LOG = logging.getLogger(__name__)
_BY_HAND = "start it by hand if it must run"


@dataclass(frozen=True, slots=True)
class _News:
    """An alert of a delivery, what its route wants, and by what it is known."""

    delivery: Delivery
    alert: Alert
    wish: Start
    received: datetime
    source: str
    began: str
    key: str

    @classmethod
    def of(cls, delivery: Delivery, alert: Alert, wish: Start) -> "_News":
        source = source_key(delivery.sender, fingerprint_of(alert))
        began = write_time(alert.starts_at) if alert.starts_at else ""
        key = alert_key(source, began, wish.playbook, wish.service)
        return cls(delivery, alert, wish, parse_time(delivery.received), source, began, key)


class Judging:
    """One transaction's work: what is known is read once, and what is found out is written at its end."""

    def __init__(self, context: Context, readings: Iterable[tuple[Delivery, Reading]]) -> None:
        self.context, self.cases, self.now = context, context.cases, utc_now()
        self.intake = context.protocol.intake
        self.cases.look()
        self.record = Record(context, self.now)
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
        self.settled: dict[str, Settled] = {}
        self.resolved: dict[str, str] = {}
        self.starts: list[Start] = []

    def take(self, delivery: Delivery, reading: Reading, waits: str) -> None:
        """Judge one delivery."""
        outcome = Outcome(waits=waits)
        self._judge_all(delivery, reading, outcome)
        self.settled[delivery.delivery] = settle(self.record, delivery, reading, outcome)
        self.seen |= outcome.seen
        self.kept |= outcome.seen
        self.starts += outcome.starts

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
            again = self.now + LOOK_AGAIN
            self.settled[delivery.delivery] = Settled(delivery.delivery, HELD, says, again=again)

    def finish(self) -> list[Start]:
        """Write what was found out, and have health checked where the last alert has resolved."""
        self.context.sightings.keep(self.kept.values())
        for incident, name in self.resolved.items():
            check = self._check(incident, name)
            if check is not None and name in self.settled:
                told = self.settled[name]
                wanted = json.dumps([*json.loads(told.starts or "[]"), check.as_json()])
                state = OPENED if told.state == JOINED else told.state
                self.settled[name] = replace(told, state=state, starts=wanted)
                self.starts.append(check)
        self.context.inbox.settle_all(self.settled.values())
        return self.starts

    def _judge_all(self, delivery: Delivery, reading: Reading, outcome: Outcome) -> None:
        dated = [replace(one, starts_at=one.starts_at or parse_time(delivery.received)) for one in reading.alerts]
        wishes = [route(self.context.protocol, delivery.sender, one) for one in dated]
        judged = list(zip(reading.alerts, wishes, strict=True))
        # The worst first, so that what it opens is not raised a moment later.
        judged.sort(key=lambda one: one[1].level if isinstance(one[1], Start) else 0)
        for alert, wish in judged:
            if isinstance(wish, Ignored):
                outcome.ignored.append(wish.because)
            elif alert.firing:
                self._firing(_News.of(delivery, alert, wish), outcome)
            else:
                self._resolved(_News.of(delivery, alert, wish), outcome)

    def _firing(self, news: _News, outcome: Outcome) -> None:
        seen = outcome.seen.get(news.key) or self.seen.get(news.key)
        wish = news.wish if seen is None else self._unless_known(news, seen, outcome)
        if wish is None:
            return
        verdict = judge(
            wish,
            self.cases.all(),
            self.intake,
            self.context.protocol.maintenance,
            starts_at=news.alert.starts_at or news.received,
            received=news.received,
            now=self.now,
            cause=cause_of(carried(news.alert), self.intake.causes),
        )
        holder = ""
        if isinstance(verdict, Held):
            into, holder = verdict.incident, news.delivery.delivery
            outcome.held.append(verdict)
            if into:
                self.record.add(into, news.delivery, news.alert, wish.service)
            if seen is not None and seen.delivery != holder:
                outcome.seen[news.key] = replace(seen, resolved="", held=holder)  # it stays where it was known
                return
        elif isinstance(verdict, Join):
            self._count(news)
            into = self._join(news, wish, verdict, outcome)
        else:
            into = self._start(news, wish, verdict, self._count(news), outcome)
        at = write_time(self.now)
        name = news.delivery.delivery
        # At once: the same delivery may go on to say that it is over.
        self.by_source.setdefault(news.source, {})[news.key] = None
        outcome.seen[news.key] = Sighting(news.key, news.source, news.began, into, name, at, held=holder)

    def _count(self, news: _News) -> int:
        """Count a group towards a storm when it comes, not when it is looked at again; return how many there are."""
        storm, group = self.context.storm, group_of(news.delivery.sender, news.alert)
        return storm.saw(group, news.received) if news.delivery.state == NEW else storm.groups

    def _unless_known(self, news: _News, seen: Sighting, outcome: Outcome) -> Start | None:
        """Deal with an alert that was seen before, and return None; or return what is to be judged for it."""
        if seen.held and not (seen.held == news.delivery.delivery != seen.delivery and seen.firing):
            return self._while_held(news, seen, outcome)
        case = self.cases.get(seen.incident)
        if case is None:
            return self._unreadable(news, seen)
        # A copy of an old delivery tells of the old firing, also where nothing says when that was.
        timeless = not news.began and not original_of(news.delivery)
        if timeless and (case.recovered or not seen.firing):
            return news.wish  # nothing tells this firing from the last, and that one is over
        if not case.recovered:
            outcome.seen[news.key] = replace(seen, resolved="", held="")
            call = why_call(news.wish, case, self.intake, news.received)
            if call:
                self._join(news, news.wish, Join(case, "it is known already", call), outcome)
            else:
                outcome.joined.append(case.incident)
            return None
        rule = self.context.protocol.alerts[news.delivery.sender]
        repeats = kind_named(rule.kind_as(news.delivery.sender)).repeats and not original_of(news.delivery)
        still = still_firing(news.wish, case, news.received) if repeats else None
        if still is None:
            outcome.ignored.append(f"{case.incident}, which took this alert in, is over; {_BY_HAND}")
        return still

    def _while_held(self, news: _News, seen: Sighting, outcome: Outcome) -> Start | None:
        mine = seen.held == news.delivery.delivery
        if mine and not seen.firing:
            outcome.seen[news.key] = replace(seen, held="")
            if seen.incident:
                outcome.joined.append(seen.incident)
            else:
                outcome.ignored.append("it was resolved while it was held")
            return None
        if not mine and seen.firing and self._is_holding(seen.held):
            outcome.ignored.append("an earlier delivery of this alert is held, and speaks for it")
            return None
        return news.wish

    def _is_holding(self, name: str) -> bool:
        if name in self.settled:
            return self.settled[name].state == HELD
        holder = self.context.inbox.get(name, body=False)
        return holder is not None and holder.state == HELD

    def _unreadable(self, news: _News, seen: Sighting) -> Start:
        """Hand an alert to people whose incident is damaged: nobody knows what has been done for it already."""
        if seen.incident not in self.cases.unreadable:
            return news.wish
        says = f"{seen.incident}, which took this alert in, cannot be read; see `crisis verify`: {news.wish.summary}"
        named = incident_id(f"unreadable|{seen.incident}", news.received)
        return replace(news.wish, playbook=HAND_OVER, summary=says[:300], incident=named)

    def _start(self, news: _News, wish: Start, start: Start, groups: int, outcome: Outcome) -> str:
        storm = self.context.storm.is_excess(groups) and wish.playbook not in self.intake.apart
        if storm:
            start = storm_of(groups, self.intake, start, news.delivery.delivery, news.received)
        there = self.cases.get(start.incident)
        if there is not None and not there.running:
            entry = alert_entry(news.delivery, news.alert)
            if self.context.journal.recorded(there.incident, entry) is not None:
                outcome.ignored.append(f"{there.incident}, which this alert opened, is over; {_BY_HAND}")
                return there.incident
            # Another alert of the same group and moment has come and gone: this one is new all the same.
            named = incident_id(f"{start.incident}|{news.key}", news.received)
            start, there = replace(start, incident=named), self.cases.get(named)
        if there is not None:
            self.record.add(there.incident, news.delivery, news.alert, wish.service)
            outcome.joined.append(there.incident)
            return there.incident
        self.record.open(news.delivery, news.alert, start, news.wish.playbook, storm=storm)
        outcome.starts.append(start)
        return start.incident

    def _join(self, news: _News, wish: Start, verdict: Join, outcome: Outcome) -> str:
        case = verdict.case
        self.record.add(case.incident, news.delivery, news.alert, wish.service, verdict.because)
        case = self.cases.get(case.incident) or case
        if wish.level < case.level:
            self.record.raised(case.incident, news.delivery, news.alert, wish.level)
            case = replace(case, level=wish.level)
        self.cases.changed(replace(case, touched_at=self.now))
        if verdict.call:
            says, part = f"{verdict.call}: {news.alert.summary}"[:300], f"call-{news.delivery.delivery[:12]}"
            call = Start(HAND_OVER, case.service, says, case.incident, case.level, wish.source, part=part)
            outcome.starts.append(call)
        outcome.joined.append(case.incident)
        return case.incident

    def _resolved(self, news: _News, outcome: Outcome) -> None:
        """Note that a sender sees no problem any more. It closes nothing; the last one starts our own look."""
        known = [outcome.seen.get(name) or self.seen.get(name) for name in self.by_source.get(news.source, ())]
        mine = [one for one in known if one and one.firing and (not news.began or one.began in ("", news.began))]
        if original_of(news.delivery):
            mine = [one for one in mine if self._is_as_old(one, original_of(news.delivery))]
        for one in mine:
            outcome.seen[one.alert] = replace(one, resolved=write_time(self.now))
        incidents = list(dict.fromkeys(one.incident for one in mine if one.incident))
        if not mine:
            running = [case for case in self.cases.all() if case.running and not case.storm]
            alike = (news.wish.service, news.wish.playbook)
            incidents = [one.incident for one in running if (one.service, one.playbook) == alike][-1:]
        for incident in incidents:
            self.record.add(incident, news.delivery, news.alert, news.wish.service)
            outcome.joined.append(incident)
            self.resolved[incident] = news.delivery.delivery
        if not incidents:
            because = "and its incident has not been opened: it was held" if mine else "and no incident is open for it"
            outcome.ignored.append(f"the alert {name_of(news.alert)} is resolved, {because}")

    def _is_as_old(self, seen: Sighting, original: str) -> bool:
        """Say whether a firing was there when a delivery came: what was over then says nothing of what began since."""
        told = self.context.inbox.get(original, body=False)
        return told is not None and (seen.began or seen.seen) <= told.received

    def _check(self, incident: str, delivery: str) -> Start | None:
        """Return our own look at health, once the last alert of an incident that nobody drives has resolved."""
        case = self.cases.get(incident)
        if case is None or case.running or case.recovered or self.context.sightings.firing(incident):
            return None
        return health_check(case, delivery)


def group_of(sender: str, alert: Alert) -> str:
    """Name the group of an alert, as a storm counts them; sibling routes of one sender share its group key."""
    # A hash, because a hundred thousand are remembered, and a sender may make them as long as a body.
    name = f"{sender}|{alert.receiver}|{alert.group_key or fingerprint_of(alert)}"
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()
