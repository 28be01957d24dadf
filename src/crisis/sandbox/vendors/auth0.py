"""Auth0: one tenant whose users' sessions and refresh tokens can be ended, user by user."""

import re
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount

from crisis.sandbox.memory import Memory
from crisis.sandbox.vendors.desk import Desk, Refusal, bearer, body_of, note, only_reads
from crisis.sandbox.vendors.directory import Directory

__all__ = ["mount"]

_WINDOW, _PAGE = 1000, 100


@dataclass(frozen=True)
class Tenant:
    """The answers of one tenant."""

    directory: Directory

    async def token(self, request: Request) -> Response:
        """POST: log in a user, or a refresh token anew."""
        only_reads(request)
        body = await body_of(request)
        if body.get("grant_type") == "refresh_token":
            one = self.directory.by_refresh(str(body.get("refresh_token")))
            if one is None or one.tokens_ended:
                raise Refusal(403, {"error": "invalid_grant", "error_description": "Unknown or invalid refresh token."})
        else:
            one = self.directory.log_in(str(body.get("username")), str(body.get("password")))
            if one is None:
                raise Refusal(403, {"error": "invalid_grant", "error_description": "Wrong email or password."})
        return JSONResponse({"access_token": one.access, "refresh_token": one.refresh, "token_type": "Bearer"})

    async def users(self, request: Request) -> Response:
        """GET users in order of creation; never more than a thousand of one search."""
        asked = request.query_params
        size, page = int(asked.get("per_page", "50")), int(asked.get("page", "0"))
        if size > _PAGE or (page + 1) * size > _WINDOW:
            raise Refusal(400, {"statusCode": 400, "message": "You can only page through the first 1000 records."})
        since = re.fullmatch(r"created_at:\[(\S+) TO \*\]", asked.get("q", "created_at:[* TO *]"))
        if since is None:
            raise Refusal(400, {"statusCode": 400, "message": "invalid query"})
        known = sorted(self.directory.users.values(), key=lambda one: one.created)
        fitting = [one for one in known if since[1] == "*" or one.created >= since[1]]
        shown = fitting[page * size : (page + 1) * size]
        return JSONResponse([{"user_id": one.id, "created_at": one.created} for one in shown])

    async def end_sessions(self, request: Request) -> Response:
        """DELETE a user's sessions."""
        return self._end(request, cookie=True)

    async def end_tokens(self, request: Request) -> Response:
        """DELETE a user's refresh tokens."""
        return self._end(request, cookie=False)

    def _end(self, request: Request, *, cookie: bool) -> Response:
        user = request.path_params["user"]
        if user not in self.directory.users:
            raise Refusal(404, {"statusCode": 404, "message": "The user does not exist."})
        self.directory.end(user, cookie=cookie, tokens=not cookie)
        note(request, f"end {'sessions' if cookie else 'refresh tokens'} of {user}")
        return Response(status_code=202)


def mount(memory: Memory, directory: Directory, token: str) -> Mount:
    """Serve the tenant below /auth0."""
    tenant, known = Tenant(directory), bearer(token)

    def admits(request: Request) -> bool:
        if "/api/v2/" not in request.url.path:
            return True
        directory.may_be_tired()
        return known(request)

    refused = (401, {"statusCode": 401, "error": "Unauthorized", "message": "Invalid token"})
    desk = Desk("auth0", memory, admits, refused=refused, missing=(404, {"message": "Not Found"}))
    return desk.mount(
        "/auth0",
        ("/oauth/token", {"POST": tenant.token}),
        ("/api/v2/users", {"GET": tenant.users}),
        ("/api/v2/users/{user}/sessions", {"DELETE": tenant.end_sessions}),
        ("/api/v2/users/{user}/refresh-tokens", {"DELETE": tenant.end_tokens}),
    )
