"""Desk: what every vendor does with a request before and after answering it."""

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from crisis.sandbox.memory import Memory, now

Answer = Callable[[Request], Awaitable[Response]]
Page = tuple[str, dict[str, Answer]]
_READS = {"GET", "HEAD"}
_FAILED = 400


class Refusal(Exception):  # noqa: N818 - it carries an answer, it is not a failure of ours
    """Answers with something else than was asked for."""

    def __init__(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self.status, self.body, self.headers = status, body, headers
        super().__init__(f"{status}")


@dataclass(frozen=True)
class Desk:
    """The front of one vendor: faults, proof of identity, and a record of what was changed."""

    vendor: str
    memory: Memory
    accepts: Callable[[Request], bool]
    refused: tuple[int, dict[str, Any]]
    missing: tuple[int, dict[str, Any]]

    def mount(self, prefix: str, *pages: Page) -> Mount:
        """Serve the pages, and refuse whatever else is asked below the prefix."""
        routes = [Route(path, self._behind(answers), methods=list(answers)) for path, answers in pages]
        every = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        nothing = Route("/{path:path}", self._behind({}), methods=every)
        return Mount(prefix, routes=[*routes, nothing])

    def _behind(self, answers: dict[str, Answer]) -> Answer:
        async def serve(request: Request) -> Response:
            await asyncio.sleep(float(self.memory.faults.get("vendor_delay", 0)))
            if (status := self.memory.spend("vendor_errors", self.vendor)) is not None:
                return JSONResponse({"message": "the vendor is having a bad day"}, status)
            try:
                return await self._answer(request, answers)
            except Refusal as refusal:
                return JSONResponse(refusal.body, refusal.status, refusal.headers)

        return serve

    async def _answer(self, request: Request, answers: dict[str, Answer]) -> Response:
        if not self.accepts(request):
            raise Refusal(*self.refused)
        answer = answers.get("GET" if request.method == "HEAD" else request.method)
        if answer is None:
            raise Refusal(*self.missing)
        response = await answer(request)
        reads = request.method in _READS or getattr(request.state, "reads", False)
        if reads or response.status_code >= _FAILED:
            return response
        self.memory.writes.append(
            {
                "vendor": self.vendor,
                "method": request.method,
                "path": request.url.path,
                "summary": getattr(request.state, "summary", ""),
                "at": now(),
            }
        )
        lost = self.memory.spend("vendor_lost_reply", self.vendor)
        return response if lost is None else JSONResponse({"message": "gateway time-out"}, 504)


def bearer(token: str) -> Callable[[Request], bool]:
    """Accept requests that carry the token, in either of the spellings GitHub knows."""

    def accepts(request: Request) -> bool:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() in {"bearer", "token"} and hmac.compare_digest(given.encode(), token.encode())

    return accepts


async def body_of(request: Request) -> dict[str, Any]:
    """Read a JSON object."""
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError:
        raise Refusal(400, {"message": "Problems parsing JSON"}) from None
    if not isinstance(body, dict):
        raise Refusal(400, {"message": "Body should be a JSON object"})
    return body


def only_reads(request: Request) -> None:
    """Say that the request changes nothing, although it is a POST."""
    request.state.reads = True


def note(request: Request, text: str) -> None:
    """Say in a few words what the request changed."""
    request.state.summary = text
