"""Sentry, an internal integration's webhooks: signs the body with HMAC-SHA256 and the client secret."""

from crisis.receiver.senders.alert import Alert, Kind, Message, Reading
from crisis.receiver.senders.proof import signed
from crisis.receiver.senders.reading import Fields, ignored, parse_object, said_alone, severity_of, shown, states

__all__ = ["KIND"]


def read(message: Message) -> Reading:
    """Read an issue, a metric alert or an issue alert (`event_alert`)."""
    body = parse_object(message.raw)
    action, data = body.text("action"), body.inside("data")
    said = message.headers.get("sentry-hook-resource", "")
    # The header is not signed: it only counts where the body, which is, has what it announces.
    kinds = {"issue": (_issue, "issue"), "metric_alert": (_metric, "metric_alert"), "event_alert": (_event, "event")}
    fitting = [one for one, (_, place) in kinds.items() if said in ("", one) and data.inside(place).data]
    if not fitting:
        return ignored(f"{shown(said)} is no issue, metric alert or issue alert")
    found = kinds[fitting[0]][0](action, data)
    return Reading((found,)) if found else ignored(f"{fitting[0]} {shown(action)} neither starts nor ends anything")


def _issue(action: str, data: Fields) -> Alert | None:
    status = states(action, ("created", "unresolved"), ("resolved",))
    issue = data.inside("issue")
    level, title = issue.text("level"), issue.text("title")
    labels = said_alone(
        alertname=issue.text("metadata.type") or title,
        resource="issue",
        project=issue.text("project.slug"),
        severity=level,
        level=level,
        platform=issue.text("platform"),
        substatus=issue.text("substatus"),
        issue=issue.text("shortId"),
    )
    alert = _alert(status, labels, issue.text("id"), title)
    return alert(issue, "firstSeen", "permalink", severity_of(level)) if status else None


def _metric(action: str, data: Fields) -> Alert | None:
    status = states(action, ("critical", "warning", "open"), ("resolved",))
    metric = data.inside("metric_alert")
    name = metric.text("alert_rule.name")
    labels = said_alone(
        alertname=name,
        resource="metric_alert",
        project=metric.text("projects.0"),
        environment=metric.text("alert_rule.environment"),
        severity=action if action != "resolved" else "",
        query=metric.text("alert_rule.query"),
    )
    alert = _alert(status, labels, metric.text("id"), data.text("description_title") or name)
    grade = severity_of(labels.get("severity", ""))
    return alert(Fields({**metric.data, "web_url": data.at("web_url")}), "date_started", "web_url", grade) if status else None


def _event(action: str, data: Fields) -> Alert | None:
    status = states(action, ("triggered",), ())
    event = data.inside("event")
    level, title = event.text("level"), event.text("title", "message")
    pairs = event.at("tags")
    tags = dict(pair for pair in pairs if _is_pair(pair)) if isinstance(pairs, list) else {}
    labels = said_alone(
        alertname=data.text("triggered_rule") or title,
        resource="event_alert",
        project=event.text("project"),
        environment=event.text("environment") or tags.get("environment", ""),
        severity=level,
        level=level,
    )
    alert = _alert(status, labels, event.text("issue_id", "event_id"), title)
    return alert(event, "datetime", "web_url", severity_of(level)) if status else None
