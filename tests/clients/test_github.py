"""GitHub: what the client asks for, and what it makes of the answers."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from crisis.clients import github
from crisis.domain.protocol import GitHubReleases, Tickets
from crisis.errors import ProtocolError
from tests.clients.servers import Vendor

REPO = "/repos/acme/shop"
AT = "2026-11-24T10:00:00Z"


@pytest.fixture
def client(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> Iterator[github.GitHub]:
    """Open the repository acme/shop as the protocol says."""
    monkeypatch.setenv("A_TOKEN", "ghp-secret")
    releases = GitHubReleases(by="github", url=vendor.url, repository="acme/shop", token="env:A_TOKEN")
    with github.connect(releases) as client:
        yield client


def deployment(number: int, sha: str = "abc") -> dict[str, Any]:
    """Show a deployment as GitHub does."""
    return {"id": number, "sha": sha, "created_at": AT}


def test_deployments_carry_their_latest_state(client: github.GitHub, vendor: Vendor) -> None:
    """The newest status is the state, and a deployment without one is pending."""
    vendor.says(f"GET {REPO}/deployments", [deployment(2, "bad"), deployment(1, "good")])
    vendor.says(f"GET {REPO}/deployments/2/statuses", [])
    vendor.says(f"GET {REPO}/deployments/1/statuses", [{"state": "inactive", "created_at": AT}])

    found = client.deployments("production", limit=2)

    assert [(one.id, one.sha, one.state) for one in found] == [(2, "bad", "pending"), (1, "good", "inactive")]
    assert vendor.asked[0][1]["environment"] == "production"


def test_statuses_tell_what_a_deployment_was_before(client: github.GitHub, vendor: Vendor) -> None:
    """An inactive deployment that once succeeded is known by its statuses."""
    vendor.says(f"GET {REPO}/deployments", [deployment(1)])
    said = [{"state": state, "description": None, "created_at": AT} for state in ("inactive", "success")]
    vendor.says(f"GET {REPO}/deployments/1/statuses", said)

    (found,) = client.deployments()

    assert [status.state for status in client.statuses(found)] == ["inactive", "success"]


def test_deploying_needs_no_checks(client: github.GitHub, vendor: Vendor) -> None:
    """A rollback is not held up by a failed check, and says what it is."""
    vendor.says(f"POST {REPO}/deployments", (201, deployment(3, "good")))

    made = client.deploy("good", "INC-1 rollback")

    sent = json.loads(vendor.bodies(f"POST {REPO}/deployments")[0])
    assert (made.id, made.state) == (3, "pending")
    assert sent["ref"] == "good"
    assert (sent["auto_merge"], sent["required_contexts"]) == (False, [])
    assert sent["payload"] == {"crisis": "rollback"}


def test_a_status_is_found_by_its_context(client: github.GitHub, vendor: Vendor) -> None:
    """One context of a commit is read, and one that was never set is None."""
    said = {"statuses": [{"context": "ci", "state": "success"}, {"context": "deploy-freeze", "state": "failure"}]}
    vendor.says(f"GET {REPO}/commits/abc/status", said)

    assert client.commit_status("abc", "deploy-freeze") == "failure"
    assert client.commit_status("abc", "other") is None


def test_a_status_is_set(client: github.GitHub, vendor: Vendor) -> None:
    """State, context and a description of allowed length go out."""
    vendor.says(f"POST {REPO}/statuses/abc", (201, {}))

    client.set_commit_status("abc", "deploy-freeze", "failure", "frozen " * 50)

    sent = json.loads(vendor.bodies(f"POST {REPO}/statuses/abc")[0])
    assert (sent["state"], sent["context"], len(sent["description"])) == ("failure", "deploy-freeze", 140)


@pytest.mark.parametrize(
    ("runs", "conclusion"),
    [
        ([], "none"),
        ([("completed", "skipped")], "none"),
        ([("completed", "success"), ("completed", "neutral")], "success"),
        ([("completed", "success"), ("in_progress", None)], "pending"),
        ([("completed", "timed_out"), ("in_progress", None)], "failure"),
    ],
)
def test_ci_is_green_only_when_all_is_done(
    client: github.GitHub, vendor: Vendor, runs: list[tuple[str, str | None]], conclusion: str
) -> None:
    """All check runs together make one conclusion."""
    shown = [{"name": "tests", "status": status, "conclusion": said} for status, said in runs]
    vendor.says(f"GET {REPO}/commits/abc/check-runs", {"total_count": len(shown), "check_runs": shown})

    assert client.ci("abc").conclusion == conclusion


def test_a_variable_is_changed(client: github.GitHub, vendor: Vendor) -> None:
    """A variable that exists is changed in place."""
    vendor.says(f"PATCH {REPO}/actions/variables/FREEZE", Response(status_code=204))

    client.set_variable("FREEZE", "INC-1")

    assert [asked for asked, _, _ in vendor.asked] == [f"PATCH {REPO}/actions/variables/FREEZE"]


def test_a_variable_is_created(client: github.GitHub, vendor: Vendor) -> None:
    """A variable that does not exist is created."""
    vendor.says(f"POST {REPO}/actions/variables", (201, {}))

    client.set_variable("FREEZE", "INC-1")

    assert json.loads(vendor.bodies(f"POST {REPO}/actions/variables")[0]) == {"name": "FREEZE", "value": "INC-1"}


def test_a_variable_created_by_two_is_set(client: github.GitHub, vendor: Vendor) -> None:
    """Somebody who creates the variable first does not stop us from setting it."""
    vendor.says(f"PATCH {REPO}/actions/variables/FREEZE", (404, {}), Response(status_code=204))
    vendor.says(f"POST {REPO}/actions/variables", (409, {}))

    client.set_variable("FREEZE", "INC-1")

    assert len(vendor.bodies(f"PATCH {REPO}/actions/variables/FREEZE")) == 2


def test_a_variable_is_read_and_deleted(client: github.GitHub, vendor: Vendor) -> None:
    """A missing variable reads as None, and deleting it is no error."""
    vendor.says(f"GET {REPO}/actions/variables/FREEZE", {"name": "FREEZE", "value": "INC-1"})
    vendor.says(f"DELETE {REPO}/actions/variables/FREEZE", Response(status_code=204))

    assert client.variable("FREEZE") == "INC-1"
    assert client.variable("OTHER") is None
    assert client.delete_variable("FREEZE")
    assert not client.delete_variable("OTHER")


def test_a_ticket_is_found_on_a_later_page(client: github.GitHub, vendor: Vendor) -> None:
    """The marker is looked for on every page, and a pull request that quotes it is no ticket."""
    mark = github.marker("INC-1")
    first = [{"number": n, "html_url": "", "body": None} for n in range(99)]
    pull = {"number": 99, "html_url": "", "body": mark, "pull_request": {}}
    pages = {"1": [*first, pull], "2": [{"number": 4, "html_url": "http://x/4", "body": f"Broken.\n{mark}"}]}

    def page(request: Request) -> Response:
        return JSONResponse(pages.get(request.query_params["page"], []))

    vendor.says(f"GET {REPO}/issues", page)

    found = client.find_issue(mark, ["incident", "hotfix"])

    assert found == github.Issue(4, "http://x/4")
    assert (vendor.asked[0][1]["labels"], vendor.asked[0][1]["state"]) == ("incident,hotfix", "all")


def test_a_ticket_that_is_not_there_is_none(client: github.GitHub, vendor: Vendor) -> None:
    """The search ends with the last page."""
    vendor.says(f"GET {REPO}/issues", [])

    assert client.find_issue(github.marker("INC-1"), ["incident"]) is None
    assert len(vendor.asked) == 1


def test_the_search_for_a_ticket_is_bounded(client: github.GitHub, vendor: Vendor) -> None:
    """Full pages without an end are left after twenty."""
    vendor.says(f"GET {REPO}/issues", [{"number": n, "html_url": "", "body": ""} for n in range(100)])

    assert client.find_issue(github.marker("INC-1"), []) is None
    assert len(vendor.asked) == 20


def test_a_ticket_is_filed(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    """The repository of the tickets need not be the one of the releases."""
    monkeypatch.setenv("A_TOKEN", "ghp-secret")
    vendor.says("POST /repos/acme/tickets/issues", (201, {"number": 7, "html_url": "http://x/7"}))
    tickets = Tickets(by="github", url=vendor.url, repository="acme/tickets", token="env:A_TOKEN")

    with github.connect(tickets) as client:
        made = client.create_issue("Checkout failed", "Body", ["incident"])

    assert made == github.Issue(7, "http://x/7")


def test_permissions_are_read(client: github.GitHub, vendor: Vendor) -> None:
    """What the token may do is said by the repository."""
    vendor.says(f"GET {REPO}", {"permissions": {"push": True, "admin": False}})

    assert client.permissions() == {"push": True, "admin": False}


def test_a_missing_token_is_named_when_connecting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference is read at the moment of use."""
    monkeypatch.delenv("A_TOKEN", raising=False)
    releases = GitHubReleases(by="github", repository="acme/shop", token="env:A_TOKEN")

    with pytest.raises(ProtocolError, match="A_TOKEN"):
        github.connect(releases)


def test_the_token_is_in_no_repr(client: github.GitHub) -> None:
    """What a log may show of the client holds no token."""
    assert "ghp-secret" not in repr(client)
