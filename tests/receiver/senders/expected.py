"""Expected: what stands in each of the shared samples, written out by hand."""

from dataclasses import dataclass, field

__all__ = ["SAMPLES", "Sample"]


@dataclass(frozen=True)
class Sample:
    """One sample: its kind, what is read from it, or why nothing is."""

    kind: str
    status: str = ""
    key: str = ""
    severity: str = ""
    service: str = ""
    began: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    note: str = ""
    headers: dict[str, str] = field(default_factory=dict)


_SERVICE_DOWN = {"alertname": "ServiceDown", "severity": "critical", "service": "checkout", "team": "payments"}
_GITHUB = {"X-GitHub-Event": "deployment_status"}
_RUN = {"X-GitHub-Event": "workflow_run"}

SAMPLES: dict[str, Sample] = {
    "alertmanager/firing.raw": Sample(
        "alertmanager", "firing", "8851cd2ef7f87255", "critical", "checkout", "2026-11-23T03:05:07.534", _SERVICE_DOWN
    ),
    "alertmanager/firing_partly_resolved.raw": Sample(
        "alertmanager", "firing", "8851cd2ef7f87255", "critical", "checkout", "2026-11-23T03:05:07.534", _SERVICE_DOWN
    ),
    "alertmanager/firing_truncated_max_alerts_1.raw": Sample(
        "alertmanager", "firing", "8851cd2ef7f87255", "critical", "checkout", "2026-11-23T03:05:07.534", _SERVICE_DOWN
    ),
    "alertmanager/resolved.raw": Sample(
        "alertmanager", "resolved", "8851cd2ef7f87255", "critical", "checkout", "2026-11-23T03:05:07.534", _SERVICE_DOWN
    ),
    "grafana/v9_firing.json": Sample(
        "grafana", "firing", "d8a21484c9c25a60", "", "", "2022-06-17T00:41:00.782",
        {"alertname": "Test alert", "test": "true"},
    ),
    "grafana/v9_resolved.json": Sample("grafana", "resolved", "d8a21484c9c25a60", began="2022-06-17T00:41:00.782"),
    "pagerduty/v3_incident_triggered.json": Sample(
        "pagerduty", "firing", "PFQZPSY", "error", "pig208", "2021-06-04T13:35:29.781",
        {"alertname": "Test Incident 3", "service": "pig208", "urgency": "high", "severity": "high"},
    ),
    "pagerduty/v3_incident_resolved.json": Sample(
        "pagerduty", "resolved", "PCPZE64", "error", "pig208", "", {"alertname": "Test Incident"}
    ),
    "opsgenie/create.json": Sample(
        "opsgenie", "firing", "alert-alias", "warning", "", "2017-08-14T11:25:56.288",
        {"alertname": "another alert", "priority": "P3", "severity": "P3", "entity": "Server", "vip": "true"},
    ),
    "datadog/triggered_rendered.json": Sample(
        "datadog", "firing", "9bd4ac31-cycle", "critical", "checkout", "2023-11-14T22:13:20",
        {"monitor": "1234", "environment": "prod", "service": "checkout", "severity": "P1", "transition": "Triggered"},
    ),
    "datadog/recovered_rendered.json": Sample("datadog", "resolved", "9bd4ac31-cycle", "critical", "checkout"),
    "datadog/payload_template.json": Sample("datadog", note="the transition (not said) neither starts nor ends"),
    "aws-sns/cloudwatch_alarm_ALARM.json": Sample(
        "aws-sns", "firing", "1234567890:eu-west-1:bucketbytesAlarm", "", "", "2019-02-15T23:53:45.093",
        {"alertname": "bucketbytesAlarm", "namespace": "AWS/S3", "BucketName": "try.alerta.io", "topic": "alerta-test"},
    ),
    "aws-sns/cloudwatch_alarm_INSUFFICIENT_DATA.json": Sample(
        "aws-sns", note="the state INSUFFICIENT_DATA is neither ALARM nor OK"
    ),
    "aws-sns/subscription_confirmation.json": Sample("aws-sns", note="SubscriptionConfirmation is no notification"),
    "aws-eventbridge/guardduty_high_severity.json": Sample(
        "aws-eventbridge", "firing", "eeb88ab56556eb7771b266670dddee5a", "error", "", "2020-02-14T18:12:22.316",
        {"alertname": "PrivilegeEscalation:IAMUser/AdministrativePermissions", "severity": "8", "region": "us-east-1",
         "account": "111122223333", "source": "aws.guardduty", "detail_type": "GuardDuty Finding"},
    ),
    "aws-eventbridge/guardduty_sample_finding.json": Sample(
        "aws-eventbridge", note="a sample finding of GuardDuty never starts anything"
    ),
    "sentry/issue_created.json": Sample(
        "sentry", "firing", "issue-1170820242", "error", "", "2019-08-19T20:58:37.391",
        {"alertname": "ReferenceError", "project": "front-end", "level": "error", "issue": "FRONT-END-9"},
        headers={"Sentry-Hook-Resource": "issue"},
    ),
    "sentry/metric_alert_resolved.json": Sample(
        "sentry", "resolved", "metric_alert-4", "", "", "2020-09-13T12:26:40",
        {"alertname": "Too many errors", "project": "bar", "query": "level:error"},
        headers={"Sentry-Hook-Resource": "metric_alert"},
    ),
    "github/deployment_status.failure.derived.json": Sample(
        "github", "firing", "deployment-145988746", "", "", "2019-05-15T15:20:55",
        {"alertname": "DeploymentFailed", "repo": "Codertocat/Hello-World", "environment": "production",
         "state": "failure", "ref": "master"},
        headers=_GITHUB,
    ),
    "github/deployment_status.json": Sample(
        "github", note="a deployment that is success is no failure", headers=_GITHUB
    ),
    "github/workflow_run.failure.derived.json": Sample(
        "github", "firing", "run-289782451-1", "", "", "2020-10-05T16:33:49",
        {"alertname": "WorkflowFailed", "repo": "octo-org/octo-repo", "branch": "master", "conclusion": "failure"},
        headers=_RUN,
    ),
    "github/workflow_run.completed.json": Sample(
        "github", note="a workflow that is success is no failure", headers=_RUN
    ),
    "github/ping.json": Sample(
        "github", note="the event ping is not one that starts anything", headers={"X-GitHub-Event": "ping"}
    ),
    "vercel/deployment_error.json": Sample(
        "vercel", "firing", "dpl_FjHqKqFexample", "", "", "2023-10-26T18:40:00",
        {"alertname": "DeploymentFailed", "project": "my-app", "environment": "production", "branch": "main"},
    ),
    "vercel/deployment_created.json": Sample("vercel", note="deployment.created is no event that starts anything"),
    "uptimerobot/down_custom_body.json": Sample(
        "uptimerobot", "firing", "server1.example.com", labels={"monitor": "Web Server", "alertname": "Down"}
    ),
    "uptimerobot/up_custom_body.json": Sample(
        "uptimerobot", "resolved", "server2.example.com", labels={"monitor": "Mail Server"}
    ),
    "azure-monitor/common_schema_fired_derived.json": Sample(
        "azure-monitor", "firing",
        "/subscriptions/<subscription ID>/providers/Microsoft.AlertsManagement/alerts/"
        "aaaa0a0a-bb1b-cc2c-dd3d-eeeeee4e4e4e",
        "info", "", "2019-03-22T13:58:24.371321",
        {"alertname": "WCUS-R2-Gen2", "severity": "Sev3", "target": "wcus-r2-gen2", "Key1": "Value1"},
    ),
    "azure-monitor/common_schema_resolved.json": Sample(
        "azure-monitor", "resolved",
        "/subscriptions/<subscription ID>/providers/Microsoft.AlertsManagement/alerts/"
        "aaaa0a0a-bb1b-cc2c-dd3d-eeeeee4e4e4e",
        "info", "", "2019-03-22T13:58:24.371321",
    ),
    "gcp-monitoring/incident_open_v1_1.json": Sample(
        "gcp-monitoring", "firing", "f2e08c333dc64cb09f75eaab355393bz", "", "", "2017-07-06T19:10:14",
        {"alertname": "Webserver Health", "condition": "CPU usage", "resource": "webserver-85"},
    ),
    "gcp-monitoring/incident_closed_v1_1.json": Sample(
        "gcp-monitoring", "resolved", "f2e08c333dc64cb09f75eaab355393bz", "", "", "2017-07-06T19:10:14"
    ),
}  # fmt: skip
