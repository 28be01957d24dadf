"""Okta: one organisation whose users' sessions can be ended, and their OAuth tokens only when asked for."""

import hmac
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount

from crisis.sandbox.memory import Memory
from crisis.sandbox.vendors.desk import Desk, Refusal, body_of, note, only_reads
from crisis.sandbox.vendors.directory import Directory

__all__ = ["mount"]

_GONE = {"errorCode": "E0000007", "errorSummary": "Not found: Resource not found: me (Session)"}
_MOST = 200


@dataclass(frozen=True)
class Organisation:
    """The answers of one organisation."""

    directory: Directory

    async def log_in(self, request: Request) -> Response:
        """POST name and password; the answer's token opens a session once."""
        only_reads(request)
        body = await body_of(request)
        one = self.directory.log_in(str(body.get("username")), str(body.get("password")))
        if one is None:
            raise Refusal(401, {"errorCode": "E0000004", "errorSummary": "Authentication failed"})
        return JSONResponse({"status": "SUCCESS", "sessionToken": one.access})

    async def redirect(self, request: Request) -> Response:
        """GET: turn the token into a cookie."""
        answer = RedirectResponse(request.query_params.get("redirectUrl", "/"), 302)
        answer.set_cookie("sid", request.query_params.get("token", ""), httponly=True)
        return answer

    async def me(self, request: Request) -> Response:
        """GET the session of the cookie."""
        one = self.directory.by_access(request.cookies.get("sid", ""))
        if one is None or one.cookie_ended:
            raise Refusal(404, _GONE)
        return JSONResponse({"userId": one.user, "status": "ACTIVE"})

    async def token(self, request: Request) -> Response:
        """POST a refresh token."""
        only_reads(request)
        form = await request.form()
        one = self.directory.by_refresh(str(form.get("refresh_token")))
        if one is None or one.tokens_ended:
            raise Refusal(400, {"error": "invalid_grant", "error_description": "The refresh token is invalid."})
        return JSONResponse({"access_token": one.access, "refresh_token": one.refresh})

    async def users(self, request: Request) -> Response:
        """GET users, a page and where the next one is."""
        size = min(int(request.query_params.get("limit", _MOST)), _MOST)
        names = sorted(self.directory.users)
        first = names.index(request.query_params["after"]) + 1 if "after" in request.query_params else 0
        shown = names[first : first + size]
        answer = JSONResponse([{"id": one, "status": "ACTIVE"} for one in shown])
        answer.headers.append("link", f'<{request.url.replace(query=f"limit={size}")}>; rel="self"')
        if first + size < len(names):
            following = request.url.replace(query=f"after={shown[-1]}&limit={size}")
            answer.headers.append("link", f'<{following}>; rel="next"')
        return answer

    async def end(self, request: Request) -> Response:
        """DELETE a user's sessions; with the flag the OAuth tokens too."""
        user, flag = request.path_params["user"], request.query_params.get("oauthTokens") == "true"
        if user not in self.directory.users:
            raise Refusal(404, {"errorCode": "E0000007", "errorSummary": "Not found"})
        self.directory.end(user, cookie=True, tokens=flag)
        note(request, f"end sessions of {user}")
        return Response(status_code=204)


def mount(memory: Memory, directory: Directory, token: str) -> Mount:
    """Serve the organisation below /okta."""
    organisation = Organisation(directory)

    def admits(request: Request) -> bool:
        if "/api/v1/users" not in request.url.path:
            return True
        directory.may_be_tired()
        return hmac.compare_digest(request.headers.get("authorization", ""), f"SSWS {token}")

    refused = (401, {"errorCode": "E0000011", "errorSummary": "Invalid token provided"})
    desk = Desk("okta", memory, admits, refused=refused, missing=(404, _GONE))
    return desk.mount(
        "/okta",
        ("/api/v1/authn", {"POST": organisation.log_in}),
        ("/login/sessionCookieRedirect", {"GET": organisation.redirect}),
        ("/api/v1/sessions/me", {"GET": organisation.me}),
        ("/oauth2/v1/token", {"POST": organisation.token}),
        ("/api/v1/users", {"GET": organisation.users}),
        ("/api/v1/users/{user}/sessions", {"DELETE": organisation.end}),
    )
