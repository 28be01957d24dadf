"""Vercel: the production deployments of one project, and the way back to one of them."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import quote

from crisis.clients.http import Api
from crisis.domain.protocol import VercelReleases
from crisis.errors import RefusedError, TransientError
from crisis.settings import read_address, read_reference

__all__ = ["Deployment", "Vercel", "connect"]

_FIRST_WAIT, _LONGEST_WAIT = 0.2, 2.0


@dataclass(frozen=True, slots=True)
class Deployment:
    """One build; its state is READY, ERROR, BUILDING, QUEUED or CANCELED."""

    id: str
    sha: str
    state: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class _Project:
    live: str
    moving: dict[str, Any]


def connect(releases: VercelReleases) -> "Vercel":
    """Open the project that is released on Vercel."""
    api = Api("vercel", read_address(releases.url), bearer=read_reference(releases.token))
    return Vercel(api, releases.project, releases.team)


@dataclass(frozen=True)
class Vercel:
    """One project; use it in a `with` block."""

    api: Api
    project: str
    team: str = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.api.close()

    def deployments(self, limit: int = 20) -> list[Deployment]:
        """List the production deployments, newest first."""
        where = {"projectId": self.project, "target": "production", "limit": str(limit)}
        found = self.api.ask(
            "GET", "/v6/deployments", lambda body: [_deployment(one) for one in body["deployments"]],
            params={**self._team(), **where}, operation="list deployments", target=self.project,
        )  # fmt: skip
        return sorted(found, key=lambda one: one.created_at, reverse=True)

    def current(self) -> str | None:
        """Return the id of the deployment that users see, or None."""
        return self._look().live or None

    def rollback(self, deployment_id: str, description: str = "", *, give_up_after: float = 120.0) -> None:
        """Put an earlier deployment in front of the users, and wait until Vercel says it stands there."""
        before = self._look().moving
        self.api.post(
            f"/v1/projects/{quote(self.project, safe='')}/rollback/{quote(deployment_id, safe='')}",
            params={**self._team(), **({"description": description} if description else {})},
            ok=(200, 201, 202), operation="roll back", target=deployment_id,
        )  # fmt: skip
        end, wait = time.monotonic() + give_up_after, _FIRST_WAIT
        while not self._arrived(deployment_id, before):
            if time.monotonic() + wait > end:
                raise TransientError(
                    deployment_id, vendor="vercel", operation="roll back", wanted="the rollback to succeed",
                    saw=f"it still under way after {give_up_after:.0f} s", then="look again before you ask again",
                )  # fmt: skip
            time.sleep(wait)
            wait = min(wait * 1.5, _LONGEST_WAIT)

    def _arrived(self, deployment_id: str, before: dict[str, Any]) -> bool:
        """Tell whether the rollback has succeeded; an older job's success counts only when its target is live."""
        project = self._look()
        job = project.moving
        if job.get("toDeploymentId") != deployment_id or (job == before and project.live != deployment_id):
            return False
        if job.get("jobStatus") in {"failed", "skipped"}:
            raise RefusedError(
                deployment_id, vendor="vercel", operation="roll back", wanted="the rollback to succeed",
                saw=str(job["jobStatus"]), then="look at the project's page, or revert in git instead",
            )  # fmt: skip
        return bool(job.get("jobStatus") == "succeeded")

    def _look(self) -> _Project:
        return self.api.ask(
            "GET", f"/v9/projects/{quote(self.project, safe='')}", _read_project,
            params=self._team(), operation="read the project", target=self.project,
        )  # fmt: skip

    def _team(self) -> dict[str, str]:
        return {"teamId": self.team} if self.team else {}


def _read_project(body: dict[str, Any]) -> _Project:
    production = (body.get("targets") or {}).get("production") or {}
    return _Project(str(production.get("id") or ""), dict(body.get("lastAliasRequest") or {}))


def _deployment(one: dict[str, Any]) -> Deployment:
    meta = one.get("meta") or {}
    sha = meta.get("githubCommitSha") or meta.get("gitlabCommitSha") or meta.get("bitbucketCommitSha") or ""
    state = one.get("readyState") or one["state"]
    made = one.get("created") or one["createdAt"]
    return Deployment(str(one["uid"]), str(sha), str(state), datetime.fromtimestamp(made / 1000, UTC))
