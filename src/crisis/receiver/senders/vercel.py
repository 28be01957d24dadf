"""Vercel: signs the body with HMAC-SHA1. Failed deployments, alerts and attacks."""

from crisis.receiver.senders.alert import Alert, Kind, Message, Reading
from crisis.receiver.senders.proof import signed
from crisis.receiver.senders.reading import SUMMARY, ignored, parse_object, said_alone, shown

__all__ = ["KIND"]

_NAMES = {"deployment.error": "DeploymentFailed", "alerts.triggered": "AlertTriggered", "firewall.attack": "Attack"}


def read(message: Message) -> Reading:
    """Read an event; previews carry the label `environment: preview`, so that a route can want production."""
    body = parse_object(message.raw)
    what, payload = body.text("type"), body.inside("payload")
    if what not in _NAMES:
        return ignored(f"{shown(what)} is no event that starts anything")
    deployment = payload.inside("deployment")
    project = payload.text("project.name") or deployment.text("name") or payload.text("name")
    labels = said_alone(
        alertname=_NAMES[what],
        event=what,
        project=project,
        project_id=payload.text("project.id", "projectId"),
        environment=payload.text("target") or ("preview" if what == "deployment.error" else ""),
        branch=deployment.text("meta.githubCommitRef", "meta.gitlabCommitRef", "meta.bitbucketCommitRef"),
        sha=deployment.text("meta.githubCommitSha", "meta.gitlabCommitSha", "meta.bitbucketCommitSha"),
    )
    key = deployment.text("id") or payload.text("alert.id", "id") or labels.get("project_id", "")
    alert = Alert(
        status="firing",
        labels=labels,
        fingerprint=key,
        starts_at=body.time("createdAt"),
        group_key=key,
        receiver=payload.text("team.id"),
        summary=f"{_NAMES[what]}: {project or 'a project'} at Vercel"[:SUMMARY],
        url=payload.text("links.deployment", "links.project"),
    )
    return Reading((alert,))


def delivery_id(message: Message) -> str:
    """Return the event's id, the same at every try, with its type."""
    body = parse_object(message.raw)
    return f"{body.text('id')} {body.text('type')}" if body.text("id") else ""


KIND = Kind(read, signed("x-vercel-signature", algorithm="sha1"), delivery_id=delivery_id)
