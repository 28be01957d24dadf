"""Azure Monitor, an action group's webhook with the common schema: it can show a secret in its address alone."""

from crisis.receiver.senders.alert import Alert, Kind, Message, Reading
from crisis.receiver.senders.reading import SUMMARY, ignored, parse_object, said_alone, severity_of, shown, states

__all__ = ["KIND"]


def read(message: Message) -> Reading:
    """Read an alert that fired or was resolved; custom properties of the rule become labels."""
    body = parse_object(message.raw)
    if body.text("schemaId") != "azureMonitorCommonAlertSchema":
        return ignored("it is not of the common alert schema: switch that on in the action group")
    said = body.inside("data.essentials")
    condition = said.text("monitorCondition")
    status = states(condition, ("fired",), ("resolved",))
    if not status:
        return ignored(f"the condition {shown(condition)} is neither Fired nor Resolved")
    severity, rule, target = said.text("severity"), said.text("alertRule"), said.text("configurationItems.0")
    labels = body.inside("data.customProperties").said() | said_alone(
        alertname=rule,
        severity=severity,
        target=target,
        signal=said.text("signalType"),
        monitor=said.text("monitoringService"),
    )
    alert = Alert(
        status=status,
        labels=labels,
        annotations=said_alone(description=said.text("description")),
        fingerprint=said.text("alertId"),
        starts_at=said.time("firedDateTime"),
        group_key=said.text("alertId"),
        summary=(said.text("description") or f"{rule or 'an alert'} on {target or 'Azure'}")[:SUMMARY],
        severity=severity_of(severity),
        service=labels.get("service", ""),
    )
    return Reading((alert,))


KIND = Kind(read)
