"""Sentry, an internal integration's webhooks: signs the body with HMAC-SHA256 and the client secret."""

from datetime import datetime

from crisis.receiver.asking.sentry import sentry
from crisis.receiver.senders.alert import Alert, Kind, Message, Reading
from crisis.receiver.senders.proof import signed
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
    key, link = issue.text("id"), issue.text("web_url", "permalink")
    return _alert(status, labels, key, issue.time("firstSeen"), title, link) if status else None


def _metric(action: str, data: Fields) -> Alert | None:
    status = states(action, ("critical", "warning", "open"), ("resolved",))
    metric = data.inside("metric_alert")
    labels = said_alone(
        alertname=metric.text("alert_rule.name"),
        resource="metric_alert",
        project=metric.text("projects.0"),
        environment=metric.text("alert_rule.environment"),
        severity=action if status == "firing" else "",
        query=metric.text("alert_rule.query"),
    )
    title = data.text("description_title") or metric.text("alert_rule.name", "title")
    key, began = metric.text("id"), metric.time("date_started")
    return _alert(status, labels, key, began, title, data.text("web_url")) if status else None


def _event(action: str, data: Fields) -> Alert | None:
    event = data.inside("event")
    level, title = event.text("level"), event.text("title", "message")
    labels = said_alone(
        alertname=data.text("triggered_rule") or title,
        resource="event_alert",
        project=event.text("project"),
        environment=event.text("environment"),
        severity=level,
        level=level,
        platform=event.text("platform"),
    )
    key, began = event.text("issue_id", "event_id"), event.time("datetime")
    return _alert("firing", labels, key, began, title, event.text("web_url")) if action == "triggered" else None


def _alert(status: str, labels: dict[str, str], key: str, began: datetime | None, title: str, link: str) -> Alert:
    # An issue, an incident and an event may have the same number.
    key = f"{labels['resource']}-{key}" if key else ""
    summary = title[:SUMMARY] or "a Sentry alert"
    grade = severity_of(labels.get("severity", ""))
    return Alert(status, labels, {}, key, began, key, "", summary, severity=grade, url=link)


KIND = Kind(read, signed("sentry-hook-signature"), headers=("sentry-hook-resource",), asker=sentry())
