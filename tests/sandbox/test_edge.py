"""The edge shows the live release, turns shoppers away when told to, and can be made to fail."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from crisis.sandbox.world import World

Client = Callable[..., httpx.Client]
Shopper = Callable[[World], httpx.Client]
MUG = {"items": [{"sku": "mug", "quantity": 1}]}


@pytest.fixture
def switch(shared: World, connect: Client) -> Iterator[Callable[[str], httpx.Response]]:
    """Change the mode of the shop; it is normal again afterwards."""
    board = connect(shared.env["CRISIS_SANDBOX_SWITCHBOARD_URL"], shared.env["CRISIS_SANDBOX_SWITCHBOARD_TOKEN"])

    def change(mode: str) -> httpx.Response:
        seen = board.get("")
        body: dict[str, Any] = {**seen.json(), "mode": mode, "seq": seen.json()["seq"] + 1}
        return board.put("", json=body, headers={"If-Match": seen.headers["ETag"]})

    yield change
    change("normal")


def test_maintenance_turns_shoppers_away_politely(
    shared: World, connect: Client, switch: Callable[[str], httpx.Response]
) -> None:
    """People get a page, programs get JSON, both learn when to come back; nothing is a generic error."""
    switch("maintenance")
    stranger = connect(shared.shop_url)
    page, call = stranger.get("/"), stranger.get("/api/products")

    assert (page.status_code, call.status_code) == (503, 503)
    assert page.headers["Retry-After"] == call.headers["Retry-After"] == "30"
    assert "putting something right" in page.text
    assert call.json()["mode"] == "maintenance"
    assert shared.wait_until(lambda state: state["shoppers"]["turned_away"])


def test_only_staff_pass_through_maintenance(
    shared: World, connect: Client, switch: Callable[[str], httpx.Response]
) -> None:
    """The bypass token opens the shop and its health document; a wrong one, or none, opens neither."""
    switch("maintenance")
    header = "X-Maintenance-Bypass"
    stranger = connect(shared.shop_url)
    token = {header: shared.env["CRISIS_SANDBOX_BYPASS_TOKEN"]}
    staff = stranger.get("/", headers=token)

    assert staff.status_code == 200
    assert stranger.get("/healthz", headers=token).json()["releaseId"] == staff.headers["X-Release"]
    assert stranger.get("/", headers={header: "wrong"}).status_code == 503
    assert stranger.get("/healthz").status_code == 503


def test_stuck_switch_says_yes_and_stays(
    shared: World, connect: Client, switch: Callable[[str], httpx.Response]
) -> None:
    """A lying switchboard answers 200, and the shop stays open."""
    shared.fault("stuck_switch")
    answer = switch("maintenance")
    shared.fault("stuck_switch", False)

    assert answer.status_code == 200
    assert answer.json()["mode"] == "maintenance"
    assert shared.state()["switches"]["mode"] == "normal"
    assert connect(shared.shop_url).get("/").status_code == 200


def test_never_healthy_breaks_any_release(shared: World, shopper: Shopper) -> None:
    """The checkout answers 500 whatever is live, until mended."""
    person = shopper(shared)
    shared.fault("never_healthy")
    broken = person.post("/api/checkout", json=MUG)
    shared.fault("never_healthy", False)

    assert broken.status_code == 500
    assert person.post("/api/checkout", json=MUG).status_code == 201


def test_slow_checkout_takes_its_time(shared: World, shopper: Shopper) -> None:
    """The seconds are added to the checkout and to nothing else."""
    person = shopper(shared)
    shared.fault("slow_checkout", 0.3)
    began = time.monotonic()
    answer = person.post("/api/checkout", json=MUG)
    took = time.monotonic() - began
    shared.fault("slow_checkout", False)

    assert answer.status_code == 201
    assert took >= 0.3


def test_shoppers_come_as_often_as_asked(shared: World) -> None:
    """The stream can be stopped and made to swell."""
    shared.shoppers(0)
    stopped = shared.wait_until(lambda state: state["shoppers"]["per_second"] == 0)
    shared.shoppers(20)
    busy = shared.wait_until(lambda state: state["shoppers"]["started"] > stopped["shoppers"]["started"] + 5)
    shared.reset_counters()

    assert busy["shoppers"]["failed"] == 0
    assert shared.state()["shoppers"]["started"] < busy["shoppers"]["started"]


def test_sessions_are_not_shared(shared: World, shopper: Shopper, connect: Client) -> None:
    """The edge keeps no cookie: a stranger stays a stranger while others are logged in."""
    person, stranger = shopper(shared), connect(shared.shop_url)

    assert person.post("/api/checkout", json=MUG).status_code == 201
    assert stranger.post("/api/checkout", json=MUG).status_code == 401


@pytest.mark.parametrize(
    ("mode", "page", "search", "checkout"), [("read_only", 200, 200, 503), ("offline", 200, 503, 503)]
)
def test_circuit_can_be_broken_in_part(
    shared: World, shopper: Shopper, switch: Callable[[str], httpx.Response], mode: str, page: int, search: int,
    checkout: int,
) -> None:  # fmt: skip
    """Read-only closes what writes; offline closes the API and leaves the page."""
    person = shopper(shared)
    switch(mode)
    codes = [person.get("/").status_code, person.get("/api/search").status_code]
    answer = person.post("/api/checkout", json=MUG)

    assert [*codes, answer.status_code] == [page, search, checkout]
    assert answer.json()["mode"] == mode


def test_feature_can_be_switched_off(shared: World, connect: Client) -> None:
    """Search is closed, and nothing else; the prober takes it for what it is."""
    board = connect(shared.env["CRISIS_SANDBOX_SWITCHBOARD_URL"], shared.env["CRISIS_SANDBOX_SWITCHBOARD_TOKEN"])
    seen = board.get("")
    body = {**seen.json(), "seq": seen.json()["seq"] + 1, "features": {"search": False}}
    off = board.put("", json=body, headers={"If-Match": seen.headers["ETag"]})
    stranger = connect(shared.shop_url)
    codes = [stranger.get(path).status_code for path in ("/api/search", "/api/reviews/mug", "/")]
    state = shared.wait_until(lambda state: not state["prober"]["journeys"]["search"]["up"])
    body = {**body, "seq": body["seq"] + 1, "features": {}}
    board.put("", json=body, headers={"If-Match": off.headers["ETag"]})

    assert codes == [503, 200, 200]
    assert state["prober"]["firing"] == []
    assert state["prober"]["maintenance_seen"] == shared.state()["prober"]["maintenance_seen"]
