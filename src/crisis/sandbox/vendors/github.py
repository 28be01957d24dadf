"""GitHub: repository, deployments, statuses, check runs and actions variables."""

from dataclasses import dataclass
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount

from crisis.sandbox.keys import Keys
from crisis.sandbox.memory import ENVIRONMENT, Deployment, Memory, now
from crisis.sandbox.vendors.desk import Answer, Desk, Page, Refusal, bearer, body_of, note
from crisis.sandbox.vendors.github_issues import Issues
from crisis.sandbox.vendors.github_pages import NOT_FOUND, page_of

_STATES = {"error", "failure", "pending", "success"}


class Releaser(Protocol):
    """What GitHub needs from whoever releases."""

    def resolve(self, ref: str) -> str | None:
        """Turn a branch or a commit into the commit of a kept artefact."""

    def request(self, sha: str, *, ref: str, description: str, payload: Any) -> Deployment:
        """Ask for a kept artefact to be released again."""

    def reconsider(self) -> None:
        """Look at what is waiting once more."""

    def knows(self, sha: str) -> bool:
        """Tell whether a commit exists."""


@dataclass(frozen=True)
class GitHub:
    """The answers of the API of one repository."""

    memory: Memory
    releaser: Releaser

    async def repository(self, _: Request) -> Response:
        """GET /repos/{owner}/{repo}."""
        rights = {"admin": False, "maintain": False, "push": True, "triage": True, "pull": True}
        body = {"id": 4711, "name": "shop", "full_name": "sandbox/shop", "private": True, "default_branch": "main"}
        return JSONResponse({**body, "permissions": rights})

    async def deployments(self, request: Request) -> Response:
        """GET deployments, the newest first."""
        asked = request.query_params
        wanted = {name: asked[name] for name in ("environment", "sha", "ref") if asked.get(name)}
        found = [deployment(one) for one in reversed(self.memory.github.deployments)]
        return page_of(request, [one for one in found if all(one[name] == value for name, value in wanted.items())])

    async def deploy(self, request: Request) -> Response:
        """POST deployments: release a kept artefact again."""
        body = await body_of(request)
        ref = str(body.get("ref", ""))
        sha = self.releaser.resolve(ref)
        if sha is None:
            raise Refusal(422, {"message": f"No ref found for: {ref}"})
        if body.get("required_contexts") is None:
            self._contexts_pass(ref, sha)
        made = self.releaser.request(
            sha, ref=ref, description=body.get("description") or "", payload=body.get("payload") or {}
        )
        note(request, f"release {sha[:7]} again")
        return JSONResponse(deployment(made), 201)

    def _contexts_pass(self, ref: str, sha: str) -> None:
        if any(status["state"] != "success" for status in self.memory.github.latest_statuses(sha)):
            raise Refusal(409, {"message": f"Conflict: Commit status checks failed for {ref}"})

    async def one_deployment(self, request: Request) -> Response:
        """GET one deployment."""
        return JSONResponse(deployment(self._find(request)))

    async def deployment_statuses(self, request: Request) -> Response:
        """GET the states of a deployment, the newest first."""
        return page_of(request, self._find(request).statuses[::-1])

    def _find(self, request: Request) -> Deployment:
        for one in self.memory.github.deployments:
            if one.id == request.path_params["id"]:
                return one
        raise Refusal(*NOT_FOUND)

    async def status(self, request: Request) -> Response:
        """GET the combined status of a commit."""
        statuses = self.memory.github.latest_statuses(self._sha(request))
        states = {status["state"] for status in statuses}
        failed = states & {"failure", "error"}
        state = "failure" if failed else "success" if states == {"success"} else "pending"
        body = {"state": state, "sha": self._sha(request), "total_count": len(statuses), "statuses": statuses}
        return JSONResponse(body)

    async def set_status(self, request: Request) -> Response:
        """POST a status of a commit."""
        body, sha = await body_of(request), self._sha(request)
        if body.get("state") not in _STATES:
            raise Refusal(422, {"message": "Validation Failed", "errors": [{"field": "state", "code": "invalid"}]})
        context = body.get("context") or "default"
        description = body.get("description") or ""
        made = self.memory.github.add_status(sha, state=body["state"], context=context, description=description)
        note(request, f"{context} is {body['state']} for {sha[:7]}")
        return JSONResponse(made, 201)

    async def check_runs(self, request: Request) -> Response:
        """GET what CI said about a commit."""
        runs = self.memory.github.check_runs.get(self._sha(request), [])
        return JSONResponse({"total_count": len(runs), "check_runs": runs})

    def _sha(self, request: Request) -> str:
        sha = str(request.path_params["sha"])
        if not self.releaser.knows(sha):
            raise Refusal(422, {"message": f"No commit found for SHA: {sha}"})
        return sha

    async def add_variable(self, request: Request) -> Response:
        """POST an actions variable."""
        body = await body_of(request)
        name = str(body.get("name", "")).upper()
        if not name or "value" not in body:
            raise Refusal(422, {"message": "Validation Failed"})
        if name in self.memory.github.variables:
            raise Refusal(409, {"message": "Already exists - Variable already exists"})
        stamps = {"created_at": now(), "updated_at": now()}
        self.memory.github.variables[name] = {"name": name, "value": str(body["value"]), **stamps}
        return self._changed(request, f"add {name}", 201)

    async def variable(self, request: Request) -> Response:
        """GET an actions variable."""
        return JSONResponse(self._variable(request))

    async def change_variable(self, request: Request) -> Response:
        """PATCH an actions variable."""
        body, known = await body_of(request), self._variable(request)
        known.update(value=str(body.get("value", known["value"])), updated_at=now())
        return self._changed(request, f"change {known['name']}", 204)

    async def delete_variable(self, request: Request) -> Response:
        """DELETE an actions variable."""
        name = self._variable(request)["name"]
        del self.memory.github.variables[name]
        return self._changed(request, f"delete {name}", 204)

    def _variable(self, request: Request) -> dict[str, Any]:
        known = self.memory.github.variables.get(request.path_params["name"].upper())
        if known is None:
            raise Refusal(*NOT_FOUND)
        return known

    def _changed(self, request: Request, summary: str, status: int) -> Response:
        note(request, summary)
        self.releaser.reconsider()
        return JSONResponse({}, status) if status != 204 else Response(status_code=status)  # noqa: PLR2004


def deployment(one: Deployment) -> dict[str, Any]:
    """Show a deployment as GitHub does."""
    return {
        "id": one.id,
        "sha": one.sha,
        "ref": one.ref,
        "task": "deploy",
        "environment": ENVIRONMENT,
        "description": one.description,
        "payload": one.payload,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
    }


def mount(memory: Memory, releaser: Releaser, keys: Keys) -> Mount:
    """Serve the API below /github."""
    bad = (401, {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest", "status": "401"})
    desk = Desk("github", memory, bearer(keys.github), refused=bad, missing=NOT_FOUND)
    pages = [*_pages(GitHub(memory, releaser)), *Issues(memory.github).pages()]
    return desk.mount("/github", *((f"/repos/sandbox/shop{path}", answers) for path, answers in pages))


def _pages(hub: GitHub) -> list[Page]:
    variable: dict[str, Answer] = {
        "GET": hub.variable, "PATCH": hub.change_variable, "DELETE": hub.delete_variable,
    }  # fmt: skip
    return [
        ("", {"GET": hub.repository}),
        ("/deployments", {"GET": hub.deployments, "POST": hub.deploy}),
        ("/deployments/{id:int}", {"GET": hub.one_deployment}),
        ("/deployments/{id:int}/statuses", {"GET": hub.deployment_statuses}),
        ("/commits/{sha}/status", {"GET": hub.status}),
        ("/commits/{sha}/check-runs", {"GET": hub.check_runs}),
        ("/statuses/{sha}", {"POST": hub.set_status}),
        ("/actions/variables", {"POST": hub.add_variable}),
        ("/actions/variables/{name}", variable),
    ]
