"""Alertmanager's deliveries, read leniently."""

import json
from datetime import UTC, datetime

import pytest

from tests.receiver.conftest import CAPTURED
from tests.receiver.payloads import alert, delivery, read


def test_delivery_becomes_alerts() -> None:
    """Status, labels, start and group of each alert are read."""
    (found,) = read(delivery())

    assert found.firing
    assert found.labels["journey"] == "checkout"
    assert found.starts_at == datetime(2026, 11, 24, 3, 12, 5, 534_000, tzinfo=UTC)
    assert (found.receiver, found.summary) == ("crisis", "checkout of shop fails")


def test_missing_fields_get_defaults() -> None:
    """An alert that says nothing is firing, without a start."""
    (found,) = read(b'{"version": "4", "alerts": [{}], "notification_reason": "new"}')

    assert (found.status, found.labels, found.starts_at, found.summary) == ("firing", {}, None, "an alert")


def test_each_alert_has_its_own_status() -> None:
    """A group that fires may hold alerts that are resolved."""
    found = read(delivery(alert(), alert("resolved", "f2")))

    assert [one.status for one in found] == ["firing", "resolved"]


@pytest.mark.parametrize(
    ("said", "micro"),
    [
        ("2026-11-24T03:12:05Z", 0),
        ("2026-11-24T03:12:05.5Z", 500_000),
        ("2026-11-24T04:12:05.123456789+01:00", 123_000),
    ],
)
def test_times_as_go_writes_them(said: str, micro: int) -> None:
    """Any number of digits of a second and any offset are the same moment, to the millisecond, as its API has it."""
    (found,) = read(delivery({**alert(), "startsAt": said}))

    assert found.starts_at == datetime(2026, 11, 24, 3, 12, 5, micro, tzinfo=UTC)


def test_zero_time_is_no_time() -> None:
    """Go's zero time means that no start was said."""
    (found,) = read(delivery({**alert(), "startsAt": "0001-01-01T00:00:00Z"}))

    assert found.starts_at is None


def test_complaint_repeats_nothing_of_the_body() -> None:
    """What is said about a bad body quotes none of it."""
    with pytest.raises(ValueError, match="no object of strings") as caught:
        read(b'{"version": "4", "alerts": [{"labels": {"hidden-word": 1}}]}')

    assert "hidden-word" not in str(caught.value)


def test_captured_sequence_of_flaps_is_read() -> None:
    """Everything a flapping rule made a real Alertmanager send can be read."""
    captured = CAPTURED / "alertmanager" / "sequence_flapping_and_prometheus_death.json"
    if not captured.exists():
        pytest.skip(f"{captured.name} of the captured webhooks is not here")
    sequence = json.loads(captured.read_bytes())
    bodies = [json.dumps(one["body"]).encode() for one in sequence]

    assert all(one.fingerprint and one.starts_at for body in bodies for one in read(body))
