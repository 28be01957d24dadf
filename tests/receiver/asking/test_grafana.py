"""Grafana's own Alertmanager is asked for what fires, in the same words and at another place."""

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.clients.servers import Vendor
from tests.receiver.asking.conftest import API_TOKEN, LATER, Watch, Watching

GROUPS = "GET /api/alertmanager/grafana/api/v2/alerts/groups"
LISTED = {
    "fingerprint": "d8a21484c9c25a60",
    "startsAt": "2026-11-24T03:12:05.782Z",
    "endsAt": "2026-11-24T03:22:05.782Z",
    "labels": {"__alert_rule_uid__": "r1", "alertname": "Slow", "grafana_folder": "shop"},
    "annotations": {"__dashboardUid__": "d1", "summary": "the shop is slow"},
    "generatorURL": "https://grafana.example/alerting/grafana/r1/view",
    "receivers": [{"name": "crisis"}],
    "status": {"state": "active", "silencedBy": [], "inhibitedBy": []},
}
GROUP = {"receiver": {"name": "crisis"}, "labels": {"alertname": "Slow"}, "alerts": [LISTED]}


@pytest.fixture
def mine(watch: Watching, vendor: Vendor) -> Watch:
    """Put a receiver together that may ask a Grafana."""
    return watch("grafana", {"url": vendor.url, "receivers": ["crisis"], "token": "env:API_TOKEN"})


def test_what_fires_is_fetched_as_it_would_have_been_sent(mine: Watch, vendor: Vendor) -> None:
    """Labels that Grafana keeps to itself are left out, as in what it sends."""
    vendor.says(GROUPS, [GROUP])

    assert mine.round().new == 1
    (alert,) = mine.alerts()
    assert dict(alert.labels) == {"alertname": "Slow", "grafana_folder": "shop"}
    assert dict(alert.annotations) == {"summary": "the shop is slow"}
    assert (alert.status, alert.fingerprint, alert.receiver) == ("firing", "d8a21484c9c25a60", "crisis")
    assert alert.group_key == '{}:{alertname="Slow"}'
    assert vendor.asked[0][1] == {"active": "true", "silenced": "true", "inhibited": "true", "receiver": "crisis"}
    assert vendor.headers[0]["authorization"] == f"Bearer {API_TOKEN}"


def test_what_grafana_sent_with_more_digits_is_known(mine: Watch, vendor: Vendor) -> None:
    """It sends microseconds and lists milliseconds: that is one alert that began once."""
    mine.context.inbox.put("d1", "grafana", sent("2026-11-24T03:12:05.782137Z"))
    mine.judge()
    vendor.says(GROUPS, [GROUP])

    assert mine.round().new == 0
    vendor.says(GROUPS, [])
    assert mine.round(LATER * 2).new == 1
    assert [one.status for one in mine.alerts()] == ["firing", "resolved"]
    mine.judge()
    assert mine.round(timedelta(hours=1)).new == 0


def sent(began: str) -> bytes:
    """Return a delivery of Grafana."""
    alert: dict[str, Any] = {**LISTED, "status": "firing", "startsAt": began}
    alert["labels"] = {"alertname": "Slow", "grafana_folder": "shop"}
    return json.dumps({"receiver": "crisis", "status": "firing", "alerts": [alert], "version": "1"}).encode()
