"""AWS EventBridge, an API destination: its connection shows a header, or a name and password. It signs nothing."""

from crisis.receiver.senders.alert import Alert, Kind, Message, Reading
from crisis.receiver.senders.reading import (
    SUMMARY,
    Fields,
    ignored,
    parse_object,
    said_alone,
    severity_of,
    shown,
    states,
)

__all__ = ["KIND", "read_event"]

_GRADES = ((9.0, "critical"), (7.0, "error"), (4.0, "warning"), (0.0, "info"))
"""GuardDuty's severities: critical from 9, high from 7, medium from 4."""


def read(message: Message) -> Reading:
    """Read an event."""
    return read_event(parse_object(message.raw))


def read_event(event: Fields) -> Reading:
    """Read a GuardDuty finding, a CloudWatch alarm, or any other event as a firing alert."""
    if not event.text("detail-type"):
        return ignored("it has no detail-type: send the matched event as it is, without an input transformer")
    if event.text("source") == "aws.guardduty" and _is_sample(event.inside("detail")):
        return ignored("a sample finding of GuardDuty never starts anything")
    status = "firing"
    if event.text("detail-type") == "CloudWatch Alarm State Change":
        state = event.text("detail.state.value")
        status = states(state, ("alarm",), ("ok",))
        if not status:
            return ignored(f"the state {shown(state)} is neither ALARM nor OK")
    return Reading((_alert(event, status),))


def _alert(event: Fields, status: str) -> Alert:
    detail, what = event.inside("detail"), event.text("detail-type")
    severity = detail.text("severity")
    labels = said_alone(
        alertname=detail.text("alarmName", "type", "eventName") or what,
        detail_type=what,
        source=event.text("source"),
        account=event.text("account"),
        region=event.text("region"),
        severity=severity,
        service=detail.text("service") or detail.text("tags.service"),
        state=detail.text("state.value", "state"),
    )
    alarm = detail.text("alarmName")
    key = f"{event.text('account')}:{event.text('region')}:{alarm}" if alarm else detail.text("id") or event.text("id")
    began = detail.time("createdAt", "state.timestamp") or event.time("time")
    return Alert(
        status=status,
        labels=labels,
        annotations=said_alone(description=detail.text("description")),
        fingerprint=key,
        starts_at=began if status == "firing" else None,
        group_key=key,
        summary=(detail.text("title") or detail.text("state.reason") or what)[:SUMMARY],
        severity=_grade(severity),
        service=labels.get("service", ""),
    )


def _is_sample(finding: Fields) -> bool:
    """Say whether GuardDuty made this finding up on request; it is written in more than one way."""
    more = finding.inside("service.additionalInfo")
    told = [more.text("sample")]
    if isinstance(inner := more.at("value"), str):
        try:
            told.append(parse_object(inner.encode("utf-8", "replace")).text("sample"))
        except ValueError:
            told.append("")
    return "true" in [one.lower() for one in told] or finding.text("title").upper().startswith("[SAMPLE]")


def _grade(severity: str) -> str:
    try:
        number = float(severity)
    except ValueError:
        return severity_of(severity)
    return next((word for least, word in _GRADES if number >= least), "")


def delivery_id(message: Message) -> str:
    """Return the event's id, the same at every try."""
    return parse_object(message.raw).text("id")


KIND = Kind(read, delivery_id=delivery_id)
