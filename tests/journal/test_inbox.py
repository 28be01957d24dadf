"""Inbox: what was answered 202 is kept, once, in order, until it is settled."""

import tracemalloc
from datetime import timedelta

import pytest
from sqlalchemy import update

from crisis.domain.clock import utc_now
from crisis.journal.inbox import HELD, OPENED, Inbox, Settled
from crisis.journal.schema import INBOX
from crisis.journal.store import Journal


@pytest.fixture
def inbox(journal: Journal) -> Inbox:
    """Open an empty inbox."""
    return Inbox(journal.database)


def test_delivery_is_kept_as_it_came(inbox: Inbox) -> None:
    """Sender and bytes come back."""
    assert inbox.put("d-1", "alertmanager", b"\x00\xff{}")

    (kept,) = inbox.new()
    assert (kept.delivery, kept.sender, kept.raw, kept.state, kept.says) == (
        "d-1",
        "alertmanager",
        b"\x00\xff{}",
        "new",
        "",
    )


def test_same_delivery_is_kept_once(inbox: Inbox) -> None:
    """The second time it is said to be here already, and the first stays."""
    inbox.put("d-1", "alertmanager", b"first")

    assert not inbox.put("d-1", "alertmanager", b"second")
    assert [one.raw for one in inbox.new()] == [b"first"]


def test_settled_delivery_is_not_new(inbox: Inbox) -> None:
    """What became of it is kept with it."""
    inbox.put("d-1", "alertmanager", b"{}")
    inbox.settle("d-1", "started", "INC-1")

    assert inbox.new() == []
    (kept,) = inbox.latest()
    assert (kept.state, kept.says) == ("started", "INC-1")


def test_settled_delivery_is_not_taken_again(inbox: Inbox) -> None:
    """A repeated delivery of something settled starts nothing."""
    inbox.put("d-1", "alertmanager", b"{}")
    inbox.settle("d-1", "started", "INC-1")

    assert not inbox.put("d-1", "alertmanager", b"{}")
    assert inbox.new() == []


def test_deliveries_are_worked_off_in_order(inbox: Inbox) -> None:
    """The oldest comes first, and the limit cuts the newest."""
    for number in range(5):
        inbox.put(f"d-{9 - number}", "alertmanager", b"{}")

    assert [one.delivery for one in inbox.new(limit=3)] == ["d-9", "d-8", "d-7"]


def test_latest_are_newest_first(inbox: Inbox) -> None:
    """Whoever looks sees what came last."""
    for number in range(3):
        inbox.put(f"d-{number}", "alertmanager", b"{}")

    assert [one.delivery for one in inbox.latest(limit=2)] == ["d-2", "d-1"]


def test_headers_are_kept_with_a_delivery(inbox: Inbox) -> None:
    """What the body does not say stands beside it; a delivery without headers has none."""
    inbox.put("d-1", "github", b"{}", {"x-github-event": "ping \u00fc"})
    inbox.put("d-2", "alertmanager", b"{}")

    assert [dict(one.headers) for one in inbox.new()] == [{"x-github-event": "ping \u00fc"}, {}]


@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_damaged_headers_are_none(inbox: Inbox, text: str) -> None:
    """A delivery whose headers were damaged in the store is still given out."""
    inbox.put("d-1", "github", b"{}", {"x-github-event": "ping"})
    with inbox.database.writing() as connection:
        connection.execute(update(INBOX).values(headers=text))

    assert [dict(one.headers) for one in inbox.new()] == [{}]


def test_long_bodies_are_not_all_in_memory_at_once(inbox: Inbox) -> None:
    """Neither what is looked at again, nor what waits for Prefect, nor what came in before a start."""
    for number in range(20):
        inbox.put(f"d{number:02}", "alertmanager", b"x" * 1_000_000)
    now, names = utc_now(), [f"d{number:02}" for number in range(20)]
    inbox.settle_all(Settled(name, HELD, "so", again=now) for name in names)
    assert [one.delivery for one in inbox.due(now)] == names[:8]
    assert [one.delivery for one in inbox.due(now, size=10)] == names[:1]
    inbox.settle_all(Settled(name, OPENED, "so", starts="[]") for name in names)
    assert [(one.delivery, one.raw) for one in inbox.starting()] == [(name, b"") for name in names]

    tracemalloc.start()
    lengths = [len(one.raw) for one in inbox.since(now - timedelta(hours=1), 15)]
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert lengths == [1_000_000] * 15
    assert most < 8_000_000
