"""Control: look at everything, and break things."""

import json
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

from crisis.sandbox.deployer import FREEZE, Deployer
from crisis.sandbox.memory import Memory, Shoppers, moment
from crisis.sandbox.origin import Origin
from crisis.sandbox.prober import Prober
from crisis.sandbox.vendors.desk import Refusal, body_of
from crisis.sandbox.vendors.github import deployment

FAULTS = (
    "lying_deployer",
    "never_healthy",
    "slow_checkout",
    "git_down",
    "deployer_down",
    "vendor_errors",
    "vendor_lost_reply",
    "stuck_switch",
    "vendor_delay",
    "slack",
)


@dataclass(frozen=True)
class Control:
    """The levers of the drill; nothing here is a vendor's API."""

    memory: Memory
    origin: Origin
    deployer: Deployer
    prober: Prober

    async def state(self, _: Request) -> Response:
        """Show everything, and no secret."""
        github, twilio = self.memory.github, self.memory.twilio
        freeze = github.variables.get(FREEZE)
        return JSONResponse(
            {
                **moment(),
                "messages": twilio.messages,
                "calls": twilio.calls,
                "slack": vars(self.memory.slack),
                "tickets": [{**one, "thread": github.comments.get(one["number"], [])} for one in github.issues],
                "deployments": [
                    {**deployment(one), "state": one.state, "statuses": one.statuses, "rerelease": one.rerelease}
                    for one in github.deployments
                ],
                "statuses": github.statuses,
                "check_runs": github.check_runs,
                "variables": github.variables,
                "freeze": _readable(freeze["value"]) if freeze else None,
                "switches": self.memory.switchboard.document,
                "serving": self.memory.serving,
                "shoppers": vars(self.memory.shoppers),
                "prober": self.prober.state(),
                "writes": self.memory.writes,
                "faults": self.memory.faults,
            }
        )

    async def faults(self, request: Request) -> Response:
        """Switch faults on and off; a false value is off."""
        body = await body_of(request)
        if unknown := sorted(body.keys() - set(FAULTS)):
            raise Refusal(422, {"error": f"no such fault: {', '.join(unknown)}", "faults": FAULTS})
        for name, value in body.items():
            self._set(name, value)
        self.deployer.reconsider()
        return JSONResponse(self.memory.faults)

    def _set(self, name: str, value: Any) -> None:
        if value:
            self.memory.faults[name] = value
        else:
            self.memory.faults.pop(name, None)
        if name == "git_down":
            self._switch_origin(away=bool(value))

    def _switch_origin(self, *, away: bool) -> None:
        here, gone = self.origin.path, self.origin.path.with_name("origin.git.away")
        source, target = (here, gone) if away else (gone, here)
        if source.exists():
            source.rename(target)

    async def set_prober(self, request: Request) -> Response:
        """Say where alerts go."""
        self.prober.courier.webhook = (await body_of(request)).get("webhook")
        return JSONResponse({"webhook": self.prober.courier.webhook})

    async def set_shoppers(self, request: Request) -> Response:
        """Say how many shoppers come each second."""
        self.memory.shoppers.per_second = float((await body_of(request)).get("per_second", 0))
        return JSONResponse(vars(self.memory.shoppers))

    async def reset_counters(self, _: Request) -> Response:
        """Count shoppers, writes, deliveries and stamps from zero."""
        shoppers, prober = self.memory.shoppers, self.prober
        vars(shoppers).update(vars(Shoppers(per_second=shoppers.per_second)))
        for counted in (self.memory.writes, prober.courier.deliveries, prober.maintenance_seen, prober.healthy_again):
            counted.clear()
        return JSONResponse({})

    async def metrics(self, _: Request) -> Response:
        """Answer a Prometheus scrape."""
        return PlainTextResponse(self.prober.metrics(), media_type="text/plain; version=0.0.4")

    def routes(self) -> list[Route | Mount]:
        """List the addresses."""
        inner = [
            Route("/state", self.state),
            Route("/faults", self.faults, methods=["POST"]),
            Route("/prober", self.set_prober, methods=["POST"]),
            Route("/shoppers", self.set_shoppers, methods=["POST"]),
            Route("/reset-counters", self.reset_counters, methods=["POST"]),
        ]
        return [Mount("/_sandbox", routes=inner), Route("/metrics", self.metrics)]


def _readable(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value
