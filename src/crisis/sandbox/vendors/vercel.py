"""Vercel: another way to see the same releases, and to go back to one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount

from crisis.sandbox.keys import Keys
from crisis.sandbox.memory import Deployment, Memory
from crisis.sandbox.vendors.desk import Desk, Refusal, bearer, note
from crisis.sandbox.vendors.github import Releaser

PROJECT = "prj_shop"
_NOT_FOUND = {"error": {"code": "not_found", "message": "Not found"}}
_READY = {
    "success": "READY", "inactive": "READY", "failure": "ERROR", "error": "ERROR",
    "in_progress": "BUILDING", "queued": "QUEUED", "pending": "QUEUED",
}  # fmt: skip
_JOB = {"success": "succeeded", "failure": "failed", "error": "failed"}


@dataclass(frozen=True)
class Vercel:
    """The answers of one project."""

    memory: Memory
    releaser: Releaser

    async def project(self, request: Request) -> Response:
        """GET the project with its production target and the last rollback."""
        self._known(request.path_params["project"])
        live = next((uid(one) for one in self._builds() if one.sha == self.memory.serving), None)
        body = {"id": PROJECT, "name": "shop", "targets": {"production": {"id": live}}}
        return JSONResponse({**body, "lastAliasRequest": self._last_request()})

    async def deployments(self, request: Request) -> Response:
        """GET the deployments, the newest first."""
        self._known(request.query_params.get("projectId", PROJECT))
        limit = request.query_params.get("limit", "")
        found = [_shown(one) for one in self._builds()]
        return JSONResponse({"deployments": found[: int(limit)] if limit.isdecimal() else found})

    async def roll_back(self, request: Request) -> Response:
        """POST: put an earlier deployment in front of the users again."""
        self._known(request.path_params["project"])
        target = next((one for one in self._builds() if uid(one) == request.path_params["id"]), None)
        if target is None or self.releaser.resolve(target.sha) is None:
            raise Refusal(404, _NOT_FOUND)
        live = next((uid(one) for one in self._builds() if one.sha == self.memory.serving), None)
        made = self.releaser.request(target.sha, ref=target.sha, description="Vercel rollback", payload={})
        self.memory.rollback = {"from": live, "to": uid(target), "deployment": made}
        note(request, f"roll back to {target.sha[:7]}")
        return JSONResponse({}, 201)

    def _builds(self) -> list[Deployment]:
        return [one for one in reversed(self.memory.github.deployments) if not one.rerelease]

    def _last_request(self) -> dict[str, Any] | None:
        asked = self.memory.rollback
        if asked is None:
            return None
        job = _JOB.get(asked["deployment"].state, "pending")
        return {
            "fromDeploymentId": asked["from"],
            "toDeploymentId": asked["to"],
            "jobStatus": job,
            "requestedAt": _milliseconds(asked["deployment"].created_at),
            "type": "rollback",
        }

    def _known(self, project: str) -> None:
        if project not in {PROJECT, "shop"}:
            raise Refusal(404, _NOT_FOUND)


def uid(one: Deployment) -> str:
    """Name a deployment as Vercel would."""
    return f"dpl_{one.id}{one.sha[:20]}"


def _milliseconds(at: str) -> int:
    return int(datetime.fromisoformat(at).timestamp() * 1000)


def _shown(one: Deployment) -> dict[str, Any]:
    return {
        "uid": uid(one),
        "name": "shop",
        "state": _READY[one.state],
        "readyState": _READY[one.state],
        "created": _milliseconds(one.created_at),
        "target": "production",
        "meta": {"githubCommitSha": one.sha, "githubCommitRef": one.ref},
    }


def mount(memory: Memory, releaser: Releaser, keys: Keys) -> Mount:
    """Serve the API below /vercel."""
    vercel = Vercel(memory, releaser)
    refused = (401, {"error": {"code": "unauthorized", "message": "Not authorized"}})
    desk = Desk("vercel", memory, bearer(keys.vercel), refused=refused, missing=(404, _NOT_FOUND))
    return desk.mount(
        "/vercel",
        ("/v9/projects/{project}", {"GET": vercel.project}),
        ("/v6/deployments", {"GET": vercel.deployments}),
        ("/v1/projects/{project}/rollback/{id}", {"POST": vercel.roll_back}),
    )
