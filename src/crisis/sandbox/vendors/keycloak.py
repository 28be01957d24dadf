"""Keycloak: one realm whose users can be logged out, and whose tokens can be made too old."""

import base64
import hmac
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount

from crisis.sandbox.memory import Memory
from crisis.sandbox.vendors.desk import Desk, Refusal, body_of, note, only_reads
from crisis.sandbox.vendors.directory import Directory, Session

__all__ = ["mount"]

_ADMIN_TOKEN = "an-admin-token"  # noqa: S105 - of a stand-in


@dataclass(frozen=True)
class Realm:
    """The answers of one server with one realm of users."""

    directory: Directory
    client: str
    secret: str
    name: str = "shop"

    async def token(self, request: Request) -> Response:
        """POST: log in our client, a user, or a session anew."""
        only_reads(request)
        form = {key: str(value) for key, value in (await request.form()).items()}
        self._known_client(request, form)
        if form.get("grant_type") == "client_credentials":
            return JSONResponse({"access_token": _ADMIN_TOKEN, "expires_in": 60, "token_type": "Bearer"})
        if form.get("grant_type") == "refresh_token":
            again = self.directory.by_refresh(form.get("refresh_token", ""))
            if again is None or not self._lives(again):
                raise Refusal(400, {"error": "invalid_grant", "error_description": "Session not active"})
            return _tokens(again)
        one = self.directory.log_in(form.get("username", ""), form.get("password", ""))
        if one is None:
            raise Refusal(401, {"error": "invalid_grant", "error_description": "Invalid user credentials"})
        return _tokens(one)

    async def userinfo(self, request: Request) -> Response:
        """GET who a token speaks for, while its session lives."""
        one = self.directory.by_access(request.headers.get("authorization", "").partition(" ")[2])
        if one is None or not self._lives(one):
            raise Refusal(401, {"error": "invalid_token", "error_description": "Token verification failed"})
        return JSONResponse({"sub": one.user, "preferred_username": one.user})

    async def show(self, _: Request) -> Response:
        """GET the realm."""
        return JSONResponse({"realm": self.name, "enabled": True, "notBefore": self.directory.not_before})

    async def change(self, request: Request) -> Response:
        """PUT: only the fields that are sent are changed."""
        body = await body_of(request)
        if "notBefore" in body and not self.directory.deaf:
            self.directory.not_before = int(body["notBefore"])
        note(request, f"notBefore {body.get('notBefore')}")
        return Response(status_code=204)

    async def logout_all(self, request: Request) -> Response:
        """POST: end every session; access tokens that are out stay signed."""
        for user in self.directory.users:
            self.directory.end(user, cookie=True, tokens=True)
        note(request, "log everybody out")
        return self._reached()

    async def push(self, request: Request) -> Response:
        """POST: tell notBefore to the applications that listen."""
        note(request, "push notBefore")
        return self._reached()

    async def stats(self, _: Request) -> Response:
        """GET how many sessions each client has."""
        active = sum(not one.tokens_ended for one in self.directory.sessions)  # whatever notBefore says
        return JSONResponse([{"id": "1", "clientId": "shop", "active": str(active), "offline": "0"}])

    def admits(self, request: Request) -> bool:
        """Let everybody at the realm's own pages, and our client alone at the administration."""
        if "/admin/" not in request.url.path:
            return True
        self.directory.may_be_tired()
        return hmac.compare_digest(request.headers.get("authorization", ""), f"Bearer {_ADMIN_TOKEN}")

    def _known_client(self, request: Request, form: dict[str, str]) -> None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        told = (
            base64.b64decode(given).decode()
            if scheme == "Basic"
            else f"{form.get('client_id')}:{form.get('client_secret')}"
        )
        if not hmac.compare_digest(told.encode(), f"{self.client}:{self.secret}".encode()):
            raise Refusal(401, {"error": "unauthorized_client", "error_description": "Invalid client credentials"})

    def _lives(self, one: Session) -> bool:
        return not one.tokens_ended and not self.directory.is_stale(one)

    def _reached(self) -> Response:
        failed = {"failedRequests": self.directory.unreached} if self.directory.unreached else {}
        return JSONResponse({"successRequests": ["http://shop"], **failed})


def _tokens(one: Session) -> Response:
    return JSONResponse({"access_token": one.access, "refresh_token": one.refresh, "token_type": "Bearer"})


def mount(memory: Memory, directory: Directory, client: str, secret: str) -> Mount:
    """Serve the realm `shop` below /keycloak."""
    realm = Realm(directory, client, secret)
    missing = (404, {"error": "Realm not found."})
    desk = Desk("keycloak", memory, realm.admits, refused=(401, {"error": "HTTP 401 Unauthorized"}), missing=missing)
    admin = f"/admin/realms/{realm.name}"
    return desk.mount(
        "/keycloak",
        ("/realms/{realm}/protocol/openid-connect/token", {"POST": realm.token}),
        (f"/realms/{realm.name}/protocol/openid-connect/userinfo", {"GET": realm.userinfo}),
        (admin, {"GET": realm.show, "PUT": realm.change}),
        (f"{admin}/logout-all", {"POST": realm.logout_all}),
        (f"{admin}/push-revocation", {"POST": realm.push}),
        (f"{admin}/client-session-stats", {"GET": realm.stats}),
    )
