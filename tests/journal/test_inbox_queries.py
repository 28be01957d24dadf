"""What the inbox is asked by those who look at it: pages without bodies, one delivery, the one that waits longest."""

from datetime import UTC, datetime, timedelta

import pytest

from crisis.domain.clock import write_time
from crisis.journal.inbox import HELD, IGNORED, JOINED, STARTED, Delivery, Inbox, Settled
from crisis.journal.sightings import Sighting, Sightings
from crisis.journal.store import Journal

START = datetime(2026, 11, 24, 3, 12, tzinfo=UTC)


@pytest.fixture
def inbox(journal: Journal) -> Inbox:
    """Put six deliveries into an inbox, two at each of three moments."""
    inbox = Inbox(journal.database)
    moments = [write_time(START + timedelta(minutes=number // 2)) for number in range(6)]
    inbox.put_all([Delivery(f"d-{number}", "sentry", moments[number], b"\x00body") for number in range(6)])
    inbox.settle_all(
        [
            Settled("d-0", STARTED, "bad-deploy for INC-1", "INC-1"),
            Settled("d-1", HELD, "planned work", again=START + timedelta(hours=1)),
            Settled("d-2", JOINED, "belongs to INC-1", "INC-1"),
            Settled("d-3", IGNORED, "no route fits"),
        ]
    )
    return inbox


def test_pages_show_each_once_and_no_body(inbox: Inbox) -> None:
    """Going on after the last one of a page shows every delivery once, newest first, also of one moment."""
    seen, before = list[Delivery](), ("", "")
    while page := inbox.page(3, before=before):
        seen += page
        before = page[-1].received, page[-1].delivery

    assert [one.delivery for one in seen] == ["d-4", "d-5", "d-2", "d-3", "d-0", "d-1"]
    assert {one.raw for one in seen} == {b""}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"state": "held"}, ["d-1"]),
        ({"state": "new"}, ["d-4", "d-5"]),
        ({"state": "joined", "incident": "INC-1"}, ["d-2"]),
        ({"sender": "sentry", "state": "started"}, ["d-0"]),
        ({"sender": "github"}, []),
        ({"incident": "INC-1"}, ["d-2", "d-0"]),
        ({"name": "d-3"}, ["d-3"]),
        ({"name": "d_3"}, []),
        ({"name": "%"}, []),
    ],
)
def test_page_can_be_narrowed(inbox: Inbox, wanted: dict[str, str], found: list[str]) -> None:
    """By state, sender, incident and the beginning of a name, where no sign stands for others."""
    assert [one.delivery for one in inbox.page(**wanted)] == found  # type: ignore[arg-type]


def test_delivery_that_told_of_an_alert_is_its_incidents_too(inbox: Inbox) -> None:
    """A delivery of several alerts may belong to more incidents than the first."""
    Sightings(inbox.database).keep([Sighting("a", "s", "", "INC-2", "d-2", write_time(START))])

    assert [one.delivery for one in inbox.page(incident="INC-2")] == ["d-2"]


def test_one_is_given_with_its_body_or_without(inbox: Inbox) -> None:
    """By its whole name."""
    whole, bare = inbox.get("d-0"), inbox.get("d-0", body=False)

    assert whole is not None
    assert bare is not None
    assert (whole.raw, bare.raw) == (b"\x00body", b"")
    assert (whole.state, bare.says) == ("started", "bad-deploy for INC-1")
    assert inbox.get("d-") is None


def test_what_waits_for_longest(inbox: Inbox) -> None:
    """Held ones wait as well; when all are settled, none does."""
    waiting = inbox.oldest_waiting()

    assert waiting is not None
    assert (waiting.delivery, waiting.state) == ("d-1", "held")

    inbox.settle_all([Settled(f"d-{number}", IGNORED, "x") for number in range(6)])

    assert inbox.oldest_waiting() is None
