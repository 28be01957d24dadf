"""Third counter: what the stand-ins for vendors of keys have in common: who asks, may they, which keys live."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount

from crisis.sandbox.keyring import Key, Keyring
from crisis.sandbox.memory import Memory
from crisis.sandbox.vendors.desk import Answer, Desk, Page, Refusal, note

__all__ = ["Body", "Counter", "bearer_of"]

Body = Callable[[list[Key]], dict[str, Any]]
"""How a vendor shows a list of keys."""


@dataclass(frozen=True)
class Counter:
    """The front of one vendor of keys: who asks, and may they."""

    vendor: str
    memory: Memory
    ring: Keyring
    read: Callable[[Request], str]
    refused: tuple[int, dict[str, Any]]
    forbidden: Callable[[str], tuple[int, dict[str, Any]]]
    missing: tuple[int, dict[str, Any]]

    def mount(self, *pages: Page) -> Mount:
        """Serve the pages below /third/VENDOR."""
        desk = Desk(self.vendor, self.memory, self._accepts, self.refused, self.missing)
        return desk.mount(f"/third/{self.vendor}", *pages)

    def _accepts(self, request: Request) -> bool:
        after = self.ring.throttle(self.vendor)
        if after is not None:
            raise Refusal(429, {"message": "Too many requests"}, {"Retry-After": str(after)})
        request.state.key = self.ring.who(self.vendor, self.read(request))
        return request.state.key is not None

    def managing(self, request: Request) -> None:
        """Refuse who may not manage keys."""
        lacks = self.ring.forbidden.get(self.vendor)
        if lacks or not request.state.key.manages:
            raise Refusal(*self.forbidden(lacks or "manage keys"))

    def harmless(self, body: dict[str, Any]) -> Answer:
        """Answer whoever has a key that lives."""

        async def answer(_: Request) -> Response:
            return JSONResponse(body)

        return answer

    def listing(self, body: Body, kind: str = "") -> Answer:
        """List the living keys."""

        async def answer(request: Request) -> Response:
            self.managing(request)
            return JSONResponse(body(self.ring.living(self.vendor, kind)))

        return answer

    def ending(self, status: int, body: Any = None, kind: str = "") -> Answer:
        """End the key that the path names."""

        async def answer(request: Request) -> Response:
            self.managing(request)
            name = f"{kind}{request.path_params['key']}"
            if not self.ring.end(self.vendor, name):
                raise Refusal(*self.missing)
            note(request, f"ended {name}")
            return Response(status_code=status) if body is None else JSONResponse(body, status)

        return answer


def bearer_of(request: Request) -> str:
    """Read a bearer token."""
    return request.headers.get("authorization", "").removeprefix("Bearer ")
