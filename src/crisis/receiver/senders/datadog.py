"""Datadog: it signs nothing, it shows a custom header; the body is the template of our how-to page."""

import re

from crisis.receiver.senders.alert import Alert, Kind, Message, Reading
from crisis.receiver.senders.reading import (
    Fields,
    ignored,
    parse_object,
    said_alone,
    severity_of,
    shown,
    states,
    tags_of,
)

__all__ = ["KIND"]

_VARIABLE = re.compile(r"\$[A-Z_]+")
_FIRING = ("triggered", "re-triggered", "warn", "re-warn")


def read(message: Message) -> Reading:
    """Read a monitor's transition; a monitor without data is neither well nor ill."""
    body = _rendered(parse_object(message.raw))
    transition = body.text("transition")
    status = states(transition, _FIRING, ("recovered",))
    if not status:
        return ignored(f"the transition {shown(transition)} neither starts nor ends an alert")
    warns = transition.casefold().endswith("warn")
    tags, priority, title = tags_of(body.at("tags")), body.text("priority"), body.text("title")
    labels = tags | said_alone(
        alertname=title,
        monitor=body.text("alert_id"),
        severity="warning" if warns else priority or body.text("type"),
        priority=priority,
        transition=transition,
        metric=body.text("metric"),
        host=body.text("host"),
        scope=body.text("scope"),
        event_type=body.text("event_type"),
    )
    alert = Alert(
        status=status,
        labels=labels,
        annotations=said_alone(description=body.text("body"), status=body.text("status")),
        fingerprint=body.text("alert_cycle_key", "aggreg_key", "alert_id"),
        # `date` is that of this event: of a recovery it does not say when the trouble began.
        starts_at=body.time("date") if status == "firing" else None,
        group_key=body.text("alert_cycle_key", "aggreg_key"),
        receiver=body.text("org.id"),
        summary=title or "a Datadog monitor",
        severity=severity_of(labels.get("severity", ""), body.text("type")),
        service=tags.get("service", ""),
        url=body.text("link"),
    )
    return Reading((alert,))


def _rendered(body: Fields) -> Fields:
    """Leave out the variables that Datadog had nothing for, and so sent as they are."""
    data = body.data.items()
    return Fields({name: "" if isinstance(one, str) and _VARIABLE.fullmatch(one) else one for name, one in data})


KIND = Kind(read)
