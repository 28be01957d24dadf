"""Every sender in small payloads of our own: what is read, what is left alone and why, what may be missing."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from crisis.domain.alerting import ALERT_KINDS
from crisis.receiver.routing import Ignored, route
from crisis.receiver.senders.alert import Reading
from crisis.receiver.senders.reading import tags_of, text_of, time_of
from crisis.receiver.senders.registry import kept_headers, kind_named, read_as
from tests.receiver.conftest import Browser
from tests.receiver.senders.conftest import Receive, rule_of

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
S, MS = 1_795_521_600, 1_795_521_600_000
TEXT = "2026-11-24T12:00:00Z"

_ALARM = {"AlarmName": "5xx", "NewStateValue": "ALARM", "AWSAccountId": "123456789012",
          "StateChangeTime": "2026-11-24T12:00:00.000+0000"}  # fmt: skip
_EVENT = {"specversion": "1.0", "id": "1", "source": "/probes", "type": "probe.failed", "subject": "shop", "time": TEXT}

FIRING: dict[str, tuple[Any, dict[str, str], str, str, str, dict[str, str]]] = {
    "alertmanager": (
        {"version": "4", "alerts": [{"labels": {"alertname": "A", "service": "shop", "severity": "warning"},
                                     "fingerprint": "f1", "startsAt": TEXT}]},
        {}, "f1", "warning", "shop", {"alertname": "A"},
    ),
    "grafana": (
        {"version": "1", "alerts": [{"labels": {"alertname": "A", "service": "shop"}, "fingerprint": "f1",
                                     "startsAt": TEXT}]},
        {}, "f1", "", "shop", {"alertname": "A"},
    ),
    "pagerduty": (
        {"event": {"id": "E", "event_type": "incident.triggered", "occurred_at": TEXT,
                   "data": {"id": "P1", "title": "down", "priority": {"summary": "P1"},
                            "service": {"summary": "shop"}}}},
        {}, "P1", "critical", "shop", {"alertname": "down", "priority": "P1"},
    ),
    "opsgenie": (
        {"action": "Create", "alert": {"alias": "a", "message": "down", "priority": "P2", "createdAt": MS,
                                       "tags": ["service:shop", "env:production"]}},
        {}, "a", "error", "shop", {"environment": "production"},
    ),
    "jsm": (
        {"action": "Create", "alert": {"alertId": "b", "message": "down", "priority": "P5", "createdAt": MS}},
        {}, "b", "info", "", {"alertname": "down"},
    ),
    "datadog": (
        {"transition": "Warn", "alert_cycle_key": "c", "date": str(MS), "tags": "service:shop,env:prod",
         "priority": "P1"},
        {}, "c", "warning", "shop", {"environment": "prod", "severity": "warning", "priority": "P1"},
    ),
    "aws-sns": (
        {"Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:123456789012:alarms",
         "Message": json.dumps(_ALARM)},
        {}, "123456789012:eu-west-1:5xx", "", "", {"alertname": "5xx", "region": "eu-west-1", "topic": "alarms"},
    ),
    "aws-eventbridge": (
        {"detail-type": "CloudWatch Alarm State Change", "source": "aws.cloudwatch", "account": "1",
         "region": "eu-west-1", "time": TEXT,
         "detail": {"alarmName": "5xx", "state": {"value": "ALARM", "timestamp": TEXT}}},
        {}, "1:eu-west-1:5xx", "", "", {"alertname": "5xx", "state": "ALARM"},
    ),
    "sentry": (
        {"action": "triggered", "data": {"triggered_rule": "Many errors", "event": {
            "issue_id": "7", "title": "boom", "level": "fatal", "environment": "production", "datetime": TEXT}}},
        {"sentry-hook-resource": "event_alert"}, "event_alert-7", "critical", "", {"environment": "production"},
    ),
    "github": (
        {"action": "created", "repository": {"full_name": "o/r"},
         "alert": {"number": 3, "secret_type": "aws_key", "secret": "do-not-read", "created_at": TEXT}},
        {"x-github-event": "secret_scanning_alert"}, "o/r-secret-3", "", "", {"secret_type": "aws_key", "repo": "o/r"},
    ),
    "vercel": (
        {"type": "deployment.error", "createdAt": MS, "payload": {"deployment": {"id": "d", "name": "shop"}}},
        {}, "d", "", "", {"environment": "preview", "project": "shop"},
    ),
    "new-relic": (
        {"state": "ACTIVATED", "id": "i", "priority": "CRITICAL", "title": "slow", "createdAt": MS,
         "alertConditionNames": ["p95"], "alertPolicyNames": ["Shop"], "impactedEntities": ["shop-web"]},
        {}, "i", "critical", "", {"alertname": "p95", "policy": "Shop", "entity": "shop-web"},
    ),
    "azure-monitor": (
        {"schemaId": "azureMonitorCommonAlertSchema", "data": {
            "essentials": {"alertId": "/a", "alertRule": "cpu", "severity": "Sev0", "monitorCondition": "Fired",
                           "firedDateTime": "2026-11-24T12:00:00.0000000Z"}, "customProperties": {"service": "shop"}}},
        {}, "/a", "critical", "shop", {"alertname": "cpu", "severity": "Sev0"},
    ),
    "gcp-monitoring": (
        {"incident": {"incident_id": "g", "state": "OPEN", "started_at": S, "policy_name": "cpu", "severity": "Warning",
                      "policy_user_labels": {"service": "shop"}}},
        {}, "g", "warning", "shop", {"alertname": "cpu"},
    ),
    "uptimerobot": (
        {"alertType": 1, "monitorID": 42, "monitorFriendlyName": "shop", "alertDateTime": str(S)},
        {}, "42", "", "", {"monitor": "shop"},
    ),
    "pingdom": (
        {"current_state": "DOWN", "check_id": 9, "check_name": "shop", "importance_level": "HIGH",
         "state_changed_timestamp": S, "tags": ["service:shop"]},
        {}, "9", "error", "shop", {"check": "shop", "severity": "HIGH"},
    ),
    "statuscake": (
        {"Status": "Down", "Name": "shop", "URL": "https://shop.example", "StatusCode": "500", "Tags": "service:shop"},
        {}, "shop https://shop.example", "", "shop", {"code": "500"},
    ),
    "standard-webhooks": (
        {"type": "probe.failed", "timestamp": TEXT, "data": {"id": "p", "status": "DOWN", "service": "shop"}},
        {"webhook-id": "m"}, "p", "", "shop", {"event": "probe.failed"},
    ),
    "cloudevents": (
        {**_EVENT, "data": {"status": "down", "severity": "high", "service": "shop"}},
        {"content-type": "application/cloudevents+json"}, "shop", "error", "shop", {"event": "probe.failed"},
    ),
    "generic": (
        {"region": "eu", "owner": ["payments"], "check": {"state": "down", "id": 5, "grade": "crit", "service": "shop",
                                                          "since": MS, "says": "shop is down"}},
        {}, "5", "", "shop", {"region": "eu", "team": "payments", "severity": "crit"},
    ),
}  # fmt: skip

NOTHING: list[tuple[str, dict[str, Any], dict[str, str], str]] = [
    ("grafana", {"version": "1"}, {}, "default payload"),
    ("pagerduty", {"event": {"event_type": "incident.acknowledged"}}, {}, "incident.acknowledged is no event"),
    ("pagerduty", {"event": {"event_type": "pagey.ping"}}, {}, "pagey.ping is no event"),
    ("opsgenie", {"action": "AddNote"}, {}, "AddNote neither starts nor ends"),
    ("datadog", {"transition": "No Data"}, {}, "No Data neither starts nor ends"),
    ("aws-sns", {"Type": "UnsubscribeConfirmation", "TopicArn": "t"}, {}, "was ended"),
    ("aws-sns", {"Type": "Notification", "Message": "hello"}, {}, "text, not a CloudWatch alarm"),
    ("aws-sns", {"Type": "Notification", "Message": "{}"}, {}, "not a CloudWatch alarm"),
    ("aws-eventbridge", {"id": "1"}, {}, "without an input transformer"),
    (
        "sentry",
        {"action": "created", "data": {"installation": {}}},
        {"sentry-hook-resource": "installation"},
        "installation",
    ),
    ("sentry", {"action": "archived", "data": {"issue": {"id": "1"}}}, {}, "issue archived neither starts"),
    ("github", {"action": "created", "deployment_status": {"state": "failure"}}, {"x-github-event": "push"}, "push"),
    ("github", {"zen": "x"}, {"x-github-event": "deployment_status"}, "deployment_status is not one"),
    (
        "github",
        {"action": "validated", "alert": {"number": 1}},
        {"x-github-event": "secret_scanning_alert"},
        "validated",
    ),
    ("new-relic", {"state": "ACKNOWLEDGED"}, {}, "ACKNOWLEDGED neither"),
    ("azure-monitor", {"schemaId": "other"}, {}, "common alert schema"),
    ("gcp-monitoring", {"incident": {"state": "acked"}}, {}, "neither open nor closed"),
    ("uptimerobot", {"alertType": "3"}, {}, "neither 1 (down) nor 2 (up)"),
    ("pingdom", {"current_state": "PAUSED"}, {}, "neither DOWN nor UP"),
    ("statuscake", {"Status": ""}, {}, "(not said) is neither"),
    ("standard-webhooks", {"type": "x", "data": {}}, {}, "nothing stands at data.status"),
    ("cloudevents", {"specversion": "0.3"}, {}, "specversion 0.3"),
    ("cloudevents", {**_EVENT}, {}, "nothing stands at data.status"),
    ("generic", {"check": {}}, {}, "nothing stands at check.state"),
]


def read(kind: str, body: Any, headers: dict[str, str] | None = None, **more: Any) -> Reading:
    """Read a body as a sender of this kind sends it."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_as(kind, rule_of(kind, **more), raw, headers or {})


def test_every_kind_is_read_here() -> None:
    """No kind goes without a payload of our own."""
    assert set(FIRING) == set(ALERT_KINDS)


@pytest.mark.parametrize("kind", FIRING)
def test_trouble_is_read(kind: str) -> None:
    """State, key, severity, service, start and labels of a firing alert; a field nobody knows changes nothing."""
    body, headers, key, severity, service, labels = FIRING[kind]
    (found,) = read(kind, body, headers).alerts
    (again,) = read(kind, {**body, "new_in_this_release": {"x": [1, None]}}, headers).alerts

    assert (found.status, found.fingerprint, found.severity, found.service) == ("firing", key, severity, service)
    assert found.starts_at == (None if kind == "statuscake" else NOON)
    assert dict(found.labels) | labels == dict(found.labels)
    assert found.summary
    assert (again.fingerprint, again.starts_at, again.summary) == (found.fingerprint, found.starts_at, found.summary)


@pytest.mark.parametrize(("kind", "body", "headers", "why"), NOTHING)
def test_what_is_no_trouble_says_why(kind: str, body: dict[str, Any], headers: dict[str, str], why: str) -> None:
    """An event that neither starts nor ends anything is no error: it has a note."""
    reading = read(kind, body, headers)

    assert reading.alerts == ()
    assert why in reading.notes[0]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("pagerduty", {"event": {"event_type": "incident.resolved", "occurred_at": TEXT, "data": {"id": "P1"}}}),
        ("opsgenie", {"action": "Close", "alert": {"alias": "a"}}),
        ("datadog", {"transition": "Recovered", "alert_cycle_key": "c", "date": MS}),
        ("aws-sns", {"Type": "Notification", "Message": json.dumps({**_ALARM, "NewStateValue": "OK"})}),
        ("sentry", {"action": "resolved", "data": {"issue": {"id": "1"}}}),
        ("github", {"action": "resolved", "alert": {"number": 1}}),
        ("new-relic", {"state": "CLOSED", "id": "i"}),
        ("uptimerobot", {"alertType": "2", "monitorID": "1", "alertDateTime": S}),
        ("pingdom", {"current_state": "UP", "check_id": 9, "state_changed_timestamp": S}),
        ("statuscake", {"Status": "Up", "Name": "shop"}),
        ("generic", {"check": {"state": "fine", "id": 5}}),
    ],
)
def test_end_of_trouble_is_read(kind: str, body: dict[str, Any]) -> None:
    """What is over is resolved, and the time of its end is not taken for its beginning."""
    (found,) = read(kind, body).alerts

    assert (found.firing, found.starts_at) == (False, None)


@pytest.mark.parametrize(
    "more",
    [
        {"additionalInfo": {"sample": True}},
        {"additionalInfo": {"sample": "true"}},
        {"additionalInfo": {"value": '{"threatListName": "x", "sample": true}', "type": "default"}},
    ],
)
def test_sample_finding_never_acts(more: dict[str, Any]) -> None:
    """However GuardDuty writes that it made a finding up, nothing starts."""
    finding = {"detail-type": "GuardDuty Finding", "source": "aws.guardduty", "detail": {"id": "f", "service": more}}

    assert read("aws-eventbridge", finding).alerts == ()
    titled = {**finding, "detail": {"id": "f", "title": "[SAMPLE] Unusual"}}
    assert read("aws-eventbridge", titled).alerts == ()
    odd = {**finding, "detail": {"id": "f", "severity": 9.5, "service": {"additionalInfo": {"value": "no json"}}}}
    assert read("aws-eventbridge", odd).alerts[0].severity == "critical"
    inner = {"Type": "Notification", "Message": json.dumps(finding)}
    assert read("aws-sns", inner).alerts == ()


def test_found_secret_is_not_read() -> None:
    """The secret that GitHub found goes into no field."""
    body, headers, *_ = FIRING["github"]

    assert "do-not-read" not in repr(read("github", body, headers))


def test_missing_fields_are_noted() -> None:
    """An alert without start and key is taken, and says what stands in for them."""
    reading = read("opsgenie", {"action": "Create"})

    assert reading.alerts[0].firing
    assert [note.partition(":")[0] for note in reading.notes] == [
        "it does not say when it began",
        "it has no key of its own",
    ]


def test_form_is_as_good_as_json() -> None:
    """Senders that post forms are read alike."""
    form = urlencode({"alertType": "1", "monitorID": "42", "alertDateTime": str(S)}).encode()

    assert read("uptimerobot", form).alerts[0].fingerprint == "42"


def test_event_in_headers_is_as_good_as_in_a_body() -> None:
    """CloudEvents in binary mode have their attributes in `ce-` headers."""
    headers = {f"ce-{name}": value for name, value in _EVENT.items()} | {"content-type": "application/json"}
    (found,) = read("cloudevents", {"status": "down", "service": "shop"}, headers | {"ce-subject": "caf%C3%A9"}).alerts
    batch = [{**_EVENT, "data": {"status": "down"}}, {**_EVENT, "data": {"status": "up"}}]
    reading = read("cloudevents", batch, {"content-type": "application/cloudevents-batch+json; charset=utf-8"})

    assert (found.fingerprint, found.service, found.starts_at) == ("caf\u00e9", "shop", NOON)
    assert [one.status for one in reading.alerts] == ["firing", "resolved"]
    assert read("cloudevents", b"", headers).alerts == ()


def test_paths_may_say_where_the_fields_stand() -> None:
    """Kinds that leave it open are read by the paths of protocol.yaml; states that it does not name are no alert."""
    fields = {"state": "data.phase", "firing": ["bad"], "resolved": ["good"], "key": "id"}
    body = {**_EVENT, "data": {"phase": "BAD"}}

    assert read("cloudevents", body, fields=fields).alerts[0].fingerprint == "1"
    assert read("cloudevents", {**body, "data": {"phase": "good"}}, fields=fields).alerts[0].status == "resolved"
    assert (
        "neither starts nor ends" in read("cloudevents", {**body, "data": {"phase": "so so"}}, fields=fields).notes[0]
    )
    assert read("standard-webhooks", body, fields=fields).alerts[0].firing


def test_only_needed_headers_are_kept() -> None:
    """Nothing that proves a sender is kept; the rest is short and printable."""
    offered = [("X-GitHub-Event", "ping\x01" + "x" * 900), ("X-Hub-Signature-256", "s"), ("Authorization", "Bearer s")]
    many = [(f"ce-{number}", "v") for number in range(500)]

    assert kept_headers(kind_named("github"), offered) == {"x-github-event": "ping" + "x" * 496}
    assert len(kept_headers(kind_named("cloudevents"), [*many, ("Authorization", "s")])) == 40


def test_route_may_use_either_word_for_severity(receive: Receive) -> None:
    """A route compares the sender's own severity, or ours."""
    body, headers, *_ = FIRING["pagerduty"]
    for word in ("P1", "critical"):
        browser: Browser = receive(
            "pagerduty", routes=[{"when": {"severity": word}, "start": "bad-deploy", "service": "shop"}]
        )
        (found,) = read("pagerduty", body, headers).alerts
        assert not isinstance(route(browser.context.protocol, "pagerduty", found), Ignored)


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        (S, NOON), (MS, NOON), (MS * 1000, NOON), (MS * 1_000_000, NOON), (str(S), NOON), (f"{S}.0", NOON),
        ("2026-11-24T12:00:00+0000", NOON), ("2026-11-24T12:00:00.0000000Z", NOON), ("2026-11-24T12:00:00", NOON),
        ("2026-11-24T13:00:00.000000001+01:00", NOON), (0, None), ("", None), (None, None), (True, None),
        ("soon", None), (1e300, None), (-5, None), ("0001-01-01T00:00:00Z", None), (10**30, None), ([], None),
        ("9999-12-31T23:59:59-23:59", None), (10**400, None),
    ],
)  # fmt: skip
def test_times(said: Any, moment: datetime | None) -> None:
    """Every way that senders write a time; what is none is not said."""
    assert time_of(said) == moment


def test_text_is_one_clean_short_line() -> None:
    """Control characters, new lines and length do no harm."""
    assert text_of("a\x00b\n\t c\x1b[31m\u202e") == "a b c [31m"
    assert len(text_of("x" * 10_000)) == 500
    odd: list[Any] = [True, 3, 2.5, float("inf"), None, [], {}]
    assert [text_of(one) for one in odd] == ["true", "3", "2.5", "", "", "", ""]
    assert tags_of(["env:prod", "vip", 7, None, ":"]) == {"environment": "prod", "vip": "true", "7": "true"}
