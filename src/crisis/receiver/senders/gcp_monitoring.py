"""Google Cloud Monitoring, a webhook channel: it signs nothing, it shows a name and password, or its address."""

from crisis.receiver.senders.alert import Alert, Kind, Message, Reading
from crisis.receiver.senders.reading import SUMMARY, ignored, parse_object, said_alone, severity_of, shown, states

__all__ = ["KIND"]


def read(message: Message) -> Reading:
    """Read an incident that was opened or closed; user labels of the policy become labels."""
    incident = parse_object(message.raw).inside("incident")
    state = incident.text("state")
    status = states(state, ("open",), ("closed",))
    if not status:
        return ignored(f"the state {shown(state)} is neither open nor closed")
    severity, policy = incident.text("severity"), incident.text("policy_name")
    labels = incident.inside("policy_user_labels").said() | said_alone(
        alertname=policy,
        condition=incident.text("condition_name"),
        resource=incident.text("resource_name", "resource_display_name"),
        resource_type=incident.text("resource_type_display_name", "resource.type"),
        project=incident.text("scoping_project_id"),
        severity=severity,
    )
    alert = Alert(
        status=status,
        labels=labels,
        fingerprint=incident.text("incident_id"),
        starts_at=incident.time("started_at"),
        group_key=incident.text("incident_id"),
        receiver=incident.text("scoping_project_id"),
        summary=(incident.text("summary") or policy or "an incident at Google Cloud")[:SUMMARY],
        severity=severity_of(severity),
        service=labels.get("service", ""),
        url=incident.text("url"),
    )
    return Reading((alert,))


KIND = Kind(read)
