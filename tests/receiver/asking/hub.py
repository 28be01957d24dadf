"""
Hub: GitHub's webhooks as its documentation has them: hooks, deliveries newest first, cursors, and sending again.

A delivery is one signed POST and is never tried again by itself; `attempts` sends the same body with the same guid.
"""

import hmac
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crisis.domain.clock import utc_now, write_time

FAILED = {
    "action": "completed",
    "repository": {"full_name": "acme/shop"},
    "workflow_run": {
        "id": 7, "run_attempt": 1, "name": "deploy", "conclusion": "failure", "head_branch": "main",
        "run_started_at": "2026-11-24T03:00:00Z",
    },
}  # fmt: skip


def failed_run(number: int) -> dict[str, Any]:
    """Return what GitHub says of a workflow that failed."""
    return {**FAILED, "workflow_run": {**FAILED["workflow_run"], "id": number}}  # type: ignore[dict-item]


@dataclass
class Hub:
    """A GitHub with one webhook, of a repository or of an organization."""

    token: str
    secret: str
    target: str = ""
    owner: str = "repos/acme/shop"
    hooks: list[dict[str, Any]] = field(default_factory=list)
    attempts: list[dict[str, Any]] = field(default_factory=list)
    bodies: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    page: int = 100
    refuses: Response | None = None
    readonly: bool = False
    url: str = ""
    ahead: timedelta = timedelta()
    numbers: Iterator[int] = field(default_factory=lambda: count(10**12))

    def app(self) -> Starlette:
        """Return it as an application."""
        base = f"/{self.owner}/hooks"
        return Starlette(
            routes=[
                Route(base, self._list_hooks),
                Route(base + "/{hook:int}/deliveries", self._list_deliveries),
                Route(base + "/{hook:int}/deliveries/{number:int}/attempts", self._attempt, methods=["POST"]),
            ]
        )

    def post_to(self, url: str) -> None:
        """Set the webhook up."""
        self.target = url
        self.hooks.append({"id": 42, "type": "Repository", "active": True, "events": ["*"], "config": {"url": url}})

    def deliver(self, body: dict[str, Any], event: str = "workflow_run", ago: timedelta = timedelta()) -> str:
        """Try to deliver something, once; return its guid."""
        guid = str(uuid.uuid4())
        self.bodies[guid] = (event, json.dumps(body).encode())
        self.send(guid, redelivery=False, at=utc_now() - ago)
        return guid

    def send(self, guid: str, *, redelivery: bool, at: datetime | None = None) -> None:
        """Send a body, signed, and write down what came of it."""
        event, raw = self.bodies[guid]
        headers = {"X-GitHub-Event": event, "X-GitHub-Delivery": guid}
        headers["X-Hub-Signature-256"] = f"sha256={hmac.new(self.secret.encode(), raw, 'sha256').hexdigest()}"
        try:
            status = httpx.post(self.target, content=raw, headers=headers, timeout=10, trust_env=False).status_code
        except httpx.RequestError:
            status = 502
        words = "OK" if status < 300 else "failed to connect"
        self.attempts.insert(
            0,
            {
                "id": next(self.numbers), "guid": guid, "delivered_at": write_time(at or utc_now() + self.ahead),
                "redelivery": redelivery, "duration": 0.03, "status": words, "status_code": status, "event": event,
                "action": "completed", "installation_id": None, "repository_id": 1,
            },
        )  # fmt: skip

    def _refusal(self, request: Request) -> Response | None:
        self.asked.append(f"{request.method} {request.url.path}")
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return JSONResponse({"message": "Not Found", "status": "404"}, 404)  # GitHub hides what one may not see
        return self.refuses

    async def _list_hooks(self, request: Request) -> Response:
        size, page = int(request.query_params["per_page"]), int(request.query_params["page"])
        return self._refusal(request) or JSONResponse(self.hooks[(page - 1) * size : page * size])

    async def _list_deliveries(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        size = min(self.page, int(request.query_params.get("per_page", "30")))
        numbers = [f"v1_{one['id']}" for one in self.attempts]
        cursor = request.query_params.get("cursor")
        start = numbers.index(cursor) if cursor else 0
        headers = {}
        if start + size < len(numbers):
            after = f"{self.url}{request.url.path}?per_page={size}&cursor={numbers[start + size]}"
            headers["Link"] = f'<{after}>; rel="next"'
        return JSONResponse(self.attempts[start : start + size], headers=headers)

    async def _attempt(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        if self.readonly:
            return JSONResponse({"message": "Resource not accessible by personal access token"}, 403)
        guid = next(one["guid"] for one in self.attempts if one["id"] == request.path_params["number"])
        return JSONResponse({}, 202, background=BackgroundTask(self.send, guid, redelivery=True))
