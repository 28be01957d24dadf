"""A receiver that one sender may post to, in the way that its kind proves itself."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from crisis.domain.alerting import ALERT_KINDS, AlertSender
from crisis.receiver.context import Context
from crisis.receiver.senders import aws_sns
from crisis.receiver.senders.certificate import Certificates
from tests.receiver.conftest import Browser
from tests.receiver.senders.notary import SECRET, TOPIC, Cloud

SIGNING = ("github", "grafana", "pagerduty", "sentry", "standard-webhooks", "vercel")
WHSEC = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
FIELDS = {
    "state": "check.state", "firing": ["DOWN"], "key": "check.id", "severity": "check.grade",
    "service": "check.service", "started": "check.since", "summary": "check.says", "labels": {"team": "owner.0"},
}  # fmt: skip

Receive = Callable[..., Browser]


def rule_of(kind: str, **more: Any) -> AlertSender:
    """Return what protocol.yaml says of a sender of this kind, with its secret in the environment."""
    assert kind in ALERT_KINDS
    if kind == "aws-sns":
        proof: dict[str, Any] = {"topics": [TOPIC]}
    elif kind in SIGNING:
        proof = {"secret": ["env:THEIR_SECRET"]}
    else:
        proof = {"header": {"name": "X-Crisis-Token", "value": "env:THEIR_SECRET"}}
    if kind == "generic":
        proof["fields"] = FIELDS
    return AlertSender.model_validate({"kind": kind, **proof, **more})


@pytest.fixture
def receive(context: Context, monkeypatch: pytest.MonkeyPatch) -> Receive:
    """Put a receiver together that takes from one sender; a rule given whole takes the place of the usual one."""

    def receive(kind: str, rule: AlertSender | None = None, **more: Any) -> Browser:
        monkeypatch.setenv("THEIR_SECRET", WHSEC if kind == "standard-webhooks" else SECRET)
        alerts = {kind: rule or rule_of(kind, **more)}
        return Browser(replace(context, protocol=context.protocol.model_copy(update={"alerts": alerts})))

    return receive


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """Put a cloud of ours in the place of AWS."""
    cloud = Cloud()
    monkeypatch.setattr(aws_sns, "CERTIFICATES", Certificates(cloud))
    return cloud
