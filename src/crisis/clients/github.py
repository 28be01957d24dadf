"""GitHub: deployments, commit statuses, checks, variables and issues of one repository."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Self
from urllib.parse import quote

from crisis.clients.http import Api
from crisis.domain.clock import parse_time
from crisis.domain.protocol import GitHubReleases, Tickets
from crisis.settings import read_address, read_reference

__all__ = ["CheckResult", "Deployment", "DeploymentStatus", "GitHub", "Issue", "connect", "marker"]

_PAGE = 100
_MOST_PAGES = 20
_PASSING = {"success", "neutral", "skipped"}
_LONGEST_DESCRIPTION = 140


@dataclass(frozen=True, slots=True)
class Deployment:
    """One release of a commit; `state` is its latest status."""

    id: int
    sha: str
    state: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DeploymentStatus:
    """What was said of a deployment, and when."""

    state: str
    description: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What CI says of a commit, all checks together, and why."""

    conclusion: Literal["success", "failure", "pending", "none"]
    summary: str


@dataclass(frozen=True, slots=True)
class Issue:
    """A ticket."""

    number: int
    url: str


def connect(to: GitHubReleases | Tickets) -> "GitHub":
    """Open the repository that holds the releases or the tickets."""
    api = Api(
        "github", read_address(to.url), bearer=read_reference(to.token),
        headers={"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
    )  # fmt: skip
    return GitHub(api, to.repository, to.environment if isinstance(to, GitHubReleases) else "production")


def marker(incident: str) -> str:
    """Return the hidden line by which an incident's ticket is found again."""
    return f"<!-- incident:{incident} -->"


@dataclass(frozen=True)
class GitHub:
    """One repository; use it in a `with` block."""

    api: Api
    repository: str
    environment: str = "production"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.api.close()

    def deployments(self, environment: str = "", limit: int = 50) -> list[Deployment]:
        """List the deployments of an environment with their latest state, newest first."""
        where = {"environment": environment or self.environment}
        found = self._pages("/deployments", where, limit=limit, operation="list deployments")
        # One request each: in a row, fifty would cost half a minute of outage.
        with ThreadPoolExecutor(max_workers=8) as pool:
            return list(pool.map(self._with_state, found))

    def statuses(self, deployment: Deployment) -> list[DeploymentStatus]:
        """List what was said of a deployment, newest first."""
        path = f"/deployments/{deployment.id}/statuses"
        found = self._pages(path, {}, limit=_PAGE, operation="list deployment statuses")
        return [
            DeploymentStatus(one["state"], one.get("description") or "", parse_time(one["created_at"])) for one in found
        ]

    def deploy(self, sha: str, description: str) -> Deployment:
        """Ask for the kept artefact of a commit to be released again."""
        body = {
            "ref": sha, "environment": self.environment, "description": description[:_LONGEST_DESCRIPTION],
            "auto_merge": False, "required_contexts": [], "payload": {"crisis": "rollback"},
        }  # fmt: skip
        return self.api.ask(
            "POST", self._path("/deployments"), _pending,
            json=body, ok=(201,), operation="deploy a commit", target=f"{self.repository}@{sha[:7]}",
        )  # fmt: skip

    def commit_status(self, sha: str, context: str) -> str | None:
        """Return the latest state of one context of a commit, or None."""
        found = self._pages(f"/commits/{sha}/status", {}, key="statuses", operation="read commit status")
        return next((str(one["state"]) for one in found if one["context"] == context), None)

    def set_commit_status(self, sha: str, context: str, state: str, description: str = "") -> None:
        """Set one context of a commit to success, failure, error or pending."""
        body = {"state": state, "context": context, "description": description[:_LONGEST_DESCRIPTION]}
        self.api.post(
            self._path(f"/statuses/{sha}"), json=body, ok=(201,),
            operation="set commit status", target=f"{self.repository}@{sha[:7]}",
        )  # fmt: skip

    def ci(self, sha: str) -> CheckResult:
        """Say what the check runs of a commit came to: success only if all are done and none failed."""
        found = self._pages(f"/commits/{sha}/check-runs", {}, key="check_runs", operation="read check runs")
        return _judge(found)

    def variable(self, name: str) -> str | None:
        """Return an actions variable, or None."""
        response = self.api.get(self._variable(name), ok=(200, 404), operation="read a variable", target=name)
        if response.status_code == 404:  # noqa: PLR2004
            return None
        return self.api.read(response, lambda body: str(body["value"]), operation="read a variable", target=name)

    def set_variable(self, name: str, value: str) -> None:
        """Create or change an actions variable."""
        if self._change_variable(name, value):
            return
        made = self.api.post(
            self._path("/actions/variables"), json={"name": name, "value": value}, ok=(201, 409),
            operation="create a variable", target=name,
        )  # fmt: skip
        if made.status_code == 409:  # noqa: PLR2004 - somebody created it between the two requests
            self._change_variable(name, value)

    def delete_variable(self, name: str) -> bool:
        """Delete an actions variable; False when there was none."""
        gone = self.api.delete(self._variable(name), ok=(204, 404), operation="delete a variable", target=name)
        return gone.status_code == 204  # noqa: PLR2004

    def find_issue(self, marker: str, labels: Iterable[str]) -> Issue | None:
        """Find the ticket, open or closed, whose body holds the marker."""
        where = {"state": "all", "labels": ",".join(labels)}
        for one in self._pages("/issues", where, operation="list issues"):
            if marker in (one.get("body") or "") and "pull_request" not in one:
                return _issue(one)
        return None

    def create_issue(self, title: str, body: str, labels: Iterable[str]) -> Issue:
        """File a ticket."""
        return self.api.ask(
            "POST", self._path("/issues"), _issue, json={"title": title, "body": body, "labels": list(labels)},
            ok=(201,), operation="file an issue", target=self.repository,
        )  # fmt: skip

    def permissions(self) -> dict[str, bool]:
        """Return what the token may do with the repository, for example `{"push": True}`."""
        return self.api.ask(
            "GET", self._path(""), lambda body: {key: bool(may) for key, may in body.get("permissions", {}).items()},
            operation="read the repository", target=self.repository,
        )  # fmt: skip

    def _change_variable(self, name: str, value: str) -> bool:
        changed = self.api.patch(
            self._variable(name), json={"name": name, "value": value}, ok=(204, 404),
            operation="change a variable", target=name,
        )  # fmt: skip
        return changed.status_code == 204  # noqa: PLR2004

    def _with_state(self, found: dict[str, Any]) -> Deployment:
        path = f"/deployments/{int(found['id'])}/statuses"
        latest = self._pages(path, {}, limit=1, operation="read a deployment's status")
        made = _pending(found)
        return Deployment(made.id, made.sha, latest[0]["state"] if latest else made.state, made.created_at)

    def _pages(
        self, path: str, where: Mapping[str, str], *, operation: str, key: str = "", limit: int = _PAGE * _MOST_PAGES
    ) -> list[dict[str, Any]]:
        """Read a list that GitHub hands out in pages; `key` names the list where it is wrapped in an object."""
        found: list[dict[str, Any]] = []
        size = min(limit, _PAGE)
        for page in range(1, _MOST_PAGES + 1):
            params = {**where, "per_page": str(size), "page": str(page)}
            part = self.api.ask(
                "GET", self._path(path), lambda body: list(body[key] if key else body),
                params=params, operation=operation, target=self.repository,
            )  # fmt: skip
            found += part
            if len(part) < size or len(found) >= limit:
                break
        return found[:limit]

    def _path(self, rest: str) -> str:
        return f"/repos/{self.repository}{rest}"

    def _variable(self, name: str) -> str:
        return self._path(f"/actions/variables/{quote(name, safe='')}")


def _pending(found: dict[str, Any]) -> Deployment:
    return Deployment(int(found["id"]), str(found["sha"]), "pending", parse_time(found["created_at"]))


def _issue(found: dict[str, Any]) -> Issue:
    return Issue(int(found["number"]), str(found["html_url"]))


def _judge(runs: list[dict[str, Any]]) -> CheckResult:
    if not runs:
        return CheckResult("none", "no check ran")
    failed = [one["name"] for one in runs if one["status"] == "completed" and one["conclusion"] not in _PASSING]
    if failed:
        return CheckResult("failure", f"failed: {', '.join(failed)}")
    waiting = [one["name"] for one in runs if one["status"] != "completed"]
    if waiting:
        return CheckResult("pending", f"not done: {', '.join(waiting)}")
    if all(one["conclusion"] != "success" for one in runs):
        return CheckResult("none", "every check was skipped")
    return CheckResult("success", f"passed: {', '.join(one['name'] for one in runs)}")
