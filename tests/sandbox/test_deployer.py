"""The deployer releases what was pushed and tested, obeys a freeze, goes back, and can lie."""

import json
from collections.abc import Callable
from typing import Any

import httpx

from crisis.sandbox.world import World

GitHub = Callable[[World], httpx.Client]
Vercel = Callable[[World], httpx.Client]


def deployment(state: dict[str, Any], sha: str) -> dict[str, Any]:
    """Find the newest deployment of a commit; empty while there is none."""
    found = [one for one in state["deployments"] if one["sha"] == sha]
    return found[-1] if found else {"state": None}


def freeze(hub: httpx.Client, *allow: str) -> None:
    """Stop every deployment but those of the allowed commits."""
    body = {"name": "DEPLOY_FREEZE", "value": json.dumps({"incident": "INC-1", "allow": list(allow)})}
    hub.post("/actions/variables", json=body).raise_for_status()


def test_push_is_tested_and_released(world: World) -> None:
    """A developer's commit goes from push to the shopper by itself."""
    before = world.state()["serving"]
    sha = world.push({"shop/words.py": 'TITLE = "Slow Cup"\nWELCOME = "Hello."\nFOOTER = "Bye."\n'}, "Say less")
    state = world.wait_until(lambda state: state["serving"] == sha)

    assert sha != before
    assert deployment(world.wait_until(lambda state: deployment(state, sha)["state"] == "success"), sha)
    assert state["check_runs"][sha][0]["conclusion"] == "success"
    assert "Hello." in httpx.get(world.shop_url).text


def test_failing_tests_stop_a_push(world: World) -> None:
    """What fails its tests is never released."""
    before = world.state()["serving"]
    sha = world.push({"shop/search.py": None}, "Tidy up")
    state = world.wait_until(lambda state: deployment(state, sha)["state"] == "failure")

    assert state["check_runs"][sha][0]["conclusion"] == "failure"
    assert state["serving"] == before


def test_release_that_does_not_start_is_a_failure(world: World) -> None:
    """Green tests do not help a release that dies at its start."""
    before = world.state()["serving"]
    dies = (
        "import sys\n"
        "if 'pytest' not in sys.modules:\n"
        "    raise SystemExit('no')\n"
        "async def report(_):\n"
        "    raise NotImplementedError\n"
    )
    sha = world.push({"shop/health.py": dies, "tests/test_page.py": None}, "Rewrite health")
    state = world.wait_until(lambda state: deployment(state, sha)["state"] == "failure")

    assert state["check_runs"][sha][0]["conclusion"] == "success"
    assert state["serving"] == before


def test_freeze_holds_a_push_and_lets_the_allowed_through(world: World, github: GitHub) -> None:
    """A pushed commit waits as queued, and is released when the freeze allows it."""
    hub = github(world)
    freeze(hub)
    before = world.state()["serving"]
    sha = world.push({"README.md": "Hello\n"}, "Say hello")
    held = world.wait_until(lambda state: deployment(state, sha)["state"] == "queued")
    body = {"value": json.dumps({"incident": "INC-1", "allow": [sha]})}
    hub.patch("/actions/variables/DEPLOY_FREEZE", json=body).raise_for_status()
    state = world.wait_until(lambda state: deployment(state, sha)["state"] == "success")

    assert held["serving"] == before
    assert held["freeze"] == {"incident": "INC-1", "allow": []}
    assert state["serving"] == sha


def test_lifted_freeze_releases_only_the_newest(world: World, github: GitHub) -> None:
    """Of two commits that wait, the older is overtaken and never goes live."""
    hub = github(world)
    freeze(hub)
    older = world.push({"README.md": "One\n"}, "One")
    world.wait_until(lambda state: deployment(state, older)["state"] == "queued")
    newer = world.push({"README.md": "Two\n"}, "Two")
    world.wait_until(lambda state: deployment(state, newer)["state"] == "queued")
    hub.delete("/actions/variables/DEPLOY_FREEZE").raise_for_status()
    state = world.wait_until(lambda state: deployment(state, newer)["state"] == "success")

    assert deployment(state, older)["state"] == "inactive"
    assert state["serving"] == newer


def test_unreadable_freeze_still_freezes(world: World, github: GitHub) -> None:
    """A variable nobody can parse holds everything."""
    github(world).post("/actions/variables", json={"name": "deploy_freeze", "value": "stop!"}).raise_for_status()
    sha = world.push({"README.md": "Hello\n"}, "Say hello")
    state = world.wait_until(lambda state: deployment(state, sha)["state"] == "queued")

    assert state["freeze"] == "stop!"


def test_roll_back_releases_the_kept_artefact(world: World, github: GitHub) -> None:
    """A deployment of the last good commit is live within moments, without a second CI run, though frozen."""
    hub = github(world)
    good = world.state()["serving"]
    bad = world.push_bad_release()
    world.wait_until(lambda state: state["serving"] == bad)
    freeze(hub, good)
    body = {"ref": good, "environment": "production", "required_contexts": [], "auto_merge": False}
    made = hub.post("/deployments", json=body)
    state = world.wait_until(lambda state: deployment(state, good)["state"] == "success")
    states = [one["state"] for one in hub.get(f"/deployments/{made.json()['id']}/statuses").json()]

    assert made.status_code == 201
    assert states == ["success", "in_progress"]
    assert state["serving"] == good
    assert len(state["check_runs"][good]) == 1
    assert httpx.get(f"{world.shop_url}/healthz").json()["releaseId"] == good
    assert [one["summary"] for one in state["writes"]] == ["add DEPLOY_FREEZE", f"release {good[:7]} again"]


def test_roll_back_is_frozen_too(world: World, github: GitHub) -> None:
    """Whoever freezes must say what may still go."""
    hub = github(world)
    older = world.state()["deployments"][0]["sha"]
    freeze(hub)
    hub.post("/deployments", json={"ref": older}).raise_for_status()
    state = world.wait_until(lambda state: deployment(state, older)["state"] == "queued")

    assert state["serving"] != older


def test_lying_deployer_says_success(world: World, github: GitHub) -> None:
    """The deployment succeeds, and the shopper still gets the old release."""
    world.fault("lying_deployer")
    before = world.state()["serving"]
    older = world.state()["deployments"][0]["sha"]
    github(world).post("/deployments", json={"ref": older}).raise_for_status()
    state = world.wait_until(lambda state: len(deployment(state, older)["statuses"]) == 2)

    assert deployment(state, older)["state"] == "success"
    assert state["serving"] == before
    assert httpx.get(f"{world.shop_url}/healthz").json()["releaseId"] == before


def test_deployer_that_is_down_catches_up(world: World, github: GitHub) -> None:
    """Wishes stay pending while the deployer is away, and are fulfilled when it is back."""
    world.fault("deployer_down")
    older = world.state()["deployments"][0]["sha"]
    github(world).post("/deployments", json={"ref": older}).raise_for_status()
    ignored = world.state()
    world.fault("deployer_down", False)
    state = world.wait_until(lambda state: state["serving"] == older)

    assert deployment(ignored, older)["state"] == "pending"
    assert ignored["serving"] != older
    assert state["faults"] == {}


def test_origin_can_be_away(world: World) -> None:
    """While git is down nothing can be pushed; afterwards everything works as before."""
    world.fault("git_down")
    gone = not world.origin.exists()
    world.fault("git_down", False)
    sha = world.push({"README.md": "Hello\n"}, "Say hello")

    assert gone
    assert world.wait_until(lambda state: state["serving"] == sha)


def test_vercel_sees_the_same_releases_and_goes_back(world: World, connect: Callable[..., httpx.Client]) -> None:
    """A rollback by Vercel is pending first, and has succeeded when the shopper gets the older release."""
    vercel = connect(world.env["CRISIS_SANDBOX_VERCEL_URL"], world.env["CRISIS_SANDBOX_VERCEL_TOKEN"])
    listed = vercel.get("/v6/deployments", params={"projectId": "shop", "target": "production"}).json()["deployments"]
    newest, older = listed
    before = vercel.get("/v9/projects/shop").json()
    answer = vercel.post(f"/v1/projects/shop/rollback/{older['uid']}")
    asked = vercel.get("/v9/projects/shop").json()["lastAliasRequest"]
    world.wait_until(lambda state: state["serving"] == older["meta"]["githubCommitSha"])
    world.wait_until(lambda _: vercel.get("/v9/projects/shop").json()["lastAliasRequest"]["jobStatus"] == "succeeded")
    after = vercel.get("/v9/projects/shop").json()

    assert answer.status_code == 201
    assert before["lastAliasRequest"] is None
    assert before["targets"]["production"]["id"] == newest["uid"]
    assert asked["jobStatus"] == "pending"
    assert (asked["fromDeploymentId"], asked["toDeploymentId"]) == (newest["uid"], older["uid"])
    assert after["targets"]["production"]["id"] == older["uid"]
    assert {one["state"] for one in listed} == {"READY"}
    assert vercel.post("/v1/projects/shop/rollback/dpl_none").status_code == 404
    assert vercel.get("/v9/projects/other").status_code == 404


def test_no_shopper_notices_a_good_release(world: World) -> None:
    """The flip drops no request: a crowd shops through a release and nobody fails."""
    world.shoppers(40)
    sha = world.push({"README.md": "Hello\n"}, "Say hello")
    at = world.wait_until(lambda state: state["serving"] == sha)["shoppers"]["ok"]
    state = world.wait_until(lambda state: state["shoppers"]["ok"] > at + 30)

    assert state["shoppers"]["failed"] == 0


def test_wish_is_fulfilled_once(world: World, github: GitHub) -> None:
    """A freeze that changes while a release waits for its turn does not start it twice."""
    hub = github(world)
    older = world.state()["deployments"][0]["sha"]
    hub.post("/deployments", json={"ref": older}).raise_for_status()
    freeze(hub, older)
    state = world.wait_until(lambda state: deployment(state, older)["state"] == "success")

    assert [one["state"] for one in deployment(state, older)["statuses"]] == ["in_progress", "success"]
