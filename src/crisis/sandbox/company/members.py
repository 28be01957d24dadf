"""Members: the shop's members' area, which keeps its sessions in Redis, or in a table where there is no Redis."""

import hmac
import json
import secrets
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

__all__ = ["EPOCH", "PREFIX", "InRedis", "InTable", "Keeping", "members_area"]

PREFIX, EPOCH = "sess:", "auth:epoch"
_TABLE = "CREATE TABLE IF NOT EXISTS session (sid VARCHAR PRIMARY KEY, sess VARCHAR, expire TIMESTAMP)"


class Keeping(Protocol):
    """Where sessions are kept."""

    def begin(self, user: str) -> str:
        """Start a session and return what its cookie holds."""
        ...

    def knows(self, cookie: str) -> bool:
        """Say whether a session lives."""
        ...

    def count(self) -> int:
        """Count the sessions."""
        ...


@dataclass
class InRedis:
    """As connect-redis keeps them, each with its time of issue, which is compared with the epoch."""

    client: redis.Redis

    def begin(self, user: str) -> str:
        """Start a session and return what its cookie holds."""
        name = secrets.token_hex(16)
        self.client.set(f"{PREFIX}{name}", json.dumps({"user": user, "iat": int(time.time())}), ex=86400)
        return name

    def knows(self, cookie: str) -> bool:
        """Say whether a session lives and was not issued before the epoch."""
        found: Any = self.client.get(f"{PREFIX}{cookie}")
        epoch: Any = self.client.get(EPOCH)
        return found is not None and int(json.loads(found)["iat"]) >= int(epoch or 0)

    def count(self) -> int:
        """Count the sessions."""
        return sum(1 for _ in self.client.scan_iter(f"{PREFIX}*", count=1000))


@dataclass
class InTable:
    """As connect-pg-simple keeps them."""

    file: Path

    def __post_init__(self) -> None:
        self._base = sqlite3.connect(self.file, isolation_level=None, check_same_thread=False, timeout=10)
        self._base.execute(_TABLE)

    def begin(self, user: str) -> str:
        """Start a session and return what its cookie holds."""
        name = secrets.token_hex(16)
        self._base.execute("INSERT INTO session (sid, sess) VALUES (?, ?)", (name, json.dumps({"user": user})))
        return name

    def knows(self, cookie: str) -> bool:
        """Say whether a session lives."""
        return self._base.execute("SELECT 1 FROM session WHERE sid = ?", (cookie,)).fetchone() is not None

    def count(self) -> int:
        """Count the sessions."""
        return int(self._base.execute("SELECT count(*) FROM session").fetchone()[0])


def members_area(keeping: Keeping, password: str) -> Starlette:
    """Serve a login, and a page that only who is logged in may open."""

    async def login(request: Request) -> Response:
        body = await request.json()
        if not hmac.compare_digest(str(body.get("password", "")).encode(), password.encode()):
            return JSONResponse({"error": "wrong"}, 403)
        response = JSONResponse({"user": body["user"]})
        response.set_cookie("sid", keeping.begin(str(body["user"])), httponly=True)
        return response

    async def account(request: Request) -> Response:
        if keeping.knows(request.cookies.get("sid", "")):
            return JSONResponse({"account": "of the member"})
        return Response(status_code=303, headers={"location": "/login?next=/account"})

    return Starlette(routes=[Route("/login", login, methods=["POST"]), Route("/account", account)])
