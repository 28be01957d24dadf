"""Firebase: one project whose users' tokens count only from a second on, and Google's door to its API."""

import base64
import json
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount

from crisis.sandbox.memory import Memory
from crisis.sandbox.vendors.desk import Desk, Refusal, bearer, body_of, note, only_reads
from crisis.sandbox.vendors.directory import Directory

__all__ = ["mount"]

_TOKEN = "a-google-token"  # noqa: S105 - of a stand-in
_MOST = 1000


def _refusal(message: str, status: int = 400) -> Refusal:
    return Refusal(status, {"error": {"code": status, "message": message}})


@dataclass(frozen=True)
class Project:
    """The answers of one project; `key` is the public half of the service account's."""

    directory: Directory
    key: rsa.RSAPublicKey

    async def door(self, request: Request) -> Response:
        """POST a signed assertion of the service account; nothing else opens."""
        only_reads(request)
        said, _, signature = str((await request.form()).get("assertion", "")).rpartition(".")
        try:
            self.key.verify(_bytes(signature), said.encode(), padding.PKCS1v15(), hashes.SHA256())
            claims = json.loads(_bytes(said.partition(".")[2]))
        except (InvalidSignature, ValueError):
            raise Refusal(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}) from None
        if not claims["iat"] < claims["exp"] <= claims["iat"] + 3600 or claims["aud"] != str(request.url):
            raise Refusal(400, {"error": "invalid_grant", "error_description": "Invalid JWT."})
        return JSONResponse({"access_token": _TOKEN, "token_type": "Bearer", "expires_in": 3599})

    async def sign_in(self, request: Request) -> Response:
        """POST address and password."""
        only_reads(request)
        body = await body_of(request)
        one = self.directory.log_in(str(body.get("email")), str(body.get("password")))
        if one is None:
            raise _refusal("INVALID_LOGIN_CREDENTIALS")
        return JSONResponse({"localId": one.user, "idToken": one.access, "refreshToken": one.refresh})

    async def refresh(self, request: Request) -> Response:
        """POST a refresh token."""
        only_reads(request)
        one = self.directory.by_refresh(str((await request.form()).get("refresh_token")))
        if one is None:
            raise _refusal("INVALID_REFRESH_TOKEN")
        if self.directory.is_stale(one):
            raise _refusal("TOKEN_EXPIRED")
        return JSONResponse({"id_token": one.access, "refresh_token": one.refresh, "user_id": one.user})

    async def users(self, request: Request) -> Response:
        """GET users, a page and a token for the next one."""
        size = min(int(request.query_params.get("maxResults", "20")), _MOST)
        first = int(request.query_params.get("nextPageToken", "0"))
        names = list(self.directory.users)
        following = {"nextPageToken": str(first + size)} if first + size < len(names) else {}
        return JSONResponse({"users": [{"localId": one} for one in names[first : first + size]], **following})

    async def update(self, request: Request) -> Response:
        """POST since when a user's tokens count."""
        body = await body_of(request)
        user = self.directory.users.get(str(body.get("localId")))
        if user is None:
            raise _refusal("USER_NOT_FOUND")
        if not self.directory.deaf:
            user.valid_since = int(body["validSince"])
        note(request, f"revoke tokens of {user.id}")
        return JSONResponse({"localId": user.id})


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def mount(memory: Memory, directory: Directory, key: rsa.RSAPublicKey) -> Mount:
    """Serve the project `shop`, Google's door and its token page below /firebase."""
    project, known = Project(directory, key), bearer(_TOKEN)

    def admits(request: Request) -> bool:
        if "/projects/" not in request.url.path:
            return True
        directory.may_be_tired()
        return known(request)

    refused = (401, {"error": {"code": 401, "message": "UNAUTHENTICATED"}})
    desk = Desk("firebase", memory, admits, refused=refused, missing=(404, {"error": {"code": 404, "message": "none"}}))
    return desk.mount(
        "/firebase",
        ("/oauth/token", {"POST": project.door}),
        ("/v1/accounts:signInWithPassword", {"POST": project.sign_in}),
        ("/v1/token", {"POST": project.refresh}),
        ("/v1/projects/shop/accounts:batchGet", {"GET": project.users}),
        ("/v1/projects/shop/accounts:update", {"POST": project.update}),
    )
