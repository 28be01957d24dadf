"""Issues and metric alerts of Sentry that did not reach us are read from its lists, as if they had been sent."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from starlette.responses import JSONResponse

from tests.clients.servers import Served
from tests.receiver.asking.conftest import API_TOKEN, LATER, Watch, Watching
from tests.receiver.asking.sentinel import Sentinel

HOUR = timedelta(hours=1)


@pytest.fixture
def sentinel() -> Sentinel:
    """Return a Sentry."""
    return Sentinel(API_TOKEN)


@pytest.fixture
def url(sentinel: Sentinel) -> Iterator[str]:
    """Serve it."""
    with Served(sentinel.app()) as url:
        yield url


@pytest.fixture
def mine(url: str, watch: Watching) -> Watch:
    """Put a receiver together that may ask it."""
    return watch("sentry", {"url": url, "token": "env:API_TOKEN", "organization": "acme"})


def test_a_new_issue_is_fetched_with_its_fields(mine: Watch, sentinel: Sentinel) -> None:
    """An issue that was created while we were away is read as the webhook's would be."""
    issue = sentinel.issue(9, first=HOUR)
    report = mine.round()

    assert report.new == 1
    (alert,) = mine.alerts()
    assert (alert.status, alert.fingerprint, alert.severity) == ("firing", "issue-9", "error")
    assert dict(alert.labels) == {
        "alertname": "KeyError", "resource": "issue", "project": "shop", "severity": "error", "level": "error",
        "platform": "python", "substatus": "new", "issue": "SHOP-9",
    }  # fmt: skip
    assert alert.url == issue["permalink"]
    assert mine.kept()[0].headers == {"sentry-hook-resource": "issue"}
    assert mine.notes() == ["1 delivery that had not reached us fetched from sentry"]


def test_asking_twice_puts_nothing_twice(mine: Watch, sentinel: Sentinel) -> None:
    """Neither the next round nor a restart puts what is there already, before it was judged and after."""
    sentinel.issue(9)
    sentinel.incident(4)
    assert mine.round().new == 2
    assert mine.round(LATER * 2).new == 0
    mine.judge()

    assert mine.again().round().new == 0
    assert len(mine.incidents()) == 1


def test_an_issue_that_came_back_counts(mine: Watch, sentinel: Sentinel) -> None:
    """A regression is told as `unresolved`; an old issue that merely goes on is none of the webhook's."""
    sentinel.issue(1, first=100 * HOUR, substatus="regressed")
    sentinel.issue(2, first=100 * HOUR, substatus="escalating")
    sentinel.issue(3, first=100 * HOUR, substatus="ongoing")
    sentinel.issue(4, first=100 * HOUR, last=90 * HOUR, substatus="regressed")
    mine.round()

    assert sorted(one["data"]["issue"]["id"] for one in mine.payloads()) == ["1", "2"]
    assert {one["action"] for one in mine.payloads()} == {"unresolved"}


def test_an_issue_that_comes_back_twice_is_put_twice(mine: Watch, sentinel: Sentinel) -> None:
    """What ended since is told again, though it says the same."""
    issue = sentinel.issue(1, first=100 * HOUR, substatus="regressed")
    mine.round()
    mine.judge()
    issue["status"] = "resolved"
    assert mine.round(LATER * 2).new == 1
    mine.judge()
    issue["status"] = "unresolved"

    assert mine.round(LATER * 4).new == 1
    assert [one["action"] for one in mine.payloads()] == ["unresolved", "resolved", "unresolved"]


def test_what_was_resolved_meanwhile_is_told(mine: Watch, sentinel: Sentinel) -> None:
    """An issue and a metric alert that fire as far as we know, and are over there, are put in as resolved."""
    issue, incident = sentinel.issue(9), sentinel.incident(4)
    sentinel.issue(10)
    mine.round()
    mine.judge()
    issue["status"] = "resolved"
    sentinel.close(incident)
    report = mine.round(LATER * 2)

    assert report.new == 2
    ended = [one for one in mine.alerts() if not one.firing]
    assert sorted(one.fingerprint for one in ended) == ["issue-9", "metric_alert-4"]
    mine.judge()
    assert mine.context.sightings.firing(mine.incidents()[0]) == 1
    assert mine.round(LATER * 4).new == 0


def test_a_metric_alert_is_fetched_with_its_fields(mine: Watch, sentinel: Sentinel) -> None:
    """One that is open is read as the webhook's would be; one that is over and was never heard of is left."""
    sentinel.incident(4, began=50 * HOUR)
    sentinel.incident(5, status=10)
    sentinel.close(sentinel.incident(6))
    mine.round()

    found = {one.fingerprint: one for one in mine.alerts()}
    assert set(found) == {"metric_alert-4", "metric_alert-5"}
    assert dict(found["metric_alert-4"].labels) == {
        "alertname": "Too many errors", "resource": "metric_alert", "project": "shop", "environment": "production",
        "severity": "critical", "query": "level:error",
    }  # fmt: skip
    assert found["metric_alert-4"].summary == "Critical: Too many errors"
    assert found["metric_alert-4"].url.endswith("/organizations/acme/alerts/rules/details/7/")
    assert found["metric_alert-5"].severity == "warning"


def test_an_organization_without_metric_alerts_is_asked_for_issues(mine: Watch, sentinel: Sentinel) -> None:
    """A plan that has none answers 404, and that is no trouble."""
    sentinel.has_metric_alerts = False
    sentinel.issue(9)
    (told,) = mine.round().told

    assert (told.new, told.trouble) == (1, "")


def test_all_pages_are_read(mine: Watch, sentinel: Sentinel) -> None:
    """The cursor is followed as long as there are results, and no further."""
    sentinel.page = 2
    for number in range(5):
        sentinel.issue(number)
    mine.round()

    assert len(mine.kept()) == 5
    cursors = [params.get("cursor", "") for path, params in sentinel.asked if path.endswith("/issues/")]
    assert cursors == ["", "0:2:0", "0:4:0"]


def test_what_no_route_wants_is_not_fetched(url: str, watch: Watching, sentinel: Sentinel) -> None:
    """An issue that starts nothing is not put into the inbox each quarter of an hour."""
    routes = [{"when": {"level": "fatal"}, "start": "bad-deploy", "service": "shop"}]
    mine = watch("sentry", {"url": url, "token": "env:API_TOKEN", "organization": "acme"}, routes=routes)
    sentinel.issue(9)

    assert mine.round().new == 0


@pytest.mark.parametrize(
    ("organization", "answer", "says"),
    [
        ("acme", JSONResponse({"detail": "no"}, 403), "saw 403 no; give the token the permission it lacks"),
        ("acme", JSONResponse({"detail": "slow"}, 429), "saw 429 slow; try again"),
        ("other", None, "saw 404 The requested resource does not exist; check the name"),
    ],
)
def test_a_refusal_is_one_line(
    organization: str, answer: JSONResponse | None, says: str, url: str, watch: Watching, sentinel: Sentinel
) -> None:
    """Missing rights, spent limits and unknown names are said, without the token."""
    mine = watch("sentry", {"url": url, "token": "env:API_TOKEN", "organization": organization})
    sentinel.refuses = answer
    (told,) = mine.round().told

    assert f"sentry: wanted sentry to list issues, {says}" in told.trouble
    assert API_TOKEN not in " ".join(mine.notes())
