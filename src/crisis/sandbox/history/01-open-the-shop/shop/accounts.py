"""Accounts: who is logged in. The cookie is signed, so a new release logs nobody out."""

import hashlib
import hmac
import os
import time

from starlette.requests import Request
from starlette.responses import JSONResponse

COOKIE = "session"
LIFETIME = 12 * 3600
_KEY = os.environ.get("SHOP_SESSION_KEY", "only for tests").encode()


def _digest(password: str) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), _KEY, 500)


def _users() -> dict[str, bytes]:
    users = {"guest": _digest("guest")}
    if probe := os.environ.get("SHOP_PROBE_PASSWORD"):
        users["probe"] = _digest(probe)
    return users


USERS = _users()


def _signature(text: str) -> str:
    return hmac.new(_KEY, text.encode(), hashlib.sha256).hexdigest()


async def login(request: Request) -> JSONResponse:
    """Set the session cookie when name and password fit."""
    try:
        body = await request.json()
        user, password = str(body["user"]), str(body["password"])
    except (ValueError, KeyError, TypeError):
        return JSONResponse({"error": "name and password, please"}, 422)
    known = USERS.get(user, b"")
    if not hmac.compare_digest(known, _digest(password)):
        return JSONResponse({"error": "name or password is wrong"}, 401)
    text = f"{user}.{int(time.time()) + LIFETIME}"
    answer = JSONResponse({"user": user})
    answer.set_cookie(COOKIE, f"{text}.{_signature(text)}", max_age=LIFETIME, httponly=True, samesite="lax")
    return answer


def who(request: Request) -> str | None:
    """Name the user of a valid session."""
    text, _, signature = request.cookies.get(COOKIE, "").rpartition(".")
    if not hmac.compare_digest(signature.encode(), _signature(text).encode()):
        return None
    user, _, until = text.rpartition(".")
    return user if until.isdigit() and int(until) > time.time() else None
