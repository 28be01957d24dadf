"""UptimeRobot: it signs nothing, it shows a custom header or its address; the body is the template of its user."""

from crisis.receiver.senders.alert import Alert, Kind, Message, Reading
from crisis.receiver.senders.reading import SUMMARY, ignored, parse_form, said_alone, shown

__all__ = ["KIND"]

_DOWN, _UP = "1", "2"


def read(message: Message) -> Reading:
    """Read a monitor that is down or up, in JSON or as a form, with the variables' names in either spelling."""
    body = parse_form(message.raw)
    what = body.text("alertType", "alert_type")
    if what not in (_DOWN, _UP):
        return ignored(f"the alert type {shown(what)} is neither 1 (down) nor 2 (up)")
    name = body.text("monitorFriendlyName", "monitor_friendly_name")
    link = body.text("monitorURL", "monitor_url")
    key = body.text("monitorID", "monitor_id") or link or name
    labels = said_alone(
        alertname=body.text("alertTypeFriendlyName", "alert_type_friendly_name") or ("Down" if what == _DOWN else "Up"),
        monitor=name,
        monitor_id=body.text("monitorID", "monitor_id"),
        address=link,
        service=body.text("service"),
    )
    details = body.text("alertDetails", "alert_details")
    alert = Alert(
        status="firing" if what == _DOWN else "resolved",
        labels=labels,
        annotations=said_alone(description=details),
        fingerprint=key,
        starts_at=body.time("alertDateTime", "alert_date_time", "alert_datetime") if what == _DOWN else None,
        group_key=key,
        summary=": ".join(part for part in (name or "a monitor", details) if part)[:SUMMARY],
        service=labels.get("service", ""),
        url=link,
    )
    return Reading((alert,))


KIND = Kind(read)
