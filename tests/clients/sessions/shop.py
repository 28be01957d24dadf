"""A small shop that logs users in and keeps their sessions in one of several ways."""

import json
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import redis
from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy import Engine, text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crisis.domain.systems.canary import Canary

__all__ = ["InCookie", "InRedis", "InTable", "Keeping", "Shop", "canary_of"]


class Keeping(Protocol):
    """Where sessions are kept."""

    def begin(self, user: str) -> str:
        """Start a session and return what the cookie holds."""
        ...

    def knows(self, cookie: str) -> bool:
        """Say whether a session lives."""
        ...


@dataclass
class InRedis:
    """As connect-redis keeps them, with an epoch that is compared unless `deaf`."""

    client: redis.Redis
    deaf: bool = False

    def begin(self, user: str) -> str:
        name = secrets.token_hex(16)
        self.client.set(f"sess:{name}", json.dumps({"user": user, "iat": int(time.time())}))
        return name

    def knows(self, cookie: str) -> bool:
        found: Any = self.client.get(f"sess:{cookie}")
        epoch: Any = self.client.get("auth:epoch")
        return found is not None and (self.deaf or json.loads(found)["iat"] >= int(epoch or 0))


@dataclass
class InTable:
    """As connect-pg-simple keeps them."""

    engine: Engine

    def begin(self, user: str) -> str:
        name = secrets.token_hex(16)
        with self.engine.begin() as connection:
            connection.execute(
                text("INSERT INTO session (sid, sess) VALUES (:sid, :sess)"),
                {"sid": name, "sess": json.dumps({"user": user})},
            )
        return name

    def knows(self, cookie: str) -> bool:
        with self.engine.begin() as connection:
            return connection.scalar(text("SELECT 1 FROM session WHERE sid = :sid"), {"sid": cookie}) is not None


@dataclass
class InCookie:
    """As Flask signs them: the newest key signs, and every key in the list of older ones verifies."""

    file: Path
    deaf: bool = False
    keys: list[str] = field(default_factory=list)

    def read(self) -> list[str]:
        """Read the keys: each time, unless it is one that must be restarted."""
        if not (self.deaf and self.keys):
            body = json.loads(self.file.read_text())
            self.keys = [*body["SECRET_KEY_FALLBACKS"], body["SECRET_KEY"]]
        return self.keys

    def signer(self) -> URLSafeTimedSerializer:
        """Sign and verify as Flask does."""
        return URLSafeTimedSerializer(self.read(), salt="cookie-session", signer_kwargs={"key_derivation": "hmac"})

    def begin(self, user: str) -> str:
        return str(self.signer().dumps({"user": user}))

    def knows(self, cookie: str) -> bool:
        try:
            self.signer().loads(cookie)
        except BadSignature:
            return False
        return True


@dataclass
class Shop:
    """The shop itself; `broken` answers 503 to everything."""

    keeping: Keeping
    broken: bool = False
    logins: int = 0

    @property
    def app(self) -> Starlette:
        """Serve it."""
        return Starlette(
            routes=[
                Route("/login", self.guarded(self.login), methods=["POST"]),
                Route("/account", self.guarded(self.account)),
                Route("/restart", self.guarded(self.restart), methods=["POST"]),
            ]
        )

    def guarded(self, answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """Answer, unless the shop is broken."""

        async def serve(request: Request) -> Response:
            return Response(status_code=503) if self.broken else await answer(request)

        return serve

    async def login(self, request: Request) -> Response:
        """Start a session."""
        body = await request.json()
        if body.get("password") != "correct horse":
            return JSONResponse({"error": "wrong"}, 403)
        self.logins += 1
        response = JSONResponse({"user": body["user"]})
        response.set_cookie("sid", self.keeping.begin(body["user"]), httponly=True)
        return response

    async def account(self, request: Request) -> Response:
        """Show what only a user sees."""
        if self.keeping.knows(request.cookies.get("sid", "")):
            return JSONResponse({"account": "of the user"})
        return Response(status_code=303, headers={"location": "/login?next=/account"})

    async def restart(self, _: Request) -> Response:
        """Read the keys again, as a restart does."""
        if isinstance(self.keeping, InCookie):
            self.keeping.keys = []
        return Response(status_code=204)


def canary_of(url: str, **more: Any) -> Canary:
    """Describe the shop's canary as protocol.yaml does."""
    login = {"request": "POST /login", "json": {"user": "canary", "password": "env:CANARY_PASSWORD"}}
    opens = {"request": "GET /account", "accepted": {"status": [200], "text": "of the user"}, **more}
    opens.setdefault("refused", {"status": [303], "text": "^/login"})
    return Canary.model_validate({"url": url, "login": [login], "opens": [opens]})
