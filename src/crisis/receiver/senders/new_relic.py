"""New Relic, a workflow's webhook with the default template: it signs nothing, it shows a custom header."""

from crisis.receiver.senders.alert import Alert, Kind, Message, Reading
from crisis.receiver.senders.reading import ignored, parse_object, said_alone, severity_of, shown, states

__all__ = ["KIND"]


def read(message: Message) -> Reading:
    """Read an issue that was opened or closed."""
    body = parse_object(message.raw)
    state = body.text("state")
    status = states(state, ("created", "activated"), ("closed",))
    if not status:
        return ignored(f"the state {shown(state)} neither starts nor ends an issue")
    priority, key, title = body.text("priority"), body.text("id", "issueId"), body.text("title", "title.0")
    labels = said_alone(
        alertname=body.text("alertConditionNames.0", "alertConditionNames") or title,
        severity=priority,
        policy=body.text("alertPolicyNames.0", "alertPolicyNames"),
        entity=body.text("impactedEntities.0", "impactedEntities"),
        workflow=body.text("workflowName"),
        service=body.text("service"),
    )
    alert = Alert(
        status=status,
        labels=labels,
        fingerprint=key,
        starts_at=body.time("createdAt"),
        group_key=key,
        summary=title or "a New Relic issue",
        severity=severity_of(priority),
        service=labels.get("service", ""),
        url=body.text("issueUrl"),
    )
    return Reading((alert,))


KIND = Kind(read)
