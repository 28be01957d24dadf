"""Shoppers: a steady stream of people who look for something and buy it."""

import asyncio
from itertools import cycle

import httpx

from crisis.sandbox.edge import MAINTENANCE
from crisis.sandbox.memory import Memory

_CARTS = (("mug",), ("coffee", "filter"), ("tea",), ("kettle", "coffee", "biscuits"), ("grinder",), ("teapot", "tea"))
_IDLE = 0.1


class Crowd:
    """Starts `per_second` shoppers a second and counts how they fared."""

    def __init__(self, memory: Memory, shop: str, password: str) -> None:
        self._tally = memory.shoppers
        self._password = password
        self._client = httpx.AsyncClient(base_url=shop, trust_env=False, timeout=15)
        self._carts = cycle(_CARTS)

    async def come(self) -> None:
        """Let shoppers come until cancelled."""
        async with self._client, asyncio.TaskGroup() as visits:
            while True:
                if self._tally.per_second <= 0:
                    await asyncio.sleep(_IDLE)
                    continue
                visits.create_task(self._visit(next(self._carts)))
                await asyncio.sleep(1 / self._tally.per_second)

    async def _visit(self, cart: tuple[str, ...]) -> None:
        self._tally.started += 1
        try:
            answer = await self._buy(cart)
        except httpx.HTTPError:
            self._tally.failed += 1
            return
        if MAINTENANCE in answer.headers:
            self._tally.turned_away += 1
        elif answer.status_code == httpx.codes.CREATED:
            self._tally.ok += 1
        else:
            self._tally.failed += 1

    async def _buy(self, cart: tuple[str, ...]) -> httpx.Response:
        items = [{"sku": sku, "quantity": 1} for sku in cart]
        answer = await self._client.post("/api/checkout", json={"items": items})
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            await self._client.post("/api/login", json={"user": "probe", "password": self._password})
            answer = await self._client.post("/api/checkout", json={"items": items})
        return answer
