"""Recording: what alerts leave in the chains of incidents, bounded however many come."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from crisis.domain.clock import parse_time, write_time
from crisis.domain.correlation import MORE, cause_of
from crisis.domain.level import Level
from crisis.domain.start import HAND_OVER, Start
from crisis.journal.inbox import Delivery
from crisis.journal.store import AlreadyRecordedError
from crisis.receiver.context import Context
from crisis.receiver.routing import carried, fingerprint_of, name_of
from crisis.receiver.senders.alert import Alert

__all__ = ["INBOX_CHAIN", "Record", "alert_entry", "once"]

INBOX_CHAIN = "INBOX"
"""The chain that notes the deliveries which started nothing."""

_LABELS, _LABEL = 64, 500
_IN_CHAIN = 50
"""Alerts of an incident that get an entry of their own. The others are counted there, and stand in the inbox."""


class Record:
    """Writes what the alerts of one transaction mean, and keeps the cases up to date with it."""

    def __init__(self, context: Context, now: datetime) -> None:
        self.context, self.cases, self.now = context, context.cases, now
        self._overfull = set[str]()

    def open(self, delivery: Delivery, alert: Alert, start: Start, wished: str, *, storm: bool) -> None:
        """Open an incident; `wished` is the playbook that the alert's route asks for."""
        body: dict[str, Any] = {"service": start.service, "summary": start.summary, "playbook": start.playbook}
        body |= {"source": start.source, "requester": "", "delivery": delivery.delivery}
        body |= {"drill": self.context.settings.drill}
        cause = cause_of(carried(alert), self.context.protocol.intake.causes)
        instead = wished if start.playbook == HAND_OVER != wished else ""
        more = (("cause", cause), ("storm", storm), ("wished", instead))
        body |= {name: value for name, value in more if value}
        once(self.context, start.incident, "opened", delivery.sender, body, key="opened")
        because = f"the route of {delivery.sender} for {name_of(alert)} says so"
        level = {"level": int(start.level), "because": because}
        once(self.context, start.incident, "level", "responder", level, key="level:1")
        self.add(start.incident, delivery, alert, start.service)
        self.cases.opened(start.incident)

    def add(self, incident: str, delivery: Delivery, alert: Alert, service: str, because: str = "") -> None:
        """Put an alert into the chain of its incident; from the 51st on it is counted there, once a minute."""
        case = self.cases.get(incident)
        if case is not None and case.alerts >= _IN_CHAIN and service in case.services:
            if incident not in self._overfull:
                self._overfull.add(incident)
                says = f"more alerts than {_IN_CHAIN} have joined; they are listed in the inbox"
                key = f"{MORE}{self.now:%Y-%m-%dT%H:%M}"
                once(self.context, incident, "note", delivery.sender, {"says": says}, key=key)
            return
        starts_at = write_time(alert.starts_at or parse_time(delivery.received))
        labels = {name[:_LABEL]: value[:_LABEL] for name, value in sorted(alert.labels.items())[:_LABELS]}
        body: dict[str, Any] = {"sender": delivery.sender, "delivery": delivery.delivery, "status": alert.status}
        body |= {"labels": labels, "starts_at": starts_at, "summary": alert.summary, "service": service}
        body |= {"because": because} if because else {}
        new = once(self.context, incident, "alert", delivery.sender, body, key=alert_entry(delivery, alert))
        if new and case is not None:
            known = case.services | {service}
            self.cases.changed(replace(case, alerts=case.alerts + 1, touched_at=self.now, services=known))

    def raised(self, incident: str, delivery: Delivery, alert: Alert, level: Level) -> None:
        """Raise the level of an incident to that of an alert that shows more."""
        because = f"{name_of(alert)} of {delivery.sender} shows more than was known"
        body = {"level": int(level), "because": because}
        once(self.context, incident, "level", "responder", body, key=f"level:{int(level)}:alert")

    def lacks(self, delivery: Delivery, notes: tuple[str, ...]) -> None:
        """Note what a delivery lacks that was read all the same."""
        says = f"a delivery of {delivery.sender} was read, but: {'; '.join(notes[:5])}"
        self._note(delivery, "lacks", says)

    def ignored(self, delivery: Delivery, says: str) -> None:
        """Note that a delivery started nothing, and why: once a day for each reason, each delivery has it as well."""
        self._note(delivery, "ignored", f"a delivery of {delivery.sender} started nothing: {says}")

    def _note(self, delivery: Delivery, kind: str, says: str) -> None:
        digest = sha256(says.encode("utf-8", "replace")).hexdigest()[:16]
        body = {"says": says, "delivery": delivery.delivery}
        key = f"{kind}:{self.now:%Y-%m-%d}:{digest}"
        once(self.context, INBOX_CHAIN, "note", delivery.sender, body, key=key)


def alert_entry(delivery: Delivery, alert: Alert) -> str:
    """Return the key of an alert's entry in the chain of its incident."""
    began = write_time(alert.starts_at) if alert.starts_at else delivery.delivery[:16]
    return f"alert:{fingerprint_of(alert)}:{began}" + ("" if alert.firing else ":resolved")


def once(context: Context, incident: str, kind: str, actor: str, body: Mapping[str, Any], *, key: str) -> bool:
    """Record something under a key; False when it stands there already."""
    try:
        context.journal.append(incident, kind, actor, body, key=key)
    except AlreadyRecordedError:
        return False
    return True
