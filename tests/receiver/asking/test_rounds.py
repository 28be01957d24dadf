"""When senders are asked, and for what: from when we were away, soon again where it failed, and never too far back."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from starlette.responses import JSONResponse

from crisis.domain.alerting import AlertSender
from crisis.domain.clock import parse_time, utc_now, write_time
from crisis.errors import JournalError
from crisis.journal.inbox import Delivery
from crisis.receiver.senders.registry import asker_of
from tests.clients.servers import Served
from tests.receiver.asking.conftest import API_TOKEN, Watching
from tests.receiver.asking.sentinel import Sentinel

HOUR = timedelta(hours=1)
QUARTER = timedelta(minutes=15)
SECOND = timedelta(seconds=1)


@pytest.fixture
def sentinel() -> Sentinel:
    """Return a Sentry."""
    return Sentinel(API_TOKEN, has_metric_alerts=False)


@pytest.fixture
def place(sentinel: Sentinel) -> Iterator[dict[str, str]]:
    """Serve it, and say how it is asked."""
    with Served(sentinel.app()) as url:
        yield {"url": url, "token": "env:API_TOKEN", "organization": "acme"}


def times(sentinel: Sentinel) -> int:
    """Return how often its issues were listed."""
    return len([path for path, _ in sentinel.asked if path.endswith("/issues/")])


def back_to(sentinel: Sentinel) -> timedelta:
    """Return how far back it was last asked for."""
    query = next(params["query"] for path, params in reversed(sentinel.asked) if path.endswith("/issues/"))
    return utc_now() - parse_time(query.partition(">=")[2])


def about(length: timedelta) -> object:
    """Compare durations to the half minute."""
    return pytest.approx(length.total_seconds(), abs=30)


@pytest.mark.parametrize(
    ("alive", "back"),
    [
        (5 * HOUR, 7 * HOUR),  # two hours more than we were away
        (90 * HOUR, 72 * HOUR),  # never more than three days
        (None, 2 * HOUR),  # a first start: nobody knows
    ],
)
def test_it_is_asked_from_when_we_were_last_alive(
    alive: timedelta | None, back: timedelta, place: dict[str, str], sentinel: Sentinel, watch: Watching
) -> None:
    """The last sign of life of the receiver says since when something may be missing."""
    watch("sentry", place, alive=utc_now() - alive if alive else None).round()

    assert back_to(sentinel).total_seconds() == about(back)


def test_without_a_sign_of_life_the_last_delivery_counts(
    place: dict[str, str], sentinel: Sentinel, watch: Watching
) -> None:
    """A store that an older release kept has deliveries and no pulse."""
    mine = watch("sentry", place)
    mine.context.inbox.put_all([_received(utc_now() - 4 * HOUR)])
    mine.again().round()

    assert back_to(sentinel).total_seconds() == about(6 * HOUR)


def test_what_was_not_fetched_before_a_restart_is_still_asked_for(
    place: dict[str, str], sentinel: Sentinel, watch: Watching
) -> None:
    """While a sender's API is away the time we missed does not shrink, however often we start."""
    mine = watch("sentry", place, alive=utc_now() - 9 * HOUR)
    mine.round()
    sentinel.refuses = JSONResponse({}, 503)
    later = mine.again(alive=utc_now())
    later.round(6 * HOUR)
    sentinel.refuses = None
    later.again(alive=utc_now() + 12 * HOUR).round(12 * HOUR)

    assert back_to(sentinel).total_seconds() == about(2 * HOUR)


def test_a_quarter_of_an_hour_lies_between_rounds(place: dict[str, str], sentinel: Sentinel, watch: Watching) -> None:
    """After a start at once, then every 15 minutes."""
    mine, now = watch("sentry", place), utc_now()
    due = [mine.catching.is_due(now)]
    mine.catching.round(now)
    due += [mine.catching.is_due(now + QUARTER - SECOND), mine.catching.is_due(now + QUARTER)]

    assert due == [True, False, True]
    assert times(sentinel) == 1
    assert mine.catching.round(now + SECOND).told == ()


def test_a_sender_that_is_away_is_tried_again_with_back_off(
    place: dict[str, str], sentinel: Sentinel, watch: Watching
) -> None:
    """After 5 s, 10 s, 20 s and so on to 15 minutes; the same trouble is noted once a day."""
    sentinel.refuses = JSONResponse({}, 503)
    mine = watch("sentry", place)
    start = now = datetime(2026, 11, 24, 3, 0, tzinfo=utc_now().tzinfo)
    tried = list[int]()
    while now < start + HOUR:
        if mine.catching.round(now).told:
            tried.append(int((now - start).total_seconds()))
        now += 5 * SECOND

    assert tried == [0, 5, 15, 35, 75, 155, 315, 635, 1275, 2175, 3075]
    assert len(mine.notes()) == 1
    sentinel.refuses = None
    mine.catching.round(now + QUARTER)
    assert not mine.catching.is_due(now + 2 * QUARTER - SECOND)


def test_a_refusal_waits_for_the_next_round(place: dict[str, str], sentinel: Sentinel, watch: Watching) -> None:
    """What a token may not read now it may not read in five seconds either; a cut list does not change that."""
    sentinel.refuses = JSONResponse({}, 403)
    mine, now = watch("sentry", place), utc_now()
    mine.catching.round(now)
    mine.catching.hurry("sentry")

    assert not mine.catching.is_due(now + QUARTER - SECOND)


def test_a_list_that_is_cut_off_again_and_again_is_asked_for_with_breath(
    place: dict[str, str], sentinel: Sentinel, watch: Watching
) -> None:
    """A hurry is heard within ten seconds, and not more often than that; one for others is not."""
    mine, now = watch("sentry", place), utc_now()
    mine.catching.hurry("sentry")
    mine.catching.round(now)
    for sender in ("sentry", "sentry", "nobody"):
        mine.catching.hurry(sender)

    assert not mine.catching.is_due(now + 9 * SECOND)
    assert mine.catching.is_due(now + 10 * SECOND)
    mine.catching.round(now + 10 * SECOND)
    assert not mine.catching.is_due(now + 60 * SECOND)
    assert times(sentinel) == 2


def test_a_clock_that_was_set_back_does_not_stop_it(place: dict[str, str], watch: Watching) -> None:
    """A next time that lies hours ahead is no reason to wait for it."""
    mine, now = watch("sentry", place), utc_now()
    mine.catching.round(now + 24 * HOUR)

    assert mine.catching.is_due(now)


def test_a_store_that_is_away_is_said_and_made_up_for(
    place: dict[str, str], sentinel: Sentinel, watch: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be kept is asked for again."""
    mine = watch("sentry", place)
    sentinel.issue(9)
    with monkeypatch.context() as broken:
        broken.setattr(mine.context.inbox, "put_all", _refuse)
        with pytest.raises(JournalError):
            mine.round()
    assert mine.kept() == []

    assert mine.round(timedelta(seconds=30)).new == 1


def _refuse(_: object) -> None:
    raise JournalError("journal", saw="a full disk")


def _received(at: datetime) -> Delivery:
    return Delivery("d1", "sentry", write_time(at), b"{}", state="ignored")


def test_only_senders_that_say_where_are_asked() -> None:
    """Without `ask_back` there is nothing to ask; kinds that cannot be asked have none."""
    rule = AlertSender.model_validate({"kind": "sentry", "secret": ["env:S"]})

    assert asker_of("sentry", rule) is None
