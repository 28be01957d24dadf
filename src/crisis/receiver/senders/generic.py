"""Generic: anybody who posts JSON; protocol.yaml says where the fields stand, and which secret is shown."""

from crisis.domain.alerting import AlertFields
from crisis.receiver.senders.alert import Alert, Kind, Message, Reading
from crisis.receiver.senders.reading import SUMMARY, Fields, ignored, parse_object, said_alone, severity_of, shown

__all__ = ["KIND", "read_by_fields"]


def read(message: Message) -> Reading:
    """Read one alert by the paths of protocol.yaml."""
    rule = message.rule.fields if message.rule else None
    body = parse_object(message.raw)
    if rule is None:
        return ignored("protocol.yaml does not say where its fields stand")
    return read_by_fields(body, rule, body.said())


def read_by_fields(body: Fields, rule: AlertFields, labels: dict[str, str]) -> Reading:
    """Read one alert; plain values at the top of the body are labels too."""
    state = body.text(rule.state)
    if not state:
        return ignored(f"it says no state: nothing stands at {rule.state}")
    word = state.casefold()
    firing = word in [one.casefold() for one in rule.firing]
    if not firing and rule.resolved and word not in [one.casefold() for one in rule.resolved]:
        return ignored(f"the state {shown(state)} neither starts nor ends an alert")
    severity, service, key = (body.text(path) if path else "" for path in (rule.severity, rule.service, rule.key))
    summary = body.text(rule.summary) if rule.summary else ""
    more = {name: body.text(path) for name, path in rule.labels.items()}
    labels = labels | said_alone(state=state, severity=severity, service=service) | said_alone(**more)
    alert = Alert(
        status="firing" if firing else "resolved",
        labels=labels,
        fingerprint=key,
        starts_at=body.time(rule.started) if rule.started else None,
        group_key=key,
        summary=summary[:SUMMARY] or labels.get("alertname", "an alert"),
        severity=severity_of(severity),
        service=service,
    )
    return Reading((alert,))


KIND = Kind(read)
