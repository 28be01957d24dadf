"""Forgery: a form counts only when our own page sent it. Its authority is the one-time code, never this."""

import hmac
import secrets
from urllib.parse import urlsplit

from fastapi import Request, Response

__all__ = ["COOKIE", "is_ours", "new_token", "remember", "token_of"]

COOKIE = "crisis_form"
_SHAPE = 43  # the length of 32 random bytes in URL-safe base 64


def token_of(request: Request) -> str:
    """Return the token in the browser's cookie, or a fresh one."""
    held = request.cookies.get(COOKIE, "")
    return held if len(held) == _SHAPE and held.isascii() else new_token()


def new_token() -> str:
    """Return a fresh token."""
    return secrets.token_urlsafe(32)


def remember(response: Response, token: str, *, secure: bool, path: str = "/decide") -> Response:
    """Put the token into the browser's cookie, which other sites' requests do not carry."""
    response.set_cookie(COOKIE, token, path=path, secure=secure, httponly=True, samesite="strict")
    return response


def is_ours(request: Request, field: str, address: str) -> bool:
    """Say whether the form came from our page: same origin, and its token is the cookie's."""
    held = request.cookies.get(COOKIE, "").encode()
    return bool(held) and hmac.compare_digest(held, field.encode()) and _same_origin(request, address)


def _same_origin(request: Request, address: str) -> bool:
    site = request.headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = request.headers.get("origin")
    if origin is None:
        return True
    if origin == "null":
        # What browsers say under our Referrer-Policy; then Sec-Fetch-Site must have vouched for the form.
        return site == "same-origin"
    return origin == address or urlsplit(origin).netloc == request.headers.get("host")
