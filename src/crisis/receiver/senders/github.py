"""GitHub: signs the body with HMAC-SHA256. Failed deployments and workflows, and secrets found in code."""

from collections.abc import Callable

from crisis.receiver.asking.github import github
from crisis.receiver.senders.alert import Alert, Kind, Message, Reading
from crisis.receiver.senders.proof import signed
from crisis.receiver.senders.reading import SUMMARY, Fields, ignored, parse_object, said_alone, shown, states

__all__ = ["KIND"]

_FAILED = ("failure", "timed_out", "startup_failure")


def read(message: Message) -> Reading:
    """Read one of the three events that may start something; all others are ignored by name."""
    body = parse_object(message.raw)
    said = message.headers.get("x-github-event", "")
    # The header is not signed: it only counts where the body, which is, has what it announces.
    fitting = [one for one, (place, _) in _EVENTS.items() if said in ("", one) and body.inside(place).data]
    if not fitting:
        return ignored(f"the event {shown(said)} is not one that starts anything")
    found = _EVENTS[fitting[0]][1](body)
    return Reading((found,)) if isinstance(found, Alert) else ignored(found)


def _deployment(body: Fields) -> Alert | str:
    status, deployment = body.inside("deployment_status"), body.inside("deployment")
    state = status.text("state")
    if state not in ("failure", "error"):
        return f"a deployment that is {shown(state)} is no failure"
    repo, place = body.text("repository.full_name"), status.text("environment") or deployment.text("environment")
    labels = said_alone(
        alertname="DeploymentFailed",
        event="deployment_status",
        repo=repo,
        environment=place,
        state=state,
        ref=deployment.text("ref"),
        sha=deployment.text("sha"),
        task=deployment.text("task"),
    )
    key = f"deployment-{deployment.text('id')}" if deployment.text("id") else ""
    summary = f"the deployment of {repo} to {place} ended in {state}"[:SUMMARY]
    link = status.text("log_url", "target_url")
    began = status.time("created_at") or deployment.time("created_at")
    return Alert("firing", labels, {}, key, began, key, repo, summary, url=link)


def _workflow(body: Fields) -> Alert | str:
    run, repo = body.inside("workflow_run"), body.text("repository.full_name")
    conclusion = run.text("conclusion")
    if body.text("action") != "completed" or conclusion not in _FAILED:
        return f"a workflow that is {shown(conclusion or body.text('action'))} is no failure"
    name = run.text("name") or body.text("workflow.name") or run.text("path")
    labels = said_alone(
        alertname="WorkflowFailed",
        event="workflow_run",
        repo=repo,
        workflow=name,
        branch=run.text("head_branch"),
        conclusion=conclusion,
        trigger=run.text("event"),
        sha=run.text("head_sha"),
    )
    key = f"run-{run.text('id')}-{run.text('run_attempt') or '1'}" if run.text("id") else ""
    summary = f"the workflow {name} of {repo} ended in {conclusion}"[:SUMMARY]
    began = run.time("run_started_at", "created_at")
    return Alert("firing", labels, {}, key, began, key, repo, summary, url=run.text("html_url"))


def _secret(body: Fields) -> Alert | str:
    found, action, repo = body.inside("alert"), body.text("action"), body.text("repository.full_name")
    status = states(action, ("created", "reopened", "publicly_leaked"), ("resolved",))
    if not status:
        return f"a secret scanning alert that was {shown(action)} neither starts nor ends anything"
    kind = found.text("secret_type_display_name", "secret_type")
    # The secret itself is not read, even where GitHub sends it.
    labels = said_alone(
        alertname="SecretFound",
        event="secret_scanning_alert",
        repo=repo,
        secret_type=found.text("secret_type"),
        validity=found.text("validity"),
        public=found.text("publicly_leaked"),
        visibility=body.text("repository.visibility"),
    )
    key = f"{repo}-secret-{found.text('number')}" if found.text("number") else ""
    summary = f"a secret ({kind or 'of unknown type'}) stands in {repo}"[:SUMMARY]
    return Alert(status, labels, {}, key, found.time("created_at"), key, repo, summary, url=found.text("html_url"))


_EVENTS: dict[str, tuple[str, Callable[[Fields], Alert | str]]] = {
    "deployment_status": ("deployment_status", _deployment),
    "workflow_run": ("workflow_run", _workflow),
    "secret_scanning_alert": ("alert", _secret),
}

KIND = Kind(read, signed("x-hub-signature-256", prefix="sha256="), headers=("x-github-event",), asker=github())
