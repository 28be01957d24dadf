"""Vercel: going back is done only when the project says so."""

from collections.abc import Iterator
from typing import Any

import pytest

from crisis.clients import vercel
from crisis.domain.protocol import VercelReleases
from crisis.errors import RefusedError, TransientError
from tests.clients.servers import Vendor

PROJECT, ROLLBACK = "GET /v9/projects/prj_1", "POST /v1/projects/prj_1/rollback/dpl_old"


@pytest.fixture
def client(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> Iterator[vercel.Vercel]:
    """Open a project of a team as the protocol says."""
    monkeypatch.setenv("A_TOKEN", "vc-secret")
    releases = VercelReleases(by="vercel", url=vendor.url, project="prj_1", team="team_1", token="env:A_TOKEN")
    with vercel.connect(releases) as client:
        yield client


def project(live: str, job: str = "", to: str = "dpl_old", at: int = 1) -> dict[str, Any]:
    """Show a project as Vercel does."""
    moving = {"toDeploymentId": to, "jobStatus": job, "requestedAt": at} if job else None
    return {"targets": {"production": {"id": live}}, "lastAliasRequest": moving}


def test_deployments_come_newest_first(client: vercel.Vercel, vendor: Vendor) -> None:
    """Only production is asked for, and the order is ours."""
    old = {"uid": "dpl_old", "created": 1_000, "readyState": "READY", "meta": {"githubCommitSha": "abc"}}
    new = {"uid": "dpl_new", "created": 2_000, "state": "ERROR"}
    vendor.says("GET /v6/deployments", {"deployments": [old, new]})

    found = client.deployments(limit=5)

    assert [(one.id, one.sha, one.state) for one in found] == [("dpl_new", "", "ERROR"), ("dpl_old", "abc", "READY")]
    assert vendor.asked[0][1] == {"projectId": "prj_1", "teamId": "team_1", "target": "production", "limit": "5"}


def test_current_is_what_users_see(client: vercel.Vercel, vendor: Vendor) -> None:
    """The production target is current; a project that was never released has none."""
    vendor.says(PROJECT, project("dpl_new"), {"targets": None})

    assert client.current() == "dpl_new"
    assert client.current() is None


def test_rollback_waits_until_it_stands(client: vercel.Vercel, vendor: Vendor) -> None:
    """The project is asked until the job has succeeded."""
    vendor.says(PROJECT, project("dpl_new"), project("dpl_new", "in-progress"), project("dpl_old", "succeeded"))
    vendor.says(ROLLBACK, (201, {}))

    client.rollback("dpl_old", "INC-1")

    assert len(vendor.bodies(PROJECT)) == 3
    assert vendor.asked[1][1] == {"teamId": "team_1", "description": "INC-1"}


@pytest.mark.parametrize("status", ["failed", "skipped"])
def test_a_failed_rollback_is_refused(client: vercel.Vercel, vendor: Vendor, status: str) -> None:
    """A job that ends otherwise is a no."""
    vendor.says(PROJECT, project("dpl_new"), project("dpl_new", status))
    vendor.says(ROLLBACK, (201, {}))

    with pytest.raises(RefusedError, match=f"saw {status}"):
        client.rollback("dpl_old")


@pytest.mark.parametrize(
    "stale", [project("dpl_new", "succeeded"), project("dpl_new", "succeeded", to="dpl_other"), project("dpl_new")]
)
def test_the_success_of_an_older_job_does_not_count(
    client: vercel.Vercel, vendor: Vendor, stale: dict[str, Any]
) -> None:
    """A success that was there before, or is another deployment's, proves nothing; waiting is bounded."""
    vendor.says(PROJECT, stale)
    vendor.says(ROLLBACK, (201, {}))

    with pytest.raises(TransientError, match="still under way"):
        client.rollback("dpl_old", give_up_after=0.5)


def test_going_back_to_where_we_are_succeeds(client: vercel.Vercel, vendor: Vendor) -> None:
    """An unchanged job whose target users see already is a success."""
    vendor.says(PROJECT, project("dpl_old", "succeeded"))
    vendor.says(ROLLBACK, (201, {}))

    client.rollback("dpl_old")

    assert len(vendor.bodies(ROLLBACK)) == 1
