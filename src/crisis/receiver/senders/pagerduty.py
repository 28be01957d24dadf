"""PagerDuty, webhooks V3: signs the body with HMAC-SHA256, several signatures during a rotation."""

from crisis.receiver.senders.alert import Alert, Kind, Message, Reading
from crisis.receiver.senders.proof import signed
from crisis.receiver.senders.reading import ignored, parse_object, said_alone, severity_of, shown

__all__ = ["KIND"]

_FIRING = ("incident.triggered", "incident.reopened")


def read(message: Message) -> Reading:
    """Read an event of an incident; all but triggered, reopened and resolved are of no interest."""
    event = parse_object(message.raw).inside("event")
    what, incident = event.text("event_type"), event.inside("data")
    if what not in (*_FIRING, "incident.resolved"):
        return ignored(f"{shown(what)} is no event that starts or ends anything")
    firing = what in _FIRING
    priority, urgency = incident.text("priority.summary"), incident.text("urgency")
    title, service = incident.text("title"), incident.text("service.summary")
    labels = said_alone(
        alertname=title,
        event=what,
        service=service,
        service_id=incident.text("service.id"),
        severity=priority or urgency,
        priority=priority,
        urgency=urgency,
        team=incident.text("teams.0.summary"),
    )
    alert = Alert(
        status="firing" if firing else "resolved",
        labels=labels,
        annotations={},
        fingerprint=incident.text("id", "incident_key"),
        # Old subscriptions leave created_at out; the time of a later event is not when it began.
        starts_at=incident.time("created_at") or (event.time("occurred_at") if firing else None),
        group_key=incident.text("id"),
        receiver="",
        summary=title or "a PagerDuty incident",
        severity=severity_of(priority, urgency),
        service=service,
        url=incident.text("html_url"),
    )
    return Reading((alert,))


def delivery_id(message: Message) -> str:
    """Return the event's id, the same at every try."""
    return parse_object(message.raw).text("event.id")


KIND = Kind(read, signed("x-pagerduty-signature", prefix="v1="), delivery_id=delivery_id)
