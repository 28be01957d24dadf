"""The vendors have the shapes, the refusals and the memory of real ones."""

import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from crisis.sandbox.world import World

Client = Callable[..., httpx.Client]
GitHub = Callable[[World], httpx.Client]


@pytest.fixture
def hub(shared: World, github: GitHub) -> httpx.Client:
    """GitHub's API."""
    return github(shared)


@pytest.fixture
def board(shared: World, connect: Client) -> httpx.Client:
    """Reach the switchboard's document."""
    return connect(shared.env["CRISIS_SANDBOX_SWITCHBOARD_URL"], shared.env["CRISIS_SANDBOX_SWITCHBOARD_TOKEN"])


@pytest.fixture
def twilio(shared: World, connect: Client) -> httpx.Client:
    """Twilio's API for the account."""
    sid = shared.env["CRISIS_SANDBOX_TWILIO_SID"]
    url = f"{shared.env['CRISIS_SANDBOX_TWILIO_URL']}/2010-04-01/Accounts/{sid}"
    return connect(url, auth=(sid, shared.env["CRISIS_SANDBOX_TWILIO_TOKEN"]))


@pytest.fixture
def good(shared: World) -> str:
    """Name the live commit."""
    return str(shared.state()["serving"])


@pytest.fixture
def clean(shared: World) -> Iterator[World]:
    """Mend the world's faults afterwards."""
    shared.reset_counters()
    yield shared
    for name in ("vendor_errors", "vendor_lost_reply", "vendor_delay"):
        shared.fault(name, False)


@pytest.mark.parametrize(
    "path",
    [
        "/github/repos/sandbox/shop",
        "/github/unknown",
        "/switches/shop",
        "/vercel/v9/projects/shop",
        "/twilio/2010-04-01/x",
    ],
)
@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic d3Jvbmc6d3Jvbmc="}])
def test_nobody_is_served_without_the_right_token(shared: World, path: str, header: dict[str, str]) -> None:
    """Every vendor answers 401 to no, a wrong, and a malformed token."""
    assert httpx.get(shared.vendors_url + path, headers=header).status_code == 401


def test_repository_says_what_may_be_done(hub: httpx.Client) -> None:
    """The token may push."""
    body = hub.get(str(hub.base_url).rstrip("/")).json()

    assert body["full_name"] == "sandbox/shop"
    assert body["permissions"]["push"] is True


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("DELETE", "/deployments", 404),
        ("GET", "/deployments/1/statuses", 404),
        ("GET", "/issues/99", 404),
        ("GET", "/actions/variables/NONE", 404),
        ("PATCH", "/actions/variables/NONE", 404),
        ("DELETE", "/actions/variables/NONE", 404),
        ("GET", f"/commits/{'0' * 40}/status", 422),
        ("GET", "/commits/--all/check-runs", 422),
        ("POST", "/deployments", 422),
        ("POST", "/issues", 422),
        ("POST", "/actions/variables", 422),
    ],
)
def test_github_refuses_as_github_does(hub: httpx.Client, method: str, path: str, status: int) -> None:
    """What is not there is 404, what makes no sense is 422, both with a message."""
    answer = hub.request(method, path, json={} if method in {"POST", "PATCH"} else None)

    assert answer.status_code == status
    assert answer.json()["message"]


@pytest.mark.parametrize("content", ["no json", "[]"])
def test_bodies_are_json_objects(hub: httpx.Client, content: str) -> None:
    """Anything else is 400."""
    assert hub.post("/issues", content=content).status_code == 400


def test_deployments_are_listed_newest_first_and_in_pages(hub: httpx.Client, good: str) -> None:
    """The link header leads to the next page; filters narrow the list."""
    newest = hub.get("/deployments", params={"environment": "production", "per_page": 1})
    older = httpx.get(newest.links["next"]["url"], headers=hub.headers)
    one = hub.get(f"/deployments/{newest.json()[0]['id']}")

    assert newest.json()[0]["sha"] == good
    assert older.json()[0]["id"] < newest.json()[0]["id"]
    assert "next" not in older.links
    assert one.json() == newest.json()[0]
    assert hub.get("/deployments", params={"environment": "staging"}).json() == []
    assert len(hub.get("/deployments", params={"sha": good}).json()) == 1


def test_statuses_combine(hub: httpx.Client, shared: World, good: str) -> None:
    """One failing context fails the commit, and a deployment that wants all contexts is refused with 409."""
    before = hub.get(f"/commits/{good}/status").json()
    older = shared.state()["deployments"][0]["sha"]
    hub.post(f"/statuses/{older}", json={"state": "error", "context": "human/eyes"}).raise_for_status()
    failed = hub.get(f"/commits/{older}/status").json()
    refused = hub.post("/deployments", json={"ref": older})
    hub.post(f"/statuses/{older}", json={"state": "success", "context": "human/eyes"}).raise_for_status()
    mended = hub.get(f"/commits/{older}/status").json()

    assert (before["state"], failed["state"], mended["state"]) == ("success", "failure", "success")
    assert [one["context"] for one in failed["statuses"]] == ["crisis/journeys", "human/eyes"]
    assert refused.status_code == 409
    assert hub.post(f"/statuses/{older}", json={"state": "great"}).status_code == 422


def test_unjudged_commit_is_pending(hub: httpx.Client, shared: World) -> None:
    """A commit nobody has judged is pending, and has no check run when CI never saw it."""
    root = subprocess.run(
        ["git", "--git-dir", shared.origin, "rev-list", "--max-parents=0", "main"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip

    assert hub.get(f"/commits/{root}/status").json()["state"] == "pending"
    assert hub.get(f"/commits/{root}/check-runs").json() == {"total_count": 0, "check_runs": []}


def test_check_run_tells_how_many_tests_passed(hub: httpx.Client, good: str) -> None:
    """CI ran for real."""
    [run] = hub.get(f"/commits/{good}/check-runs").json()["check_runs"]

    assert (run["name"], run["status"], run["conclusion"]) == ("tests", "completed", "success")
    assert run["output"]["summary"] == "19 passed"


def test_variables_are_added_changed_and_deleted(hub: httpx.Client) -> None:
    """The life of a variable, with GitHub's status codes."""
    codes = [hub.post("/actions/variables", json={"name": "COLOUR", "value": "red"}).status_code]
    codes += [hub.post("/actions/variables", json={"name": "COLOUR", "value": "red"}).status_code]
    codes += [hub.patch("/actions/variables/COLOUR", json={"name": "COLOUR", "value": "blue"}).status_code]
    value = hub.get("/actions/variables/COLOUR").json()["value"]
    codes += [hub.delete("/actions/variables/COLOUR").status_code]
    codes += [hub.get("/actions/variables/COLOUR").status_code]

    assert codes == [201, 409, 204, 204, 404]
    assert value == "blue"


def test_issues_are_opened_found_and_closed(hub: httpx.Client, shared: World) -> None:
    """A ticket with its thread is remembered."""
    body = {"title": "Test the bundles", "body": "Two products.", "labels": ["hotfix", "INC-1"], "milestone": 1}
    opened = hub.post("/issues", json=body).json()
    number = opened["number"]
    said = hub.post(f"/issues/{number}/comments", json={"body": "Soon."})
    found = hub.get("/issues", params={"state": "all", "labels": "INC-1,hotfix"}).json()
    closed = hub.patch(f"/issues/{number}", json={"state": "closed", "labels": ["done"]}).json()

    assert (opened["state"], opened["labels"][0]["name"]) == ("open", "hotfix")
    assert said.status_code == 201
    assert [one["number"] for one in found] == [number]
    assert closed["state"] == "closed"
    assert hub.get("/issues", params={"labels": "done"}).json() == []
    assert hub.get(f"/issues/{number}").json()["comments"] == 1
    assert hub.get(f"/issues/{number}/comments").json()[0]["body"] == "Soon."
    assert shared.state()["tickets"][number - 1]["thread"][0]["body"] == "Soon."


def test_messages_are_queued_then_delivered(twilio: httpx.Client, shared: World) -> None:
    """A text message is remembered and found by its number."""
    form = {"To": "+4915100000001", "From": "+4915100000000", "Body": "Shop is down"}
    sent = twilio.post("/Messages.json", data=form)
    sid = sent.json()["sid"]
    shared.wait_until(lambda _: twilio.get(f"/Messages/{sid}.json").json()["status"] == "delivered")
    found = twilio.get("/Messages.json", params={"To": form["To"], "PageSize": "5"}).json()["messages"]

    assert (sent.status_code, sent.json()["status"], sent.json()["body"]) == (201, "queued", "Shop is down")
    assert [one["sid"] for one in found] == [sid]
    assert twilio.get("/Messages.json", params={"To": "+4915100000009"}).json()["messages"] == []
    assert twilio.get("/Messages/SM0.json").status_code == 404
    assert httpx.get(f"{str(twilio.base_url).rstrip('/')}.json", auth=twilio.auth).json()["status"] == "active"


def test_calls_are_remembered(twilio: httpx.Client) -> None:
    """A call says what was spoken."""
    form = {"To": "+4915100000001", "From": "+4915100000000", "Twiml": "<Response><Say>Hi</Say></Response>"}
    made = twilio.post("/Calls.json", data=form)

    assert made.status_code == 201
    assert twilio.get("/Calls.json").json()["calls"][0]["twiml"] == form["Twiml"]


@pytest.mark.parametrize(
    ("missing", "code"),
    [({"To": None}, 21604), ({"From": None}, 21603), ({"To": "0123"}, 21211), ({"Body": ""}, 21602)],
)
def test_odd_messages_are_refused_with_twilios_code(twilio: httpx.Client, missing: dict[str, Any], code: int) -> None:
    """Twilio's numbers for what is wrong."""
    form = {"To": "+4915100000001", "From": "+4915100000000", "Body": "Hi", **missing}
    answer = twilio.post("/Messages.json", data={name: value for name, value in form.items() if value is not None})

    assert answer.status_code == 400
    assert answer.json()["code"] == code


def test_switchboard_is_changed_by_compare_and_set(board: httpx.Client) -> None:
    """No header is 428, a stale one 412, a jump 409, nonsense 422; the right one is 200 with a new ETag."""
    seen = board.get("")
    match = {"If-Match": seen.headers["ETag"]}
    body = {**seen.json(), "seq": seen.json()["seq"] + 1, "features": {"search": False}}
    codes = [board.put("", json=body).status_code]
    codes += [board.put("", json=body, headers={"If-Match": '"old"'}).status_code]
    codes += [board.put("", json={**body, "seq": 99}, headers=match).status_code]
    codes += [board.put("", json={**body, "mode": "panic"}, headers=match).status_code]
    changed = board.put("", json=body, headers=match)

    assert codes == [428, 412, 409, 422]
    assert changed.status_code == 200
    assert changed.headers["ETag"] == board.get("").headers["ETag"] != seen.headers["ETag"]
    assert board.get("").json()["features"] == {"search": False}


def test_unknown_service_has_no_switches(board: httpx.Client) -> None:
    """Only the shop is switched here."""
    assert httpx.get(str(board.base_url).replace("/shop/", "/bank"), headers=board.headers).status_code == 404


def test_errors_come_as_often_as_asked(clean: World, hub: httpx.Client) -> None:
    """The next two calls fail and nothing happens; the third works."""
    clean.fault("vendor_errors", {"github": {"status": 502, "times": 2}})
    codes = [hub.post("/issues", json={"title": "Once"}).status_code for _ in range(3)]

    assert codes == [502, 502, 201]
    assert len(clean.state()["writes"]) == 1


def test_lost_reply_has_its_effect(clean: World, hub: httpx.Client) -> None:
    """The caller gets 504, and the ticket exists."""
    clean.fault("vendor_lost_reply", {"github": {"times": 1}})
    before = len(clean.state()["tickets"])
    answer = hub.post("/issues", json={"title": "Lost"})

    assert answer.status_code == 504
    assert len(clean.state()["tickets"]) == before + 1


def test_delay_delays(clean: World, hub: httpx.Client) -> None:
    """A slow vendor is slow for every call."""
    clean.fault("vendor_delay", 0.2)

    assert hub.get("").elapsed.total_seconds() >= 0.2


def test_writes_are_recorded_in_order_without_secrets(clean: World, hub: httpx.Client, twilio: httpx.Client) -> None:
    """What was changed, where, and in short."""
    hub.post("/issues", json={"title": "First"})
    twilio.post("/Messages.json", data={"To": "+4915100000001", "From": "+4915100000000", "Body": "Hi"})
    first, second = clean.state()["writes"]

    assert (first["vendor"], first["method"], first["path"]) == ("github", "POST", "/github/repos/sandbox/shop/issues")
    assert first["summary"].endswith(": First")
    assert (second["vendor"], second["summary"]) == ("twilio", "messages to +4915100000001")
