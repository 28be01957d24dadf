"""Edge: the address shoppers open; it hands each request to the live release, or turns it away."""

import asyncio
import hmac
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from crisis.sandbox.memory import Memory

MAINTENANCE = "X-Maintenance"
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server", "host"}
_AWAY = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Back in a moment</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{font:18px/1.6 system-ui,sans-serif;background:#faf7f2;color:#26221d;display:grid;place-items:center;
min-height:90vh;text-align:center;padding:0 1rem}h1{font:600 2rem Georgia,serif}p{color:#6f675c;max-width:30rem}</style>
<main><h1>We are putting something right</h1><p>The shop is closed for a moment. Nothing in your account has changed,
and no order was charged twice. Please look in again in half a minute.</p></main></html>"""


@dataclass(frozen=True)
class Upstream:
    """The release that is live."""

    sha: str
    url: str


class Edge:
    """A small reverse proxy with one upstream, changed in one assignment."""

    def __init__(self, memory: Memory, bypass: str) -> None:
        self._memory, self._bypass = memory, bypass
        self._upstream: Upstream | None = None
        nobody = CookieJar(DefaultCookiePolicy(allowed_domains=[]))  # a shopper's session is not the next one's
        # A release that has just answered 500 hangs up: a kept connection would fail the next, innocent request.
        once = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.AsyncClient(trust_env=False, timeout=10, cookies=nobody, limits=once)
        self.app = Starlette(routes=[Route("/{path:path}", self._serve, methods=_METHODS)])

    def turn_to(self, sha: str, url: str) -> None:
        """Send every request from now on to this release."""
        self._upstream = Upstream(sha, url)
        self._memory.serving = sha

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def _serve(self, request: Request) -> Response:
        path = request.url.path
        closed = self._memory.switchboard.closed(request.method, path)
        if closed and not self._invited(request):
            return _turn_away(path, closed)
        if path == "/api/checkout":
            await asyncio.sleep(float(self._memory.faults.get("slow_checkout", 0)))
            if self._memory.faults.get("never_healthy"):
                return Response("Internal Server Error", 500)
        upstream = self._upstream
        if upstream is None:
            return JSONResponse({"error": "no release is live yet"}, 502)
        answer = await self._hand_on(request, upstream)
        answer.headers["X-Release"] = upstream.sha
        return answer

    def _invited(self, request: Request) -> bool:
        given = request.headers.get("x-maintenance-bypass", "")
        return hmac.compare_digest(given.encode(), self._bypass.encode())

    async def _hand_on(self, request: Request, upstream: Upstream) -> Response:
        headers = [(name, value) for name, value in request.headers.raw if name.decode("latin-1") not in _HOP_BY_HOP]
        question = f"?{request.url.query}" if request.url.query else ""
        try:
            answer = await self._client.request(
                request.method, f"{upstream.url}{request.url.path}{question}", headers=headers,
                content=await request.body(),
            )  # fmt: skip
        except httpx.TimeoutException:
            return JSONResponse({"error": "the shop did not answer in time"}, 504)
        except httpx.HTTPError:
            return JSONResponse({"error": "the shop does not answer"}, 502)
        response = Response(answer.content, answer.status_code)
        kept = [(name.lower(), value) for name, value in answer.headers.raw]
        own = [pair for pair in response.raw_headers if pair[0] == b"content-length"]
        response.raw_headers = own + [pair for pair in kept if pair[0].decode("latin-1") not in _HOP_BY_HOP]
        return response


def _turn_away(path: str, closed: str) -> Response:
    headers = {"Retry-After": "30", "Cache-Control": "no-store", MAINTENANCE: closed}
    if path.startswith("/api/"):
        return JSONResponse({"error": "this is closed for a moment", "mode": closed}, 503, headers=headers)
    return HTMLResponse(_AWAY, 503, headers=headers)
