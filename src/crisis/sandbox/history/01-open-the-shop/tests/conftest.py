"""A shopper who talks to the application without a network."""

import asyncio
from typing import Any

import httpx
import pytest
from shop.app import app


class Shopper:
    """Sends requests one at a time and keeps the cookies."""

    def __init__(self) -> None:
        self.cookies = httpx.Cookies()

    def ask(self, method: str, path: str, **parts: Any) -> httpx.Response:
        """Send one request and wait for its answer."""
        return asyncio.run(self._ask(method, path, **parts))

    async def _ask(self, method: str, path: str, **parts: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop", cookies=self.cookies) as client:
            answer = await client.request(method, path, **parts)
            self.cookies = client.cookies
        return answer

    def buy(self, *items: dict[str, Any]) -> httpx.Response:
        """Check a cart out."""
        return self.ask("POST", "/api/checkout", json={"items": list(items)})


@pytest.fixture
def stranger() -> Shopper:
    """Somebody without an account."""
    return Shopper()


@pytest.fixture
def shopper() -> Shopper:
    """Somebody who is logged in."""
    shopper = Shopper()
    shopper.ask("POST", "/api/login", json={"user": "guest", "password": "guest"})
    return shopper
