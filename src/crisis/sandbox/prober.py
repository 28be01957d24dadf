"""Prober: measures the journeys from outside, raises alerts, and vouches for releases."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from crisis.sandbox.alerts import Alert, Courier
from crisis.sandbox.edge import MAINTENANCE
from crisis.sandbox.memory import SERVICE, Memory, moment

CONTEXT = "crisis/journeys"
_EVERY, _EVERY_WHILE_NEW, _EVERY_WHILE_FIRING = 0.25, 0.05, 0.02
_EVERY_UNWATCHED = 1.0
_WATCHED_FOR = 5.0
_IN_A_ROW = 2
_VOUCH_AFTER = 3
_SLOW = 3.0
_TAKES_AT_MOST = 12
_PRIMARY = {"login", "checkout"}
_CART = [{"sku": "mug", "quantity": 1}, {"sku": "coffee", "quantity": 1}]


class AwayError(Exception):
    """Something is closed on purpose: neither a pass nor a failure."""


@dataclass
class Journey:
    """How one journey has been doing."""

    up: bool = True
    seconds: float = 0.0
    failures: int = 0
    passes: int = 0
    slow: int = 0


@dataclass
class Vouching:
    """Whether the release in front of the shoppers is known to work."""

    sha: str = ""
    passes: int = 0
    failures: int = 0


@dataclass
class Prober:
    """Goes through the shop like a shopper: four times a second where somebody watches, else once."""

    memory: Memory
    courier: Courier
    shop: str
    password: str
    journeys: dict[str, Journey] = field(default_factory=dict)
    maintenance_seen: list[dict[str, Any]] = field(default_factory=list)
    healthy_again: list[dict[str, Any]] = field(default_factory=list)
    vouched: defaultdict[str, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))
    _vouching: Vouching = field(default_factory=Vouching)
    _scraped: float = -_WATCHED_FOR
    _ailing: bool = False
    _away: bool = False

    async def run(self) -> None:
        """Measure until cancelled."""
        async with httpx.AsyncClient(base_url=self.shop, trust_env=False, timeout=_TAKES_AT_MOST) as client:
            while True:
                began = time.monotonic()
                await self.round(client)
                new = not self._judged(self.memory.serving) and not self._away
                every = _EVERY_WHILE_NEW if new else _EVERY if self._watched else _EVERY_UNWATCHED
                await asyncio.sleep(max(0.0, began + every - time.monotonic()))

    @property
    def _watched(self) -> bool:
        """Whether anybody hears of what is measured; a shop that nobody watches need not keep a processor busy."""
        return self.courier.webhook is not None or time.monotonic() < self._scraped + _WATCHED_FOR

    async def watch_maintenance(self) -> None:
        """Stamp the moment shoppers first see the maintenance page, to a fiftieth of a second."""
        async with httpx.AsyncClient(base_url=self.shop, trust_env=False, timeout=_TAKES_AT_MOST) as client:
            while True:
                if self.courier.open or self._away:
                    with suppress(httpx.HTTPError):
                        self._see(away=(await client.get("/")).headers.get(MAINTENANCE) == "maintenance")
                await asyncio.sleep(_EVERY_WHILE_FIRING if self._watched else _EVERY)

    async def round(self, client: httpx.AsyncClient) -> None:
        """Go through every journey once."""
        client.cookies.clear()
        sha = self.memory.serving
        healthy = [await self._measure(name, client, walk) for name, walk in WALKS.items()]
        if None in healthy:
            return  # something is closed on purpose: nobody can tell how the release is doing
        self._see(away=False)
        if all(healthy) and self._ailing:
            self.healthy_again.append(moment())
        self._ailing = not all(healthy)
        if sha == self.memory.serving:
            self._vouch(sha, healthy=all(healthy))

    async def _measure(self, name: str, client: httpx.AsyncClient, walk: "Walk") -> bool | None:
        journey = self.journeys.setdefault(name, Journey())
        began = time.monotonic()
        try:
            passed = await walk(client, self.password)
        except AwayError as closed:
            journey.up = False
            if str(closed) == "maintenance":
                self._see(away=True)
            return None
        except (httpx.HTTPError, ValueError, KeyError):
            passed = False
        journey.seconds = time.monotonic() - began
        journey.up = passed
        journey.failures = 0 if passed else journey.failures + 1
        journey.passes = journey.passes + 1 if passed else 0
        journey.slow = journey.slow + 1 if journey.seconds > _SLOW else 0
        severity = "critical" if name in _PRIMARY else "warning"
        self._weigh("JourneyFailing", name, severity, bad=journey.failures, good=journey.passes)
        self._weigh("JourneySlow", name, "warning", bad=journey.slow, good=0 if journey.slow else journey.passes)
        return passed

    def _weigh(self, alert: str, name: str, severity: str, *, bad: int, good: int) -> None:
        firing = self.courier.firing(alert, name)
        if firing is None and bad >= _IN_A_ROW:
            verb = "fails" if alert == "JourneyFailing" else f"takes more than {_SLOW:g} s"
            summary = f"{name} of {SERVICE} {verb}"
            self.courier.open.append(Alert(alert, name, severity, summary, since=moment()["at"]))
        elif firing is not None and good >= _IN_A_ROW:
            firing.until = moment()["at"]

    def _vouch(self, sha: str, *, healthy: bool) -> None:
        if self._vouching.sha != sha:
            self._vouching = Vouching(sha)
        seen = self._vouching
        seen.passes = seen.passes + 1 if healthy else 0
        seen.failures = 0 if healthy else seen.failures + 1
        if self._judged(sha):
            return
        if seen.passes >= _VOUCH_AFTER:
            self.memory.github.add_status(sha, state="success", context=CONTEXT, description="every journey passes")
            self.vouched[sha].set()
        elif seen.failures >= _IN_A_ROW:
            failing = ", ".join(name for name, journey in self.journeys.items() if not journey.up)
            self.memory.github.add_status(sha, state="failure", context=CONTEXT, description=f"fails: {failing}")

    def _judged(self, sha: str) -> bool:
        return any(status["context"] == CONTEXT for status in self.memory.github.statuses.get(sha, []))

    def _see(self, *, away: bool) -> None:
        if away and not self._away:
            self.maintenance_seen.append(moment())
        self._away = away

    def metrics(self) -> str:
        """Write the measurements in Prometheus' text format."""
        self._scraped = time.monotonic()
        lines = ["# TYPE crisis_journey_up gauge", "# TYPE crisis_journey_seconds gauge"]
        for name, journey in self.journeys.items():
            labels = f'{{service="{SERVICE}",journey="{name}"}}'
            lines.append(f"crisis_journey_up{labels} {int(journey.up)}")
            lines.append(f"crisis_journey_seconds{labels} {journey.seconds:.6f}")
        return "\n".join([*lines, ""])

    def state(self) -> dict[str, Any]:
        """Tell everything that was measured and stamped."""
        delivered = self.courier.deliveries
        taken = [one for one in delivered if one["status"] == "firing" and one["code"]]
        return {
            "webhook": self.courier.webhook,
            "journeys": {name: vars(journey) for name, journey in self.journeys.items()},
            "firing": [{"alertname": one.name, "journey": one.journey} for one in self.courier.open if not one.until],
            "first_alert": taken[0] if taken else None,
            "deliveries": delivered,
            "maintenance_seen": self.maintenance_seen,
            "healthy_again": self.healthy_again,
        }


async def _answer(asked: Awaitable[httpx.Response]) -> httpx.Response:
    answer = await asked
    if MAINTENANCE in answer.headers:
        raise AwayError(answer.headers[MAINTENANCE])
    return answer


async def _login(client: httpx.AsyncClient, password: str) -> bool:
    answer = await _answer(client.post("/api/login", json={"user": "probe", "password": password}))
    return answer.status_code == httpx.codes.OK and "session" in answer.cookies


async def _checkout(client: httpx.AsyncClient, _: str) -> bool:
    answer = await _answer(client.post("/api/checkout", json={"items": _CART}))
    return answer.status_code == httpx.codes.CREATED and answer.json().get("status") == "paid"


async def _search(client: httpx.AsyncClient, _: str) -> bool:
    answer = await _answer(client.get("/api/search", params={"q": "mug"}))
    return answer.status_code == httpx.codes.OK and bool(answer.json()["results"])


async def _reviews(client: httpx.AsyncClient, _: str) -> bool:
    answer = await _answer(client.get("/api/reviews/mug"))
    return answer.status_code == httpx.codes.OK and bool(answer.json()["reviews"])


Walk = Callable[[httpx.AsyncClient, str], Awaitable[bool]]
WALKS: dict[str, Walk] = {"login": _login, "checkout": _checkout, "search": _search, "reviews": _reviews}
