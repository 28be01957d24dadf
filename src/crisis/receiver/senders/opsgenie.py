"""Opsgenie, and its successor in Jira Service Management: it signs nothing, it shows a custom header."""

from crisis.receiver.senders.alert import Alert, Kind, Message, Reading
from crisis.receiver.senders.reading import ignored, parse_object, said_alone, severity_of, shown, states, tags_of

__all__ = ["KIND", "read"]


def read(message: Message) -> Reading:
    """Read an alert that was created or closed."""
    body = parse_object(message.raw)
    action, alert = body.text("action"), body.inside("alert")
    status = states(action, ("create",), ("close", "delete"))
    if not status:
        return ignored(f"the action {shown(action)} neither starts nor ends an alert")
    priority = alert.text("priority")
    priority = f"P{priority}" if priority in ("1", "2", "3", "4", "5") else priority
    tags = tags_of(alert.at("tags"))
    title = alert.text("message")
    labels = tags | said_alone(
        alertname=title, severity=priority, priority=priority, entity=alert.text("entity"), source=alert.text("source")
    )
    found = Alert(
        status=status,
        labels=labels,
        annotations=said_alone(description=alert.text("description")),
        fingerprint=alert.text("alias", "alertId"),
        starts_at=alert.time("createdAt"),
        group_key=alert.text("alias", "alertId"),
        receiver=body.text("integrationId"),
        summary=title or "an Opsgenie alert",
        severity=severity_of(priority),
        service=tags.get("service", ""),
    )
    return Reading((found,))


KIND = Kind(read)
