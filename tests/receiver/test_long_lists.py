"""Long lists of alerts in one delivery: read up to a bound, and settled in a time that grows no faster than they do."""

import time

import pytest

from crisis.domain.start import CHECK_HEALTH
from crisis.receiver.context import Context
from crisis.receiver.dispatch import handle_all
from crisis.receiver.judging import group_of
from crisis.receiver.senders.registry import kind_named, read_as
from tests.receiver.payloads import alert, delivery, read
from tests.receiver.senders.conftest import rule_of


@pytest.mark.parametrize("kind", ["alertmanager", "grafana"])
def test_list_is_read_up_to_a_bound(kind: str) -> None:
    """Ten thousand alerts are read; the others count as cut off, and are asked for as those are."""
    told = delivery(*[{"status": "firing"}] * 10_003, truncatedAlerts=4)

    assert (len(read_as(kind, rule_of(kind), told, {}).alerts), kind_named(kind).asker is not None) == (10_000, True)
    assert read_as(kind, rule_of(kind), told, {}).cut == 7


def test_many_that_resolve_at_once_are_soon_settled(context: Context) -> None:
    """Three thousand alerts of an incident that failed resolve in one delivery: one look at health, in two seconds."""
    many = [alert(fingerprint=f"{number:x}") for number in range(3000)]
    context.inbox.put("firing", "alertmanager", delivery(*many))
    (opened,) = handle_all(context, context.inbox.new())
    context.journal.append(opened.incident, "ended", "responder", {"outcome": "failed"}, key="end")
    context.inbox.put("over", "alertmanager", delivery(*[{**one, "status": "resolved"} for one in many]))
    began = time.process_time()
    starts = handle_all(context, context.inbox.new())

    assert time.process_time() - began < 2
    assert [(one.playbook, one.incident) for one in starts] == [(CHECK_HEALTH, opened.incident)]


def test_name_of_a_group_is_short() -> None:
    """A hundred thousand names of groups are remembered: none of them may be as long as a body."""
    long, other = (read(delivery(groupKey="x" * 1_000_000 + end))[0] for end in ("a", "b"))

    assert len(group_of("alertmanager", long)) < 100
    assert group_of("alertmanager", long) != group_of("alertmanager", other)
