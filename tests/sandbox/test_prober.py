"""The prober sees what shoppers see, tells the webhook, and vouches for releases."""

from collections.abc import Callable
from typing import Any

import httpx

from crisis.sandbox.world import World

GitHub = Callable[[World], httpx.Client]


def firing(receiver: Any, alertname: str = "JourneyFailing") -> list[dict[str, Any]]:
    """Pick what was received about an alert."""
    return [body for _, body in receiver.received if body["commonLabels"]["alertname"] == alertname]


def test_bad_release_raises_one_real_alert(world: World, receiver: Any) -> None:
    """The checkout fails twice, and one Alertmanager payload arrives, signed with the world's token."""
    world.alert(receiver.url)
    sha = world.push_bad_release()
    state = world.wait_until(lambda state: state["prober"]["first_alert"] and state["statuses"].get(sha))
    token, body = receiver.received[0]
    alert = body["alerts"][0]
    labels = {"alertname": "JourneyFailing", "journey": "checkout", "service": "shop", "severity": "critical"}

    assert token == f"Bearer {world.env['CRISIS_SANDBOX_ALERT_TOKEN']}"
    assert (body["version"], body["receiver"], body["status"]) == ("4", "crisis", "firing")
    assert alert["labels"] == body["commonLabels"] == labels
    assert alert["endsAt"] == "0001-01-01T00:00:00Z"
    assert 'journey="checkout"' in body["groupKey"]
    assert len(alert["fingerprint"]) == 16
    assert state["statuses"][sha][0]["state"] == "failure"
    assert state["statuses"][sha][0]["description"] == "fails: checkout"
    assert len(receiver.received) == 1


def test_alert_is_repeated_until_taken_and_then_resolved(world: World, receiver: Any) -> None:
    """A 500 is tried again with the same start; two passes send the resolution."""
    receiver.codes += [500, 503]
    world.alert(receiver.url)
    world.fault("never_healthy")
    world.wait_until(lambda _: len(receiver.received) == 3)
    world.fault("never_healthy", False)
    state = world.wait_until(lambda _: len(receiver.received) == 4)
    bodies = [body for _, body in receiver.received]

    assert [body["status"] for body in bodies] == ["firing", "firing", "firing", "resolved"]
    assert len({body["alerts"][0]["startsAt"] for body in bodies}) == 1
    assert len({body["alerts"][0]["fingerprint"] for body in bodies}) == 1
    assert bodies[-1]["alerts"][0]["endsAt"] > bodies[-1]["alerts"][0]["startsAt"]
    assert [one["code"] for one in state["prober"]["deliveries"][:3]] == [500, 503, 202]
    assert state["prober"]["healthy_again"]


def test_alert_waits_for_a_receiver(world: World, receiver: Any) -> None:
    """What fires before a webhook is known is told as soon as there is one; a dead webhook is tried again."""
    world.alert("http://127.0.0.1:9/nobody")
    world.fault("never_healthy")
    world.wait_until(lambda state: [one for one in state["prober"]["deliveries"] if one["code"] == 0])
    world.alert(receiver.url)

    assert world.wait_until(lambda _: receiver.received)
    assert firing(receiver)[0]["alerts"][0]["labels"]["journey"] == "checkout"


def test_refusal_is_not_repeated(world: World, receiver: Any) -> None:
    """A receiver that says 401 has answered."""
    receiver.codes += [401]
    world.alert(receiver.url)
    world.fault("never_healthy")
    state = world.wait_until(lambda state: state["prober"]["deliveries"])
    world.wait_until(lambda now: now["unix"] > state["unix"] + 0.5)

    assert len(receiver.received) == 1


def test_unheard_trouble_is_not_resolved(world: World, receiver: Any) -> None:
    """What was over before a webhook was known is not reported."""
    world.fault("never_healthy")
    world.wait_until(lambda state: state["prober"]["firing"])
    world.fault("never_healthy", False)
    world.wait_until(lambda state: not state["prober"]["firing"])
    world.alert(receiver.url)
    state = world.state()
    world.wait_until(lambda now: now["unix"] > state["unix"] + 0.3)

    assert receiver.received == []


def test_maintenance_is_stamped_and_counts_for_nothing(world: World, connect: Callable[..., httpx.Client]) -> None:
    """The moment of the page is known to 50 ms, the alert stays, and the release is not judged."""
    board = connect(world.env["CRISIS_SANDBOX_SWITCHBOARD_URL"], world.env["CRISIS_SANDBOX_SWITCHBOARD_TOKEN"])
    sha = world.push_bad_release()
    world.wait_until(lambda state: state["serving"] == sha and state["prober"]["firing"])
    seen = board.get("")
    body = {**seen.json(), "mode": "maintenance", "seq": 2}
    board.put("", json=body, headers={"If-Match": seen.headers["ETag"]}).raise_for_status()
    state = world.wait_until(lambda state: state["prober"]["maintenance_seen"])
    [write] = state["writes"]
    [stamp] = state["prober"]["maintenance_seen"]

    assert stamp["at"] >= write["at"]
    assert state["prober"]["firing"] == [{"alertname": "JourneyFailing", "journey": "checkout"}]
    assert state["prober"]["healthy_again"] == []


def test_slow_journey_is_a_warning(world: World, receiver: Any) -> None:
    """A checkout that takes more than three seconds twice is slow, not down."""
    world.alert(receiver.url)
    world.shoppers(0)
    world.fault("slow_checkout", 3.01)
    world.wait_until(lambda _: firing(receiver, "JourneySlow"), seconds=20)

    assert firing(receiver, "JourneySlow")[0]["commonLabels"]["severity"] == "warning"
    assert firing(receiver) == []


def test_broken_feature_is_a_warning(world: World, receiver: Any) -> None:
    """Search is no primary journey."""
    world.alert(receiver.url)
    broken = (
        '"""Search."""\nfrom starlette.responses import JSONResponse\nasync def find(_):\n    return JSONResponse({})\n'
    )
    world.push({"shop/search.py": broken, "tests/test_search.py": None}, "Simplify search")
    world.wait_until(lambda _: firing(receiver))

    assert firing(receiver)[0]["commonLabels"]["journey"] == "search"
    assert firing(receiver)[0]["commonLabels"]["severity"] == "warning"


def test_metrics_can_be_scraped(shared: World) -> None:
    """Prometheus reads whether each journey is up and how long it took."""
    text = httpx.get(f"{shared.vendors_url}/metrics").text

    for journey in ("login", "checkout", "search", "reviews"):
        assert f'crisis_journey_up{{service="shop",journey="{journey}"}} 1' in text
        assert f'crisis_journey_seconds{{service="shop",journey="{journey}"}} 0.' in text
