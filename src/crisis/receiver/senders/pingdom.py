"""Pingdom: it signs nothing, it shows its address alone."""

from crisis.receiver.senders.alert import Alert, Kind, Message, Reading
from crisis.receiver.senders.reading import (
    SUMMARY,
    ignored,
    parse_object,
    said_alone,
    severity_of,
    shown,
    states,
    tags_of,
)

__all__ = ["KIND"]


def read(message: Message) -> Reading:
    """Read a check that went down or up."""
    body = parse_object(message.raw)
    state = body.text("current_state")
    status = states(state, ("down", "failing"), ("up", "success"))
    if not status:
        return ignored(f"the state {shown(state)} is neither DOWN nor UP")
    name, importance, key = body.text("check_name"), body.text("importance_level"), body.text("check_id")
    tags = tags_of(body.at("tags"))
    labels = tags | said_alone(
        alertname=name,
        check=name,
        check_type=body.text("check_type"),
        severity=importance,
        host=body.text("check_params.hostname"),
    )
    details = body.text("long_description", "description")
    alert = Alert(
        status=status,
        labels=labels,
        annotations=said_alone(description=details),
        fingerprint=key,
        # The time of a change to UP does not say when the trouble began.
        starts_at=body.time("state_changed_timestamp") if status == "firing" else None,
        group_key=key,
        summary=": ".join(part for part in (name or "a check", details) if part)[:SUMMARY],
        severity=severity_of(importance),
        service=tags.get("service", ""),
        url=body.text("check_params.full_url"),
    )
    return Reading((alert,))


KIND = Kind(read)
