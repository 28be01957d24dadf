"""From a sender's delivery to an incident: labels of any sender route, and what is missing is noted."""

import json
from typing import Any

from crisis.journal.inbox import Delivery
from crisis.receiver.context import Context
from crisis.receiver.dispatch import handle
from crisis.receiver.recording import INBOX_CHAIN
from tests.receiver.senders.conftest import Receive

ROUTES = [{"when": {"alertname": "DeploymentFailed", "environment": "production"}, "start": "bad-deploy",
           "service": "shop"}]  # fmt: skip


def put(context: Context, sender: str, body: Any, name: str = "d1", **headers: str) -> Delivery:
    """Keep a delivery, and take it out as the responder does."""
    kept = {key.replace("_", "-"): value for key, value in headers.items()}
    context.inbox.put(name, sender, json.dumps(body).encode(), kept)
    return next(one for one in context.inbox.latest() if one.delivery == name)


def failed(**status: str) -> dict[str, Any]:
    """Return a deployment of GitHub that failed."""
    said = {"state": "failure", "environment": "production", "created_at": "2026-11-24T12:00:00Z", **status}
    return {"deployment_status": said, "deployment": {"id": 7}, "repository": {"full_name": "acme/shop"}}


def test_failed_deployment_starts_its_playbook(receive: Receive) -> None:
    """A route over GitHub's labels opens an incident; the same failure told again joins it."""
    context = receive("github", routes=ROUTES).context
    (start,) = handle(context, put(context, "github", failed(), x_github_event="deployment_status"))
    again = put(context, "github", failed(description="again"), "d2", x_github_event="deployment_status")

    assert (start.playbook, start.service, start.incident[:13]) == ("bad-deploy", "shop", "INC-20261124-")
    assert start.summary == "the deployment of acme/shop to production ended in failure"
    assert handle(context, again) == []
    assert context.journal.entries(INBOX_CHAIN) == []


def test_preview_that_failed_starts_nothing(receive: Receive) -> None:
    """The label says which environment it was."""
    context = receive("github", routes=ROUTES).context
    body = failed(environment="Preview")

    assert handle(context, put(context, "github", body, x_github_event="deployment_status")) == []
    assert "no route of github fits" in context.inbox.latest()[0].says


def test_start_without_a_time_is_noted_once(receive: Receive) -> None:
    """What a delivery lacks stands in the journal, beside the incident that it opened all the same."""
    context = receive("github", routes=ROUTES).context
    body = {**failed(created_at=""), "deployment": {}}
    taken = put(context, "github", body, x_github_event="deployment_status")

    assert handle(context, taken) != []
    assert handle(context, taken) == []
    (note,) = context.journal.entries(INBOX_CHAIN)
    assert "it does not say when it began" in note.body["says"]
    assert "it has no key of its own" in note.body["says"]


def test_service_of_the_sender_is_the_service(receive: Receive) -> None:
    """Where the route names no service, the sender's own word counts."""
    routes = [{"when": {"urgency": "high"}, "start": "bad-deploy"}]
    context = receive("pagerduty", routes=routes).context
    data = {"id": "P1", "urgency": "high", "service": {"summary": "shop"}}
    event = {"id": "E1", "event_type": "incident.triggered", "occurred_at": "2026-11-24T12:00:00Z", "data": data}
    (start,) = handle(context, put(context, "pagerduty", {"event": event}))

    assert (start.service, start.source) == ("shop", "alert:pagerduty")
