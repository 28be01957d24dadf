"""CloudEvents 1.0 over HTTP, in one body or with `ce-` headers: it signs nothing, it shows a secret."""

from urllib.parse import unquote

from crisis.domain.alerting import AlertFields
from crisis.receiver.senders.alert import Kind, Message, Reading
from crisis.receiver.senders.generic import read_by_fields
from crisis.receiver.senders.reading import MOST_ALERTS, Fields, ignored, parse, said_alone, shown, text_of

__all__ = ["KIND"]

_DEFAULT = AlertFields(
    state="data.status", firing=("firing", "triggered", "open", "down", "critical", "error"), key="subject",
    severity="data.severity", service="data.service", started="time", summary="data.summary",
)  # fmt: skip
_BATCH = "application/cloudevents-batch"


def read(message: Message) -> Reading:
    """Read an event, or a batch of them, by the paths of protocol.yaml, or by those that are usual."""
    events = _events(message)
    found = [_read(event, message) for event in events[:MOST_ALERTS]]
    alerts = tuple(alert for reading in found for alert in reading.alerts)
    notes = tuple(dict.fromkeys(note for reading in found for note in reading.notes))
    left = len(events) - len(found)
    return Reading(alerts, (*notes, f"{left} events of the batch were not read: send fewer at once") if left else notes)


def _events(message: Message) -> list[Fields]:
    body = parse(message.raw) if message.raw.strip() else None
    if "ce-type" in message.headers:  # binary mode: the headers are the event, the body is its data
        attributes = {
            name.removeprefix("ce-"): text_of(unquote(value, errors="replace"))
            for name, value in message.headers.items()
            if name.startswith("ce-")
        }
        return [Fields({**attributes, "data": body})]
    if isinstance(body, list) and message.headers.get("content-type", "").startswith(_BATCH):
        return [Fields(one) for one in body if isinstance(one, dict)]
    if not isinstance(body, dict):
        raise ValueError("the body is no JSON object")  # noqa: TRY004 - one kind of error for one kind of trouble
    return [Fields(body)]


def _read(event: Fields, message: Message) -> Reading:
    version = event.text("specversion")
    if version != "1.0":
        return ignored(f"the specversion {shown(version)} is not 1.0")
    what, source = event.text("type"), event.text("source")
    rule = (message.rule.fields if message.rule else None) or _DEFAULT
    if rule is _DEFAULT and not event.text(rule.state):
        return ignored("it says no state: nothing stands at data.status; say in `fields` where it does")
    labels = event.inside("data").said() | event.said() | said_alone(alertname=what, event=what, source=source)
    return read_by_fields(event, rule, labels)


def delivery_id(message: Message) -> str:
    """Return source and id, which the standard says are unique together; a batch has none of its own."""
    events = _events(message)
    source, name = events[0].text("source") if events else "", events[0].text("id") if events else ""
    return f"{source} {name}" if len(events) == 1 and source and name else ""


KIND = Kind(read, headers=("ce-", "content-type"), delivery_id=delivery_id)
