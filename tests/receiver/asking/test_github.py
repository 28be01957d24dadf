"""What GitHub could not deliver while we were away is sent again by GitHub itself, signed, and once."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from starlette.responses import JSONResponse, Response

from crisis.receiver.asking.github import EVENTS
from crisis.receiver.catch_up import Report
from crisis.receiver.senders import github
from tests.clients.servers import Served
from tests.receiver.asking.conftest import API_TOKEN, SECRET, Receiver, Watch, Watching, wait_until
from tests.receiver.asking.hub import Hub, failed_run

HOUR = timedelta(hours=1)


@pytest.fixture
def hub() -> Iterator[Hub]:
    """Start a GitHub."""
    hub = Hub(API_TOKEN, SECRET)
    with Served(hub.app()) as hub.url:
        yield hub


@pytest.fixture
def mine(hub: Hub, watch: Watching) -> Watch:
    """Put a receiver together that may ask it."""
    return watch("github", {"url": hub.url, "token": "env:API_TOKEN", "repository": "acme/shop"})


@pytest.fixture
def receiver(mine: Watch, hub: Hub, free_port: int) -> Iterator[Receiver]:
    """Return a receiver that is down, with a webhook that posts to it."""
    receiver = Receiver(mine.context, free_port)
    hub.post_to(f"{receiver.url}/alerts/github")
    yield receiver
    receiver.down()


def sent_again(hub: Hub) -> list[str]:
    """Return the requests to send something again."""
    return [one for one in hub.asked if one.startswith("POST")]


def trouble(report: Report) -> str:
    """Return what went wrong with the one sender."""
    (told,) = report.told
    return told.trouble


def test_what_did_not_arrive_is_sent_again_by_github(mine: Watch, hub: Hub, receiver: Receiver) -> None:
    """A failed workflow that was reported while we were down ends in the inbox, proved and with its fields."""
    hub.deliver(failed_run(7))
    receiver.up()
    report = mine.round()
    (kept,) = wait_until(mine.kept)

    assert "GitHub is asked to send again what did not arrive" in report.told[0].notes[0]
    assert kept.headers == {"x-github-event": "workflow_run"}
    (alert,) = mine.alerts()
    assert (alert.fingerprint, alert.labels["alertname"], alert.firing) == ("run-7-1", "WorkflowFailed", True)
    assert mine.notes() == list(report.told[0].notes)


def test_what_arrived_is_left_alone(mine: Watch, hub: Hub, receiver: Receiver) -> None:
    """Neither what came at once nor what came at the second try is asked for."""
    receiver.up()
    hub.deliver(failed_run(1))
    receiver.down()
    late = hub.deliver(failed_run(2))
    receiver.up()
    hub.send(late, redelivery=True)
    mine.round()

    assert sent_again(hub) == []
    assert len(mine.kept()) == 2


def test_each_is_asked_for_once_an_hour_and_given_up_in_the_end(mine: Watch, hub: Hub, receiver: Receiver) -> None:
    """While we stay out of reach it converges: no loop, also after a restart, and at most five times."""
    hub.deliver(failed_run(7))
    mine.round()
    wait_until(lambda: len(hub.attempts) == 2)
    mine.round(timedelta(minutes=16))
    mine.again().round()

    assert len(sent_again(hub)) == 1
    for hours in range(1, 9):
        hub.ahead = hours * timedelta(minutes=61)
        before = len(sent_again(hub))
        mine.round(hub.ahead)
        wait_until(lambda: len(hub.attempts) == len(sent_again(hub)) + 1)
        assert len(sent_again(hub)) - before == (1 if hours < 5 else 0)
    assert receiver.port


def test_others_events_and_older_ones_are_left_alone(mine: Watch, hub: Hub, receiver: Receiver) -> None:
    """What starts nothing is not asked for, nor what is from before the last time."""
    hub.deliver({"zen": "Half measures are as bad as nothing at all."}, event="ping")
    hub.deliver(failed_run(1), ago=3 * HOUR)
    receiver.up()
    mine.round()

    assert sent_again(hub) == []
    assert set(github._EVENTS) == EVENTS


def test_all_pages_are_read(mine: Watch, hub: Hub, receiver: Receiver) -> None:
    """Deliveries stand on several pages, and the oldest that failed is asked for first."""
    hub.page = 2
    for number in range(7):
        hub.deliver(failed_run(number), ago=timedelta(minutes=30 - number))
    oldest_first = [f"{one['id']}" for one in reversed(hub.attempts)]
    receiver.up()
    mine.round()
    wait_until(lambda: len(mine.kept()) == 7)

    assert [one.split("/")[-2] for one in sent_again(hub)] == oldest_first


def test_reading_stops_at_what_is_too_old(mine: Watch, hub: Hub, receiver: Receiver) -> None:
    """Pages from before the last time are not asked for."""
    hub.page = 2
    for number in range(20):
        hub.deliver(failed_run(number), ago=(20 - number) * HOUR)
    mine.round()

    assert len([one for one in hub.asked if one.endswith("/deliveries")]) == 2
    assert receiver.port


def test_only_so_many_are_asked_for_at_once(mine: Watch, hub: Hub, receiver: Receiver) -> None:
    """GitHub takes 80 requests a minute that make something; the rest follows a minute later."""
    for number in range(60):
        hub.deliver(failed_run(number))
    mine.round()

    assert len(sent_again(hub)) == 50
    wait_until(lambda: len(hub.attempts) == 110)
    mine.round(timedelta(seconds=50))
    assert len(sent_again(hub)) == 50
    mine.round(timedelta(seconds=70))
    assert len(sent_again(hub)) == 60
    assert receiver.port


def test_an_organizations_webhook_is_asked_for_too(watch: Watching, free_port: int) -> None:
    """A webhook of the whole organization has the same deliveries elsewhere."""
    hub = Hub(API_TOKEN, SECRET, owner="orgs/acme")
    with Served(hub.app()) as hub.url:
        mine = watch("github", {"url": hub.url, "token": "env:API_TOKEN", "organization": "acme"})
        receiver = Receiver(mine.context, free_port)
        hub.post_to(f"{receiver.url}/alerts/github")
        hub.deliver(failed_run(3))
        receiver.up()
        mine.round()
        wait_until(mine.kept)
        receiver.down()

    assert [one.fingerprint for one in mine.alerts()] == ["run-3-1"]


def test_the_rehearsals_webhook_is_not_ours(watch: Watching, hub: Hub, free_port: int) -> None:
    """Where a webhook posts to our own address, one that posts the like elsewhere is left alone."""
    mine = watch("github", {"url": hub.url, "token": "env:API_TOKEN", "repository": "acme/shop"})
    hub.hooks.append({"id": 1, "active": True, "config": {"url": f"http://127.0.0.1:{free_port}/alerts/github"}})
    hub.hooks.append({"id": 2, "active": True, "config": {"url": "http://receiver.test/alerts/github/"}})
    hub.hooks.append({"id": 3, "active": False, "config": {"url": "http://receiver.test/alerts/github"}})
    hub.hooks += [{"id": 4, "active": True, "config": {"url": "http://[/alerts/github"}}, {"id": 5, "config": None}]
    mine.round()

    assert [one for one in hub.asked if one.endswith("/deliveries")] == ["GET /repos/acme/shop/hooks/2/deliveries"]


def test_no_webhook_of_ours_is_said(mine: Watch, hub: Hub) -> None:
    """A repository whose webhooks post elsewhere is named with what to do."""
    hub.hooks = [{"id": number, "active": True, "config": {"url": "https://ci.example/hook"}} for number in range(120)]

    assert trouble(mine.round()) == (
        "github: wanted an active webhook to /alerts/github, saw none among 120; "
        "add it at GitHub, or mend alerts.github.ask_back"
    )


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (JSONResponse({"message": "Not Found"}, 404), "404 Not Found; check the name, and that the token may see it"),
        (JSONResponse({"message": "Bad credentials"}, 401), "401 Bad credentials; renew the token"),
        (JSONResponse({"message": "limit"}, 403, {"x-ratelimit-remaining": "0"}), "403 limit; try again"),
        (JSONResponse({"message": "secondary"}, 429, {"retry-after": "90"}), "429 secondary; try again in 90 s"),
    ],
)
def test_a_refusal_is_one_line(mine: Watch, hub: Hub, answer: Response, says: str) -> None:
    """Missing rights and spent limits end in one line and one note, without the token."""
    hub.refuses = answer
    said = trouble(mine.round())

    assert said.startswith(f"github: wanted github to list webhooks, saw {says}")
    assert mine.notes() == [f"github cannot be asked for what did not reach us: {said}"]
    assert API_TOKEN not in said


def test_a_spent_limit_is_waited_for(mine: Watch, hub: Hub) -> None:
    """A sender that says when to come back is not asked before."""
    hub.refuses = JSONResponse({"message": "slow down"}, 429, {"retry-after": "1200"})
    mine.round()
    mine.round(timedelta(minutes=19))

    assert len(hub.asked) == 1
    mine.round(timedelta(minutes=21))
    assert len(hub.asked) == 2


def test_a_token_that_may_only_read_is_named(mine: Watch, hub: Hub, receiver: Receiver) -> None:
    """Without the right to send again, that is said, and GitHub is not asked fifty times for it."""
    hub.readonly = True
    for number in range(9):
        hub.deliver(failed_run(number))

    assert "wanted github to send a delivery again, saw 403 Resource not accessible" in trouble(mine.round())
    assert len(sent_again(hub)) == 3
    assert receiver.port
